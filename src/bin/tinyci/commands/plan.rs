//! `tinyci plan`: what a run would do, without doing it.

use tinyci::{
    Engine,
    plan::{DryRun, Plan},
};

use crate::{
    console::{
        failure::{Failure, OK},
        terminal::{Palette, Stdout, printable},
    },
    globals::{Globals, is_range, selection_of},
};

const EXAMPLES: &str = "\
Examples:
  tinyci plan                       what `tinyci run --all` would test
  tinyci plan --retry main..topic   what naming these commits would test
  tinyci plan main --assume 'git describe*=v1.2'
                                    what its steps would do, and why";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PlanArgs {
    /// Commits and ranges; without any, all that is due
    #[arg(value_name = "REV", conflicts_with_all = ["all", "all_history"])]
    revisions: Vec<String>,
    /// Every commit that has no verdict yet: the default
    #[arg(short, long)]
    all: bool,
    /// As `run --retry` would
    #[arg(long)]
    retry: bool,
    /// As `run --all-history` would
    #[arg(long)]
    all_history: bool,
    /// Print the plan as one line of JSON, of named commits with what their steps would do
    #[arg(long)]
    json: bool,
    /// Take this text for the output of commands that the script asks for: `git describe*=v1.2`
    #[arg(long, value_name = "GLOB=TEXT", value_parser = assumption)]
    assume: Vec<(String, String)>,
}

pub(crate) fn execute(args: &PlanArgs, globals: &Globals) -> Result<u8, Failure> {
    let selection = selection_of(&args.revisions).retry(args.retry).all_history(args.all_history);
    let engine = globals.reading_engine()?;
    let plan = engine.plan(&selection)?;
    let mut stdout = Stdout::new();
    let named = args.revisions.iter().filter(|word| !is_range(word));
    if args.json {
        stdout.line(json(&engine, &plan, named, &args.assume)?);
    } else {
        show(&plan, &mut stdout);
        for revision in named {
            steps(&engine, &plan, revision, &args.assume, &mut stdout)?;
        }
    }
    stdout.finish()?;
    Ok(OK)
}

fn show(plan: &Plan, stdout: &mut Stdout) {
    let palette = Palette::of_stdout();
    for job in &plan.jobs {
        let branch = job.commit.branch.as_ref().map(|branch| format!("{branch} "));
        let subject = job.commit.subject.to_str_lossy();
        stdout.line(format_args!(
            "{} {}{} {}",
            job.commit.id.short(),
            printable(&branch.unwrap_or_default()),
            printable(&subject),
            palette.faint(&match &job.retest_reason {
                Some(why) => format!("(again {})", printable(why)),
                None => format!("({})", job.trigger),
            }),
        ));
    }
    for commit in &plan.out_of_attempts {
        stdout.line(format_args!("{} waits for `run --retry`: out of attempts", commit.short()));
    }
    if !plan.baselined.is_empty() {
        let count = plan.baselined.len();
        stdout.line(format_args!("{count} older commits wait for `run --all-history`"));
    }
}

/// `GLOB=TEXT`
pub(crate) fn assumption(word: &str) -> Result<(String, String), String> {
    let (glob, text) = word.split_once('=').ok_or("write GLOB=TEXT")?;
    if glob.trim().is_empty() {
        return Err("an empty glob matches no command; write `*` for any".to_owned());
    }
    Ok((glob.to_owned(), text.to_owned()))
}

/// The plan, with what the steps of named commits would do.
fn json<'a>(
    engine: &Engine,
    plan: &Plan,
    named: impl Iterator<Item = &'a String>,
    assume: &[(String, String)],
) -> Result<String, Failure> {
    let mut forecasts = Vec::new();
    for revision in named {
        forecasts.push(forecast(engine, plan, revision, assume)?);
    }
    Ok(if forecasts.is_empty() { plan.to_json() } else { plan.to_json_with(&forecasts) })
}

/// What a named commit would come to: as the plan has it, or as a first job if it is not due.
fn forecast(
    engine: &Engine,
    plan: &Plan,
    revision: &str,
    assume: &[(String, String)],
) -> Result<DryRun, Failure> {
    let commit = engine.resolve(revision)?;
    Ok(match plan.jobs.iter().find(|job| job.commit.id == commit) {
        Some(job) => engine.dry_run_job(job, assume)?,
        None => engine.dry_run(revision, assume)?,
    })
}

/// What the steps of a named commit would do, whether it is due or not.
fn steps(
    engine: &Engine,
    plan: &Plan,
    revision: &str,
    assume: &[(String, String)],
    stdout: &mut Stdout,
) -> Result<(), Failure> {
    let forecast = forecast(engine, plan, revision, assume)?;
    let commit = forecast.commit;
    let is_due = plan.jobs.iter().any(|job| job.commit.id == commit);
    let due = if is_due { "" } else { " (not due: `--retry` runs it again)" };
    let becomes = match (forecast.outcome, &forecast.reason) {
        (None, _) => "the outcome is not known".to_owned(),
        // What was left out, or an invalid config, does not depend on commands.
        (Some(outcome), Some(reason)) => format!("{outcome}: {}", printable(reason)),
        (Some(outcome), None) => format!("{outcome} if every command passes"),
    };
    stdout.line(format_args!("{}{due}: {becomes}", commit.short()));
    for step in &forecast.steps {
        stdout.line(format_args!("  {}", step.name));
        if step.hook_callbacks > 0 {
            stdout
                .line(format_args!("    hooks of the embedding program: {}", step.hook_callbacks));
        }
        for act in &step.actions {
            stdout.line(format_args!("    {}", printable(&act.to_string())));
        }
        if let Some(outcome) = step.outcome {
            for line in step.reason.iter().flat_map(|reason| reason.lines()) {
                stdout.line(format_args!("    {outcome}: {}", printable(line)));
            }
        }
        if let Some(why) = &step.ends {
            stdout.line(format_args!("    unknown: {}", printable(why)));
        }
    }
    Ok(())
}
