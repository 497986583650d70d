//! `tinyci run`: tests commits and shows their output live.

use std::{
    env,
    io::{self, IsTerminal},
    path::Path,
    time::{Duration, SystemTime},
};

use tinyci::{Event, EventKind, Outcome, Selection, Summary, selection::Wait};

use crate::{
    commands::run_step,
    console::{
        exit_codes::OK,
        failure::{Failure, exit_code},
        signals,
        terminal::{self, Stdout},
        transcript::Transcript,
    },
    globals::{Globals, selection_of},
};

const EXAMPLES: &str = "\
Examples:
  tinyci run --all                  test all pending commits
  tinyci run HEAD                   test one commit
  tinyci run main..topic            test the commits of a branch
  tinyci run --retry v1.2           test a commit again
  tinyci run --step test HEAD       run one step by hand and show each command
  tinyci run --all --json           print one JSON event per line, then the summary

A commit is pending if a branch contains it, it has no verdict, and it has a config file. The setting \
`tinyci.refs` selects other refs than the branches.";

#[derive(Debug, clap::Args)]
#[command(
    override_usage = "tinyci run [OPTIONS] <--all | --commit REV | REV... | A..B>\n       \
                      tinyci run [OPTIONS] --step NAME [REV]",
    after_help = EXAMPLES
)]
pub(crate) struct RunArgs {
    /// Commits and ranges to test: HEAD, v1.2, main..topic
    #[arg(value_name = "REV", conflicts_with_all = ["all", "commit", "hook"])]
    pub(crate) revisions: Vec<String>,
    /// Test all pending commits
    #[arg(short, long, conflicts_with_all = ["commit", "hook"])]
    all: bool,
    /// Test this commit
    #[arg(short, long, value_name = "REV", conflicts_with = "hook")]
    pub(crate) commit: Option<String>,
    /// Test the pushed commits: reads the input of a post-receive hook
    #[arg(long, hide_short_help = true)]
    hook: bool,
    /// Run this step of one commit by hand and record nothing
    ///
    /// NAME is a phase or a hook, but not `deploy`. tinyci exports the commit (default: HEAD) to a
    /// separate directory and deletes it afterwards. It shows each command before it runs. Conditions
    /// are ignored. Repeat the option to run more steps in the same directory: `--step build --step
    /// test`.
    #[arg(
        long = "step", value_name = "NAME",
        conflicts_with_all =
            ["all", "hook", "retry", "replace_live", "all_history", "jobs", "no_wait"]
    )]
    pub(crate) steps: Vec<String>,
    /// Keep the export for one day (with --step)
    #[arg(long, requires = "steps")]
    pub(crate) keep: bool,
    /// Retest commits that have a verdict or are out of attempts
    #[arg(long)]
    retry: bool,
    /// Let --retry rebuild a deployed commit, replacing the files that are live
    #[arg(long, requires = "retry")]
    replace_live: bool,
    /// Test all pending commits, including those below the baseline
    #[arg(long, conflicts_with_all = ["commit", "revisions", "hook"])]
    all_history: bool,
    /// Test N commits at the same time [default: git config tinyci.jobs, else 1]
    #[arg(short, long, value_name = "N", value_parser = at_least_one)]
    jobs: Option<usize>,
    /// Time limit of one job: 90s, 10m, 1h30m [default: git config tinyci.jobTimeout, else no limit]
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Exit with code 3 if another run is active
    #[arg(long)]
    no_wait: bool,
    /// Print events as JSON, one per line, then the summary
    #[arg(long)]
    pub(crate) json: bool,
}

/// Returns true if a command of a run in this repository started this process. Waiting for that run
/// would be a deadlock. That run scans again before it ends, so no commit is missed.
fn is_nested(root: &Path) -> bool {
    env::var_os("TINYCI_JOB_ID").is_some()
        && env::var_os("TINYCI_REPO").is_some_and(|repo| Path::new(&repo) == root)
}

pub(crate) fn execute(args: &RunArgs, globals: &Globals) -> Result<u8, Failure> {
    if !args.steps.is_empty() {
        return run_step::execute(args, globals);
    }
    let Some(selection) = args.selection()? else { return Ok(OK) };
    signals::survive_hangup()?;
    let engine = globals.engine_with(|mut builder| {
        if let Some(jobs) = args.jobs {
            builder = builder.jobs(jobs);
        }
        if let Some(timeout) = args.timeout {
            builder = builder.job_timeout(timeout);
        }
        builder
    })?;
    let selection = match is_nested(engine.path()) {
        true => selection.wait(Wait::Never),
        false => selection,
    };
    let cancel = match args.hook {
        true => signals::cancel_on_terminate()?,
        false => signals::cancel_on_interrupt()?,
    };
    let mut view = View::new(args, globals.is_quiet());
    let summary = engine.run(&selection, &cancel, &mut |event: &Event| view.event(event))?;
    view.summary(&summary);
    Ok(exit_code(summary.exit_code()))
}

