//! Whose fault it is: a host that refuses fails the commit, one that fails itself leaves no verdict.

use tinyci::{
    CancelToken, EngineBuilder, Error, ErrorKind, Event, Hook, Outcome, Selection,
    callback::HookError,
    deploy::DeployOutcome,
    executor::{CancelView, Command, Executor, Exit, Output},
};

use crate::support::stage::{Ran, Stage};

/// How a host's code ends without a value.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Ending {
    Refusal,
    Fault,
    Panic,
}

/// With what the record says of it, beside the text.
const ENDINGS: [(Ending, Outcome, &str); 3] = [
    (Ending::Refusal, Outcome::Failure, "not today"),
    (Ending::Fault, Outcome::Error, "the host aborted"),
    (Ending::Panic, Outcome::Error, "the host panicked in"),
];

fn end<T>(ending: Ending) -> Result<T, HookError> {
    match ending {
        Ending::Refusal => Err("not today".into()),
        Ending::Fault => Err(Error::new(ErrorKind::HostFault, "not today").into()),
        Ending::Panic => panic!("not today"),
    }
}

/// A host all of whose answers end so.
fn answering(builder: EngineBuilder, ending: Ending) -> EngineBuilder {
    builder
        .setting("secretRefs", "refs/heads/*")
        .secrets(move |_, _| end(ending))
        .approvals(move |_| end(ending))
        .function("ask", 0..=0, tinyci::callback::Effect::Pure, "", move |_| end(ending))
}

/// Checks what a run comes to, and that `after_all` was run.
#[track_caller]
fn check(stage: &Stage, builder: EngineBuilder, step: &str, outcome: Outcome, text: &str) {
    let ran = Ran::of(&builder.open().unwrap(), &Selection::pending());
    assert_eq!(ran.outcome(), outcome, "{}", ran.text());
    let error = ran.step_error(step);
    assert!(error.contains(text) && error.contains("not today"), "{error}");
    assert_eq!(stage.trace(), ["after_all"]);
    let word = stage.word(stage.head());
    assert_eq!(word.as_deref(), (outcome == Outcome::Failure).then_some("failure"));
}

const HOOKS: &str = "build: echo build >> @/trace\nhooks: {after_all: echo after_all >> @/trace}\n";

#[test]
fn a_hook_says_whose_fault_it_is() {
    for (ending, outcome, text) in ENDINGS {
        let stage = Stage::with(HOOKS);
        let builder = stage.builder().hook(Hook::BeforeBuild, move |_| end(ending));
        check(&stage, builder, "before_build", outcome, text);
    }
}

/// An executor that ends no command.
struct Answerless(Ending);

impl Executor for Answerless {
    fn execute(
        &self,
        _: &Command,
        _: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        end(self.0).map_err(|error| match error.downcast() {
            Ok(error) => *error,
            Err(refusal) => Error::new(ErrorKind::HostAbort, refusal.to_string()),
        })
    }
}

#[test]
fn an_executor_says_whose_fault_it_is() {
    for (ending, outcome, text) in [
        (Ending::Refusal, Outcome::Failure, "not today"),
        (Ending::Fault, Outcome::Error, "the host aborted the command: not today"),
        (Ending::Panic, Outcome::Error, "the executor panicked: not today"),
    ] {
        let stage = Stage::with("build: 'true'\n");
        let engine = stage.builder().executor(Answerless(ending)).open().unwrap();
        let ran = Ran::of(&engine, &Selection::pending());
        assert_eq!((ran.outcome(), ran.step_error("build")), (outcome, text));
    }
}

#[test]
fn a_fault_counts_as_an_attempt_and_is_tried_again() {
    let stage = Stage::with(HOOKS);
    let builder = || stage.builder().setting("maxAttempts", "2");
    for _ in 0..2 {
        let faulty = builder().hook(Hook::BeforeBuild, |_| end(Ending::Fault)).open().unwrap();
        assert_eq!(Ran::of(&faulty, &Selection::pending()).outcome(), Outcome::Error);
    }
    let mended = builder().open().unwrap();
    assert!(
        mended
            .run(&Selection::pending(), &CancelToken::new(), &mut |_: &Event| {})
            .unwrap()
            .records
            .is_empty()
    );
    let ran = Ran::of(&mended, &Selection::pending().retry(true));
    assert_eq!(ran.outcome(), Outcome::Success);
}

#[test]
fn a_fault_after_a_failed_build_leaves_no_verdict_and_in_after_all_it_changes_nothing() {
    for (hook, outcome) in
        [(Hook::AfterBuildFailure, Outcome::Error), (Hook::AfterAll, Outcome::Failure)]
    {
        let stage = Stage::with("build: \"false\"\n");
        let engine = stage.builder().hook(hook, |_| end(Ending::Fault)).open().unwrap();
        let ran = Ran::of(&engine, &Selection::pending());
        assert_eq!(ran.outcome(), outcome, "{hook:?}");
        assert_eq!(ran.record().step(hook).unwrap().outcome, Outcome::Error);
    }
}

#[test]
fn a_cancel_comes_before_a_fault() {
    let stage = Stage::with(HOOKS);
    let cancel = CancelToken::new();
    let raised = cancel.clone();
    let builder = stage.builder().hook(Hook::BeforeBuild, move |_| {
        raised.cancel();
        end(Ending::Fault)
    });
    let engine = builder.open().unwrap();
    let summary = engine.run(&Selection::pending(), &cancel, &mut |_: &Event| {}).unwrap();
    assert_eq!(summary.records[0].outcome, Outcome::Canceled);
}

#[test]
fn a_secret_s_provider_says_whose_fault_it_is() {
    for (ending, outcome, text) in ENDINGS {
        let stage = Stage::with(
            "build: {run: echo build >> @/trace, secrets: [TOKEN]}\n\
             hooks: {after_all: echo after_all >> @/trace}\n",
        );
        check(&stage, answering(stage.builder(), ending), "build", outcome, text);
    }
}

