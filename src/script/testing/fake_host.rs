//! What a phase acts on in a test: commands end as the test says, and everything is written down.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{fake_commit::FakeCommit, fakes::Answer, result::Done, tester::Tester};
use crate::{
    cancel::{CancelToken, CancelView},
    error::{Error, ErrorKind},
    executor::{Output, Program, Stream},
    forecast::{Act, Assumption},
    function::{FunctionCall, HostFunction, Value},
    outcome::Exit,
    request_context::RequestContext,
    script::{
        commands::shown_program,
        host::{Approval, Changes, Host, Limits, ScriptCommand},
    },
};

/// The host of one phase.
pub(super) struct FakeHost {
    tester: Tester,
    commit: FakeCommit,
    phase: String,
    done: Mutex<Done>,
}

impl FakeHost {
    pub(super) fn new(tester: Tester, commit: FakeCommit, phase: &str) -> Self {
        Self { tester, commit, phase: phase.to_owned(), done: Mutex::default() }
    }

    /// What the phase did so far.
    pub(super) fn done(&self) -> MutexGuard<'_, Done> {
        self.done.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note(&self, name: &str, argument: &str) {
        self.act(Act::Call(format!("{name}({argument:?})")));
    }

    /// Where a function of the embedding program is called from.
    fn context(&self, limits: Limits) -> Result<RequestContext, Error> {
        Ok(RequestContext {
            commit: Arc::new(self.commit.commit()?),
            run: Arc::from(self.commit.facts.run.as_str()),
            step: self.phase.parse()?,
            label: limits.label.map(Arc::from),
            export_dir: PathBuf::from(&self.commit.facts.export_dir),
            deadline: limits.deadline,
            cancel: CancelView::new(&CancelToken::new(), 1),
        })
    }

    fn act(&self, act: Act) {
        self.done().acts.push(act);
    }

    /// How a command ends that no fake says anything about.
    fn unknown(&self, command: &ScriptCommand, text: &str) -> Result<Answer, Error> {
        if command.captured {
            let message = format!(
                "the script goes on with the output of `{text}`, and the test does not say what \
                 that is: `t.fake({text:?}, \"its output\")`"
            );
            return Err(self.tester.broken(message));
        }
        Ok(Answer { exit: Exit::Code(0), stdout: String::new(), stderr: String::new() })
    }
}

/// A command as one text: the arguments of a program with single spaces between them.
fn text_of(program: &Program) -> String {
    match program {
        Program::Shell(text) => text.trim().to_owned(),
        Program::Argv(words) => words.join(" "),
    }
}

impl Host for FakeHost {
    fn command(
        &self,
        command: &ScriptCommand,
        output: &mut dyn FnMut(&Output),
    ) -> Result<Exit, Error> {
        let text = text_of(&command.program);
        let answer = match self.tester.answer(&text) {
            Some(answer) => answer?,
            None => self.unknown(command, &text)?,
        };
        let tell = |stream: Stream, text: &str| Output { stream, bytes: text.as_bytes().to_vec() };
        output(&tell(Stream::Stdout, &answer.stdout));
        output(&tell(Stream::Stderr, &answer.stderr));
        let told = [answer.stdout.as_str(), answer.stderr.as_str()].concat();
        let mut done = self.done();
        if !answer.exit.outcome().passed() {
            done.failed = Some((text.clone(), answer.exit, told));
        }
        done.commands.push(text);
        done.acts.push(Act::Command {
            command: shown_program(&command.program),
            label: command.label.clone(),
            output: Assumption::Passed,
        });
        Ok(answer.exit)
    }

    fn print(&self, label: Option<&str>, text: &str) {
        let label = label.map(|label| format!("[{label}] ")).unwrap_or_default();
        self.done().output.extend(text.lines().map(|line| format!("{label}{line}")));
    }

    fn warn(&self, message: &str) {
        self.note("warn", message);
        self.done().warnings.push(message.to_owned());
    }

    fn secret(&self, name: &str, _: Limits) -> Result<Vec<u8>, Error> {
        self.note("secret", name);
        let value = self.commit.secrets.get(name).map_or(name, String::as_str);
        Ok(value.as_bytes().to_vec())
    }

    fn call(
        &self,
        function: &HostFunction,
        arguments: &[Value],
        limits: Limits,
    ) -> Result<Value, Error> {
        if let Some(value) = self.tester.call_answer(&function.name) {
            return Ok(value);
        }
        function.call(&FunctionCall::new(arguments, &self.context(limits)?))
    }

    fn env(&self, name: &str) -> Option<String> {
        let own = self.commit.env.get(name).cloned();
        let fact = || {
            let fact = name.strip_prefix("TINYCI_")?.to_ascii_lowercase();
            let mut known = self.commit.known(&self.phase).into_iter();
            known.find(|(name, _)| *name == fact).map(|(_, value)| value)
        };
        own.or_else(fact).or_else(|| match name {
            "CI" => Some("true".to_owned()),
            "TINYCI" => Some("1".to_owned()),
            _ => None,
        })
    }

    fn remember(&self, key: &str, value: Value) -> Result<(), Error> {
        self.note("remember", key);
        self.tester.remember(key, value);
        Ok(())
    }

    fn recall(&self, key: &str) -> Option<Value> {
        self.tester.recall(key)
    }

    fn artifact(&self, path: &str) -> Result<(), Error> {
        self.note("artifact", path);
        Ok(())
    }

    fn discard_export(&self) {
        self.act(Act::Call("discard_export()".to_owned()));
    }

    fn approve(&self, question: &str, _: Limits) -> Result<Approval, Error> {
        self.note("approve", question);
        Ok(if self.commit.approved { Approval::Given } else { Approval::Awaited })
    }

    fn changes(&self) -> Result<Arc<Changes>, Error> {
        Ok(self.commit.changes.clone())
    }

    fn previous(&self) -> Result<Option<String>, Error> {
        Ok(self.commit.previous.clone())
    }

    fn has_program(&self, name: &str) -> bool {
        self.commit.programs.as_ref().is_none_or(|known| known.iter().any(|it| it == name))
    }

    fn is_canceled(&self, _cleanup: bool) -> bool {
        false
    }

    fn decided(&self, predicate: &str, answer: bool, at: &str) {
        let (question, at) = (predicate.to_owned(), at.to_owned());
        self.act(Act::Decision { question, answer, at });
    }

    fn rehearses(&self) -> bool {
        true
    }

    fn called(&self, function: &str, arguments: &[Value]) -> Value {
        let arguments: Vec<String> = arguments.iter().map(Value::literal).collect();
        self.act(Act::Call(format!("{function}({})", arguments.join(", "))));
        self.tester.call_answer(function).unwrap_or(Value::Nothing)
    }
}

/// What the machinery is told where a test is at fault: the phase cannot go on.
pub(super) fn refused(message: String) -> Error {
    Error::new(ErrorKind::HostAbort, message)
}
