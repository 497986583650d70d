//! YAML as a tree of limited size whose nodes have positions.
//!
//! The YAML parser only reports positions in its errors. So each node keeps its number in the order
//! of parsing. To find its position, tinyci parses again and fails at that number. This is only
//! done for nodes that become part of a pipeline, a warning or an error.

use std::{
    cell::{Cell, OnceCell, RefCell},
    collections::BTreeMap,
    fmt,
};

use serde::de::{self, Deserializer, EnumAccess, MapAccess, SeqAccess, Visitor};

use super::source::Source;
use crate::model::{
    error::{Error, Position},
    pipeline::Template,
};

/// The most values in a config after its aliases are expanded. Otherwise a few lines with aliases
/// of aliases could fill the memory.
const VALUES_MAX: usize = 2_000;

/// The most bytes of text in these values.
const TEXT_BYTES_MAX: usize = 1024 * 1024;

/// The limit for the number of brackets times the number of bytes that one partial parse adds to the
/// one before it.
const STEP_MAX: usize = 64_000_000;

/// The maximum number of lines with YAML directives, such as `%YAML 1.1`.
const DIRECTIVES_MAX: usize = 16;

/// A parsed YAML document.
pub(super) struct Document<'a> {
    pub(super) source: Source<'a>,
    pub(super) root: Node,
    /// The offset of a second document, which is ignored.
    pub(super) second: Option<usize>,
    /// The offset of each plain value, by its number. Computed when the first one is needed.
    places: OnceCell<BTreeMap<usize, usize>>,
}

/// One key or value.
#[derive(Debug)]
pub(super) struct Node {
    /// The index of the node in the order of parsing.
    number: usize,
    pub(super) value: Value,
}

/// The value of a node. Numbers and booleans keep only their type, because nothing here computes
/// with them.
#[derive(Debug)]
pub(super) enum Value {
    Null,
    Boolean,
    Number,
    Text(String),
    Array(Vec<Node>),
    /// Keys and values in order, including duplicates. Those from merge keys come first.
    Mapping(Vec<(Node, Node)>),
}

