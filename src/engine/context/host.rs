//! What a host answers while a run waits for it: hooks, and commands where it runs them.

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

/// One call of a host's hook.
///
/// The hook of the host comes before the config's hook of the same name. It may fail the step
/// with an error, [`skip`](HookCall::skip) what the config has there, and set variables for the
/// commands that follow. [`HookError`] says which errors are no fault of the commit's.
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
    /// Which hook this is.
    pub fn hook(&self) -> Hook {
        self.hook
    }

    /// The commit in work.
    pub fn commit(&self) -> &Commit {
        &self.context.commit
    }

    /// The folder that holds its tree.
    pub fn export_dir(&self) -> &Path {
        &self.context.export_dir
    }

    /// What is known of the commit so far; success until something failed.
    pub fn outcome(&self) -> Outcome {
        self.outcome
    }

    /// Whether the run was canceled meanwhile, so that a long hook can end early.
    pub fn is_canceled(&self) -> bool {
        self.context.is_canceled()
    }

    /// The commit, the step and the limits of the call.
    pub fn context(&self) -> &RequestContext {
        self.context
    }

    /// Sets a variable that the commands from here on can use as `<%= name %>`.
    ///
    /// A name that no tag could spell, or one of tinyci's own, fails the step when the hook
    /// returns.
    pub fn set_var(&mut self, name: &str, value: &str) {
        if let Err(error) = self.vars.set_own(name, value) {
            self.mistake.get_or_insert(error);
        }
    }

    /// Leaves out what the config has for this hook.
    pub fn skip(&mut self, reason: &str) {
        self.skipped = Some(reason.to_owned());
    }
}

/// The hooks of a host, in the order in which they were registered.
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

    /// How many hooks there are at this point.
    pub(in crate::engine) fn count(&self, step: StepName) -> usize {
        self.0.iter().filter(|(hook, _)| StepName::Hook(*hook) == step).count()
    }

    /// Calls every hook of this point until one fails or skips. `Ok(Some(reason))` says that the
    /// config's own hook is to be left out.
    pub(in crate::engine) fn call(&self, mut call: HookCall<'_>) -> Result<Option<String>, Error> {
        let point = call.hook;
        let what = format!("the hook `{}`", StepName::from(point));
        for (_, hook) in self.0.iter().filter(|(hook, _)| *hook == point) {
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

/// A host's executor, asked only once its observer has seen what came before the command.
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
        let settled = command.context.as_ref().map_or(Ok(()), |it| self.events.settle(it));
        match settled {
            Ok(()) => self.inner.execute(command, output, cancel),
            Err(Outcome::TimedOut) => Ok(Exit::TimedOut),
            Err(_) => Ok(Exit::Canceled),
        }
    }
}
