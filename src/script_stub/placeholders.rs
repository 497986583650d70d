//! Placeholders. They can only contain names, because expressions need the script language.

use std::{marker::PhantomData, sync::Arc};

use crate::{
    model::{
        error::Error,
        function::HostFunction,
        pipeline::Template,
        step::{Facts, Host},
    },
    rules::interpolate::{Vars, interpolate_expressions, no_expressions},
};

pub(crate) fn interpolate_template(
    template: &Template,
    vars: &Vars,
    config_name: &str,
    _: &Facts,
    _: &Arc<dyn Host>,
    _: &[HostFunction],
) -> Result<String, Error> {
    interpolate_expressions(template, vars, config_name, &no_expressions)
}

pub(crate) fn may_be_expression(expression: &str) -> Result<(), String> {
    no_expressions(expression).map(drop)
}

/// Refuses every expression.
pub(crate) struct ExpressionValidator<'a>(PhantomData<&'a [HostFunction]>);

impl<'a> ExpressionValidator<'a> {
    pub(crate) fn new(_: &'a [HostFunction]) -> Self {
        Self(PhantomData)
    }

    pub(crate) fn check(&self, expression: &str, _: &Vars) -> Result<(), String> {
        may_be_expression(expression)
    }
}
