//! Deployments through the library, of YAML configs and scripts alike.

use std::fs;

use tinyci::{
    CancelToken, CommitId, Engine, Error, ErrorKind, Event, Outcome,
    builds::CompactOptions,
    deploy::{ApprovalState, DeployOutcome, DeployRequest, Deployment},
    pipeline::{Phase, StepName},
};

use crate::support::stage::{GATE, Stage};

/// A config that builds something and deploys what it built.
const CONFIG: &str = "build: echo \"$TINYCI_SHORT\" > built\ndeploy: cat built >> @/trace\n";

fn request(engine: &Engine, request: impl Into<DeployRequest>) -> Result<Deployment, Error> {
    engine.deploy("production", request, &CancelToken::new(), &mut |_: &Event| {})
}

fn newest(stage: &Stage) -> Result<Deployment, Error> {
    request(&stage.engine(), DeployRequest::newest())
}

fn back(stage: &Stage) -> Result<Deployment, Error> {
    stage.engine().rollback("production", &CancelToken::new(), &mut |_: &Event| {})
}

fn deployed(stage: &Stage) -> Option<CommitId> {
    stage.engine().deployed("production").unwrap().map(|deployment| deployment.commit)
}

/// What each deployment came to, the newest first.
fn outcomes(stage: &Stage) -> Vec<DeployOutcome> {
    let deploys = stage.engine().deployments(Some("production")).unwrap();
    assert_eq!(deploys.warnings, [""; 0]);
    deploys.deployments.iter().map(|it| it.outcome).collect()
}

#[test]
fn the_build_of_the_run_is_deployed_and_recorded() {
    let stage = Stage::with(CONFIG);
    let id = stage.head();
    assert_eq!(newest(&stage).unwrap_err().kind(), ErrorKind::NotFound, "nothing is green yet");
    stage.run();
    assert!(stage.trace().is_empty(), "no run deploys");
    let deployment = newest(&stage).unwrap();
    assert_eq!(deployment.outcome, DeployOutcome::Success);
    assert_eq!(stage.trace(), [id.short()]);
    assert_eq!((deployment.commit, deployment.previous), (id, None));
    let listed = stage.engine().deployments(None).unwrap().deployments;
    assert_eq!(listed, std::slice::from_ref(&deployment));
    assert_eq!(Deployment::from_json(&deployment.to_json()).unwrap().id, deployment.id);
    let pointer = stage.repo.git(&["rev-parse", "refs/tinyci/deployments/production^2"]);
    assert_eq!(pointer, id.to_string());
    let log = stage.log_of(id);
    let last = &log[log.len() - 2..];
    assert_eq!(last, [format!("Deploying {id} to production"), deployment.sentence()]);
}

#[test]
fn events_of_a_deployment_are_those_of_a_phase() {
    let stage =
        Stage::with("build: \"true\"\ndeploy: echo out; env > @/env; echo <%= environment %>\n");
    stage.run();
    let mut kinds = Vec::new();
    let mut observer = |event: &Event| {
        let json: serde_json::Value = serde_json::from_str(&event.to_json()).unwrap();
        kinds.push(json["event"].as_str().unwrap().to_owned());
    };
    let engine = stage.engine();
    engine.deploy("production", "HEAD", &CancelToken::new(), &mut observer).unwrap();
    kinds.dedup();
    let expected = [
        "deploy_started",
        "step_started",
        "output",
        "step_finished",
        "deploy_finished",
        "finished",
    ];
    assert_eq!(kinds, expected);
    let env = stage.read("env");
    for line in ["TINYCI_ENVIRONMENT=production", "TINYCI_STEP=deploy", "TINYCI_BRANCH=main"] {
        assert!(env.lines().any(|it| it == line), "{line}: {env}");
    }
}

