//! `tinyci status`: shows what is running, pending and deployed, on one screen.

use std::time::SystemTime;

use tinyci::{
    deploy::Deployment,
    format::format_bytes,
    status::{ActiveRun, BranchStatus, EnvironmentStatus, Status},
};

use crate::{
    commands::results::roughly,
    console::{
        exit_codes::OK,
        failure::Failure,
        terminal::{self, Palette, Stdout, printable},
    },
    globals::Globals,
};

/// The maximum number of commits and branches on the screen; `--json` has all.
const LINES_MAX: usize = 10;

const EXAMPLES: &str = "\
Examples:
  tinyci status                     show the status of this repository
  tinyci -r status                  show the status on the server of the remote `origin`
  tinyci status --json | jq -e '.warnings == []'
                                    for monitoring: fails if there are warnings";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    /// Print the status as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &StatusArgs, globals: &Globals) -> Result<u8, Failure> {
    // The status contains the warnings.
    let status = globals.silent_engine()?.status()?;
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(status.to_json());
    } else {
        let screen = Screen { palette: Palette::of_stdout(), now: SystemTime::now() };
        screen.show(&status, &mut stdout);
        if !globals.is_quiet() {
            status.warnings.iter().for_each(terminal::warn);
        }
    }
    stdout.finish()?;
    Ok(OK)
}

struct Screen {
    palette: Palette,
    now: SystemTime,
}

impl Screen {
    fn show(&self, status: &Status, stdout: &mut Stdout) {
        match &status.running {
            Some(run) => self.running(run, stdout),
            None => stdout.line("running   nothing"),
        }
        self.pending(status, stdout);
        self.branches(&status.branches, stdout);
        for environment in &status.environments {
            self.environment(environment, stdout);
        }
        if let Some(free) = status.free_bytes {
            stdout.line(format_args!("disk      {} free", format_bytes(free)));
        }
    }

    fn running(&self, run: &ActiveRun, stdout: &mut Stdout) {
        let (pid, machine, age) = (run.pid, printable(&run.machine), self.age(run.since));
        stdout.line(format_args!("running   process {pid} on {machine}, for {age}"));
        for it in &run.commits {
            let step = it.step.as_deref().unwrap_or("export");
            let (short, subject) = (it.commit.short(), printable(&it.subject.to_str_lossy()));
            let age = self.age(it.since);
            stdout.line(format_args!(
                "  {short} {} {subject}",
                self.faint(&format!("{step}, {age}"))
            ));
        }
    }

    fn pending(&self, status: &Status, stdout: &mut Stdout) {
        let remote = &status.tested_by_remote;
        let pending: Vec<_> = status.pending.iter().filter(|it| !remote.contains(&it.id)).collect();
        stdout.line(match pending.len() {
            0 => "pending   nothing".to_owned(),
            1 => "pending   1 commit".to_owned(),
            number => format!("pending   {number} commits, oldest first"),
        });
        for commit in pending.iter().take(LINES_MAX) {
            let branch = commit.branch.as_ref().map(|name| printable(&name.to_str_lossy()));
            let branch = self.faint(&branch.unwrap_or_else(|| "-".to_owned()));
            let subject = printable(&commit.subject.to_str_lossy());
            stdout.line(format_args!("  {} {branch} {subject}", commit.id.short()));
        }
        more(pending.len(), stdout);
        if !remote.is_empty() {
            stdout.line(format_args!(
                "  {} with a verdict of a remote; `tinyci results --merge` adds it here",
                remote.len()
            ));
        }
    }

    fn branches(&self, branches: &[BranchStatus], stdout: &mut Stdout) {
        stdout.line("branches");
        let name = |branch: &BranchStatus| printable(&branch.name.to_str_lossy());
        let shown = || branches.iter().take(LINES_MAX);
        let width = shown().map(|it| name(it).chars().count()).max().unwrap_or_default();
        for branch in shown() {
            let name = name(branch);
            let Some(latest) = &branch.latest else {
                stdout.line(format_args!("  {name:width$} {}", self.faint("no verdict yet")));
                continue;
            };
            let outcome = format!("{:10}", latest.outcome);
            let age = latest.finished.map_or_else(|| "-".to_owned(), |time| self.age(time));
            let below = if latest.commit == branch.tip { "" } else { " (below the tip)" };
            stdout.line(format_args!(
                "  {name:width$} {} {} {} {}{}",
                self.palette.outcome(latest.outcome, &outcome),
                latest.commit.short(),
                self.faint(&format!("{age:>4}")),
                printable(&latest.subject.to_str_lossy()),
                self.faint(below),
            ));
        }
        more(branches.len(), stdout);
    }

    fn environment(&self, environment: &EnvironmentStatus, stdout: &mut Stdout) {
        let name = match &environment.remote {
            Some(remote) => format!("{} of {}", environment.name, printable(remote)),
            None => environment.name.clone(),
        };
        match &environment.deployed {
            Some(it) => stdout.line(format_args!("deployed  {name}: {}", self.deployment(it))),
            None if environment.is_retired() => {}
            None => stdout.line(format_args!("deployed  {name}: nothing")),
        }
        if let Some(end) = environment.latest.as_ref().filter(|_| environment.is_retired()) {
            let (age, by) = (self.age(end.started), printable(&end.deployed_by));
            let detail = self.faint(&format!("{age}, by {by}, with {}", end.commit.short()));
            stdout.line(format_args!("retired   {name} {detail}"));
        } else if let Some(latest) = &environment.latest {
            let (outcome, it) = (latest.outcome.name(), self.deployment(latest));
            stdout.line(format_args!("  latest attempt: {outcome}, {it}"));
        }
        if let Some(next) = &environment.next {
            let (short, subject) = (next.id.short(), printable(&next.subject.to_str_lossy()));
            stdout.line(format_args!("  newest green, not deployed: {short} {subject}"));
        }
    }

    fn deployment(&self, deployment: &Deployment) -> String {
        let time = deployment.finished.unwrap_or(deployment.started);
        let detail = format!("{}, by {}", self.age(time), printable(&deployment.deployed_by));
        format!("{} {}", deployment.commit.short(), self.faint(&detail))
    }

    fn age(&self, time: SystemTime) -> String {
        roughly(self.now.duration_since(time).unwrap_or_default())
    }

    fn faint(&self, text: &str) -> String {
        self.palette.faint(text)
    }
}

fn more(number: usize, stdout: &mut Stdout) {
    if let Some(left) = number.checked_sub(LINES_MAX).filter(|left| *left > 0) {
        stdout.line(format_args!("  and {left} more"));
    }
}
