//! Scripts in a build without them. Loading one always fails, so the other functions are never
//! called.

use std::{convert::Infallible, sync::Arc, time::Instant};

use crate::{
    model::{
        check_report::Finding,
        error::{Error, ErrorKind},
        function::HostFunction,
        pipeline::Pipeline,
        script::{ScriptEnd, Tree},
        step::{Facts, Host},
    },
    rules::interpolate::Vars,
};

use super::testing::Hits;

/// A loaded script. It cannot exist.
#[derive(Clone)]
pub(crate) struct Script(Infallible);

impl Script {
    pub(crate) fn load(
        _: &[u8],
        name: &str,
        _: &dyn Tree,
        _: &[HostFunction],
    ) -> Result<Self, Error> {
        Err(unsupported(name))
    }

    /// Returns anything, because a script cannot exist.
    pub(super) fn never<T>(&self) -> T {
        match self.0 {}
    }

    pub(crate) fn pipeline(&self) -> Pipeline {
        self.never()
    }

    pub(crate) fn secrets(&self) -> &[String] {
        self.never()
    }

    pub(crate) fn watched(&self, _: &Arc<Hits>) -> Self {
        self.never()
    }
}

fn unsupported(name: &str) -> Error {
    let message = "this program was built without the feature `rhai` and reads no scripts";
    Error::new(ErrorKind::Unsupported, message).with_path(name)
}

/// The cache of scripts. A commit with a script gets no verdict, so that another tinyci can test
/// it.
#[derive(Default)]
pub(crate) struct LastScript(());

impl LastScript {
    pub(crate) fn load(
        &self,
        _: &[u8],
        _: &str,
        _: &dyn Tree,
        _: &[HostFunction],
    ) -> Result<Script, Error> {
        let message = "`.tinyci.rhai` needs scripts, and this program was built without them (the \
                       feature `rhai` of the crate tinyci)";
        Err(Error::new(ErrorKind::Unsupported, message))
    }
}

/// A step to run.
pub(crate) struct StepCall<'a> {
    pub(crate) script: &'a Script,
    pub(crate) step: &'a str,
    pub(crate) facts: Facts,
    pub(crate) vars: Vars,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) functions: &'a [HostFunction],
}

pub(crate) fn run(call: StepCall<'_>) -> ScriptEnd {
    call.script.never()
}

/// Succeeds, because engines in this build can run YAML configs.
pub(crate) fn probe() -> Result<(), Error> {
    Ok(())
}

/// Accepts all functions of a host, because none can clash.
pub(crate) fn refuse_clashes(_: &[HostFunction]) -> Result<(), Error> {
    Ok(())
}

pub(crate) fn check(
    _: &[u8],
    name: &str,
    _: &dyn Tree,
    _: &[HostFunction],
    _: &Vars,
) -> Vec<Finding> {
    vec![Finding::error(unsupported(name))]
}

pub(crate) fn check_tests(
    _: &[u8],
    name: &str,
    _: &dyn Tree,
    _: &[HostFunction],
    _: &Vars,
) -> Vec<Finding> {
    vec![Finding::error(unsupported(name))]
}
