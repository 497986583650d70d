//! What holds of everything that a run asks its host: where it comes from, and that it overtakes
//! no event.

use std::sync::{Arc, Mutex};

use tinyci::{
    CancelToken, EngineBuilder, Error, Event, EventKind, Hook, Selection,
    callback::RequestContext,
    executor::{CancelView, Command, Executor, Exit, Output},
};

use crate::support::stage::Stage;

/// What the observer and the host saw, in the order in which they saw it.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn push(&self, what: String) {
        self.0.lock().unwrap().push(what);
    }

    fn event(&self, event: &Event) {
        let step = event.meta.step.map(|step| step.to_string()).unwrap_or_default();
        match &event.kind {
            EventKind::StepStarted { .. } => self.push(format!("begin {step}")),
            EventKind::Output { bytes, .. } => {
                self.push(String::from_utf8_lossy(bytes).into_owned())
            }
            EventKind::StepFinished { .. } => self.push(format!("end {step}")),
            _ => {}
        }
    }

    fn asked(&self, what: &str, context: &RequestContext) {
        assert!(context.export_dir.is_dir());
        assert!(!context.is_canceled() && !context.is_late());
        self.push(format!("{what} for {}", context.step));
    }

    /// Runs what is pending, and gives back what was seen meanwhile.
    fn run(&self, builder: EngineBuilder) -> Vec<String> {
        let seen = self.clone();
        let engine = builder.open().unwrap();
        let cancel = CancelToken::new();
        let mut observer = move |event: &Event| seen.event(event);
        engine.run(&Selection::pending(), &cancel, &mut observer).unwrap();
        self.0.lock().unwrap().clone()
    }
}

/// Says each command without an end of line, which the pump holds back for a while.
struct Speaks(Seen);

impl Executor for Speaks {
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        self.0.asked("command", command.context.as_ref().unwrap());
        output(Output::stdout(format!("half of {}", command.program)));
        Ok(Exit::Code(0))
    }
}

#[test]
fn a_hook_overtakes_no_event() {
    let stage = Stage::with("build: printf half\nhooks: {after_build: printf own}\n");
    let seen = Seen::default();
    let asked = seen.clone();
    let ran = seen.run(stage.builder().hook(Hook::AfterBuild, move |hook| {
        asked.asked("hook", hook.context());
        Ok(())
    }));
    let expected = [
        "begin build",
        "half",
        "end build",
        "begin after_build",
        "hook for after_build",
        "own",
        "end after_build",
    ];
    assert_eq!(ran, expected);
}

#[test]
fn a_command_overtakes_no_event() {
    let stage = Stage::with("build: [one, two]\n");
    let seen = Seen::default();
    let ran = seen.run(stage.builder().executor(Speaks(seen.clone())));
    let expected = [
        "begin build",
        "command for build",
        "half of /bin/sh -c 'one'",
        "command for build",
        "half of /bin/sh -c 'two'",
        "end build",
    ];
    assert_eq!(ran, expected);
}

#[test]
fn a_secret_overtakes_no_event_and_says_for_what_it_is_asked() {
    let stage = Stage::with("build: printf half\ntest: {run: printf $A, secrets: [A]}\n");
    stage.repo.git(&["config", "tinyci.secretRefs", "refs/heads/*"]);
    let seen = Seen::default();
    let asked = seen.clone();
    let ran = seen.run(stage.builder().secrets(move |name, context| {
        asked.asked(name, context);
        Ok(Some(b"hunter22".to_vec()))
    }));
    let expected =
        ["begin build", "half", "end build", "begin test", "A for test", "***", "end test"];
    assert_eq!(ran, expected);
}

#[cfg(feature = "rhai")]
#[test]
fn a_function_overtakes_no_event_and_knows_its_branch() {
    let repo = crate::support::TestRepo::new();
    repo.write(
        ".tinyci.rhai",
        "fn build() { sh(\"printf half\"); ask(1); parallel(#{ left: || ask(2) }); }",
    );
    repo.commit("a script");
    let seen = Seen::default();
    let asked = seen.clone();
    let builder = tinyci::Engine::builder(repo.path());
    let ran =
        seen.run(builder.function("ask", 1..=1, tinyci::callback::Effect::Pure, "", move |call| {
            let label = call.context().label.as_deref().unwrap_or("no branch");
            asked.asked(&format!("{:?} in {label}", call[0].as_int()), call.context());
            Ok(().into())
        }));
    let expected = [
        "begin build",
        "half",
        "Some(1) in no branch for build",
        "Some(2) in left for build",
        "end build",
    ];
    assert_eq!(ran, expected);
}

#[cfg(feature = "rhai")]
#[test]
fn output_of_a_branch_carries_its_label() {
    let repo = crate::support::TestRepo::new();
    repo.write(".tinyci.rhai", "fn build() { parallel(#{ left: || sh(\"echo out\") }); }");
    repo.commit("a script");
    let engine = tinyci::Engine::open(repo.path()).unwrap();
    let mut labels = Vec::new();
    let mut observer = |event: &Event| {
        if let EventKind::Output { bytes, .. } = &event.kind {
            let text = String::from_utf8_lossy(bytes).into_owned();
            labels.push((event.meta.label.as_deref().map(str::to_owned), text));
        }
    };
    engine.run(&Selection::pending(), &CancelToken::new(), &mut observer).unwrap();
    assert_eq!(labels, [(Some("left".to_owned()), "[left] out\n".to_owned())]);
}
