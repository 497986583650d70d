//! The results of commands that `t.fake` sets.

use rhai::{Array, Dynamic, Map};

use super::expectation::Place;
use crate::{
    model::{function::Value, outcome::Exit},
    rules::glob,
    script::values::{
        kind::kind,
        thrown::{Thrown, throw},
    },
    util::suggestion::did_you_mean_or_list,
};

/// The keys of a result in map form.
pub(super) const KEYS: [&str; 4] = ["code", "stdout", "stderr", "timed_out"];

/// The result of one command.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) exit: Exit,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl Answer {
    /// Reads an exit code, a string for standard output, or a map of both and more.
    fn of(value: &Dynamic) -> Result<Self, Thrown> {
        let value = value.flatten_clone();
        let plain = |exit: Exit, stdout: String| Self { exit, stdout, stderr: String::new() };
        if value.is_int() {
            return Ok(plain(code(&value)?, String::new()));
        }
        if value.is_string() {
            return Ok(plain(Exit::Code(0), value.to_string()));
        }
        let map = value.read_lock::<Map>().ok_or_else(|| {
            let found = kind(&value);
            throw(format!(
                "the result of a command must be an exit code, a string that it writes, a map of \
                 {}, or an array of these, not {found}",
                KEYS.map(|key| format!("`{key}`")).join(", ")
            ))
        })?;
        let mut answer = plain(Exit::Code(0), String::new());
        for (key, value) in map.iter() {
            match key.as_str() {
                "code" => answer.exit = code(value)?,
                "stdout" => answer.stdout = value.to_string(),
                "stderr" => answer.stderr = value.to_string(),
                "timed_out" if value.as_bool() == Ok(true) => answer.exit = Exit::TimedOut,
                "timed_out" => {}
                unknown => {
                    let hint = did_you_mean_or_list(unknown, &KEYS);
                    let message = format!("a command's result has no `{unknown}`{hint}");
                    return Err(throw(message));
                }
            }
        }
        Ok(answer)
    }
}

fn code(value: &Dynamic) -> Result<Exit, Thrown> {
    let code = value.as_int().ok().and_then(|code| i32::try_from(code).ok());
    let code = code.filter(|code| (0..=255).contains(code));
    code.map(Exit::Code).ok_or_else(|| throw("an exit code must be an int from 0 to 255"))
}

/// The result of a function of the embedding program, set by `t.fake_call`.
#[derive(Clone, Debug)]
pub(super) struct FakeCall {
    pub(super) function: String,
    pub(super) value: Value,
    pub(super) used: bool,
    /// Position of the call of `t.fake_call`.
    pub(super) place: Place,
}

/// The results of the commands that match a glob.
#[derive(Clone, Debug)]
pub(super) struct Fake {
    pub(super) glob: String,
    answers: Vec<Answer>,
    /// True if each result is for one command only.
    listed: bool,
    pub(super) used: usize,
    /// Position of the call of `t.fake`.
    pub(super) place: Place,
}

impl Fake {
    pub(super) fn new(glob: String, result: &Dynamic, place: Place) -> Result<Self, Thrown> {
        let list = result.read_lock::<Array>();
        let listed = list.is_some();
        let answers = match list {
            Some(list) => list.iter().map(Answer::of).collect::<Result<_, _>>()?,
            None => vec![Answer::of(result)?],
        };
        if answers.is_empty() {
            return Err(throw(
                "an array of results cannot be empty; give one result for each \
                              command",
            ));
        }
        Ok(Self { glob, answers, listed, used: 0, place })
    }

    pub(super) fn matches(&self, command: &str) -> bool {
        glob::text_matches(self.glob.as_bytes(), command.as_bytes())
    }

    /// Returns the result of the next command, or `None` if an array of results is used up.
    pub(super) fn next(&mut self) -> Option<Answer> {
        let index = if self.listed { self.used } else { 0 };
        let answer = self.answers.get(index).cloned();
        self.used += usize::from(answer.is_some());
        answer
    }

    /// Returns a message if commands did not use all results.
    pub(super) fn unused(&self) -> Option<String> {
        let count = self.answers.len();
        if self.used == 0 {
            return Some(format!("no command matched `{}`", self.glob));
        }
        (self.listed && self.used < count).then(|| {
            format!("of {count} results for `{}`, only {} were used", self.glob, self.used)
        })
    }

    pub(super) fn count(&self) -> usize {
        self.answers.len()
    }
}
