//! Records the untrusted values that a script has read.
//!
//! This prevents mistakes and gives no guarantee: a script can take a value apart and reassemble
//! it.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, Mutex},
};

use crate::{
    model::step::Facts, rules::interpolate::is_safe, script::text::needles::Needles,
    util::lock::lock,
};

/// Number of characters around a value that an error shows on each side.
pub(in crate::script) const SHOWN_CHARACTERS: usize = 40;

/// Untrusted facts that every command gets in a variable, such as `TINYCI_SUBJECT`.
pub(in crate::script) const IN_VARIABLES: [&str; 5] =
    ["subject", "message", "author", "branch", "tag"];

/// The fact that contains all tags, in the variable `TINYCI_TAGS`.
const TAGS: &str = "tags";

/// The untrusted values that a step's script has read.
#[derive(Default)]
pub(in crate::script) struct Untrusted(Mutex<ReadValues>);

#[derive(Default)]
struct ReadValues {
    /// The values that are not safe as a word in a shell, with the property of `ctx` that contains
    /// each.
    values: BTreeMap<String, &'static str>,
    /// The results of `q` for strings that contain untrusted values.
    quoted: BTreeSet<String>,
    /// True if the changed paths are among the values.
    has_changes: bool,
    /// The search for the values. Reset when values are added.
    search: Option<Arc<Search>>,
}

/// A search for all values in one pass.
pub(in crate::script) struct Search {
    needles: Needles,
    values: Vec<Value>,
}

#[derive(Clone)]
pub(in crate::script) struct Value {
    pub(in crate::script) text: String,
    /// The property of `ctx` that contains it.
    pub(in crate::script) property: &'static str,
    /// True if this is the form of the value inside a quoted string.
    pub(in crate::script) is_quoted: bool,
}

impl Untrusted {
    /// Records that the script has read a property of `ctx`.
    pub(in crate::script) fn read(&self, facts: &Facts, property: &'static str) {
        for (name, value) in facts.untrusted() {
            // The subject is part of the message.
            if name == property || (name, property) == ("subject", "message") {
                self.add_value(property, value);
            }
        }
    }

    /// Records that the script has read an environment variable of commands.
    pub(in crate::script) fn read_variable(&self, facts: &Facts, variable: &str) {
        let mut properties = IN_VARIABLES.into_iter().chain([TAGS]);
        let name = |property: &str| format!("TINYCI_{}", property.to_uppercase());
        if let Some(property) = properties.find(|property| name(property) == variable) {
            self.read(facts, property);
        }
    }

    /// Records that the script has read the changed paths.
    pub(in crate::script) fn read_changes(&self, paths: &[String]) {
        if !std::mem::replace(&mut lock(&self.0).has_changes, true) {
            paths.iter().for_each(|path| self.add_value("changes", path));
        }
    }

    /// Records that the script has a string that another step may have built from values that it
    /// read.
    pub(in crate::script) fn read_in(&self, facts: &Facts, text: &str) {
        for (name, value) in facts.untrusted().filter(|(_, value)| text.contains(value)) {
            self.add_value(name, value);
        }
    }

    /// Records the result of `q` for a string, if the string contains untrusted values.
    pub(in crate::script) fn note_quoted(&self, facts: &Facts, text: &str, quoted: &str) {
        let of_facts = || facts.untrusted().any(|(_, it)| !is_safe(it) && text.contains(it));
        let of_values = || self.search().is_some_and(|search| search.finds_any(text));
        if of_facts() || of_values() {
            lock(&self.0).quoted.insert(quoted.to_owned());
        }
    }

    fn add_value(&self, property: &'static str, value: &str) {
        if value.is_empty() || is_safe(value) {
            return;
        }
        let mut known = lock(&self.0);
        if !known.values.contains_key(value) {
            known.values.insert(value.to_owned(), property);
            known.search = None;
        }
    }

