//! YAML as a tree of limited size whose nodes have positions.
//!
//! The YAML parser only reports positions in its errors. So each node keeps its number in the order
//! of parsing. To find its position, tinyci parses again and fails at that number. This is only
//! done for nodes that become part of a pipeline, a warning or an error.

use std::{
    cell::{Cell, RefCell},
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

/// A parsed YAML document.
pub(super) struct Document<'a> {
    pub(super) source: Source<'a>,
    pub(super) root: Node,
    /// The offset of a second document, which is ignored.
    pub(super) second: Option<usize>,
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
        Ok(Self { source, root, second })
    }

    /// Returns the offset at which this node begins.
    pub(super) fn offset(&self, node: &Node) -> usize {
        let mut documents = serde_yaml::Deserializer::from_str(self.source.text);
        let reading = Reading::new(Some(node.number));
        let stopped = documents.next().and_then(|first| reading.seed(first).err());
        stopped.map_or(0, |error| offset(&error))
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
}

impl Reading {
    fn new(stop: Option<usize>) -> Self {
        Self {
            next: Cell::new(0),
            text_bytes: Cell::new(0),
            stop,
            reached: Cell::new(false),
            fault: RefCell::new(None),
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
        let value = deserializer.deserialize_any(ValueVisitor { reading: self.0, number })?;
        Ok(Node { number, value })
    }
}

struct ValueVisitor<'r> {
    reading: &'r Reading,
    number: usize,
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
        self.enter().map(|()| value)
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
        self.enter()?;
        let bytes = self.reading.text_bytes.get() + text.len();
        self.reading.text_bytes.set(bytes);
        if bytes > TEXT_BYTES_MAX {
            let why = format!(
                "the config has more than {TEXT_BYTES_MAX} bytes of text after its aliases are \
                 expanded"
            );
            return Err(self.reading.fail(why));
        }
        Ok(Value::Text(text.to_owned()))
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
