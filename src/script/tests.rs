//! Tests of single steps with a host that records calls and gives fixed answers. They cover cases
//! that no build runs yet, and endings without a command.

use std::sync::{Arc, Mutex};

use super::{session::shared::Session, *};
use crate::{
    model::{
        error::{Error, ErrorKind},
        function::{HostFunction, Value},
        outcome::{Exit, Outcome},
        script::{ScriptEnd, Tree, TreeFile},
        step::{
            ApprovalAnswer, Changes, CommandEnd, Denied, Facts, Host, RequestLimits, StepCommand,
            whole_program,
        },
    },
    rules::interpolate::Vars,
    util::threads::big_thread,
};

/// A tree without files.
struct Empty;

impl Tree for Empty {
    fn entry(&self, _: &str) -> Result<TreeFile, Error> {
        Ok(TreeFile::Absent)
    }
}

/// Records commands; commands that contain `failing` fail.
#[derive(Default)]
struct Recorder {
    commands: Mutex<Vec<String>>,
    approved: bool,
    failing: Option<&'static str>,
}

impl Host for Recorder {
    fn command(&self, command: &StepCommand) -> Result<CommandEnd, Denied> {
        let text = whole_program(&command.program);
        let input = command.input.as_ref().map(|it| format!(" < {}", String::from_utf8_lossy(it)));
        let failed = self.failing.is_some_and(|failing| text.contains(failing));
        let exit = Exit::Code(failed.into());
        for _ in 0..=if failed { command.retries } else { 0 } {
            let text = text.clone() + input.as_deref().unwrap_or_default();
            self.commands.lock().unwrap().push(text);
        }
        let (stdout, stderr, tail) = (Vec::new(), Vec::new(), String::new());
        let (whole, label, passed) = (text.clone(), None, !failed);
        Ok(CommandEnd { command: text, whole, label, exit, passed, stdout, stderr, tail })
    }

    fn print(&self, _: Option<&str>, _: &str) {}

    fn warn(&self, _: &str) {}

    fn secret(&self, name: &str, _: RequestLimits) -> Result<Vec<u8>, Denied> {
        Ok(format!("value of {name}").into_bytes())
    }

    fn mask_placeholder(&self, _: &str) {}

    fn call(
        &self,
        function: &HostFunction,
        _: &[Value],
        _: RequestLimits,
    ) -> Result<Value, Denied> {
        Err(Denied::refused(format!("nobody lends `{}`", function.name)))
    }

    fn env(&self, _: &str) -> Option<String> {
        None
    }

    fn remember(&self, _: &str, _: Value) -> Result<(), Denied> {
        Ok(())
    }

    fn recall(&self, key: &str) -> Option<Value> {
        (key == "image").then(|| "fml:built".into())
    }

    fn artifact(&self, _: &[String], _: RequestLimits) -> Result<(), Denied> {
        Ok(())
    }

    fn discard_export(&self) {}

    fn approve(&self, _: &str, _: RequestLimits) -> Result<ApprovalAnswer, Denied> {
        Ok(if self.approved { ApprovalAnswer::Given } else { ApprovalAnswer::Awaited })
    }

    fn changes(&self) -> Result<Arc<Changes>, Error> {
        Err(Error::new(ErrorKind::Git, "the repository is gone"))
    }

    fn changed(&self, _: &[String]) -> Result<bool, Error> {
        self.changes().map(|_| true)
    }

    fn previous(&self) -> Result<Option<String>, Error> {
        Ok(None)
    }

    fn exists(&self, _: &str) -> Result<bool, Denied> {
        Ok(false)
    }

    fn read(&self, path: &str) -> Result<String, Denied> {
        Err(Denied::refused(format!("there is no `{path}`")))
    }

    fn has_program(&self, _: &str) -> bool {
        false
    }

    fn masked(&self, text: &str) -> String {
        text.to_owned()
    }

    fn is_canceled(&self, _: bool) -> bool {
        false
    }
}

/// Runs a step on a stack of the same size as a worker's.
fn run_step(text: &str, step: &'static str, branch: &str, host: Arc<Recorder>) -> ScriptEnd {
    let script = Script::load(text.as_bytes(), ".tinyci.rhai", &Empty, &[]).unwrap();
    let facts = Facts {
        step: step.to_owned(),
        branch: Some(branch.to_owned()),
        subject: "Ship it".to_owned(),
        ..Facts::default()
    };
    let work = move || {
        let (script, functions) = (&script, &[]);
        run(StepCall { script, step, facts, vars: Vars::new(), host, deadline: None, functions })
    };
    big_thread("tinyci test").spawn(work).unwrap().join().unwrap()
}

mod mutations;

const DEPLOY: &str = include_str!("../../examples/docker-compose.rhai");

