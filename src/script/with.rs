//! `with`: what holds for all commands of a block.

use std::sync::Arc;

use rhai::{Dynamic, Map};

use super::{
    call::Call,
    commands,
    control::limited,
    registry::WITH_OPTIONS,
    secret,
    session::{Frame, Thrown, throw},
};
use crate::model::pipeline::stays_below;

/// What the enclosing calls of `with` say of commands.
#[derive(Debug, Default)]
pub(super) struct Settings {
    /// Variables over those that every command gets: texts, numbers, secrets, or `()`.
    pub(super) env: Map,
    /// A directory below the export.
    pub(super) cwd: Option<String>,
}

impl Settings {
    /// A directory that is named in the block.
    pub(super) fn below(&self, cwd: &str) -> String {
        match &self.cwd {
            // The host refuses a path that leads out, in its own words.
            Some(outer) if stays_below(cwd) => format!("{outer}/{cwd}"),
            _ => cwd.to_owned(),
        }
    }

    /// Its variables with those of one command over them.
    pub(super) fn variables(&self, own: Map) -> Map {
        let mut all = self.env.clone();
        all.extend(own);
        all
    }
}

/// `with(options, function)`
pub(super) fn with(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
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
            // What no command could get is refused here already.
            commands::env(call, &env)?;
            let own = env.try_cast::<Map>().unwrap_or_default().into_iter();
            outer.variables(own.map(|(name, value)| (name, value.flatten())).collect())
        }
    };
    let cwd = match options.get("cwd") {
        None => outer.cwd.clone(),
        Some(cwd) => {
            secret::refuse(call.session, cwd)?;
            let cwd = call.text("option `cwd`", cwd)?;
            if !stays_below(&cwd) {
                return Err(throw(format!(
                    "`{cwd}` leads out of the export or of the enclosing `with`: name a directory \
                     below it"
                )));
            }
            Some(outer.below(&cwd))
        }
    };
    Ok(Settings { env, cwd })
}
