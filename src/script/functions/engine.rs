//! Builds the engine of a step, with all functions of the table and those of the embedding program.

use std::{any::TypeId, sync::Arc};

use rhai::{Dynamic, Engine, NativeCallContext};

use super::{
    call::Call,
    commands::{self, q},
    context, control, files,
    host::register_host_functions,
    parallel,
    requests::{artifact, discard_export, env, recall, remember, secret, warn},
    strings, unknown, with,
};
use crate::{
    model::function::HostFunction,
    script::{
        api::registry,
        errors::{
            failure::{self, Failure},
            message,
            place::Place,
            script_error,
        },
        language::engine,
        session::{operations, secrets, shared::Session},
        syntax::{coverage, imports::Modules},
        values::thrown::{Thrown, throw},
    },
};

/// Maximum number of arguments for which a wrong call of `fail` and similar functions is
/// recognized. With more, the function is reported as unknown.
const ARGUMENTS_MAX: usize = 4;

type Implementation = fn(&Call<'_>, &[Dynamic]) -> Result<Dynamic, Thrown>;

/// Returns the implementation of a function. `print` and `debug` have none, since they are events
/// of the engine.
fn implementation(name: &str) -> Option<Implementation> {
    Some(match name {
        "sh" => commands::sh,
        "try_sh" => commands::try_sh,
        "capture" => commands::capture,
        "retry" => control::retry,
        "timeout" => control::timeout,
        "group" => control::group,
        "with" => with::with,
        "defer" => control::defer,
        "parallel" => parallel::parallel,
        "matrix" => parallel::matrix,
        "skip" => control::skip,
        "fail" => control::fail,
        "exit" => control::exit,
        "approve" => control::approve,
        "sleep" => control::sleep,
        "secret" => secret,
        "env" => env,
        "q" => q,
        "matches" => strings::matches,
        "join" => strings::join,
        "exists" => files::exists,
        "read" => files::read,
        "remember" => remember,
        "recall" => recall,
        "artifact" => artifact,
        "warn" => warn,
        "discard_export" => discard_export,
        _ => return None,
    })
}

/// Returns an engine for one step, with everything that a script can call.
pub(in crate::script) fn engine(session: &Arc<Session>, functions: &[HostFunction]) -> Engine {
    let mut engine = engine_with_api(session, functions);
    operations::watch(&mut engine, session);
    if session.is_plan() {
        // The inner engine only runs calls that the outer one forwards, and the outer one counts
        // them.
        unknown::watch(&mut engine, engine_with_api(session, functions), session, functions);
    }
    engine
}

fn engine_with_api(session: &Arc<Session>, functions: &[HostFunction]) -> Engine {
    let mut engine = engine::engine();
    events(&mut engine, session);
    secrets::register(&mut engine, session);
    context::register(&mut engine);
    commands::register(&mut engine);
    failure::register(&mut engine);
    for function in registry::FUNCTIONS {
        let Some(run) = implementation(function.name) else { continue };
        let any = |arguments: usize| vec![TypeId::of::<Dynamic>(); arguments];
        let mut signatures: Vec<Vec<TypeId>> = function.counts().map(any).collect();
        if function.name == "sleep" {
            // The language's own `sleep` ignores deadlines, and would be chosen for these types.
            signatures.extend([vec![TypeId::of::<i64>()], vec![TypeId::of::<f64>()]]);
        }
        if function.ends_step() {
            // Any call of these functions must fail the step, so all numbers of arguments are
            // registered.
            signatures = (0..=ARGUMENTS_MAX).map(any).collect();
        }
        for types in signatures {
            let session = session.clone();
            engine.register_raw_fn(function.name, types, move |context, arguments| {
                call(function, run, &session, context, arguments)
            });
        }
    }
    register_host_functions(&mut engine, session, functions);
    if let Some(script) = &session.script {
        engine.set_module_resolver(Modules::new(script.modules.clone()));
        if let Some(hits) = &script.hits {
            coverage::watch(&mut engine, hits);
        }
    }
    engine
}

pub(in crate::script) fn call(
    function: &'static registry::Function,
    run: Implementation,
    session: &Arc<Session>,
    context: NativeCallContext<'_>,
    arguments: &mut [&mut Dynamic],
) -> Result<Dynamic, Thrown> {
    session.check()?;
    let arguments: Vec<Dynamic> = arguments.iter().map(|it| it.flatten_clone()).collect();
    let at = Place::of(&context);
    let call = Call { name: function.name, context, session };
    match checked(function, &call, &arguments).and_then(|()| run(&call, &arguments)) {
        // If the script caught it, the step would continue as if the call had not happened.
        Err(error) if function.ends_step() && !session.is_final(&error) => {
            let failure = Failure::new(message::message(&error, session.script.as_ref()));
            Err(session.fail_at(&call.context, failure))
        }
        ended => ended.map_err(|error| script_error::placed(error, at)),
    }
}

/// Refuses a call with wrong arguments.
fn checked(
    function: &registry::Function,
    call: &Call<'_>,
    arguments: &[Dynamic],
) -> Result<(), Thrown> {
    call.session.check_effect(function.name, function.effect)?;
    if !function.counts().contains(&arguments.len()) {
        return Err(throw(message::wrong_count(function, arguments.len())));
    }
    call.session.look_at_arguments(function.name, arguments)?;
    function.params.iter().zip(arguments).try_for_each(|(param, it)| call.fits(param, it))
}

/// Sends `print` and `debug` to the build's output, because a library must not write to stdout.
fn events(engine: &mut Engine, session: &Arc<Session>) {
    let shown = session.clone();
    engine.on_print(move |text| {
        shown.host.print(shown.frame().label.as_deref(), &format!("{text}\n"));
    });
    let shown = session.clone();
    engine.on_debug(move |text, source, position| {
        let place = match (source, position.line()) {
            (Some(source), Some(line)) => format!("{source}:{line}: "),
            _ => String::new(),
        };
        shown.host.print(shown.frame().label.as_deref(), &format!("{place}{text}\n"));
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_does_something() {
        for function in registry::FUNCTIONS {
            let event = matches!(function.name, "print" | "debug");
            assert_eq!(implementation(function.name).is_none(), event, "{}", function.name);
        }
    }
}
