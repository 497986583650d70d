//! `tinyci plan`: shows what a run would do.

use tinyci::{
    Engine,
    plan::{DryRun, Plan},
};

use crate::{
    console::{
        exit_codes::OK,
        failure::Failure,
        terminal::{Palette, Stdout, printable},
    },
    globals::{Globals, is_range, selection_of},
};

const EXAMPLES: &str = "\
Examples:
  tinyci plan                       show which commits `tinyci run --all` would test
  tinyci plan --retry main..topic   the same for `tinyci run --retry main..topic`
  tinyci plan main --assume 'git describe*=v1.2'
                                    show what the steps of this commit would do";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PlanArgs {
    /// Commits and ranges [default: all pending commits]
    #[arg(value_name = "REV", conflicts_with_all = ["all", "all_history"])]
    revisions: Vec<String>,
    /// Plan for all pending commits (the default)
    #[arg(short, long)]
    all: bool,
    /// Plan for `run --retry`
    #[arg(long)]
    retry: bool,
    /// Plan for `run --all-history`
    #[arg(long)]
    all_history: bool,
    /// Print the plan as one line of JSON; for commits given by name, with the actions of their steps
    #[arg(long)]
    json: bool,
    /// Assume this output of commands that match the glob: `git describe*=v1.2`
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
        stdout.line(format_args!(
            "{} is out of attempts; `tinyci run --retry` tests it again",
            commit.short()
        ));
    }
    if !plan.baselined.is_empty() {
        let count = plan.baselined.len();
        stdout.line(format_args!(
            "{count} older commits are below the baseline; `tinyci run --all-history` tests them"
        ));
    }
}

/// Reads `GLOB=TEXT`.
pub(crate) fn assumption(word: &str) -> Result<(String, String), String> {
    let (glob, text) = word.split_once('=').ok_or("expected GLOB=TEXT")?;
    if glob.trim().is_empty() {
        return Err("an empty glob matches no command; `*` matches all".to_owned());
    }
    Ok((glob.to_owned(), text.to_owned()))
}

/// Returns the plan as JSON, with a dry run of each named commit.
fn json<'a>(
    engine: &Engine,
    plan: &Plan,
    named: impl Iterator<Item = &'a String>,
    assume: &[(String, String)],
) -> Result<String, Failure> {
    let mut dry_runs = Vec::new();
    for revision in named {
        dry_runs.push(dry_run(engine, plan, revision, assume)?);
    }
    Ok(if dry_runs.is_empty() { plan.to_json() } else { plan.to_json_with(&dry_runs) })
}

/// Returns a dry run of a named commit: of its job in the plan, or of a first job if it is not
/// pending.
fn dry_run(
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

/// Shows a dry run of a named commit, even if it is not pending.
fn steps(
    engine: &Engine,
    plan: &Plan,
    revision: &str,
    assume: &[(String, String)],
    stdout: &mut Stdout,
) -> Result<(), Failure> {
    let dry_run = dry_run(engine, plan, revision, assume)?;
    let commit = dry_run.commit;
    let is_pending = plan.jobs.iter().any(|job| job.commit.id == commit);
    let pending = if is_pending { "" } else { " (not pending; `--retry` tests it again)" };
    let becomes = match (dry_run.outcome, &dry_run.reason) {
        (None, _) => "outcome unknown".to_owned(),
        // A skipped step or an invalid config does not depend on commands.
        (Some(outcome), Some(reason)) => format!("{outcome}: {}", printable(reason)),
        (Some(outcome), None) => format!("{outcome} if every command passes"),
    };
    stdout.line(format_args!("{}{pending}: {becomes}", commit.short()));
    for step in &dry_run.steps {
        stdout.line(format_args!("  {}", printable(&step.name.to_string())));
        if step.hook_callbacks > 0 {
            stdout.line(format_args!("    hook callbacks: {}", step.hook_callbacks));
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
