//! Calls to the host during a run: its hook callbacks, and its executor if it has one.

use std::{path::Path, sync::Arc};

use super::pump::Sender;
use crate::{
    model::{
        answer::{HookError, call_program},
        cancel::CancelView,
        commit::Commit,
        error::Error,
        executor::{Command, Executor, Output},
        outcome::{Exit, Outcome},
        pipeline::{Hook, StepName},
        request_context::RequestContext,
    },
    rules::interpolate::Vars,
};

type HookFn = dyn Fn(&mut HookCall<'_>) -> Result<(), HookError> + Send + Sync;

/// One call of a host's hook callback.
///
/// The callback runs before the config's hook of the same name. An error from it fails the step;
/// [`HookError`] says which errors are the host's own fault. It can [`skip`](HookCall::skip) the
/// config's hook and set variables for later commands.
#[derive(Debug)]
pub struct HookCall<'a> {
    pub(in crate::engine) hook: Hook,
    pub(in crate::engine) context: &'a RequestContext,
    pub(in crate::engine) outcome: Outcome,
    pub(in crate::engine) vars: &'a mut Vars,
    pub(in crate::engine) mistake: Option<Error>,
    pub(in crate::engine) skipped: Option<String>,
}

impl HookCall<'_> {
    /// Returns the hook.
    pub fn hook(&self) -> Hook {
        self.hook
    }

    /// Returns the commit of the job.
    pub fn commit(&self) -> &Commit {
        &self.context.commit
    }

    /// Returns the export directory, which contains the commit's files.
    pub fn export_dir(&self) -> &Path {
        &self.context.export_dir
    }

    /// Returns the outcome of the job so far: success until a step fails.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Returns true if the run was canceled, so that a long callback can end early.
    pub fn is_canceled(&self) -> bool {
        self.context.is_canceled()
    }

    /// Returns the context of the call: the commit, the step, the deadline and the cancellation.
    pub fn context(&self) -> &RequestContext {
        self.context
    }

    /// Sets a variable that all later commands can use as `<%= name %>`.
    ///
    /// An invalid or reserved name fails the step when the callback returns.
    pub fn set_var(&mut self, name: &str, value: &str) {
        if let Err(error) = self.vars.set_own(name, value) {
            self.mistake.get_or_insert(error);
        }
    }

    /// Skips the config's hook.
    pub fn skip(&mut self, reason: &str) {
        self.skipped = Some(reason.to_owned());
    }
}

/// The hook callbacks of a host, in the order of their registration.
#[derive(Clone, Default)]
pub(in crate::engine) struct Hooks(Vec<(Hook, Arc<HookFn>)>);

impl Hooks {
    pub(in crate::engine) fn add(
        &mut self,
        hook: Hook,
        call: impl Fn(&mut HookCall<'_>) -> Result<(), HookError> + Send + Sync + 'static,
    ) {
        self.0.push((hook, Arc::new(call)));
    }

    /// Returns the number of callbacks for this step.
    pub(in crate::engine) fn count(&self, step: StepName) -> usize {
        self.0.iter().filter(|(hook, _)| StepName::Hook(*hook) == step).count()
    }

    /// Calls each callback of this hook until one fails or skips. `Ok(Some(reason))` means that
    /// the config's own hook must not run.
    pub(in crate::engine) fn call(&self, mut call: HookCall<'_>) -> Result<Option<String>, Error> {
        let called_hook = call.hook;
        let what = format!("the hook `{}`", StepName::from(called_hook));
        for (_, hook) in self.0.iter().filter(|(hook, _)| *hook == called_hook) {
            call_program(&what, || hook(&mut call))?;
            if let Some(mistake) = call.mistake.take() {
                return Err(mistake);
            }
            if call.skipped.is_some() {
                break;
            }
        }
        Ok(call.skipped)
    }
}

/// A host's executor. It starts a command only after the observer received all earlier events.
pub(in crate::engine) struct HostExecutor {
    pub(in crate::engine) inner: Arc<dyn Executor>,
    pub(in crate::engine) events: Sender,
}

impl Executor for HostExecutor {
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error> {
        let flushed = command.context.as_ref().map_or(Ok(()), |context| self.events.flush(context));
        match flushed {
            Ok(()) => self.inner.execute(command, output, cancel),
            Err(Outcome::TimedOut) => Ok(Exit::TimedOut),
            Err(_) => Ok(Exit::Canceled),
        }
    }
}