#[test]
fn only_green_commits_of_deployable_branches_are_deployed() {
    let stage = Stage::with(CONFIG);
    let green = stage.head();
    stage.run();
    let red = stage.commit("build: \"false\"\ndeploy: touch @/never\n");
    stage.run();
    let unjudged = stage.commit("build: \"true\"\ndeploy: echo forced >> @/trace\n");
    fs::remove_file(stage.repo.path().join(".tinyci.yml")).unwrap();
    let bare = stage.commit_more("without a config");
    stage.repo.git(&["checkout", "-q", "-b", "topic"]);
    stage.commit("build: \"true\"\ndeploy: touch @/never\n");
    let engine = stage.engine();
    let topic = stage.head();
    engine
        .run(&tinyci::Selection::revision("topic"), &CancelToken::new(), &mut |_: &Event| {})
        .unwrap();
    stage.repo.git(&["checkout", "-q", "main"]);

    let plan = engine.deploy_plan("production", DeployRequest::newest()).unwrap();
    assert_eq!(plan.commit.id, green);
    assert_eq!(plan.verdict, Some(Outcome::Success));
    let over: Vec<_> = plan.ineligible.iter().map(|(id, why)| (*id, why.as_str())).collect();
    let expected = [
        (bare, "it has no config"),
        (unjudged, "it has no verdict"),
        (red, "its verdict is failure"),
    ];
    assert_eq!(over, expected);

    for (revision, why) in [
        (red, "its verdict is failure"),
        (unjudged, "it has no verdict"),
        (bare, "it has no verdict"),
        (topic, "it is not on `main`"),
    ] {
        let error = request(&engine, revision).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArg, "{error}");
        assert!(error.message().contains(why), "{error}");
    }
    let forced = DeployRequest::from(topic).force(true);
    assert!(request(&engine, forced).is_err(), "a verdict can be forced, a branch cannot");
    assert!(!stage.path("never").exists());

    let forced = request(&engine, DeployRequest::from(unjudged).force(true)).unwrap();
    assert!(forced.passed() && forced.forced);
    assert_eq!(stage.trace(), ["forced"]);
    assert!(stage.engine().deployed("production").unwrap().unwrap().forced);
}

#[test]
fn a_config_says_which_branches_and_environments() {
    let stage = Stage::with("build: \"true\"\n");
    stage.repo.git(&["checkout", "-q", "-b", "release-1"]);
    let config = "build: \"true\"\ndeploy:\n  run: echo $TINYCI_ENVIRONMENT >> @/trace\n  \
                  branch: 'release-*'\n  environment: [staging, live]\n";
    let id = stage.commit(config);
    stage.repo.git(&["checkout", "-q", "main"]);
    stage.run();
    let engine = stage.engine();
    let cancel = CancelToken::new();
    let deployment =
        engine.deploy("live", DeployRequest::newest(), &cancel, &mut |_: &Event| {}).unwrap();
    assert_eq!((deployment.commit, deployment.outcome), (id, DeployOutcome::Success));
    assert_eq!(stage.trace(), ["live"]);
    let error = request(&engine, id).unwrap_err();
    assert!(error.message().contains("lists only `staging`, `live`"), "{error}");
    let error = request(&engine, "main").unwrap_err();
    assert!(error.message().contains("has no `deploy`"), "{error}");
    for name in ["", "../x", "a b", "x.lock", "-x"] {
        let error = engine.deployed(name).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArg, "{name}");
    }
}

#[test]
fn a_failed_deployment_leaves_the_pointer_and_can_be_tried_again() {
    let stage = Stage::with(CONFIG);
    let first = stage.head();
    stage.run();
    newest(&stage).unwrap();
    let second = stage.commit("build: date > built\ndeploy: cp built @/tried; test -e @/ready\n");
    stage.run();
    let failed = newest(&stage).unwrap();
    assert_eq!((failed.outcome, failed.commit), (DeployOutcome::Failure, second));
    assert!(failed.reason.as_deref().unwrap().contains("failed with status 1"));
    assert_eq!(deployed(&stage), Some(first));
    let pointer = stage.repo.git(&["rev-parse", "refs/tinyci/deployments/production^2"]);
    assert_eq!(pointer, first.to_string());
    let expected = format!("{}: {} is still deployed", failed.sentence(), first.short());
    let log = stage.log_of(second);
    assert_eq!(log.last(), Some(&expected));

    let artifact = stage.read("tried");
    stage.touch("ready");
    assert_eq!(newest(&stage).unwrap().outcome, DeployOutcome::Success);
    assert_eq!(stage.read("tried"), artifact, "the same build is tried again");
    assert_eq!(deployed(&stage), Some(second));
    use DeployOutcome::{Failure, Success};
    assert_eq!(outcomes(&stage), [Success, Failure, Success]);
}

