//! From the table of functions to an engine that has them, with those of the embedding program.

use std::{any::TypeId, collections::BTreeMap, sync::Arc};

use rhai::{Dynamic, Engine, FuncRegistration, Module, NativeCallContext, RhaiFunc, Shared};

use super::{
    call::Call,
    commands, context, control, coverage,
    errors::{self, Place},
    failure::{self, Failure},
    files,
    imports::Modules,
    limits,
    literal::{dynamic_of, value_of},
    parallel, registry, report,
    secret::{self, Secret},
    session::{Session, Thrown, throw},
    steps, texts, unknown, with,
};
use crate::model::{
    error::{Error, ErrorKind},
    function::{Effect, HostFunction, Value},
};

/// With how many arguments a call of what ends the phase is still told from one of an unknown
/// function.
const ARGUMENTS_MAX: usize = 4;

type Implementation = fn(&Call<'_>, &[Dynamic]) -> Result<Dynamic, Thrown>;

/// What a function of the table does. `print` and `debug` are events of the engine and not here.
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
        "matches" => texts::matches,
        "join" => texts::join,
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

/// An engine for one phase, with everything that a script can call.
pub(super) fn engine(session: &Arc<Session>, functions: &[HostFunction]) -> Engine {
    let mut engine = equipped(session, functions);
    steps::watch(&mut engine, session);
    if session.is_plan() {
        // The engine behind it only calls what was asked for here: its steps are counted here.
        unknown::watch(&mut engine, equipped(session, functions), session, functions);
    }
    engine
}

fn equipped(session: &Arc<Session>, functions: &[HostFunction]) -> Engine {
    let mut engine = limits::engine();
    events(&mut engine, session);
    secret::register(&mut engine, session);
    context::register(&mut engine);
    commands::register(&mut engine);
    failure::register(&mut engine);
    for function in registry::FUNCTIONS {
        let Some(run) = implementation(function.name) else { continue };
        let any = |arguments: usize| vec![TypeId::of::<Dynamic>(); arguments];
        let mut signatures: Vec<Vec<TypeId>> = function.counts().map(any).collect();
        if function.name == "sleep" {
            // The language's own, which hears no deadline, would win where its types match.
            signatures.extend([vec![TypeId::of::<i64>()], vec![TypeId::of::<f64>()]]);
        }
        if function.ends_phase() {
            // Whatever it is called with, it is ours to refuse.
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

fn call(
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
        // Caught, it would be as if it had never been called.
        Err(error) if function.ends_phase() && !session.is_final(&error) => {
            let failure = Failure::new(report::message(&error, session.script.as_ref()));
            Err(session.fail_at(&call.context, failure))
        }
        ended => ended.map_err(|error| errors::placed(error, at)),
    }
}

/// Refuses a call that the table does not allow.
fn checked(
    function: &registry::Function,
    call: &Call<'_>,
    arguments: &[Dynamic],
) -> Result<(), Thrown> {
    call.session.check_effect(function.name, function.effect)?;
    if !function.counts().contains(&arguments.len()) {
        return Err(throw(report::wrong_count(function, arguments.len())));
    }
    call.session.look_at_arguments(function.name, arguments)?;
    function.params.iter().zip(arguments).try_for_each(|(param, it)| call.fits(param, it))
}

/// `print` and `debug` write to the build's output, a library leaves stdout alone.
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

fn register_host_functions(
    engine: &mut Engine,
    session: &Arc<Session>,
    functions: &[HostFunction],
) {
    let mut modules: BTreeMap<&str, Module> = BTreeMap::new();
    for function in functions {
        for arguments in function.arguments.clone() {
            let types = vec![TypeId::of::<Dynamic>(); arguments];
            let (session, lent) = (session.clone(), function.clone());
            let run = move |context: NativeCallContext<'_>, arguments: &mut [&mut Dynamic]| {
                let at = Place::of(&context);
                let result = call_host(&lent, &session, arguments);
                result.map_err(|error| errors::placed(error, at))
            };
            let Some((module, name)) = function.name.split_once("::") else {
                engine.register_raw_fn(&*function.name, types, run);
                continue;
            };
            let func = move |context: Option<NativeCallContext<'_>>,
                             arguments: &mut [&mut Dynamic]| {
                match context {
                    Some(context) => run(context, arguments),
                    None => Err(throw("the function was called without its context")),
                }
            };
            let func = RhaiFunc::Pure {
                func: Shared::new(func),
                has_context: true,
                is_pure: false,
                is_volatile: true,
            };
            FuncRegistration::new(name).set_into_module_raw(
                modules.entry(module).or_default(),
                types,
                func,
            );
        }
    }
    for (name, mut module) in modules {
        module.build_index();
        engine.register_static_module(name, module.into());
    }
}

fn call_host(
    function: &HostFunction,
    session: &Session,
    arguments: &mut [&mut Dynamic],
) -> Result<Dynamic, Thrown> {
    session.check()?;
    session.check_effect(&function.name, function.effect)?;
    let mut values = Vec::new();
    for (index, argument) in arguments.iter().enumerate() {
        secret::refuse(session, argument)?;
        if function.effect == Effect::Pure {
            // It is really called.
            session.look(argument)?;
        }
        let value = value_of(argument).ok_or_else(|| {
            let kind = super::call::kind(argument);
            throw(format!("`{}` cannot be given {kind}, its argument {}", function.name, index + 1))
        })?;
        values.push(value);
    }
    if function.effect != Effect::Pure {
        session.act()?;
    }
    let value = session.host.call(function, &values, session.limits());
    let value = value.map_err(|why| session.denied(why))?;
    // It could not be interrupted; what it says after the limit is refused.
    session.check()?;
    Ok(dynamic_of(value))
}

/// Refuses functions of an embedding program that would stand in the way of ours.
pub(crate) fn refuse_clashes(functions: &[HostFunction]) -> Result<(), Error> {
    let clash = functions.iter().find(|function| registry::function(&function.name).is_some());
    let reserved = functions.iter().find(|function| {
        let words = function.name.split("::");
        let script = words.map(|word| format!("fn {word}() {{ }} let {word} = 1;"));
        script.into_iter().any(|script| limits::engine().compile(&script).is_err())
    });
    let message = match (clash, reserved) {
        (Some(clash), _) => {
            format!("the function `{}` is tinyci's own; choose another name", clash.name)
        }
        (None, Some(word)) => {
            format!(
                "the language reserves a word of the function name `{}`; choose another",
                word.name
            )
        }
        (None, None) => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidArg, message))
}

fn first(arguments: &[Dynamic]) -> Dynamic {
    arguments.first().cloned().unwrap_or_default()
}

fn secret(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let name = call.text("name", &first(arguments))?;
    let known = call.session.script.as_ref().map(|script| &script.secrets);
    let known: Vec<&str> = known.into_iter().flatten().map(String::as_str).collect();
    if !known.contains(&name.as_str()) {
        let hint = crate::util::suggestion::did_you_mean(&name, known);
        let message = format!(
            "the secret `{name}` is not named at the top: `const SECRETS = [\"{name}\"];`{hint}"
        );
        return Err(throw(message));
    }
    let value = call.session.host.secret(&name, call.session.limits());
    let value = value.map_err(|why| call.session.denied(why))?;
    call.session.host.mask_placeholder(&call.session.sentinel);
    Ok(Dynamic::from(Secret { name: name.into(), value: value.into() }))
}

fn env(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let name = call.text("name", &first(arguments))?;
    let session = call.session;
    let known = match session.frame().settings.env.get(name.as_str()) {
        Some(value) => Some(value.clone()).filter(|value| !value.is_unit()),
        None => session.host.env(&name).map(|value| {
            session.untrusted.read_variable(&session.facts, &name);
            value.into()
        }),
    };
    match (known, arguments.get(1)) {
        // A secret stays one.
        (Some(value), _) if value.is::<Secret>() => Ok(value),
        (Some(value), _) => Ok(value.to_string().into()),
        (None, Some(fallback)) => Ok(fallback.clone()),
        (None, None) => {
            let message = format!(
                "the variable `{name}` is not set; `env(\"{name}\", fallback)` takes what holds then"
            );
            Err(throw(message))
        }
    }
}

fn q(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let value = first(arguments);
    secret::refuse(call.session, &value)?;
    let text = commands::plain_text(&value);
    let text = text.ok_or_else(|| call.mistake("text", "a text or a number", &value))?;
    let quoted = commands::quoted(&text);
    call.session.untrusted.note_quoted(&call.session.facts, &text, &quoted);
    Ok(quoted.into())
}

fn remember(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let [key, value] = arguments else { return Ok(Dynamic::UNIT) };
    let key = call.text("key", key)?;
    secret::refuse(call.session, value)?;
    let kept = value_of(value).ok_or_else(|| {
        call.mistake("value", "a text, a number, a truth value, or a list or map of them", value)
    })?;
    call.session.act()?;
    let kept = call.session.host.remember(&key, kept);
    kept.map(|()| Dynamic::UNIT).map_err(|why| call.session.denied(why))
}

fn recall(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let key = call.text("key", &first(arguments))?;
    match (call.session.host.recall(&key), arguments.get(1)) {
        (Some(value), _) => {
            each_text(&value, &mut |text| call.session.read_in(text));
            Ok(dynamic_of(value))
        }
        (None, Some(fallback)) => Ok(fallback.clone()),
        (None, None) => {
            let message = format!(
                "nothing was remembered as `{key}`; `recall(\"{key}\", fallback)` takes what holds then"
            );
            Err(throw(message))
        }
    }
}

/// Shows every text in a value.
fn each_text(value: &Value, see: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => see(text),
        Value::Array(list) => list.iter().for_each(|value| each_text(value, see)),
        Value::Map(map) => {
            for (key, value) in map {
                see(key);
                each_text(value, see);
            }
        }
        _ => {}
    }
}

