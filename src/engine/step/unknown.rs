//! What a plan does not know: outputs of commands that do not run, and what functions give back
//! that are not called.
//!
//! In their place stand texts that nobody can guess. They survive where a text is only passed on, and
//! are found where somebody looks into one. Their letters are those of a script that nobody has
//! written for 2,000 years, so that a piece of such a text is known as well.

use crate::util::lock::lock;
use std::{
    hash::{BuildHasher, RandomState},
    sync::Mutex,
};

/// A place in a text begins with this letter, and ends with that one.
const BEGIN: char = '\u{12000}';
const END: char = '\u{12001}';

/// Between them stand digits of 4 bits: so many for the plan, and then so many for the number.
const DIGITS: [char; 16] = [
    '\u{12010}',
    '\u{12011}',
    '\u{12012}',
    '\u{12013}',
    '\u{12014}',
    '\u{12015}',
    '\u{12016}',
    '\u{12017}',
    '\u{12018}',
    '\u{12019}',
    '\u{1201a}',
    '\u{1201b}',
    '\u{1201c}',
    '\u{1201d}',
    '\u{1201e}',
    '\u{1201f}',
];
const PLAN_DIGITS: usize = 16;
const NUMBER_DIGITS: usize = 6;

/// More of a command does not tell better which one is meant.
const NAME_CHARACTERS_MAX: usize = 120;

/// Something that a plan does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// What it is, such as ``output of `cat VERSION` ``.
    name: String,
    /// Why a dry run ends that depends on it.
    ends: String,
    /// True if it is a text, whatever it says.
    is_text: bool,
}

impl Unknown {
    /// What a command writes to its standard output.
    pub(super) fn output(command: &str) -> Self {
        let command = shortened(command);
        Self {
            name: format!("output of `{command}`"),
            ends: format!("the rest depends on the output of `{command}`; pass it with `--assume`"),
            is_text: true,
        }
    }

    /// What a command writes to its standard error, of which nothing can be assumed.
    pub(super) fn errors(command: &str) -> Self {
        let command = shortened(command);
        Self {
            name: format!("standard error of `{command}`"),
            ends: format!("the rest depends on the standard error of `{command}`"),
            is_text: true,
        }
    }

    /// What a function of the embedding program gives back.
    pub(super) fn result(function: &str) -> Self {
        Self {
            name: format!("result of `{function}`"),
            ends: format!("the rest depends on the result of the function `{function}`"),
            is_text: false,
        }
    }

    /// What an earlier step keeps under a key, after the end of its dry run.
    pub(super) fn remembered(key: &str) -> Self {
        let key = shortened(key);
        Self {
            name: format!("remembered value of `{key}`"),
            ends: format!(
                "the rest depends on the value that an earlier step remembers as `{key}`"
            ),
            is_text: false,
        }
    }
}

fn shortened(text: &str) -> String {
    let mut letters = text.chars();
    let short: String = letters.by_ref().take(NAME_CHARACTERS_MAX).collect();
    if letters.next().is_some() { format!("{short}…") } else { short }
}

/// All that one plan does not know.
pub(super) struct Unknowns {
    plan: String,
    all: Mutex<Vec<Unknown>>,
}

impl Unknowns {
    pub(super) fn new() -> Self {
        Self { plan: digits(RandomState::new().hash_one(0), PLAN_DIGITS), all: Mutex::default() }
    }

    /// The text that stands in the place of what is not known.
    pub(super) fn add(&self, unknown: Unknown) -> String {
        let mut all = lock(&self.all);
        let known = all.iter().position(|other| *other == unknown);
        let number = known.unwrap_or(all.len());
        if known.is_none() {
            all.push(unknown);
        }
        format!("{BEGIN}{}{}{END}", self.plan, digits(number as u64, NUMBER_DIGITS))
    }

    /// Why a dry run ends that looks into a text, if that holds something unknown.
    pub(super) fn end_of(&self, text: &str) -> Option<String> {
        if !text.contains(is_letter) {
            return None;
        }
        let all = lock(&self.all);
        let found = places(text, &self.plan).find_map(|(_, number)| all.get(number));
        // Of a piece nobody knows what it was: most likely the last.
        found.or(all.last()).map(|unknown| unknown.ends.clone())
    }

