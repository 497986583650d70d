//! [`FakeStage`]: the seams of a step in a test. Commands end as the test defines, and everything
//! is recorded.

use std::{
    ffi::OsStr,
    sync::{Arc, Mutex},
};

use super::{fake_commit::FakeCommit, fakes::Answer, result::Recorded, tester::Tester};
use crate::{
    model::{
        artifact::Artifact,
        cancel::CancelView,
        dry_run::{Action, Assumption},
        error::{Error, ErrorKind},
        executor::{Command, Output, Stream},
        function::{Effect, FunctionCall, HostFunction, Value},
        outcome::{Exit, Outcome},
        pipeline::{Hook, Phase, StepName},
        record::StepRecord,
        request_context::RequestContext,
        step::{
            ApprovalAnswer, Changes, Denied, DryClock, DryStage, Effects, HookAnswer, Lookups,
            OutputUse, Reporter, TreeEntry, shown_program, whole_program,
        },
    },
    util::lock::lock,
};

/// The seams of the steps in one call of `t`.
pub(super) struct FakeStage {
    tester: Tester,
    commit: FakeCommit,
    /// The record of the current step.
    recorded: Mutex<Recorded>,
    /// The records of the steps before it.
    steps: Mutex<Vec<Recorded>>,
    /// A simulated clock: nothing waits, but time limits pass.
    clock: DryClock,
}

impl FakeStage {
    pub(super) fn new(tester: Tester, commit: FakeCommit) -> Self {
        let clock = DryClock::new();
        Self { tester, commit, recorded: Mutex::default(), steps: Mutex::default(), clock }
    }

    /// Takes the record of each step.
    pub(super) fn take_steps(&self) -> Vec<Recorded> {
        std::mem::take(&mut *lock(&self.steps))
    }

    /// Returns the result of a command without a fake.
    fn unknown(&self, output_use: OutputUse, text: &str) -> Result<Answer, Error> {
        if output_use == OutputUse::Captured {
            let message = format!(
                "the script uses the output of `{text}`, but the test does not define it; write \
                 `t.fake({text:?}, \"its output\")`"
            );
            return Err(self.tester.abort(message));
        }
        Ok(Answer { exit: Exit::Code(0), stdout: String::new(), stderr: String::new() })
    }
}

impl Effects for FakeStage {
    fn command(
        &self,
        command: &Command,
        output_use: OutputUse,
        output: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        let text = whole_program(&command.program);
        let answer = match self.tester.answer(&text) {
            Some(answer) => answer?,
            None => self.unknown(output_use, &text)?,
        };
        output(Output::stdout(answer.stdout.as_bytes()));
        output(Output::stderr(answer.stderr.as_bytes()));
        let label = command.context.as_ref().and_then(|it| it.label.as_deref());
        let mut recorded = lock(&self.recorded);
        recorded.commands.push(text);
        recorded.actions.push(Action::Command {
            command: shown_program(&command.program),
            label: label.map(str::to_owned),
            output: Assumption::Passed,
        });
        Ok(answer.exit)
    }

    fn secret(&self, name: &str, _: &RequestContext) -> Result<Vec<u8>, Denied> {
        let value = self.commit.secrets.get(name).cloned();
        Ok(value.unwrap_or_else(|| format!("\u{2}secret {name}\u{3}")).into_bytes())
    }

    fn artifacts(
        &self,
        _: &[String],
        _: &dyn Fn(&str) -> Option<Denied>,
        _: &RequestContext,
    ) -> Result<Vec<Artifact>, Denied> {
        Ok(Vec::new())
    }

    fn call(
        &self,
        function: &HostFunction,
        arguments: &[Value],
        context: &RequestContext,
    ) -> Result<Value, Error> {
        if let Some(value) = self.tester.call_answer(&function.name) {
            return Ok(value);
        }
        if function.effect == Effect::External {
            return Ok(Value::Null);
        }
        let commit = Arc::new(self.commit.commit()?);
        let context = RequestContext { commit, ..context.clone() };
        function.call(&FunctionCall::new(arguments, &context))
    }

    fn hooks(&self, _: Hook, _: Outcome, _: &RequestContext) -> HookAnswer {
        HookAnswer::default()
    }

    fn hook_count(&self, _: StepName) -> usize {
        // Hook callbacks of a host are not part of the script.
        0
    }

    fn approval(&self, _: &str, _: &RequestContext) -> Result<ApprovalAnswer, Denied> {
        Ok(if self.commit.approved { ApprovalAnswer::Given } else { ApprovalAnswer::Awaited })
    }

    fn dry(&self) -> Option<&dyn DryStage> {
        Some(self)
    }
}

impl DryStage for FakeStage {
    fn is_over(&self) -> bool {
        self.tester.is_late()
    }

    fn clock(&self) -> &DryClock {
        &self.clock
    }
}

impl Lookups for FakeStage {
    fn changes(&self) -> Result<Changes, Error> {
        Ok((*self.commit.changes).clone())
    }

    fn previous(&self) -> Result<Option<String>, Error> {
        Ok(self.commit.previous.clone())
    }

    fn tree_entry(&self, _: &str) -> Result<TreeEntry, Error> {
        Ok(TreeEntry::Unknown)
    }

    fn known_entry(&self, path: &str) -> Result<TreeEntry, Error> {
        let Some(files) = &self.commit.files else {
            let message = format!(
                "the script asks for `{path}` of the commit, but the test does not define its \
                 files; write `#{{ files: #{{ {path:?}: \"its text\" }} }}`"
            );
            return Err(self.tester.abort(message));
        };
        let below = format!("{path}/");
        Ok(match files.contains_key(path) {
            true => TreeEntry::File,
            false if files.keys().any(|file| file.starts_with(&below)) => TreeEntry::Directory,
            false => TreeEntry::Absent,
        })
    }

    fn tree_file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        let text = self.commit.files.as_ref().and_then(|files| files.get(path));
        Ok(text.map(|text| text.clone().into_bytes()))
    }

    fn has_program(&self, name: &str, _: &OsStr) -> bool {
        self.commit.programs.as_ref().is_none_or(|known| known.iter().any(|it| it == name))
    }

    fn check_secret(&self, _: &str) -> Result<(), Denied> {
        Ok(())
    }
}

impl Reporter for FakeStage {
    fn started(&self, _: StepName, _: Option<Phase>) {}

    fn output(&self, _: Option<&str>, _: Stream, _: Vec<u8>) {}

    fn printed(&self, _: Option<&str>, lines: String) {
        lock(&self.recorded).output.extend(lines.lines().map(str::to_owned));
    }

    fn warn(&self, message: String) {
        lock(&self.recorded).warnings.push(message);
    }

    fn noted(&self, action: Action) {
        lock(&self.recorded).actions.push(action);
    }

    fn flush(&self, _: &RequestContext) -> Result<(), Outcome> {
        Ok(())
    }

    fn finished(&self, _: &StepRecord) {
        let recorded = std::mem::take(&mut *lock(&self.recorded));
        lock(&self.steps).push(recorded);
    }
}

/// Returns the error that stops a step if the test is wrong.
pub(super) fn refused(message: String) -> Error {
    Error::new(ErrorKind::HostAbort, message)
}