fn artifact(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let given = first(arguments);
    secret::refuse(call.session, &given)?;
    let paths = match given.clone().into_array() {
        Ok(list) => list.iter().map(|path| call.text("paths", path)).collect::<Result<_, _>>()?,
        Err(_) => vec![call.text("paths", &given)?],
    };
    call.session.act()?;
    let kept = call.session.host.artifact(&paths, call.session.limits());
    kept.map(|()| Dynamic::UNIT).map_err(|why| call.session.denied(why))
}

fn warn(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let message = first(arguments);
    secret::refuse(call.session, &message)?;
    call.session.host.warn(&errors::shown(&call.context, &message));
    Ok(Dynamic::UNIT)
}

fn discard_export(call: &Call<'_>, _: &[Dynamic]) -> Result<Dynamic, Thrown> {
    call.session.act()?;
    call.session.host.discard_export();
    Ok(Dynamic::UNIT)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_row_of_the_table_does_something() {
        for function in registry::FUNCTIONS {
            let event = matches!(function.name, "print" | "debug");
            assert_eq!(implementation(function.name).is_none(), event, "{}", function.name);
        }
    }

    #[test]
    fn a_host_cannot_take_a_name_that_has_a_meaning() {
        let function = |name| HostFunction::new(name, 0..=0, Effect::Pure, "", |_| Ok(Value::Null));
        for (name, fine) in
            [("sh", false), ("go::run", false), ("match", false), ("docker::sh", true)]
        {
            assert_eq!(refuse_clashes(&[function(name).unwrap()]).is_ok(), fine, "{name}");
        }
    }
}
