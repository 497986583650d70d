//! Fills in the placeholders of commands in YAML configs.

use std::{cell::Cell, sync::Arc};

use crate::{
    model::{
        error::Error,
        function::HostFunction,
        pipeline::Template,
        step::{Facts, Host},
    },
    rules::interpolate::{Vars, interpolate_expressions},
    script::{
        functions::{engine, placeholders::evaluate},
        session::{ending::Stop, shared::Session},
    },
};

/// Fills in the placeholders of a string in a YAML config.
pub(crate) fn interpolate_template(
    template: &Template,
    vars: &Vars,
    config_name: &str,
    facts: &Facts,
    host: &Arc<dyn Host>,
    functions: &[HostFunction],
) -> Result<String, Error> {
    let stopped = Cell::new(None);
    let filled = interpolate_expressions(template, vars, config_name, &|expression| {
        let session = Session::new(host.clone(), None, facts.clone(), vars.clone(), None);
        let engine = engine::engine(&session, functions);
        evaluate(&engine, &session, expression, &stopped)
    });
    filled.map_err(|error| match stopped.take() {
        Some(Stop::Fault(fault)) => Error::new(fault.kind(), fault.report()),
        _ => error,
    })
}