impl Node {
    /// Returns the type with its article, for a sentence.
    pub(super) fn kind(&self) -> &'static str {
        match &self.value {
            Value::Null => "null",
            Value::Boolean => "a bool",
            Value::Number => "a number",
            Value::Text(text) if text.is_empty() => "an empty string",
            Value::Text(_) => "a string",
            Value::Array(_) => "an array",
            Value::Mapping(_) => "a map",
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

impl<'a> Document<'a> {
    /// Parses the text.
    pub(super) fn new(source: Source<'a>) -> Result<Self, Error> {
        refuse_costly(&source)?;
        let mut documents = serde_yaml::Deserializer::from_str(source.text);
        let reading = Reading::new(None);
        let root = match documents.next().map(|first| reading.seed(first)) {
            Some(Ok(root)) => root,
            Some(Err(error)) => return Err(invalid(&source, &reading, &error)),
            None => Node { number: 0, value: Value::Null },
        };
        let reading = Reading::new(Some(0));
        let second = match documents.next().and_then(|second| reading.seed(second).err()) {
            Some(error) if reading.reached.get() => Some(offset(&error)),
            Some(error) => return Err(invalid(&source, &reading, &error)),
            None => None,
        };
        Ok(Self { source, root, second, places: OnceCell::new() })
    }

    /// Returns the offset at which this node begins.
    pub(super) fn offset(&self, node: &Node) -> usize {
        let places = self.places.get_or_init(|| self.places());
        if let Some(offset) = places.get(&node.number) {
            return *offset;
        }
        let mut documents = serde_yaml::Deserializer::from_str(self.source.text);
        let reading = Reading::new(Some(node.number));
        let stopped = documents.next().and_then(|first| reading.seed(first).err());
        stopped.map_or(0, |error| offset(&error))
    }

    /// Returns the offset of each plain value. Finds all of them in one parse: a config can have
    /// thousands, and one parse for each would take minutes.
    fn places(&self) -> BTreeMap<usize, usize> {
        let reading = Reading { places: Some(RefCell::default()), ..Reading::new(None) };
        let mut documents = serde_yaml::Deserializer::from_str(self.source.text);
        // The first parse succeeded.
        let _ = documents.next().map(|first| reading.seed(first));
        let places = reading.places.map(RefCell::into_inner).unwrap_or_default();
        let lines = Lines::of(self.source.text);
        places
            .into_iter()
            .filter_map(|(number, message)| Some((number, lines.offset(&message)?)))
            .collect()
    }

    /// Returns the position of this node.
    pub(super) fn position(&self, node: &Node) -> Position {
        self.source.position(self.offset(node))
    }

    /// Creates an error at this node.
    pub(super) fn error(&self, node: &Node, message: impl Into<String>) -> Error {
        self.source.error(self.offset(node), message)
    }

    /// Creates a template with the position of its first character.
    pub(super) fn template(&self, node: &Node, text: &str) -> Template {
        Template::new(text, self.source.text_position(self.offset(node), text))
    }
}

/// Refuses a text that would take the YAML parser too long: one with many directives, because the
/// parser compares each with all others, and one that is nested deeper than the parser allows.
///
/// The parser reports deep nesting only after it has parsed a whole document, and each token costs more
/// the deeper it is nested. So a text with many brackets is parsed in growing prefixes. Each adds only
/// as many levels as take little time, and the first prefix that is too deep ends the check.
fn refuse_costly(source: &Source<'_>) -> Result<(), Error> {
    let lines = source.text.split_inclusive(['\n', '\r']);
    let mut directives = lines.filter(|line| line.starts_with('%'));
    if let Some(line) = directives.nth(DIRECTIVES_MAX) {
        let offset = line.as_ptr().addr() - source.text.as_ptr().addr();
        let message = format!("the config has more than {DIRECTIVES_MAX} YAML directives");
        return Err(source.error(offset, message));
    }
    let (mut read, mut brackets) = (0, 0);
    for (end, byte) in source.text.bytes().enumerate() {
        brackets += usize::from(matches!(byte, b'[' | b'{'));
        if brackets * (end - read) <= STEP_MAX || !source.text.is_char_boundary(end) {
            continue;
        }
        (read, brackets) = (end, 0);
        let beginning = source.text.get(..end).unwrap_or_default();
        for document in serde_yaml::Deserializer::from_str(beginning).take(2) {
            let reading = Reading::new(None);
            let Err(error) = reading.seed(document) else { continue };
            let is_too_deep = error.to_string().starts_with("recursion limit exceeded");
            if is_too_deep || reading.fault.borrow().is_some() {
                return Err(invalid(source, &reading, &error));
            }
        }
    }
    Ok(())
}

/// The lines of a text as the YAML parser counts them: the offset of each, and whether it is ASCII.
struct Lines<'a> {
    text: &'a str,
    begins: Vec<(usize, bool)>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let (mut begins, mut begin) = (Vec::new(), 0);
        let line_ends = text.char_indices().filter(|(offset, letter)| match letter {
            '\n' | '\u{85}' | '\u{2028}' | '\u{2029}' => true,
            '\r' => text.as_bytes().get(offset + 1) != Some(&b'\n'),
            _ => false,
        });
        let ends = line_ends.map(|(offset, letter)| offset + letter.len_utf8());
        for end in ends.chain([text.len()]) {
            let line = text.get(begin..end).unwrap_or_default();
            begins.push((begin, line.is_ascii()));
            begin = end;
        }
        Self { text, begins }
    }

    /// Returns the offset of the position at the end of a YAML parser's message. A message about the
    /// first character has no position.
    fn offset(&self, message: &str) -> Option<usize> {
        let Some((_, place)) = message.rsplit_once(" at line ") else { return Some(0) };
        let (line, column) = place.split_once(" column ")?;
        let (line, column): (usize, usize) = (line.parse().ok()?, column.parse().ok()?);
        let (begin, is_ascii) = *self.begins.get(line.checked_sub(1)?)?;
        let column = column.checked_sub(1)?;
        if is_ascii {
            return Some(begin + column);
        }
        let within = self.text.get(begin..)?.char_indices().nth(column);
        Some(within.map_or(self.text.len(), |(offset, _)| begin + offset))
    }
}

/// Returns the offset of a YAML error.
fn offset(error: &serde_yaml::Error) -> usize {
    error.location().map_or(0, |place| place.index())
}

