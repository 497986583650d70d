//! `tinyci deployments`: lists deployments, and retires an environment.

use std::time::SystemTime;

use tinyci::{
    Outcome,
    deploy::{ApprovalProof, DeployOutcome, Deployment},
};

use crate::{
    commands::results::roughly,
    console::{
        exit_codes::OK,
        failure::Failure,
        terminal::{Palette, Stdout, print_error, printable, warn},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci deployments                show the deployments of every environment, newest first
  tinyci deployments --to production -n 5
                                    show the 5 newest deployments to production
  tinyci deployments --retire review-12
                                    record that an environment is no longer in use
  git log --first-parent refs/tinyci/deployments/production
                                    show the same with git";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeploymentsArgs {
    /// Show only deployments to this environment
    #[arg(long, value_name = "ENV")]
    to: Option<String>,
    /// Show only the newest N
    #[arg(short, long = "limit", value_name = "N")]
    number: Option<usize>,
    /// Record that this environment is no longer in use, so that its builds can be deleted
    #[arg(long, value_name = "ENV", conflicts_with_all = ["to", "number"])]
    retire: Option<String>,
    /// Print deployments as JSON, one per line
    #[arg(long)]
    json: bool,
}

impl DeploymentsArgs {
    /// Returns true if an environment is retired, not shown.
    pub(crate) fn retires(&self) -> bool {
        self.retire.is_some()
    }
}

pub(crate) fn execute(args: &DeploymentsArgs, globals: &Globals) -> Result<u8, Failure> {
    if let Some(environment) = &args.retire {
        return retire(environment, args.json, globals);
    }
    let found = globals.reading_engine()?.deployments(args.to.as_deref())?;
    found.warnings.iter().for_each(warn);
    let shown = found.deployments.iter().take(args.number.unwrap_or(usize::MAX));
    let mut stdout = Stdout::new();
    let width = found.deployments.iter().map(|it| place(it).len()).max().unwrap_or_default();
    let now = SystemTime::now();
    for deployment in shown {
        match args.json {
            true => stdout.line(deployment.to_json()),
            false => stdout.line(line(deployment, width, now)),
        }
    }
    if found.deployments.is_empty() && !args.json && !globals.is_quiet() {
        print_error("tinyci: no deployments yet");
    }
    stdout.finish()?;
    Ok(OK)
}

fn retire(environment: &str, json: bool, globals: &Globals) -> Result<u8, Failure> {
    let entry = globals.engine()?.retire(environment)?;
    let mut stdout = Stdout::new();
    match &entry {
        Some(entry) if json => stdout.line(entry.to_json()),
        Some(entry) if !globals.is_quiet() => {
            let time = tinyci::format::log_prefix(SystemTime::now());
            stdout.line(format_args!(
                "{time}{}: no longer in use, by {}",
                entry.sentence(),
                printable(&entry.deployed_by)
            ));
        }
        None if !globals.is_quiet() => {
            print_error(format_args!("tinyci: `{environment}` is already retired"));
        }
        _ => {}
    }
    stdout.finish()?;
    Ok(OK)
}

/// Returns the environment, and its remote if it has one.
fn place(deployment: &Deployment) -> String {
    match &deployment.remote {
        Some(remote) => format!("{} of {}", deployment.environment, printable(remote)),
        None => deployment.environment.clone(),
    }
}

fn line(deployment: &Deployment, width: usize, now: SystemTime) -> String {
    let palette = Palette::of_stdout();
    let color = match deployment.outcome {
        DeployOutcome::Success => Outcome::Success,
        DeployOutcome::Failure | DeployOutcome::Interrupted => Outcome::Failure,
        _ => Outcome::Skipped,
    };
    let age = roughly(now.duration_since(deployment.started).unwrap_or_default());
    let nothing = || "-      ".to_owned();
    let from = deployment.previous.map_or_else(nothing, |from| from.short());
    let is_end = deployment.outcome == DeployOutcome::Retired;
    let to = if is_end { nothing() } else { deployment.commit.short() };
    let mut line = format!(
        "{} {:width$} {} {} -> {} by {}",
        palette.outcome(color, &format!("{:11}", deployment.outcome)),
        place(deployment),
        palette.faint(&format!("{age:>4}")),
        from,
        to,
        printable(&deployment.deployed_by),
    );
    if let Some(account) = &deployment.account {
        line += &format!(" as {}", printable(account));
    }
    if let Some(by) = &deployment.approved_by {
        line += &format!(", approved by {}", printable(by));
        let proof = deployment.approval_proof.as_ref();
        if let Some(proof) = proof.filter(|proof| **proof != ApprovalProof::Unproven) {
            line += &format!(" ({})", printable(&proof.to_string()));
        }
    }
    let words = [
        (deployment.forced, "forced"),
        (deployment.rollback, "rollback"),
        (deployment.bare, "bare"),
    ];
    for (is_set, word) in words {
        if is_set {
            line += &format!(", {word}");
        }
    }
    if let Some(reason) = &deployment.reason {
        // After the first line, a script error shows its location.
        let mut lines = reason.lines();
        line += &format!(": {}", printable(lines.next().unwrap_or_default()));
        if lines.next().is_some() {
            line += " …";
        }
    }
    line
}
