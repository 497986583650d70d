//! Calls of the embedding program's functions.

use std::{any::TypeId, collections::BTreeMap, sync::Arc};

use rhai::{Dynamic, Engine, FuncRegistration, Module, NativeCallContext, RhaiFunc, Shared};

use crate::{
    model::{
        error::{Error, ErrorKind},
        function::{Effect, HostFunction},
    },
    script::{
        api::registry,
        errors::{place::Place, script_error},
        language::engine,
        session::{secrets, shared::Session},
        values::{
            conversion::{dynamic_of, value_of},
            thrown::{Thrown, throw},
        },
    },
};

pub(in crate::script) fn register_host_functions(
    engine: &mut Engine,
    session: &Arc<Session>,
    functions: &[HostFunction],
) {
    let mut modules: BTreeMap<&str, Module> = BTreeMap::new();
    for function in functions {
        for arguments in function.arguments.clone() {
            let types = vec![TypeId::of::<Dynamic>(); arguments];
            let (session, host_function) = (session.clone(), function.clone());
            let run = move |context: NativeCallContext<'_>, arguments: &mut [&mut Dynamic]| {
                let at = Place::of(&context);
                let result = call_host(&host_function, &session, arguments);
                result.map_err(|error| script_error::placed(error, at))
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
        secrets::refuse(session, argument)?;
        if function.effect == Effect::Pure {
            // Dry runs really call it, so its arguments must be known.
            session.look(argument)?;
        }
        let value = value_of(argument).ok_or_else(|| {
            let kind = crate::script::values::kind::kind(argument);
            throw(format!("`{}` cannot take {kind} as its argument {}", function.name, index + 1))
        })?;
        values.push(value);
    }
    if function.effect != Effect::Pure {
        session.act()?;
    }
    let value = session.host.call(function, &values, session.limits());
    let value = value.map_err(|why| session.denied(why))?;
    // The call could not be interrupted, so its result is refused after the time limit.
    session.check()?;
    Ok(dynamic_of(value))
}

/// Refuses functions of an embedding program with a reserved name.
pub(crate) fn refuse_clashes(functions: &[HostFunction]) -> Result<(), Error> {
    let clash = functions.iter().find(|function| registry::function(&function.name).is_some());
    let reserved = functions.iter().find(|function| {
        let words = function.name.split("::");
        let script = words.map(|word| format!("fn {word}() {{ }} let {word} = 1;"));
        script.into_iter().any(|script| engine::engine().compile(&script).is_err())
    });
    let message = match (clash, reserved) {
        (Some(clash), _) => {
            format!("function name `{}` is reserved; choose another", clash.name)
        }
        (None, Some(word)) => {
            format!("function name `{}` contains a reserved word; choose another", word.name)
        }
        (None, None) => return Ok(()),
    };
    Err(Error::new(ErrorKind::InvalidArg, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::function::Value;

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