#[test]
fn a_deployment_that_has_to_be_approved_does_not_begin() {
    for (ending, _, text) in ENDINGS {
        let stage = Stage::with("build: 'true'\ndeploy: {run: echo >> @/trace, approve: true}\n");
        stage.run();
        let engine = answering(stage.builder(), ending).open().unwrap();
        let done = engine.deploy("production", "HEAD", &CancelToken::new(), &mut |_: &Event| {});
        let error = done.unwrap_err();
        let kind = match ending {
            Ending::Refusal => ErrorKind::HostAbort,
            Ending::Fault => ErrorKind::HostFault,
            Ending::Panic => ErrorKind::Panic,
        };
        assert_eq!(error.kind(), kind);
        assert!(error.to_string().contains(text), "{error}");
        assert!(
            stage.trace().is_empty() && engine.deployments(None).unwrap().deployments.is_empty()
        );
    }
}

#[test]
fn a_deployment_whose_step_is_left_without_an_answer_fails_and_says_so() {
    let config = "build: 'true'\ndeploy: {run: echo >> @/trace, secrets: [TOKEN]}\n";
    for (ending, _, text) in ENDINGS {
        let stage = Stage::with(config);
        stage.run();
        let engine = answering(stage.builder(), ending).open().unwrap();
        let done = engine.deploy("production", "HEAD", &CancelToken::new(), &mut |_: &Event| {});
        let done = done.unwrap();
        assert_eq!(done.outcome, DeployOutcome::Failure);
        let reason = done.reason.unwrap_or_default();
        assert!(reason.contains(text) && reason.contains("not today"), "{reason}");
        assert!(stage.trace().is_empty());
    }
}

#[cfg(feature = "rhai")]
mod scripts {
    use super::*;

    const AFTER_ALL: &str = "fn after_all() { sh(\"echo after_all >> @/trace\"); }\n";

    /// Checks a script's build with each ending; what is caught makes it green.
    #[track_caller]
    fn check_script(build: &str, is_caught: bool) {
        for (ending, outcome, text) in ENDINGS {
            let stage = Stage::new();
            let script =
                format!("const SECRETS = [\"TOKEN\"];\nfn build() {{ {build} }}\n{AFTER_ALL}");
            stage.write(".tinyci.rhai", &script);
            stage.commit_more("script");
            let builder = answering(stage.builder(), ending);
            if is_caught && ending == Ending::Refusal {
                let ran = Ran::of(&builder.open().unwrap(), &Selection::pending());
                assert_eq!(ran.outcome(), Outcome::Success, "{build}: {}", ran.text());
            } else {
                check(&stage, builder, "build", outcome, text);
            }
        }
    }

    #[test]
    fn no_script_catches_a_fault() {
        check_script("ask();", false);
        check_script("try { ask(); } catch { }", true);
        check_script("try { secret(\"TOKEN\"); } catch { }", true);
        check_script("retry(3, || ask(), #{ backoff: \"1ms\" });", false);
        check_script("timeout(\"1h\", || ask());", false);
    }

    #[test]
    fn a_fault_in_a_branch_outranks_what_others_come_to() {
        check_script("parallel([1, 2], |n| if n == 2 { ask() } else { n });", false);
        check_script(
            "try { parallel([1, 2], |n| if n == 2 { ask() } else { n }); } catch { }",
            true,
        );
        for (ending, outcome, _) in ENDINGS {
            let stage = Stage::new();
            stage.write(
                ".tinyci.rhai",
                // `fail` would keep the other task from asking, if it came first.
                "fn build() { parallel([1, 2], |n| if n == 2 { ask() } else { throw \"one\" }); }\n",
            );
            stage.commit_more("script");
            let engine = answering(stage.builder(), ending).open().unwrap();
            assert_eq!(Ran::of(&engine, &Selection::pending()).outcome(), outcome);
        }
    }

    #[test]
    fn a_fault_while_cleaning_up_leaves_no_verdict() {
        check_script("defer(|| ask());", false);
        check_script(
            "defer(|| ask()); defer(|| { throw \"not today: the host panicked in, the host aborted\" });",
            false,
        );
    }

    #[test]
    fn a_tag_that_asks_a_host_says_whose_fault_it_is() {
        check_script("sh(\"echo <%= ask() %>\");", false);
        check_script("try { sh(\"echo <%= ask() %>\"); } catch { }", true);
        for (ending, outcome, text) in ENDINGS {
            let stage = Stage::with(
                "build: echo <%= ask() %> >> @/trace\n\
                 hooks: {after_all: echo after_all >> @/trace}\n",
            );
            check(&stage, answering(stage.builder(), ending), "build", outcome, text);
        }
    }

    #[test]
    fn no_script_deploys_without_the_answer_that_it_asks_for() {
        for (ending, _, text) in ENDINGS {
            let stage = Stage::new();
            let deploy = "try { approve(\"Is it Friday?\"); } catch { } sh(\"echo >> @/trace\");";
            stage.write(".tinyci.rhai", &format!("fn build() {{ }}\nfn deploy() {{ {deploy} }}\n"));
            stage.commit_more("script");
            stage.run();
            let engine = answering(stage.builder(), ending).open().unwrap();
            let done =
                engine.deploy("production", "HEAD", &CancelToken::new(), &mut |_: &Event| {});
            let done = done.unwrap();
            assert_eq!(done.outcome, DeployOutcome::Failure);
            let reason = done.reason.unwrap_or_default();
            assert!(reason.contains(text) && reason.contains("not today"), "{reason}");
            assert!(stage.trace().is_empty());
        }
    }
}