impl RunArgs {
    /// Returns the selection; `None` if a git hook got no pushed refs.
    fn selection(&self) -> Result<Option<Selection>, Failure> {
        let selection = if self.hook {
            let lines = terminal::read_stdin().map_err(|error| {
                Failure::broken(format!("cannot read the pushed refs from standard input: {error}"))
            })?;
            Selection::hook_lines(lines)?.push_options(push_options())
        } else if let Some(commit) = &self.commit {
            Selection::revision(commit)
        } else {
            selection_of(&self.revisions)
        };
        let everything = self.all || self.all_history;
        if selection.selectors.is_empty() && !everything {
            return if self.hook { Ok(None) } else { Err(nothing_selected()) };
        }
        let wait = if self.no_wait { Wait::Never } else { Wait::Forever };
        let selection = selection.retry(self.retry).replace_live(self.replace_live);
        Ok(Some(selection.all_history(self.all_history).wait(wait)))
    }
}

/// Returns the options of `git push -o`, which git passes to hooks.
fn push_options() -> Vec<String> {
    let value = |name: String| Some(env::var_os(name)?.to_string_lossy().into_owned());
    let count = value("GIT_PUSH_OPTION_COUNT".to_owned()).and_then(|count| count.parse().ok());
    (0..count.unwrap_or(0_usize)).map_while(|at| value(format!("GIT_PUSH_OPTION_{at}"))).collect()
}

fn nothing_selected() -> Failure {
    Failure::usage("no commits given").hint("`tinyci run --all` tests all pending commits")
}

/// Shows a run as lines or as JSON. It never stops the run, even if the output is closed.
struct View {
    stdout: Stdout,
    transcript: Transcript,
    /// True if commits were given by name, so that a hint about `--retry` is useful.
    named: bool,
    /// True if another run was followed, which showed its outcome.
    followed: bool,
    json: bool,
    quiet: bool,
}

impl View {
    fn new(args: &RunArgs, quiet: bool) -> Self {
        let labelled = args.jobs.is_some_and(|jobs| jobs > 1);
        let transcript = Transcript::new(labelled);
        let named = args.commit.is_some() || !args.revisions.is_empty();
        let (json, stdout) = (args.json, Stdout::new());
        Self { stdout, transcript, named, followed: false, json, quiet }
    }

    fn event(&mut self, event: &Event) {
        self.followed |= matches!(event.kind, EventKind::Waiting { .. });
        if self.quiet {
            return;
        }
        if self.json {
            self.stdout.line(event.to_json());
        } else {
            self.stdout.write(&self.transcript.event(event));
        }
    }

    /// Shows what no event has shown.
    fn summary(&mut self, summary: &Summary) {
        if self.json {
            self.stdout.line(summary.to_json());
        } else if !self.quiet {
            self.untested(summary);
        }
        match &summary.error {
            Some(fault) => terminal::print_error(Failure::broken(fault)),
            None if self.quiet => without_verdict(summary),
            None => {}
        }
    }

    fn untested(&mut self, summary: &Summary) {
        let hint = if self.named { " (`--retry` tests it again)" } else { "" };
        let tested = summary.already_tested.iter().filter(|_| self.named || !self.followed);
        let tested =
            tested.map(|(commit, outcome)| format!("{commit} has a verdict: {outcome}{hint}"));
        let unconfigured =
            summary.unconfigured.iter().map(|commit| format!("No config found for {commit}"));
        let lines: Vec<String> = tested.chain(unconfigured).collect();
        let mut shown = Vec::new();
        for line in &lines {
            self.transcript.line(SystemTime::now(), None, line, &mut shown);
        }
        let idle = summary.records.is_empty()
            && summary.already_tested.is_empty()
            && lines.is_empty()
            && summary.out_of_attempts.is_empty();
        if idle && !summary.canceled && summary.error.is_none() && io::stdout().is_terminal() {
            self.transcript.line(SystemTime::now(), None, "Nothing is pending", &mut shown);
        }
        self.stdout.write(&shown);
    }
}

/// Prints an error for each commit without a verdict, even with `--quiet`.
fn without_verdict(summary: &Summary) {
    for record in summary.records.iter().filter(|record| record.outcome == Outcome::Error) {
        let of_a_step = record.steps.iter().find_map(|step| step.error.as_deref());
        let why = record.reason.as_deref().or(of_a_step).unwrap_or("the run could not go on");
        terminal::print_error(Failure::broken(format!("no verdict for {}: {why}", record.commit)));
    }
    for commit in &summary.out_of_attempts {
        let why = format!("no verdict for {commit}: out of attempts");
        terminal::print_error(
            Failure::broken(why)
                .hint(format!("`tinyci run --retry {}` tests it again", commit.short())),
        );
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("expected an integer of at least 1".to_owned()),
        Ok(number) => Ok(number),
    }
}

/// Reads `90s`, `10m`, `1h30m`, or a plain number of seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let written = text.parse::<u64>().map(|seconds| format!("{seconds}s"));
    let written = written.unwrap_or_else(|_| text.to_owned());
    let parsed: Option<jiff::SignedDuration> = written.parse().ok();
    let length = parsed.and_then(|parsed| Duration::try_from(parsed).ok());
    length
        .filter(|length| !length.is_zero())
        .ok_or_else(|| "expected a time such as 90s, 10m or 1h30m".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_with_and_without_units() {
        let cases = [("90", 90_000), ("90s", 90_000), ("10m", 600_000), ("1h30m", 5_400_000)];
        for (text, milliseconds) in cases {
            assert_eq!(duration(text), Ok(Duration::from_millis(milliseconds)), "{text}");
        }
        for text in ["", "0", "0s", "-5s", "soon", "99999999999999999999"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