#[test]
fn rollbacks_go_back_one_deployment_after_the_other() {
    let stage = Stage::new();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(stage.commit(CONFIG));
        stage.write("more", &ids.len().to_string());
        stage.run();
        newest(&stage).unwrap();
    }
    for expected in [ids[1], ids[0]] {
        let plan = stage.engine().deploy_plan("production", DeployRequest::rollback()).unwrap();
        assert_eq!((plan.commit.id, plan.added.len(), plan.removed.len()), (expected, 0, 1));
        let deployment = back(&stage).unwrap();
        assert!(deployment.passed() && deployment.rollback);
        assert_eq!(deployed(&stage), Some(expected));
    }
    assert_eq!(back(&stage).unwrap_err().kind(), ErrorKind::NotFound);
    let shorts = [0, 1, 2, 1, 0].map(|index: usize| ids[index].short());
    assert_eq!(stage.trace(), shorts);
    assert_eq!(newest(&stage).unwrap().commit, ids[0], "what was rolled back stays so");
    request(&stage.engine(), ids[2]).unwrap();
    assert_eq!(deployed(&stage), Some(ids[2]));

    stage.engine().forget(&ids[0].to_string()).unwrap();
    let error = back(&stage).unwrap_err();
    assert!(error.message().contains("no verdict"), "the same checks hold: {error}");
}

#[test]
fn what_is_deployed_is_never_compacted_and_a_packed_build_comes_back() {
    let config = "build: date +%N > built; mkdir -p d; ln -s ../built d/link; touch run; \
                  chmod 751 run\ndeploy: cat d/link > @/live; stat -c %a run > @/mode\n";
    let stage = Stage::new();
    let mut ids = Vec::new();
    for number in 0..4 {
        stage.write("more", &number.to_string());
        ids.push(stage.commit(config));
        stage.run();
    }
    let engine = stage.engine();
    let built: Vec<_> = ids
        .iter()
        .map(|id| fs::read_to_string(stage.build_dir(*id).join("export/built")))
        .collect();
    request(&engine, ids[1]).unwrap();
    request(&engine, ids[2]).unwrap();
    let compaction = engine.compact(&CompactOptions::new().keep(0), &CancelToken::new()).unwrap();
    let packed: Vec<_> = compaction.compacted.iter().map(|it| it.name.as_str()).collect();
    assert_eq!(packed.len(), 1, "nor what would be deployed next: {packed:?}");
    assert!(packed[0].ends_with(&ids[0].to_string()));

    assert!(!stage.build_dir(ids[0]).exists());
    assert!(request(&engine, ids[0]).unwrap().passed());
    assert_eq!(stage.read("live"), *built[0].as_ref().unwrap(), "the very build comes back");
    assert_eq!(stage.read("mode"), "751\n");
    assert!(stage.log_of(ids[0]).iter().any(|line| line.starts_with("Finished")));

    // One that is gone altogether is built again.
    fs::remove_dir_all(stage.build_dir(ids[3])).unwrap();
    assert!(request(&engine, ids[3]).unwrap().passed());
    let again = fs::read_to_string(stage.build_dir(ids[3]).join("export/built")).unwrap();
    assert_eq!(stage.read("live"), again);
    assert_ne!(again, *built[3].as_ref().unwrap());
}

#[test]
fn a_cancel_ends_a_deployment() {
    let stage = Stage::with(&format!("build: \"true\"\ndeploy: |\n  {GATE}\n"));
    stage.run();
    let cancel = CancelToken::new();
    let engine = stage.engine();
    let deployment = std::thread::scope(|scope| {
        let deploy = scope
            .spawn(|| engine.deploy("production", "HEAD", &cancel, &mut |_: &Event| {}).unwrap());
        stage.await_gate();
        let deployments = engine.deployments(None).unwrap().deployments;
        assert_eq!(deployments[0].outcome, DeployOutcome::Running);
        cancel.cancel();
        deploy.join().unwrap()
    });
    assert_eq!(deployment.outcome, DeployOutcome::Canceled);
    assert_eq!(deployed(&stage), None);
    stage.open_gate();
    assert!(newest(&stage).unwrap().passed(), "nothing is in the way");
}

#[test]
fn a_plan_is_deployed_as_it_was_shown_or_not_at_all() {
    let stage = Stage::with(CONFIG);
    stage.run();
    let engine = stage.engine();
    let plan = engine.deploy_plan("production", DeployRequest::newest()).unwrap();
    let first = plan.commit.id;
    stage.commit(CONFIG.replace("echo", "echo more").as_str());
    stage.run();
    assert_eq!(request(&engine, &plan).unwrap().commit, first, "not the newer one");
    let error = request(&engine, &plan).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(error.message().starts_with("the plan is outdated"), "{error}");
    let plan = engine.deploy_plan("production", DeployRequest::newest()).unwrap();
    assert_eq!((plan.added.len(), plan.removed.len()), (1, 0));
    assert_eq!(plan.deployed.unwrap().commit, first);
}

