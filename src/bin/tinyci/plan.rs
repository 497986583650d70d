//! `tinyci plan`: what a run would do, without doing it.

use tinyci::Plan;

use crate::{
    args::{Globals, selection_of},
    failure::{Failure, OK},
    terminal::{Palette, Stdout, printable},
};

const EXAMPLES: &str = "\
Examples:
  tinyci plan                       what `tinyci run --all` would test
  tinyci plan --retry main..topic   what naming these commits would test";

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
    /// Print the plan as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &PlanArgs, globals: &Globals) -> Result<u8, Failure> {
    let selection = selection_of(&args.revisions).retry(args.retry).all_history(args.all_history);
    let plan = globals.engine()?.plan(&selection)?;
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(plan.to_json());
    } else {
        show(&plan, &mut stdout);
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
            palette.faint(&format!("({})", job.reason)),
        ));
    }
    for commit in &plan.held {
        stdout.line(format_args!("{} waits for `run --retry`: tried too often", commit.short()));
    }
    if !plan.baselined.is_empty() {
        let count = plan.baselined.len();
        stdout.line(format_args!("{count} older commits wait for `run --all-history`"));
    }
}