    /// Why a dry run ends that met an error, if that may come of something unknown: an error of
    /// types only of that whose type is not known.
    pub(super) fn end_by_error(&self, is_of_types: bool) -> Option<String> {
        let all = lock(&self.all);
        let mut unknowns = all.iter().rev();
        let found = unknowns.find(|unknown| !(is_of_types && unknown.is_text));
        found.map(|unknown| unknown.ends.clone())
    }

    /// A text as people see it.
    pub(super) fn shown(&self, text: &str) -> String {
        if !text.contains(BEGIN) {
            return text.to_owned();
        }
        let (all, mut shown, mut rest) = (lock(&self.all), String::new(), 0);
        for (at, number) in places(text, &self.plan) {
            let Some(unknown) = all.get(number) else { continue };
            shown.push_str(text.get(rest..at).unwrap_or_default());
            shown.push_str(&format!("⟨{}⟩", unknown.name));
            rest = at + LENGTH;
        }
        shown + text.get(rest..).unwrap_or_default()
    }
}

/// How many bytes a place takes: each letter has 4.
const LENGTH: usize = 4 * (PLAN_DIGITS + NUMBER_DIGITS + 2);

fn is_letter(letter: char) -> bool {
    letter == BEGIN || letter == END || DIGITS.contains(&letter)
}

fn digits(number: u64, count: usize) -> String {
    let digit = |place: usize| DIGITS[(number >> (4 * place)) as usize & 15];
    (0..count).rev().map(digit).collect()
}

/// Where something unknown of this plan stands in a text, and its number.
fn places<'t>(text: &'t str, plan: &'t str) -> impl Iterator<Item = (usize, usize)> + 't {
    let number = move |at: usize| {
        let place = text.get(at..at + LENGTH)?;
        let number = place.strip_prefix(BEGIN)?.strip_suffix(END)?.strip_prefix(plan)?;
        let digit = |letter| DIGITS.iter().position(|digit| *digit == letter);
        number.chars().try_fold(0, |number, letter| Some(number * 16 + digit(letter)?))
    };
    text.match_indices(BEGIN).filter_map(move |(at, _)| Some((at, number(at)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unknown_is_shown_by_its_name_wherever_it_was_passed_on() {
        let unknowns = Unknowns::new();
        let version = unknowns.add(Unknown::output("cat VERSION"));
        let other = unknowns.add(Unknown::result("today"));
        assert_ne!(version, other);
        assert_eq!(unknowns.add(Unknown::output("cat VERSION")), version);
        let text = format!("tag {version}-{other}!");
        let shown = "tag ⟨output of `cat VERSION`⟩-⟨result of `today`⟩!";
        assert_eq!(unknowns.shown(&text), shown);
        assert_eq!(unknowns.shown(&format!("{text:?}")), format!("\"{shown}\""));
        assert_eq!(unknowns.shown("𒀀 plain"), "𒀀 plain");
    }

    #[test]
    fn whoever_looks_into_a_text_is_told_what_it_depends_on() {
        let unknowns = Unknowns::new();
        assert_eq!(unknowns.end_of("𒀀"), None, "there is nothing unknown yet");
        let version = unknowns.add(Unknown::output("cat VERSION"));
        let ends = "the rest depends on the output of `cat VERSION`; pass it with `--assume`";
        assert_eq!(unknowns.end_of(&format!("v{version}")).as_deref(), Some(ends));
        assert_eq!(unknowns.end_of(&version[8..12]).as_deref(), Some(ends), "a letter of it");
        assert_eq!(unknowns.end_of("plain ⟨output⟩"), None);
        let foreign = Unknowns::new().add(Unknown::result("x"));
        assert_eq!(unknowns.shown(&foreign), foreign, "another plan's");
    }

    #[test]
    fn names_are_of_bearable_length() {
        let unknowns = Unknowns::new();
        let name = unknowns.shown(&unknowns.add(Unknown::output(&"x".repeat(500))));
        assert!(name.chars().count() < 150, "{name}");
    }
}