/// The state of parsing a document once.
struct Reading {
    next: Cell<usize>,
    text_bytes: Cell<usize>,
    /// The number of the node to fail at.
    stop: Option<usize>,
    reached: Cell<bool>,
    /// The reason why tinyci failed the parse, if it did.
    fault: RefCell<Option<String>>,
    /// The YAML parser's message about each plain value, if positions are needed. The parser reports a
    /// position only for a value that is refused.
    places: Option<RefCell<Vec<(usize, String)>>>,
}

impl Reading {
    fn new(stop: Option<usize>) -> Self {
        Self {
            next: Cell::new(0),
            text_bytes: Cell::new(0),
            stop,
            reached: Cell::new(false),
            fault: RefCell::new(None),
            places: None,
        }
    }

    fn seed<'de, D: Deserializer<'de>>(&self, deserializer: D) -> Result<Node, D::Error> {
        de::DeserializeSeed::deserialize(NodeSeed(self), deserializer)
    }

    fn fail<E: de::Error>(&self, why: impl Into<String>) -> E {
        let why = why.into();
        let error = E::custom(&why);
        self.fault.replace(Some(why));
        error
    }
}

/// Parses one node.
#[derive(Clone, Copy)]
struct NodeSeed<'r>(&'r Reading);

impl<'de> de::DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        let number = self.0.next.replace(self.0.next.get() + 1);
        let is_refused = Cell::new(false);
        let visitor = ValueVisitor { reading: self.0, number, is_refused: &is_refused };
        match (deserializer.deserialize_any(visitor), &self.0.places) {
            // After a refused plain value, the parser continues with the next one.
            (Err(refusal), Some(places)) if is_refused.get() => {
                places.borrow_mut().push((number, refusal.to_string()));
                Ok(Node { number, value: Value::Null })
            }
            (value, _) => Ok(Node { number, value: value? }),
        }
    }
}

struct ValueVisitor<'r> {
    reading: &'r Reading,
    number: usize,
    /// Set to true if the value is refused only to get its position.
    is_refused: &'r Cell<bool>,
}

impl ValueVisitor<'_> {
    /// Fails at the requested node, or if the document becomes too large.
    fn enter<E: de::Error>(&self) -> Result<(), E> {
        if self.reading.stop == Some(self.number) {
            self.reading.reached.set(true);
            return Err(E::custom("reached"));
        }
        if self.number >= VALUES_MAX {
            let why = format!(
                "the config has more than {VALUES_MAX} values after its aliases are expanded"
            );
            return Err(self.reading.fail(why));
        }
        Ok(())
    }

    fn leaf<E: de::Error>(self, value: Value) -> Result<Value, E> {
        self.enter()?;
        if self.reading.places.is_some() {
            self.is_refused.set(true);
            return Err(E::custom("refused"));
        }
        Ok(value)
    }
}

