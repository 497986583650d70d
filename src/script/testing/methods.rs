//! The methods of `t`: results of commands, calls and expectations.

use std::{any::TypeId, ops::RangeInclusive, sync::Arc};

use rhai::{Array, Dynamic, Engine, NativeCallContext};

use super::{
    expectation::{Expectation, Place, suggestion},
    fake_commit::FakeCommit,
    fakes::{Fake, FakeCall},
    result::{CallResult, ResultObject, line},
    tester::Tester,
};
use crate::{
    rules::glob,
    script::{
        api::registry,
        values::{
            conversion::value_of,
            kind::kind,
            thrown::{Thrown, placed, throw},
        },
    },
    util::suggestion::did_you_mean_or_list,
};

type Method = fn(&Tester, &[Dynamic], &Place) -> Result<Dynamic, Thrown>;

/// The methods of `t`, except those named after steps: name, number of arguments and
/// implementation.
pub(super) const METHODS: [(&str, RangeInclusive<usize>, Method); 9] = [
    ("fake", 2..=2, fake),
    ("fake_call", 2..=2, fake_call),
    ("run", 0..=1, run),
    ("expect", 1..=2, expect),
    ("expect_equal", 2..=2, expect_equal),
    ("expect_outcome", 2..=2, expect_outcome),
    ("expect_ran", 2..=3, expect_ran),
    ("expect_not_ran", 2..=2, expect_not_ran),
    ("expect_commands", 2..=2, expect_commands),
];

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Tester>("t");
    for (name, arguments, method) in METHODS {
        for count in arguments {
            add(engine, name, count, method);
        }
    }
    for step in registry::step_names() {
        for count in 0..=1 {
            add(engine, step, count, move |tester, arguments, _| {
                tester.run_step(step, arguments.first())
            });
        }
    }
}

fn add(
    engine: &mut Engine,
    name: &'static str,
    count: usize,
    method: impl Fn(&Tester, &[Dynamic], &Place) -> Result<Dynamic, Thrown> + Send + Sync + 'static,
) {
    let mut types = vec![TypeId::of::<Tester>()];
    types.extend(vec![TypeId::of::<Dynamic>(); count]);
    engine.register_raw_fn(
        name,
        types,
        move |context: NativeCallContext<'_>, arguments: &mut [&mut Dynamic]| {
            let at = context.call_position();
            let mut values = arguments.iter().map(|it| it.flatten_clone());
            let tester = values.next().and_then(|it| it.try_cast::<Tester>());
            let tester = tester.ok_or_else(|| throw("a test's `t` is not what it was given"))?;
            let values: Vec<Dynamic> = values.collect();
            let file = context.call_source().unwrap_or_default().to_owned();
            let place = Place { file, at };
            let done = method(&tester, &values, &place).map_err(|error| placed(error, at));
            done.inspect_err(|error| tester.note_unmet(error, &place))
        },
    );
}

fn first(arguments: &[Dynamic]) -> Dynamic {
    arguments.first().cloned().unwrap_or_default()
}

fn text(what: &str, value: Option<&Dynamic>) -> Result<String, Thrown> {
    let value = value.cloned().unwrap_or_default();
    let found = kind(&value);
    value.into_string().map_err(|_| throw(format!("{what} must be a string, not {found}")))
}

/// Reads a glob for commands. An empty glob matches nothing, so `expect_not_ran` would always pass.
fn command_glob(what: &str, value: Option<&Dynamic>) -> Result<String, Thrown> {
    let glob = text(what, value)?;
    if glob.trim().is_empty() {
        return Err(throw("an empty glob matches no command; write `*` for any"));
    }
    Ok(glob)
}

/// Implements `t.run(commit?)`.
fn run(tester: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    tester.run_all(FakeCommit::of(arguments.first())?)
}

/// Reads the result of a step.
fn result_in(value: &Dynamic) -> Result<Arc<CallResult>, Thrown> {
    let result = value.clone().try_cast::<ResultObject>();
    let found = kind(value);
    let result = result.ok_or_else(|| {
        throw(format!("expected the result of a step, such as that of `t.build()`, got {found}"))
    });
    result.map(|it| it.0)
}

/// Implements `t.fake(glob, result)`.
fn fake(tester: &Tester, arguments: &[Dynamic], at: &Place) -> Result<Dynamic, Thrown> {
    let glob = command_glob("the first argument of `fake`", arguments.first())?;
    let result = arguments.get(1).cloned().unwrap_or_default();
    let fake = Fake::new(glob, &result, at.clone())?;
    tester.add_fake(fake);
    Ok(Dynamic::UNIT)
}

/// Implements `t.fake_call(function, value)`.
fn fake_call(tester: &Tester, arguments: &[Dynamic], at: &Place) -> Result<Dynamic, Thrown> {
    let function = text("the first argument of `fake_call`", arguments.first())?;
    let value = arguments.get(1).cloned().unwrap_or_default();
    let value = value_of(&value)
        .ok_or_else(|| throw(format!("a function cannot return {}", kind(&value))))?;
    tester.add_fake_call(FakeCall { function, value, used: false, place: at.clone() })?;
    Ok(Dynamic::UNIT)
}

/// Implements `t.expect(condition, message?)`.
fn expect(tester: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let condition = first(arguments);
    let is_true = condition
        .as_bool()
        .map_err(|_| throw(format!("`expect` takes a bool, not {}", kind(&condition))))?;
    if is_true {
        return Ok(Dynamic::UNIT);
    }
    let message = match arguments.get(1) {
        Some(message) => message.to_string(),
        None => "expected this to be true".to_owned(),
    };
    let last = tester.last();
    Expectation::new(message).with(last.map(|it| it.notes()).unwrap_or_default()).fail()
}

