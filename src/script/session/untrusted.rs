//! What others chose and a script has read.
//!
//! A lint that stops, not a promise: a script can take a value apart and put it together again.

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Range,
    sync::{Arc, Mutex},
};

use crate::{
    model::step::Facts, rules::interpolate::is_safe, script::text::needles::Needles,
    util::lock::lock,
};

/// How much of a text an error shows on each side of what it is about.
pub(in crate::script) const SHOWN_CHARACTERS: usize = 40;

/// Facts that every command finds in a variable of the same name, in capitals.
pub(in crate::script) const IN_VARIABLES: [&str; 5] =
    ["subject", "message", "author", "branch", "tag"];

/// The variable of all tags, which is none of one tag.
const TAGS: &str = "tags";

/// What a step's script knows of it.
#[derive(Default)]
pub(in crate::script) struct Untrusted(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// Each value that the script has read and that a shell might take for more than a word, with
    /// the property of `ctx` that holds it.
    values: BTreeMap<String, &'static str>,
    /// What `q` made of texts that hold others' words.
    quoted: BTreeSet<String>,
    /// True once the paths that changed are among the values.
    has_changes: bool,
    /// Looks for the values, until there are more of them.
    search: Option<Arc<Search>>,
}

/// One pass over a text for all values.
pub(in crate::script) struct Search {
    needles: Needles,
    values: Vec<Value>,
}

#[derive(Clone)]
pub(in crate::script) struct Value {
    pub(in crate::script) text: String,
    /// The property of `ctx` that holds it.
    pub(in crate::script) property: &'static str,
    /// True if this is how it stands within a text that was quoted.
    pub(in crate::script) is_quoted: bool,
}

impl Untrusted {
    /// Notes that the script has read a property of `ctx`.
    pub(in crate::script) fn read(&self, facts: &Facts, property: &'static str) {
        for (name, value) in facts.untrusted() {
            // The subject is a part of the message.
            if name == property || (name, property) == ("subject", "message") {
                self.know(property, value);
            }
        }
    }

    /// Notes that the script has read a variable of commands.
    pub(in crate::script) fn read_variable(&self, facts: &Facts, variable: &str) {
        let mut properties = IN_VARIABLES.into_iter().chain([TAGS]);
        let name = |property: &str| format!("TINYCI_{}", property.to_uppercase());
        if let Some(property) = properties.find(|property| name(property) == variable) {
            self.read(facts, property);
        }
    }

    /// Notes that the script has read the paths that changed.
    pub(in crate::script) fn read_changes(&self, paths: &[String]) {
        if !std::mem::replace(&mut lock(&self.0).has_changes, true) {
            paths.iter().for_each(|path| self.know("changes", path));
        }
    }

    /// Notes that the script has got a text that may have been made of what another step read.
    pub(in crate::script) fn read_in(&self, facts: &Facts, text: &str) {
        for (name, value) in facts.untrusted().filter(|(_, value)| text.contains(value)) {
            self.know(name, value);
        }
    }

    /// Notes what `q` made of a text.
    pub(in crate::script) fn note_quoted(&self, facts: &Facts, text: &str, quoted: &str) {
        let of_facts = || facts.untrusted().any(|(_, it)| !is_safe(it) && text.contains(it));
        let of_values = || self.search().is_some_and(|search| search.finds_any(text));
        if of_facts() || of_values() {
            lock(&self.0).quoted.insert(quoted.to_owned());
        }
    }

    fn know(&self, property: &'static str, value: &str) {
        if value.is_empty() || is_safe(value) {
            return;
        }
        let mut known = lock(&self.0);
        if !known.values.contains_key(value) {
            known.values.insert(value.to_owned(), property);
            known.search = None;
        }
    }

    /// What looks for all values, if there are any.
    pub(in crate::script) fn search(&self) -> Option<Arc<Search>> {
        let mut known = lock(&self.0);
        if known.search.is_none() && !known.values.is_empty() {
            known.search = Some(Arc::new(Search::new(&known.values)));
        }
        known.search.clone()
    }

    /// The parts of a text that are what `q` made of others' words.
    pub(in crate::script) fn quoted_parts(&self, text: &str) -> Parts {
        let known = lock(&self.0);
        let (mut parts, mut from) = (Vec::new(), 0);
        while let Some(begin) = text[from..].find('\'').map(|at| from + at) {
            let (end, has_quotes) = quoted_end(text, begin);
            let is_known = known.quoted.contains(&text[begin..end]);
            if is_known {
                parts.push(begin..end);
            }
            // A quote that `q` did not make may stand before one that it did.
            from = if is_known || has_quotes { end } else { begin + 1 };
        }
        Parts::new(parts)
    }
}

/// Where a text ends that has the form of what `q` makes and begins at this quote, and whether it
/// has quotes within.
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
        // Where a value is itself what another one is in quotes, it counts as the value.
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

/// Parts of a text.
#[derive(Default)]
pub(in crate::script) struct Parts {
    /// By their begin, each with the farthest end of it and those before it.
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

    /// True if one of them holds all of this.
    pub(in crate::script) fn hold(&self, part: &Range<usize>) -> bool {
        self.around(part).is_some()
    }

    /// Where the last one begins that begins before this, if one holds all of it.
    pub(in crate::script) fn around(&self, part: &Range<usize>) -> Option<usize> {
        let begun = self.parts.partition_point(|(begin, _)| *begin <= part.start);
        let (begin, farthest) = self.parts.get(begun.checked_sub(1)?)?;
        (*farthest >= part.end).then_some(*begin)
    }
}