impl<'de> Visitor<'de> for ValueVisitor<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.leaf(Value::Null)
    }

    fn visit_none<E: de::Error>(self) -> Result<Value, E> {
        self.leaf(Value::Null)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Value, E> {
        self.leaf(Value::Boolean)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Value, E> {
        self.leaf(Value::Number)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Value, E> {
        self.leaf(Value::Number)
    }

    fn visit_i128<E: de::Error>(self, _: i128) -> Result<Value, E> {
        self.leaf(Value::Number)
    }

    fn visit_u128<E: de::Error>(self, _: u128) -> Result<Value, E> {
        self.leaf(Value::Number)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Value, E> {
        self.leaf(Value::Number)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Value, E> {
        let bytes = self.reading.text_bytes.get() + text.len();
        self.reading.text_bytes.set(bytes);
        if bytes > TEXT_BYTES_MAX {
            let why = format!(
                "the config has more than {TEXT_BYTES_MAX} bytes of text after its aliases are \
                 expanded"
            );
            return Err(self.reading.fail(why));
        }
        self.leaf(Value::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut nodes = Vec::new();
        while let Some(node) = list.next_element_seed(NodeSeed(self.reading))? {
            nodes.push(node);
        }
        Ok(Value::Array(nodes))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut mapping: A) -> Result<Value, A::Error> {
        self.enter()?;
        let mut entries = Vec::new();
        while let Some(key) = mapping.next_key_seed(NodeSeed(self.reading))? {
            entries.push((key, mapping.next_value_seed(NodeSeed(self.reading))?));
        }
        merge(entries).map(Value::Mapping).map_err(|why| self.reading.fail(why))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Value, A::Error> {
        self.enter()?;
        Err(self.reading.fail("a YAML tag (`!…`) is not supported here; put the string in quotes"))
    }
}

/// Inserts the entries of `<<` before the mapping's other entries, which override them. In a list
/// of mappings, earlier ones override later ones.
fn merge(entries: Vec<(Node, Node)>) -> Result<Vec<(Node, Node)>, &'static str> {
    let is_merge = |(key, _): &(Node, Node)| key.text() == Some("<<");
    let (merges, direct): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_merge);
    let mut merged: Vec<(Node, Node)> = Vec::new();
    for (_, from) in merges {
        let mappings = match from.value {
            Value::Array(mappings) => mappings,
            _ => vec![from],
        };
        for mapping in mappings {
            let Value::Mapping(entries) = mapping.value else {
                return Err("`<<` takes a map or an array of maps");
            };
            for (key, value) in entries {
                let mut known = merged.iter().chain(&direct);
                if key.text().is_none() || !known.any(|(other, _)| other.text() == key.text()) {
                    merged.push((key, value));
                }
            }
        }
    }
    merged.extend(direct);
    Ok(merged)
}

/// Converts an error of the YAML parser.
fn invalid(source: &Source<'_>, reading: &Reading, error: &serde_yaml::Error) -> Error {
    let offset = offset(error);
    let message = reading.fault.take().unwrap_or_else(|| {
        let text = error.to_string();
        let problem = text.split(" at line ").next().unwrap_or_default();
        explain(problem, source.letter(offset))
    });
    source.error(offset, message)
}

/// Replaces the parser's message with a clearer one for common mistakes.
fn explain(problem: &str, letter: Option<char>) -> String {
    match (problem, letter) {
        (_, Some('\t')) if problem.starts_with("found ") => {
            "YAML does not allow a tab here; indent with spaces".into()
        }
        ("found character that cannot start any token", Some(letter)) => {
            format!("a string without quotes cannot begin with `{letter}`; put it in quotes")
        }
        ("mapping values are not allowed in this context", _) => {
            "a string that contains `: ` must be in quotes".into()
        }
        ("unknown anchor", _) => {
            "this alias refers to an anchor that is not defined above it".into()
        }
        ("recursion limit exceeded", _) => "the config is nested too deeply".into(),
        ("repetition limit exceeded", _) => "the config uses its aliases too often".into(),
        _ => format!("this is not valid YAML: {problem}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collects the nodes of a document, each before the nodes inside it.
    fn nodes<'n>(node: &'n Node, found: &mut Vec<&'n Node>) {
        found.push(node);
        match &node.value {
            Value::Array(items) => items.iter().for_each(|item| nodes(item, found)),
            Value::Mapping(entries) => entries.iter().for_each(|(key, value)| {
                nodes(key, found);
                nodes(value, found);
            }),
            _ => {}
        }
    }

    #[test]
    fn the_place_of_a_plain_value_is_that_of_a_reading_for_it_alone() {
        for text in [
            "x",
            "a: b\nc: [d, 'e', \"f\", 1, true, ~]\n",
            "\u{e9}: \u{1f600} \u{e9}\n\u{e9}\u{e9}: [\u{e9}, \u{e9} b, {\u{e9}: c}]\n",
            "a: |\n  text\n  more\nb: >\n  folded\n\n# comment \u{e9}\nc: d\r\ne: f\rg: h\n",
            "a: &x [b, c]\nd: *x\ne: {<<: {k: v}, l: m}\n",
            "a: \"\u{e9}\u{85}\u{2028}b\"\nc: d\n",
            "- - a\n  - b\n- ? c\n  : d\n",
        ] {
            let document = Document::new(Source::new(text.as_bytes(), "f").unwrap()).unwrap();
            let mut all = Vec::new();
            nodes(&document.root, &mut all);
            let places = document.places();
            for node in all {
                let mut documents = serde_yaml::Deserializer::from_str(text);
                let reading = Reading::new(Some(node.number));
                let alone = documents.next().and_then(|it| reading.seed(it).err());
                let alone = alone.map_or(0, |error| offset(&error));
                let is_plain = !matches!(node.value, Value::Array(_) | Value::Mapping(_));
                assert_eq!(places.contains_key(&node.number), is_plain, "{text:?}: {node:?}");
                assert_eq!(document.offset(node), alone, "{text:?}: {node:?}");
            }
        }
    }
}
