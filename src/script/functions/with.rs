//! `with`: options for all commands of a block.

use std::sync::Arc;

use rhai::{Dynamic, Map};

use super::{call::Call, commands, control::limited};
use crate::{
    model::pipeline::stays_below,
    script::{
        api::registry::WITH_OPTIONS,
        session::{secrets, settings::Settings, shared::Frame},
        values::thrown::{Thrown, throw},
    },
};

/// Implements `with(options, function)`.
pub(in crate::script) fn with(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [options, function] = arguments else { return Ok(Dynamic::UNIT) };
    let options = call.options(Some(options), &WITH_OPTIONS)?;
    let function = call.function("function", function)?;
    let outer = call.session.frame();
    let settings = settings(call, &options, &outer.settings)?;
    let limit = options.get("timeout").map(|limit| call.limit("option `timeout`", limit));
    let limit = limit.transpose()?;
    let frame = Frame { settings: settings.into(), ..Frame::clone(&outer) };
    let work = || function.call_raw(&call.context, None, []);
    call.session.scope(call.engine(), frame, || match limit {
        Some(limit) => limited(call, limit, work),
        None => work(),
    })
}

fn settings(call: &Call<'_>, options: &Map, outer: &Arc<Settings>) -> Result<Settings, Thrown> {
    let env = match options.get("env").map(Dynamic::flatten_clone) {
        None => outer.env.clone(),
        Some(env) => {
            // Invalid variables are refused here, before any command runs.
            commands::env(call, &env)?;
            let own = env.try_cast::<Map>().unwrap_or_default().into_iter();
            outer.variables(own.map(|(name, value)| (name, value.flatten())).collect())
        }
    };
    let cwd = match options.get("cwd") {
        None => outer.cwd.clone(),
        Some(cwd) => {
            secrets::refuse(call.session, cwd)?;
            let cwd = call.text("option `cwd`", cwd)?;
            if !stays_below(&cwd) {
                return Err(throw(format!(
                    "`{cwd}` is outside the export directory or that of the enclosing `with`; name \
                     a directory inside it"
                )));
            }
            Some(outer.below(&cwd))
        }
    };
    Ok(Settings { env, cwd })
}