/// Returns a value as a literal of the language.
fn shown(value: &Dynamic) -> String {
    value_of(value).map_or_else(|| kind(value).to_owned(), |value| value.literal())
}

/// Implements `t.expect_equal(actual, expected)`.
fn expect_equal(_: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let [actual, expected] = arguments else { return Ok(Dynamic::UNIT) };
    let (Some(one), Some(other)) = (value_of(actual), value_of(expected)) else {
        let incomparable = if value_of(actual).is_none() { actual } else { expected };
        return Err(throw(format!("`expect_equal` cannot compare {}", kind(incomparable))));
    };
    if one == other {
        return Ok(Dynamic::UNIT);
    }
    let notes =
        vec![format!("expected: {}", shown(expected)), format!("actual:   {}", shown(actual))];
    Expectation::new("the values differ").with(notes).fail()
}

/// Implements `t.expect_outcome(result, outcome)`.
fn expect_outcome(_: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    const WORDS: [&str; 5] = ["success", "failure", "timed_out", "skipped", "awaiting_approval"];
    let result = result_in(&first(arguments))?;
    let word = text("the outcome", arguments.get(1))?;
    if !WORDS.contains(&word.as_str()) {
        let hint = did_you_mean_or_list(&word, &WORDS);
        return Err(throw(format!("there is no outcome `{word}`{hint}")));
    }
    if result.outcome == word {
        return Ok(Dynamic::UNIT);
    }
    let message = format!("expected the outcome `{word}`, got `{}`", result.outcome);
    Expectation::new(message).with(result.notes()).fail()
}

/// Implements `t.expect_ran(result, glob, times?)`.
fn expect_ran(_: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let result = result_in(&first(arguments))?;
    let glob = command_glob("a glob over commands", arguments.get(1))?;
    let times = arguments.get(2).map(|times| {
        let count = times.as_int().ok().and_then(|it| usize::try_from(it).ok());
        count.ok_or_else(|| throw("the number of times must be an int from 0"))
    });
    let (found, times) = (result.count(&glob), times.transpose()?);
    let message = match times {
        _ if Some(found) == times => return Ok(Dynamic::UNIT),
        Some(times) => format!("expected `{glob}` to run {times} times, but it ran {found} times"),
        None if found > 0 => return Ok(Dynamic::UNIT),
        None => format!("no command matches `{glob}`"),
    };
    let hint =
        if found == 0 { suggestion(&glob, &result.recorded.commands) } else { String::new() };
    Expectation::new(format!("{message}{hint}")).with(result.notes()).fail()
}

/// Implements `t.expect_not_ran(result, glob)`.
fn expect_not_ran(_: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let result = result_in(&first(arguments))?;
    let glob = command_glob("a glob over commands", arguments.get(1))?;
    if result.count(&glob) == 0 {
        return Ok(Dynamic::UNIT);
    }
    let message = format!("expected no command to match `{glob}`");
    Expectation::new(message).with(result.notes()).fail()
}

/// Implements `t.expect_commands(result, globs)`, which compares all commands in order.
fn expect_commands(_: &Tester, arguments: &[Dynamic], _: &Place) -> Result<Dynamic, Thrown> {
    let result = result_in(&first(arguments))?;
    let list = arguments.get(1).and_then(|it| it.clone().try_cast::<Array>());
    let list = list.ok_or_else(|| throw("the expected commands must be an array of globs"))?;
    let globs: Result<Vec<String>, Thrown> =
        list.iter().map(|glob| command_glob("a glob over commands", Some(glob))).collect();
    let (globs, actual) = (globs?, &result.recorded.commands);
    let matches =
        |glob: &String, command: &String| glob::text_matches(glob.as_bytes(), command.as_bytes());
    let same = globs.iter().zip(actual).take_while(|(glob, it)| matches(glob, it)).count();
    if same == globs.len() && same == actual.len() {
        return Ok(Dynamic::UNIT);
    }
    let mut notes: Vec<String> =
        actual.iter().take(same).map(|it| format!("  {}", line(it))).collect();
    notes.extend(globs.iter().skip(same).map(|glob| format!("- {glob}")));
    notes.extend(actual.iter().skip(same).map(|it| format!("+ {}", line(it))));
    let message = format!(
        "the commands differ from the expected ones, from the {} on (`-` expected, `+` ran)",
        ordinal(same + 1)
    );
    Expectation::new(message).with(notes).fail()
}

fn ordinal(number: usize) -> String {
    match number {
        1 => "first".to_owned(),
        2 => "second".to_owned(),
        3 => "third".to_owned(),
        more => format!("{more}th"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{
        api::tester,
        testing::{fake_commit, fakes, result},
    };

    #[test]
    fn the_tables_say_what_tests_can_use() {
        let methods: Vec<_> =
            METHODS.iter().map(|(name, counts, _)| (*name, counts.clone())).collect();
        assert_eq!(tester::METHODS.map(|it| (it.name, it.counts())).to_vec(), methods);
        assert_eq!(tester::COMMIT_KEYS.map(|it| it.name), fake_commit::KEYS);
        assert_eq!(tester::RESULT_KEYS.map(|it| it.name), fakes::KEYS);
        let of_result = tester::RESULT.map(|it| it.path.split(['.', '(']).nth(1));
        let known = result::PROPERTIES.iter().chain(&result::METHODS).copied();
        assert_eq!(of_result.into_iter().flatten().collect::<Vec<_>>(), known.collect::<Vec<_>>());
    }
}