    /// Returns the search for all values, if there are any.
    pub(in crate::script) fn search(&self) -> Option<Arc<Search>> {
        let mut known = lock(&self.0);
        if known.search.is_none() && !known.values.is_empty() {
            known.search = Some(Arc::new(Search::new(&known.values)));
        }
        known.search.clone()
    }

    /// Returns the parts of a string that are results of `q` for untrusted values.
    pub(in crate::script) fn quoted_parts(&self, text: &str) -> Parts {
        let known = lock(&self.0);
        let (mut parts, mut from) = (Vec::new(), 0);
        while let Some(begin) = text[from..].find('\'').map(|at| from + at) {
            let (end, has_quotes) = quoted_end(text, begin);
            let is_known = known.quoted.contains(&text[begin..end]);
            if is_known {
                parts.push(begin..end);
            }
            // An unrelated quote may come before one of `q`.
            from = if is_known || has_quotes { end } else { begin + 1 };
        }
        Parts::new(parts)
    }
}

/// Returns where a quoted string that begins here ends, and true if it contains quotes. It has the
/// form of the result of `q`.
fn quoted_end(text: &str, begin: usize) -> (usize, bool) {
    const QUOTE_WITHIN: &str = r"'\''";
    let (mut from, mut has_quotes) = (begin + 1, false);
    while let Some(quote) = text[from..].find('\'').map(|at| from + at) {
        if !text[quote..].starts_with(QUOTE_WITHIN) {
            return (quote + 1, has_quotes);
        }
        (from, has_quotes) = (quote + QUOTE_WITHIN.len(), true);
    }
    (text.len(), has_quotes)
}

impl Search {
    fn new(values: &BTreeMap<String, &'static str>) -> Self {
        let plain = values.iter().map(|(text, property)| Value {
            text: text.clone(),
            property,
            is_quoted: false,
        });
        let with_quotes = values.iter().filter(|(text, _)| text.contains('\''));
        let quoted = with_quotes.map(|(text, property)| Value {
            text: text.replace('\'', r"'\''"),
            property,
            is_quoted: true,
        });
        // If a value equals the quoted form of another one, it counts as a plain value.
        let mut all: Vec<Value> = plain.chain(quoted).collect();
        all.sort_by(|a, b| (&a.text, a.is_quoted).cmp(&(&b.text, b.is_quoted)));
        all.dedup_by(|later, first| later.text == first.text);
        Self { needles: Needles::new(all.iter().map(|it| &*it.text)), values: all }
    }

    fn finds_any(&self, text: &str) -> bool {
        self.occurrences(text).any(|(value, _)| !value.is_quoted)
    }

    pub(in crate::script) fn occurrences<'s>(
        &'s self,
        text: &'s str,
    ) -> impl Iterator<Item = (&'s Value, Range<usize>)> + 's {
        self.needles.ends(text).flat_map(move |(end, found)| {
            found.filter_map(move |(index, start)| Some((self.values.get(index)?, start..end)))
        })
    }
}

/// Parts of a string.
#[derive(Default)]
pub(in crate::script) struct Parts {
    /// Parts sorted by their beginning, each with the farthest end of it and all before it.
    parts: Vec<(usize, usize)>,
}

impl Parts {
    pub(in crate::script) fn new(mut parts: Vec<Range<usize>>) -> Self {
        parts.sort_by_key(|part| part.start);
        let mut farthest = 0;
        let parts = parts.into_iter().map(|part| {
            farthest = farthest.max(part.end);
            (part.start, farthest)
        });
        Self { parts: parts.collect() }
    }

    /// Returns true if this part lies within one of them.
    pub(in crate::script) fn hold(&self, part: &Range<usize>) -> bool {
        self.enclosing(part).is_some()
    }

    /// Returns the beginning of the last part that begins at or before this one, if a part contains
    /// it.
    pub(in crate::script) fn enclosing(&self, part: &Range<usize>) -> Option<usize> {
        let begun = self.parts.partition_point(|(begin, _)| *begin <= part.start);
        let (begin, farthest) = self.parts.get(begun.checked_sub(1)?)?;
        (*farthest >= part.end).then_some(*begin)
    }
}
