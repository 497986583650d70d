//! Values that a plan does not know: the output of commands that do not run, and the results of
//! functions that are not called.
//!
//! A plan uses a unique marker text in place of each unknown value. Markers survive if a script
//! passes them on, and are detected if it examines them. They consist of cuneiform letters, which
//! no real text contains, so even a part of a marker is detected.

use crate::util::lock::lock;
use std::{
    hash::{BuildHasher, RandomState},
    sync::Mutex,
};

/// The first and the last letter of a marker.
const BEGIN: char = '\u{12000}';
const END: char = '\u{12001}';

/// The digits of a marker, of 4 bits each: first the id of the plan, then the number of the value.
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

/// Maximum length of a command in a name. A longer one would not identify it better.
const NAME_CHARACTERS_MAX: usize = 120;

/// A value that a plan does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    /// Its name, such as ``output of `cat VERSION` ``.
    name: String,
    /// The reason for ending a dry run that depends on the value.
    end_reason: String,
    /// True if the value is certainly a string.
    is_text: bool,
}

impl Unknown {
    /// Creates the standard output of a command.
    pub(super) fn output(command: &str) -> Self {
        let command = shortened(command);
        Self {
            name: format!("output of `{command}`"),
            end_reason: format!(
                "the rest depends on the output of `{command}`; pass it with `--assume`"
            ),
            is_text: true,
        }
    }

    /// Creates the standard error of a command, which `--assume` cannot set.
    pub(super) fn errors(command: &str) -> Self {
        let command = shortened(command);
        Self {
            name: format!("standard error of `{command}`"),
            end_reason: format!("the rest depends on the standard error of `{command}`"),
            is_text: true,
        }
    }

    /// Creates the result of a function of the embedding program.
    pub(super) fn result(function: &str) -> Self {
        Self {
            name: format!("result of `{function}`"),
            end_reason: format!("the rest depends on the result of the function `{function}`"),
            is_text: false,
        }
    }

    /// Creates the value that an earlier step remembers, if the plan ended in that step.
    pub(super) fn remembered(key: &str) -> Self {
        let key = shortened(key);
        Self {
            name: format!("remembered value of `{key}`"),
            end_reason: format!(
                "the rest depends on the value that an earlier step remembers as `{key}`"
            ),
            is_text: false,
        }
    }
}

fn shortened(text: &str) -> String {
    let mut characters = text.chars();
    let short: String = characters.by_ref().take(NAME_CHARACTERS_MAX).collect();
    if characters.next().is_some() { format!("{short}…") } else { short }
}

/// The unknown values of one plan.
pub(super) struct Unknowns {
    plan_id: String,
    values: Mutex<Vec<Unknown>>,
}

impl Unknowns {
    pub(super) fn new() -> Self {
        Self {
            plan_id: digits(RandomState::new().hash_one(0), PLAN_DIGITS),
            values: Mutex::default(),
        }
    }

    /// Returns the marker for an unknown value.
    pub(super) fn add(&self, unknown: Unknown) -> String {
        let mut all = lock(&self.values);
        let position = all.iter().position(|other| *other == unknown);
        let number = position.unwrap_or(all.len());
        if position.is_none() {
            all.push(unknown);
        }
        format!("{BEGIN}{}{}{END}", self.plan_id, digits(number as u64, NUMBER_DIGITS))
    }

    /// Returns the reason for ending a dry run whose script examines this text, if the text
    /// contains a marker.
    pub(super) fn end_reason_for(&self, text: &str) -> Option<String> {
        if !text.contains(is_marker_letter) {
            return None;
        }
        let all = lock(&self.values);
        let found = markers(text, &self.plan_id).find_map(|(_, number)| all.get(number));
        // A partial marker does not identify its value. The last one is the most likely.
        found.or(all.last()).map(|unknown| unknown.end_reason.clone())
    }

    /// Returns the reason for ending a dry run after an error, if an unknown value may have caused
    /// it. A type error can only come from a value of unknown type.
    pub(super) fn end_reason_for_error(&self, is_of_types: bool) -> Option<String> {
        let all = lock(&self.values);
        let mut unknowns = all.iter().rev();
        let found = unknowns.find(|unknown| !(is_of_types && unknown.is_text));
        found.map(|unknown| unknown.end_reason.clone())
    }

    /// Replaces the markers in a text by the names of their values.
    pub(super) fn shown(&self, text: &str) -> String {
        if !text.contains(BEGIN) {
            return text.to_owned();
        }
        let (all, mut shown, mut rest) = (lock(&self.values), String::new(), 0);
        for (at, number) in markers(text, &self.plan_id) {
            let Some(unknown) = all.get(number) else { continue };
            shown.push_str(text.get(rest..at).unwrap_or_default());
            shown.push_str(&format!("⟨{}⟩", unknown.name));
            rest = at + MARKER_BYTES;
        }
        shown + text.get(rest..).unwrap_or_default()
    }
}

/// The length of a marker in bytes: each letter has 4.
const MARKER_BYTES: usize = 4 * (PLAN_DIGITS + NUMBER_DIGITS + 2);

fn is_marker_letter(letter: char) -> bool {
    letter == BEGIN || letter == END || DIGITS.contains(&letter)
}

fn digits(number: u64, count: usize) -> String {
    let digit = |place: usize| DIGITS[(number >> (4 * place)) as usize & 15];
    (0..count).rev().map(digit).collect()
}

/// Returns the byte positions and value numbers of the markers of this plan in a text.
fn markers<'t>(text: &'t str, plan_id: &'t str) -> impl Iterator<Item = (usize, usize)> + 't {
    let number = move |at: usize| {
        let marker = text.get(at..at + MARKER_BYTES)?;
        let number = marker.strip_prefix(BEGIN)?.strip_suffix(END)?.strip_prefix(plan_id)?;
        let digit = |letter| DIGITS.iter().position(|digit| *digit == letter);
        number.chars().try_fold(0, |number, letter| Some(number * 16 + digit(letter)?))
    };
    text.match_indices(BEGIN).filter_map(move |(at, _)| Some((at, number(at)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_marker_is_shown_as_its_name() {
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
    fn examining_a_marker_gives_the_end_reason() {
        let unknowns = Unknowns::new();
        assert_eq!(unknowns.end_reason_for("𒀀"), None, "there is nothing unknown yet");
        let version = unknowns.add(Unknown::output("cat VERSION"));
        let end_reason = "the rest depends on the output of `cat VERSION`; pass it with `--assume`";
        assert_eq!(unknowns.end_reason_for(&format!("v{version}")).as_deref(), Some(end_reason));
        assert_eq!(
            unknowns.end_reason_for(&version[8..12]).as_deref(),
            Some(end_reason),
            "a letter of it"
        );
        assert_eq!(unknowns.end_reason_for("plain ⟨output⟩"), None);
        let foreign = Unknowns::new().add(Unknown::result("x"));
        assert_eq!(unknowns.shown(&foreign), foreign, "another plan's");
    }

    #[test]
    fn names_have_a_maximum_length() {
        let unknowns = Unknowns::new();
        let name = unknowns.shown(&unknowns.add(Unknown::output(&"x".repeat(500))));
        assert!(name.chars().count() < 150, "{name}");
    }
}