#[test]
fn a_deployment_waits_for_its_approval_and_then_goes_on() {
    let host = Arc::new(Recorder::default());
    let end = run_step(DEPLOY, "deploy", "master", host.clone());
    assert!(end.awaits_approval, "{end:?}");
    assert_eq!(end.reason.as_deref(), Some("Tag  \"Ship it\" as production?"));
    assert!(host.commands.lock().unwrap().is_empty());

    let host = Arc::new(Recorder { approved: true, ..Recorder::default() });
    let end = run_step(DEPLOY, "deploy", "master", host.clone());
    assert_eq!(end.outcome, Outcome::Success, "{end:?}");
    assert_eq!(
        *host.commands.lock().unwrap(),
        [
            "docker login --password-stdin -u ci < value of REGISTRY_TOKEN",
            "docker tag fml:built fml:production",
            "docker push fml:production",
            "systemctl --user restart fml",
        ]
    );
    let end = run_step(DEPLOY, "deploy", "topic", host);
    assert_eq!((end.outcome, end.awaits_approval), (Outcome::Skipped, false));
    assert_eq!(end.reason.as_deref(), Some("only master is deployed"));
}

#[test]
fn a_push_is_tried_three_times_and_an_approval_comes_before_any_command() {
    let failing = Some("push");
    let host = Arc::new(Recorder { approved: true, failing, ..Recorder::default() });
    let end = run_step(DEPLOY, "deploy", "master", host.clone());
    assert_eq!(end.outcome, Outcome::Failure);
    assert_eq!(host.commands.lock().unwrap().len(), 5);
    for (late, why) in [
        ("sh(\"x\"); approve(\"?\");", "`approve` must come before any command"),
        ("parallel([1], |it| group(\"g\", || approve(\"?\")));", "in a task of `parallel`"),
    ] {
        let text = format!("fn deploy(ctx) {{ {late} }}");
        let host = Arc::new(Recorder { approved: true, ..Recorder::default() });
        let error = run_step(&text, "deploy", "master", host).error.unwrap();
        assert!(error.message().contains(why), "{error}");
    }
}

#[test]
fn what_the_machinery_cannot_tell_is_no_fault_of_the_script_s() {
    let text = "fn build(ctx) { try { ctx.changed(\"x\") } catch { } }";
    let end = run_step(text, "build", "main", Arc::default());
    assert_eq!(end.outcome, Outcome::Error);
    assert_eq!(end.error.unwrap().message(), "the repository is gone");
}

/// A script cannot use all threads of the machine by nesting `parallel`.
#[test]
fn nested_branches_share_the_threads_of_their_phase() {
    let text = "fn build() {
        let list = []; for i in 0..12 { list.push(i); }
        let all = parallel(list, |a| parallel(list, |b| parallel(list, |c| {
            sh(`${a} ${b} ${c}`); 1
        }).len()));
        if all.len() != 12 || all[11].len() != 12 || all[11][11] != 12 { fail(\"lost\"); }
    }";
    let host = Arc::new(Recorder::default());
    let end = run_step(text, "build", "main", host.clone());
    assert_eq!(end.outcome, Outcome::Success, "{:?}", end.error.map(|error| error.report()));
    assert_eq!(host.commands.lock().unwrap().len(), 12 * 12 * 12);
    let session = Session::new(host, None, Facts::default(), Vars::new(), None);
    let taken = [12, 40, 5].map(|wanted| session.acquire_threads(wanted, 32));
    assert_eq!(taken, [12, 20, 0]);
    session.release_threads(20);
    assert_eq!(session.acquire_threads(30, 32), 20);
}

#[test]
fn hostile_and_nested_scripts_end_within_their_stack() {
    let nested = format!(
        "fn f(n) {{ {} f(n + 1); {} }} fn build() {{ f(0); }}",
        "if n >= 0 { ".repeat(15),
        "}".repeat(15)
    );
    let end = run_step(&nested, "build", "main", Arc::default());
    assert!(end.error.unwrap().message().contains("calls are nested too deeply"));
    for text in [
        "fn build() { let m = #{}; m.m = m; throw m; }",
        "fn build() { let f = || 1; f.call(f); }",
        "fn build() { [1, 2].map(|x| sh); }",
        "fn build() { throw (); }",
        "fn build() { parallel(#{ a: 1 }); }",
        "fn build() { matrix(#{ a: 1 }, |m| m); }",
        "fn build() { timeout(\"1s\", 5); }",
        "fn build(ctx) { ctx.machine.has(1); }",
        "fn build() { 1 / 0 }",
        "fn build() { \"x\"[7] }",
        "fn build() { let x = \"é\"; x.sub_string(-100, 5); throw x; }",
    ] {
        let Ok(_) = Script::load(text.as_bytes(), "x", &Empty, &[]) else { continue };
        let end = run_step(text, "build", "main", Arc::default());
        assert_eq!(end.outcome, Outcome::Failure, "{text}");
        assert!(end.error.unwrap().excerpt().is_some_and(|it| it.contains("--> ")), "{text}");
    }
}
