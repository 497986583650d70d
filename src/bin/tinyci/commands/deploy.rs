//! `tinyci deploy`: shows the plan of a deployment, asks, and deploys.

use tinyci::{
    CancelToken, Engine, Event, Outcome,
    deploy::{
        ApprovalProof, ApprovalState, BuildState, DeployOutcome, DeployPlan, DeployRequest,
        DeployRules, Deployment,
    },
    plan::{Action, StepDryRun},
};

use crate::{
    commands::{plan::assumption, results::precisely},
    console::{
        exit_codes::{CANCELED, FAILED, OK},
        failure::{Failure, exit_code},
        question, signals,
        terminal::{self, Stdout, printable},
        transcript::Transcript,
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci deploy                     deploy the newest green commit to production
  tinyci deploy --dry-run           show what that would do
  tinyci deploy v1.2 --to staging   deploy a commit of your choice to staging
  tinyci deploy --yes               deploy without asking, for scripts
  tinyci deploy --bare              in an emergency, deploy without waiting for a build
  tinyci deploy --unlock 'checked, it runs'
                                    deploy again after an interrupted deployment

A commit is green if its verdict is `success`.";

/// Maximum number of commits that a list shows.
const SHOWN_MAX: usize = 20;

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DeployArgs {
    /// The commit to deploy [default: the newest green commit on the environment's branch that
    /// contains the deployed one]
    #[arg(value_name = "REV")]
    revision: Option<String>,
    /// Deploy even if the commit is not green; this is recorded
    #[arg(long)]
    force: bool,
    /// Confirm that you checked an interrupted deployment, and say why the next one is safe
    #[arg(long, value_name = "REASON")]
    unlock: Option<String>,
    #[command(flatten)]
    options: SharedOptions,
}

/// The options that `deploy` and `rollback` share.
#[derive(Debug, clap::Args)]
pub(crate) struct SharedOptions {
    /// The environment to deploy to
    #[arg(long, value_name = "ENV", default_value = DeployRules::PRODUCTION)]
    to: String,
    /// Do not ask
    #[arg(short, long)]
    yes: bool,
    /// In an emergency, deploy the commit's files without a build; this is recorded
    #[arg(long)]
    bare: bool,
    /// Show the plan and do nothing
    #[arg(long)]
    dry_run: bool,
    /// For the plan, assume this output of commands that match the glob: `git describe*=v1.2`
    #[arg(long, value_name = "GLOB=TEXT", value_parser = assumption)]
    assume: Vec<(String, String)>,
    /// Print events as JSON, one per line, then the deployment; with --dry-run, only the plan
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
    confirm_and_deploy(&engine, request.force(args.force), &args.options, globals)
}

fn unlock(
    engine: &Engine,
    reason: &str,
    args: &DeployArgs,
    globals: &Globals,
) -> Result<(), Failure> {
    if args.options.dry_run {
        return Err(Failure::usage(
            "cannot combine `--unlock` with `--dry-run`: a dry run changes nothing",
        ));
    }
    let unlocked = engine.unlock_deployments(&args.options.to, reason)?;
    if !globals.is_quiet() && !args.options.json {
        let line = match unlocked {
            Some(open) => {
                format!(
                    "Unlocked {} after the deployment of {}",
                    args.options.to,
                    open.commit.short()
                )
            }
            None => format!("{} is not locked", args.options.to),
        };
        Stdout::new().line(line);
    }
    Ok(())
}

/// Shows the plan, asks, and deploys.
pub(crate) fn confirm_and_deploy(
    engine: &Engine,
    request: DeployRequest,
    options: &SharedOptions,
    globals: &Globals,
) -> Result<u8, Failure> {
    let request = options
        .assume
        .iter()
        .fold(request.bare(options.bare), |request, (glob, text)| request.assume(glob, text));
    let plan = engine.deploy_plan(&options.to, request)?;
    let mut stdout = Stdout::new();
    if options.json && options.dry_run {
        stdout.line(plan.to_json());
    } else if !options.json && (options.dry_run || !globals.is_quiet()) {
        show(&plan, &mut stdout);
    }
    if options.dry_run {
        stdout.finish()?;
        return Ok(OK);
    }
    if options.yes && plan.must_be_named {
        stdout.finish()?;
        return Err(must_be_named_error(&plan));
    }
    let cancel = signals::cancel_on_interrupt()?;
    if plan.interrupted.is_none() && !options.yes && !confirmed(&plan, &cancel)? {
        terminal::print_error("tinyci: nothing was deployed");
        return Ok(if cancel.level() > 0 { CANCELED } else { FAILED });
    }
    signals::survive_hangup()?;
    let mut transcript = Transcript::new(false);
    let quiet = globals.is_quiet();
    let deployment =
        engine.deploy(&options.to, &plan, &cancel, &mut |event: &Event| match quiet {
            true => {}
            false if options.json => stdout.line(event.to_json()),
            false => stdout.write(&transcript.event(event)),
        })?;
    if options.json {
        stdout.line(deployment.to_json());
    } else {
        print_hint(&deployment);
    }
    Ok(exit_code(deployment.outcome.exit_code()))
}

/// Returns the error of `--yes` if the commit does not contain the deployed one, because `--yes`
/// must not undo a deployment.
fn must_be_named_error(plan: &DeployPlan) -> Failure {
    let (id, environment) = (plan.commit.id.short(), &plan.environment);
    let deployed = plan.deployed.as_ref().map(|deployed| deployed.commit.short());
    let message = format!(
        "refusing to deploy {id} to {environment}: it does not contain {}, which is deployed",
        deployed.unwrap_or_default()
    );
    Failure::usage(message)
        .hint(format!("`tinyci deploy {id} --to {environment}` deploys it anyway"))
}

/// Asks whether to deploy.
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
    let hint = "`--yes` deploys without asking; `--dry-run` only shows the plan";
    question::confirmed(&question, hint, cancel)
}

/// Prints a hint after a deployment that did not succeed.
fn print_hint(deployment: &Deployment) {
    let Deployment { commit, environment, .. } = deployment;
    let short = commit.short();
    match deployment.outcome {
        DeployOutcome::AwaitingApproval => terminal::print_error(format_args!(
            "hint: `tinyci approve {commit} --to {environment}` approves it; then deploy again"
        )),
        DeployOutcome::Failure | DeployOutcome::Canceled => terminal::print_error(format_args!(
            "hint: `tinyci deploy {short} --to {environment}` deploys the same build again"
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
        stdout.line("        already deployed; would be deployed again");
    }
    if plan.forced {
        let verdict = plan.verdict.map_or("no verdict".to_owned(), |it| format!("verdict {it}"));
        stdout.line(match plan.verdict.is_some_and(Outcome::passed) {
            true => "        is not on a branch that deploys (--force)".to_owned(),
            false => format!("        has {verdict} (--force)"),
        });
    }
    let line = |commit: &tinyci::Commit| {
        format!("{} {}", commit.id.short(), printable(&commit.subject.to_str_lossy()))
    };
    list("adds", &plan.added.iter().map(line).collect::<Vec<_>>(), stdout);
    if let Some(build) = build(plan) {
        stdout.line(format_args!("  build: {build}"));
    }
    if plan.must_be_named {
        stdout.line(
            "        does not contain the deployed commit, which is on no branch that deploys",
        );
    }
    list("removes", &plan.removed.iter().map(line).collect::<Vec<_>>(), stdout);
    let ineligible =
        plan.ineligible.iter().map(|(id, why)| format!("{} {}", id.short(), printable(why)));
    list("ineligible", &ineligible.collect::<Vec<_>>(), stdout);
    if let Some(signer) = &plan.signed_by {
        stdout.line(format_args!("  signed by {}", printable(signer)));
    }
    match &plan.approval {
        ApprovalState::Given(approval) => {
            let proof = approval.proof.iter().filter(|proof| **proof != ApprovalProof::Unproven);
            let proof: String = proof.map(|proof| format!(" ({proof})")).collect();
            let by = format!("{}{proof}", approval.approver());
            stdout.line(format_args!("  approved by {}", printable(&by)));
        }
        ApprovalState::Awaiting => stdout.line(format_args!(
            "  awaits approval: `tinyci approve {id} --to {}`",
            plan.environment
        )),
        ApprovalState::Unknown => {
            stdout.line("  may need an approval: the plan ends before that is known");
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
        let line = format!("  the approval by {by} does not count: {problem}");
        stdout.line(printable(&line));
    }
    if let Some(fault) = &plan.approval_fault {
        stdout.line(format_args!("  {}", printable(fault)));
    }
    if let Some(fault) = &plan.head_fault {
        stdout.line(format_args!("  {}", printable(fault)));
    }
    let actions: Vec<String> = plan
        .steps
        .iter()
        .flat_map(lines)
        .flat_map(|line| indented(&line).collect::<Vec<_>>())
        .collect();
    list("actions", &actions, stdout);
    if let Some(open) = &plan.interrupted {
        stdout.line(format_args!(
            "  cannot start: the deployment of {} was interrupted (see `--unlock`)",
            open.commit.short()
        ));
    }
}

/// Returns the state of the build; `None` if it is ready.
fn build(plan: &DeployPlan) -> Option<String> {
    let text = match plan.build {
        BuildState::Missing { took: Some(took) } => format!(
            "missing; the commit is built and tested again first (last time: {})",
            precisely(took)
        ),
        BuildState::OtherBranch { took } => {
            let branch = plan.commit.branch.iter().map(|it| format!(" for `{it}`"));
            let took = took.map(|took| format!(" (last time: {})", precisely(took)));
            let (branch, took) = (branch.collect::<String>(), took.unwrap_or_default());
            printable(&format!(
                "for another branch; the commit is built and tested{branch} first{took}"
            ))
        }
        BuildState::Missing { took: None } => {
            "missing; the commit is built and tested again first".to_owned()
        }
        BuildState::None => {
            "none, because the config builds nothing; the commit's files are deployed".to_owned()
        }
        BuildState::Discarded => {
            "none, because the script discarded it; the commit's files are deployed".to_owned()
        }
        BuildState::Bare => "not used (--bare); the commit's files are deployed".to_owned(),
        _ => return None,
    };
    Some(text)
}

/// Returns the actions of a step, then its outcome unless it would pass.
fn lines(step: &StepDryRun) -> Vec<String> {
    let mut lines: Vec<String> = step.actions.iter().map(Action::to_string).collect();
    match (step.outcome, &step.ends, &step.reason) {
        (Some(Outcome::Success), ..) => {}
        (None, ends, _) => lines.push(format!("unknown: {}", ends.as_deref().unwrap_or_default())),
        (Some(outcome), _, reason) => {
            lines.push(format!("{outcome}: {}", reason.as_deref().unwrap_or_default()));
        }
    }
    lines
}

/// Returns the lines of an action, all but the first indented.
fn indented(action: &str) -> impl Iterator<Item = String> {
    let indent =
        |(number, line)| format!("{}{}", if number == 0 { "" } else { "  " }, printable(line));
    action.lines().enumerate().map(indent)
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
