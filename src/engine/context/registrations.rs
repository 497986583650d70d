//! [`Registrations`]: what a program registers for scripts, to run them or to check them.

use std::ops::RangeInclusive;

use crate::{
    model::{
        answer::HookError,
        error::{Error, ErrorKind},
        executor::EnvChange,
        function::{Effect, FunctionCall, HostFunction, Value},
    },
    rules::interpolate::Vars,
};

/// The functions, variables and environment that an engine and a checker both get from the
/// embedding program.
#[derive(Default)]
pub(in crate::engine) struct Registrations {
    pub(in crate::engine) functions: Vec<HostFunction>,
    pub(in crate::engine) vars: Vars,
    pub(in crate::engine) env: Vec<EnvChange>,
    /// The first invalid call of a builder method.
    pub(in crate::engine) mistake: Option<Error>,
}

impl Registrations {
    pub(in crate::engine) fn function(
        &mut self,
        name: &str,
        arguments: RangeInclusive<usize>,
        effect: Effect,
        doc: &str,
        call: impl Fn(&FunctionCall<'_>) -> Result<Value, HookError> + Send + Sync + 'static,
    ) {
        match HostFunction::new(name, arguments, effect, doc, call) {
            Ok(function) => self.functions.push(function),
            Err(error) => self.note(error),
        }
    }

    pub(in crate::engine) fn var(&mut self, name: &str, value: String) {
        if let Err(error) = self.vars.set_own(name, value) {
            self.note(error);
        }
    }

    /// Sets an environment variable of commands, or removes it if the value is `None`.
    pub(in crate::engine) fn env(&mut self, name: String, value: Option<String>) {
        // The system rejects such a name, so every command would fail.
        let valid = !name.is_empty() && !name.contains(['=', '\0']);
        self.require(valid, || format!("invalid environment variable name {name:?}"));
        let valid = !value.as_ref().is_some_and(|value| value.contains('\0'));
        self.require(valid, || format!("invalid value for `{name}`: it contains a NUL character"));
        self.env.push((name, value));
    }

    /// Notes an error unless the condition is met.
    pub(in crate::engine) fn require(&mut self, is_met: bool, message: impl FnOnce() -> String) {
        if !is_met {
            self.note(Error::new(ErrorKind::InvalidArg, message()));
        }
    }

    /// Notes an error of the builder's caller. Only the first one is kept.
    pub(in crate::engine) fn note(&mut self, mistake: Error) {
        self.mistake.get_or_insert(mistake);
    }

    /// Copies the registrations for another engine or checker. The copy has no mistake, because a
    /// builder with a mistake is never opened.
    pub(in crate::engine) fn copy(&self) -> Self {
        let (functions, vars) = (self.functions.clone(), self.vars.clone());
        Self { functions, vars, env: self.env.clone(), mistake: None }
    }
}
