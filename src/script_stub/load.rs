//! Scripts, of which there are none: reading one fails, so that no other call is ever made.

use std::{convert::Infallible, sync::Arc, time::Instant};

use crate::{
    model::{
        check_report::Finding,
        error::{Error, ErrorKind},
        function::HostFunction,
        pipeline::Pipeline,
        script::{PhaseEnd, Tree},
        step::{Facts, Host},
    },
    rules::interpolate::Vars,
};

use super::testing::Hits;

/// A script that was read.
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

    /// Whatever is asked of a script: there is none to be asked.
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

/// The scripts of commits. A commit with a script is left for a tinyci that can run it.
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

/// A phase to be run.
pub(crate) struct PhaseCall<'a> {
    pub(crate) script: &'a Script,
    pub(crate) phase: &'a str,
    pub(crate) facts: Facts,
    pub(crate) vars: Vars,
    pub(crate) host: Arc<dyn Host>,
    pub(crate) deadline: Option<Instant>,
    pub(crate) functions: &'a [HostFunction],
}

pub(crate) fn run(call: PhaseCall<'_>) -> PhaseEnd {
    call.script.never()
}

/// An engine opens all the same: it runs commits whose config is in YAML.
pub(crate) fn probe() -> Result<(), Error> {
    Ok(())
}

/// Functions of a host clash with nothing here.
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