/// A plan that ends before its script asks does not say that nobody is asked.
#[test]
fn a_plan_that_ends_early_does_not_know_whether_an_approval_is_needed() {
    let looks = "for n in 0..2100 { ctx.changed(`a${n}`); }";
    for (body, approval) in [
        (format!("{looks} approve(\"?\");"), ApprovalState::Unknown),
        (format!("approve(\"?\"); {looks}"), ApprovalState::Awaiting),
        (format!("sh(\"x\"); {looks}"), ApprovalState::NotNeeded),
        ("sh(`x ${ctx.commit}`);".to_owned(), ApprovalState::NotNeeded),
    ] {
        let stage = Stage::new();
        let text = format!("fn build(ctx) {{ }}\nfn deploy(ctx) {{ {body} }}\n");
        stage.repo.write(".tinyci.rhai", text);
        stage.repo.commit("script");
        stage.run();
        let plan = stage.engine().deploy_plan("production", DeployRequest::newest()).unwrap();
        assert_eq!(plan.approval, approval, "{body}");
    }
}

#[test]
fn an_approval_binds_one_commit_with_one_config() {
    let stage = Stage::new();
    stage.repo.git(&["config", "user.name", "Grace"]);
    stage.repo.git(&["config", "user.email", "grace@example.org"]);
    let id = stage.commit("build: \"true\"\ndeploy: {run: date >> @/trace, approve: true}\n");
    stage.run();
    let engine = stage.engine();
    for _ in 0..2 {
        let waiting = newest(&stage).unwrap();
        assert_eq!(
            (waiting.outcome, waiting.outcome.exit_code()),
            (DeployOutcome::AwaitingApproval, 5)
        );
    }
    assert_eq!(outcomes(&stage), [DeployOutcome::AwaitingApproval], "it is told once");
    let awaited = |stage: &Stage| {
        let plan = stage.engine().deploy_plan("production", DeployRequest::newest()).unwrap();
        plan.approval == ApprovalState::Awaiting
    };
    assert!(awaited(&stage));

    // Of another environment, and a ref that was copied to another name.
    assert!(engine.approve("staging", &id.to_string()).is_err());
    let approval = engine.approve("production", &id.to_string()).unwrap();
    assert_eq!((approval.commit, approval.approved_by.as_str()), (id, "Grace <grace@example.org>"));
    stage.repo.git(&["commit", "-q", "--amend", "-m", "amended"]);
    let amended = stage.head();
    let copied = approval.reference.replace(&id.to_string(), &amended.to_string());
    stage.repo.git(&["update-ref", &copied, &approval.reference]);
    stage.run();
    assert!(awaited(&stage), "an amended commit waits again");
    assert_eq!(newest(&stage).unwrap().outcome, DeployOutcome::AwaitingApproval);
    assert!(stage.trace().is_empty());

    engine.approve("production", &amended.to_string()).unwrap();
    let done = newest(&stage).unwrap();
    assert_eq!(done.outcome, DeployOutcome::Success);
    assert_eq!(done.approved_by.as_deref(), Some("Grace <grace@example.org>"));
    assert_eq!(stage.trace().len(), 1);
}

#[test]
fn a_host_approves_or_waits_or_fails() {
    let stage = Stage::with("build: \"true\"\ndeploy: {run: \"true\", approve: true}\n");
    stage.run();
    for (answer, expected) in [
        (Some(None), Ok(DeployOutcome::AwaitingApproval)),
        (Some(Some("the desk")), Ok(DeployOutcome::Success)),
        (None, Err(ErrorKind::HostAbort)),
    ] {
        let engine = stage
            .builder()
            .approvals(move |call| {
                assert_eq!((call.environment(), call.question()), ("production", None));
                assert_eq!(call.context().step, StepName::from(Phase::Deploy));
                assert!(call.context().export_dir.ends_with("export") && !call.context().is_late());
                Ok(answer.ok_or("the desk is closed")?.map(str::to_owned))
            })
            .open()
            .unwrap();
        let done = request(&engine, "HEAD");
        assert_eq!(done.as_ref().map(|it| it.outcome).map_err(Error::kind), expected);
        if let Ok(Some(by)) = done.map(|it| it.approved_by) {
            assert_eq!(by, "the desk");
        }
    }
}

