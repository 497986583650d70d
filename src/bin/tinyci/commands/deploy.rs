//! `tinyci deploy`: from the newest green commit to where it runs, when a person says so.

use tinyci::{
    CancelToken, Engine, Event, Outcome,
    deploy::{
        ApprovalProof, ApprovalState, BuildState, DeployOutcome, DeployPlan, DeployRequest,
        DeployRules, Deployment,
    },
};

use crate::{
    commands::{plan::assumption, results::precisely},
    console::{
        failure::{CANCELED, DEPLOY_EXIT_CODES, FAILED, Failure, OK, exit_code},
        question, signals,
        terminal::{self, Stdout, printable},
        transcript::Transcript,
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci deploy                     the newest green commit to production, after a question
  tinyci deploy --dry-run           what that would be, and what it brings
  tinyci deploy v1.2 --to staging   a commit of your choice
  tinyci deploy --yes               without a question, for scripts
  tinyci deploy --bare              the files at once, if there is no time for a build
  tinyci deploy --unlock 'it runs'  go on after a deployment that was killed";

/// How many commits of a list are shown.
const SHOWN_MAX: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{DEPLOY_EXIT_CODES}"))]
pub(crate) struct DeployArgs {
    /// The commit to deploy [default: the newest green one of the
    /// environment's branch that contains what is deployed]
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Deploy a commit that is not green; the record says so
    #[arg(long)]
    force: bool,
    /// Say that you have looked at what an interrupted deployment left, and why it can go on
    #[arg(long, value_name = "REASON")]
    unlock: Option<String>,
    #[command(flatten)]
    how: How,
}

/// What deploying and rolling back have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct How {
    /// The environment to deploy to
    #[arg(long, value_name = "ENV", default_value = DeployRules::PRODUCTION)]
    to: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// Deploy the commit's files at once, without what a build adds, for emergencies; the record says
    /// so
    #[arg(long)]
    bare: bool,
    /// Show what would be done, and do nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Take this text for the output of commands that the script asks for, in what is shown before:
    /// `git describe*=v1.2`
    #[arg(long, value_name = "GLOB=TEXT", value_parser = assumption)]
    assume: Vec<(String, String)>,
    /// Print events as JSON, one per line, and the deployment as the last line; with --dry-run the
    /// plan alone
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &DeployArgs, globals: &Globals) -> Result<u8, Failure> {
    let engine = globals.engine()?;
    if let Some(reason) = &args.unlock {
        unlock(&engine, reason, args, globals)?;
    }
    let request = match &args.revision {
        Some(revision) => DeployRequest::revision(revision),
        None => DeployRequest::newest(),
    };
    promote(&engine, request.force(args.force), &args.how, globals)
}

fn unlock(
    engine: &Engine,
    reason: &str,
    args: &DeployArgs,
    globals: &Globals,
) -> Result<(), Failure> {
    if args.how.dry_run {
        return Err(Failure::usage("--dry-run does nothing, and so cannot --unlock anything"));
    }
    let unlocked = engine.unlock_deployments(&args.how.to, reason)?;
    if !globals.is_quiet() && !args.how.json {
        let line = match unlocked {
            Some(open) => {
                format!("Unlocked {} after the deployment of {}", args.how.to, open.commit.short())
            }
            None => format!("{} was not locked", args.how.to),
        };
        Stdout::new().line(line);
    }
    Ok(())
}

/// Shows what would be done, asks, and does it.
pub(crate) fn promote(
    engine: &Engine,
    request: DeployRequest,
    how: &How,
    globals: &Globals,
) -> Result<u8, Failure> {
    let request = how
        .assume
        .iter()
        .fold(request.bare(how.bare), |request, (glob, text)| request.assume(glob, text));
    let plan = engine.deploy_plan(&how.to, request)?;
    let mut stdout = Stdout::new();
    if how.json && how.dry_run {
        stdout.line(plan.to_json());
    } else if !how.json && (how.dry_run || !globals.is_quiet()) {
        show(&plan, &mut stdout);
    }
    if how.dry_run {
        stdout.finish()?;
        return Ok(OK);
    }
    if how.yes && plan.must_be_named {
        stdout.finish()?;
        return Err(unnamed(&plan));
    }
    let cancel = signals::cancel_on_interrupt()?;
    if plan.interrupted.is_none() && !how.yes && !confirmed(&plan, &cancel)? {
        terminal::complain("tinyci: nothing was deployed");
        return Ok(if cancel.level() > 0 { CANCELED } else { FAILED });
    }
    signals::survive_hangup()?;
    let mut transcript = Transcript::new(false);
    let quiet = globals.is_quiet();
    let deployment = engine.deploy(&how.to, &plan, &cancel, &mut |event: &Event| match quiet {
        true => {}
        false if how.json => stdout.line(event.to_json()),
        false => stdout.write(&transcript.event(event)),
    })?;
    if how.json {
        stdout.line(deployment.to_json());
    } else {
        advise(&deployment);
    }
    Ok(exit_code(deployment.outcome.exit_code()))
}

/// `--yes` agrees to a step forward, and not to losing what is deployed.
fn unnamed(plan: &DeployPlan) -> Failure {
    let (id, environment) = (plan.commit.id.short(), &plan.environment);
    let deployed = plan.deployed.as_ref().map(|running| running.commit.short());
    let message = format!(
        "{}, which is deployed to {environment}, is not part of {id} and would be lost",
        deployed.unwrap_or_default()
    );
    Failure::usage(message)
        .hint(format!("`tinyci deploy {id} --to {environment}` names the commit"))
}

/// Asks whether to do it.
fn confirmed(plan: &DeployPlan, cancel: &CancelToken) -> Result<bool, Failure> {
    let (short, environment) = (plan.commit.id.short(), &plan.environment);
    let question = match plan.rollback {
        true => format!("Roll {environment} back to {short}?"),
        false => format!("Deploy {short} to {environment}?"),
    };
    let question = match build(plan) {
        Some(build) if plan.build.must_be_made() => format!("Its build is {build}. {question}"),
        _ => question,
    };
    let otherwise = "`--yes` answers beforehand, `--dry-run` only shows what would be done";
    question::confirmed(&question, otherwise, cancel)
}

/// What can be done now, where it did not go through.
fn advise(deployment: &Deployment) {
    let Deployment { commit, environment, .. } = deployment;
    let short = commit.short();
    match deployment.outcome {
        DeployOutcome::AwaitingApproval => terminal::complain(format_args!(
            "hint: `tinyci approve {commit} --to {environment}` lets the next `tinyci deploy` go on"
        )),
        DeployOutcome::Failure | DeployOutcome::Canceled => terminal::complain(format_args!(
            "hint: `tinyci deploy {short} --to {environment}` tries the same build again"
        )),
        _ => {}
    }
}

fn show(plan: &DeployPlan, stdout: &mut Stdout) {
    let subject = printable(&plan.commit.subject.to_str_lossy());
    let id = plan.commit.id;
    match plan.rollback {
        true => stdout.line(format_args!("Roll {} back", plan.environment)),
        false => stdout.line(format_args!("Deploy to {}", plan.environment)),
    }
    stdout.line(format_args!("  now:  {}", now(plan)));
    stdout.line(format_args!("  then: {} {subject}", id.short()));
    if plan.deployed.as_ref().is_some_and(|running| running.commit == id) {
        stdout.line("        which is deployed already, and would be once more");
    }
    if plan.forced {
        let verdict = plan.verdict.map_or("no verdict".to_owned(), |it| format!("verdict {it}"));
        stdout.line(match plan.verdict.is_some_and(Outcome::passed) {
            true => "        which is on no branch that deploys, and is forced".to_owned(),
            false => format!("        which has {verdict}, and is forced"),
        });
    }
    let line = |commit: &tinyci::Commit| {
        format!("{} {}", commit.id.short(), printable(&commit.subject.to_str_lossy()))
    };
    list("brings", &plan.added.iter().map(line).collect::<Vec<_>>(), stdout);
    if let Some(build) = build(plan) {
        stdout.line(format_args!("  build: {build}"));
    }
    if plan.must_be_named {
        stdout.line("        which lacks what is deployed: that is on no branch that deploys");
    }
    list("takes away", &plan.removed.iter().map(line).collect::<Vec<_>>(), stdout);
    let over = plan.ineligible.iter().map(|(id, why)| format!("{} {why}", id.short()));
    list("passes over", &over.collect::<Vec<_>>(), stdout);
    match &plan.approval {
        ApprovalState::Given(approval) => {
            let proof = approval.proof.iter().filter(|proof| **proof != ApprovalProof::Unproven);
            let proof: String = proof.map(|proof| format!(" ({proof})")).collect();
            let by = format!("{}{proof}", approval.approver());
            stdout.line(format_args!("  approved by {}", printable(&by)));
        }
        ApprovalState::Awaiting => stdout.line(format_args!(
            "  waits for an approval: `tinyci approve {id} --to {}`",
            plan.environment
        )),
        ApprovalState::Unknown => {
            stdout.line("  may wait for an approval: the plan ends before that is known");
        }
        _ => {}
    }
    for uncounted in &plan.uncounted {
        let problem = uncounted.problem.as_deref().unwrap_or_default();
        let by = if uncounted.approved_by.is_empty() {
            &uncounted.reference
        } else {
            &uncounted.approved_by
        };
        let line = format!("  does not count: the approval by {by}, since {problem}");
        stdout.line(printable(&line));
    }
    if let Some(fault) = &plan.approval_fault {
        stdout.line(format_args!("  {}", printable(fault)));
    }
    if let Some(fault) = &plan.head_fault {
        stdout.line(format_args!("  {}", printable(fault)));
    }
    let acts: Vec<String> = plan.actions.iter().flat_map(|act| indented(act)).collect();
    list("does", &acts, stdout);
    if let Some(open) = &plan.interrupted {
        stdout.line(format_args!(
            "  cannot begin: the deployment of {} was interrupted, see `--unlock`",
            open.commit.short()
        ));
    }
}

/// What there is to say of the build; nothing if it is simply there.
fn build(plan: &DeployPlan) -> Option<String> {
    let text = match plan.build {
        BuildState::Missing { took: Some(took) } => format!(
            "gone: the commit is built and tested again first, which took {} the last time",
            precisely(took)
        ),
        BuildState::OtherBranch { took } => {
            let branch = plan.commit.branch.iter().map(|it| format!(" for `{it}`"));
            let took = took.map(|took| format!(", which took {} the last time", precisely(took)));
            let (branch, took) = (branch.collect::<String>(), took.unwrap_or_default());
            printable(&format!(
                "of another branch: the commit is built and tested{branch} first{took}"
            ))
        }
        BuildState::Missing { took: None } => {
            "gone: the commit is built and tested again first".to_owned()
        }
        BuildState::None => {
            "none: the config builds nothing, the commit's files are deployed".to_owned()
        }
        BuildState::Discarded => {
            "none: the script discarded its export, the commit's files are deployed".to_owned()
        }
        BuildState::Bare => "left out (--bare): the commit's files are deployed".to_owned(),
        _ => return None,
    };
    Some(text)
}

/// A command's lines, all but the first further in.
fn indented(act: &str) -> impl Iterator<Item = String> {
    let indent =
        |(number, line)| format!("{}{}", if number == 0 { "" } else { "  " }, printable(line));
    act.lines().enumerate().map(indent)
}

fn now(plan: &DeployPlan) -> String {
    match &plan.deployed {
        Some(running) => {
            format!("{}, deployed by {}", running.commit.short(), printable(&running.deployed_by))
        }
        None => "nothing is deployed".to_owned(),
    }
}

fn list(title: &str, lines: &[String], stdout: &mut Stdout) {
    if lines.is_empty() {
        return;
    }
    stdout.line(format_args!("  {title}:"));
    lines.iter().take(SHOWN_MAX).for_each(|line| stdout.line(format_args!("    {line}")));
    if let Some(more) = lines.len().checked_sub(SHOWN_MAX).filter(|more| *more > 0) {
        stdout.line(format_args!("    … and {more} more"));
    }
}