#[test]
fn a_deployment_that_is_canceled_while_its_host_is_asked_does_nothing() {
    let stage = Stage::with("build: \"true\"\ndeploy: {run: \"true\", approve: true}\n");
    stage.run();
    let cancel = CancelToken::new();
    let asked = cancel.clone();
    let engine = stage.builder().approvals(move |call| {
        asked.cancel();
        assert!(call.context().is_canceled());
        Err(Box::new(Error::new(ErrorKind::Canceled, "the host hears of it")))
    });
    let engine = engine.open().unwrap();
    let done = engine.deploy("production", "HEAD", &cancel, &mut |_: &Event| {});
    assert_eq!(done.unwrap_err().kind(), ErrorKind::Canceled);
    assert!(engine.deployments(None).unwrap().deployments.is_empty());
}

#[cfg(feature = "rhai")]
mod scripts {
    use super::*;

    const SCRIPT: &str = r#"
const DEPLOY = #{ environment: ["production", "staging"] };
fn build(ctx) {
    sh("echo artifact > kept");
    artifact("kept");
    remember("image", `app:${ctx.short}`);
    discard_export();
}
fn deploy(ctx) {
    if ctx.environment != "staging" { approve(`Tag ${ctx.short} for ${ctx.environment}?`); }
    sh("echo deployed > kept");
    artifact("kept");
    sh(["sh", "-c", "echo $1; cat $TINYCI_TARGET/artifacts/kept", "-", recall("image")]);
    sh("echo <%= environment %> <%= ctx.trigger %> <%= ctx.result.build %> >> @/trace");
}
"#;

    #[test]
    fn a_script_recalls_its_run_and_asks_for_an_approval() {
        let stage = Stage::new();
        stage.repo.git(&["config", "user.name", "Grace"]);
        stage.repo.git(&["config", "user.email", "grace@example.org"]);
        stage.write(".tinyci.rhai", SCRIPT);
        let id = stage.commit_more("script");
        stage.run();
        assert!(!stage.build_dir(id).join("export").exists(), "the script discards it");
        let waiting = newest(&stage).unwrap();
        assert_eq!(waiting.outcome, DeployOutcome::AwaitingApproval);
        let question = format!("awaiting approval: Tag {} for production?", id.short());
        assert_eq!(waiting.reason, Some(question));
        assert!(stage.trace().is_empty());

        let plan = stage.engine().deploy_plan("production", DeployRequest::newest()).unwrap();
        let asks = format!("approve(\"Tag {} for production?\")", id.short());
        let actions: Vec<String> =
            plan.steps.iter().flat_map(|step| &step.actions).map(ToString::to_string).collect();
        assert_eq!(actions.first(), Some(&asks));
        let shows = format!("- app:{}", id.short());
        assert!(actions.iter().any(|act| act.ends_with(&shows)), "{actions:?}");
        assert!(stage.trace().is_empty(), "a plan does nothing");

        let engine = stage.engine();
        let cancel = CancelToken::new();
        let mut output = Vec::new();
        let mut observer = |event: &Event| {
            if let tinyci::EventKind::Output { bytes, .. } = &event.kind {
                output.extend_from_slice(bytes);
            }
        };
        let staging = engine.deploy("staging", "HEAD", &cancel, &mut observer).unwrap();
        assert_eq!(staging.outcome, DeployOutcome::Success, "{:?}", staging.reason);
        let expected = format!("app:{}\nartifact\n", id.short());
        assert_eq!(String::from_utf8_lossy(&output), expected);
        let own = format!("deploy-artifacts/{}/kept", staging.id);
        assert_eq!(fs::read_to_string(stage.build_dir(id).join(own)).unwrap(), "deployed\n");

        engine.approve("production", &id.to_string()).unwrap();
        let done = newest(&stage).unwrap();
        assert!(done.passed(), "{:?}", done.reason);
        assert_eq!(done.approved_by.as_deref(), Some("Grace <grace@example.org>"));
        assert_eq!(stage.trace(), ["staging deploy success", "production deploy success"]);
    }

    #[test]
    fn a_script_that_skips_deploys_nothing() {
        let stage = Stage::new();
        let script = "fn build(ctx) {}\nfn deploy(ctx) { skip(\"not on Fridays\"); }\n";
        stage.write(".tinyci.rhai", script);
        stage.commit_more("script");
        stage.run();
        let skipped = newest(&stage).unwrap();
        assert_eq!((skipped.outcome, skipped.outcome.exit_code()), (DeployOutcome::Skipped, 1));
        assert_eq!(skipped.reason.as_deref(), Some("skipped: not on Fridays"));
        assert_eq!(deployed(&stage), None);
    }
}
