//! Where an error is, and by which calls the script got there.

use std::fmt;

use rhai::Position as RhaiPosition;

use crate::{
    model::error::Position,
    script::syntax::{script::Script, unit::place},
};

/// Where an error is, and how the script got there.
#[derive(Clone, Debug)]
pub(in crate::script) struct Trace {
    /// The file and function it is in.
    pub(in crate::script) file: String,
    pub(in crate::script) function: String,
    /// The engine does not know where some of its errors are.
    pub(in crate::script) position: Option<Position>,
    /// `file:line:col in function`, innermost call first.
    pub(in crate::script) calls: Vec<String>,
    /// Where it was thrown again, if a script had caught it.
    pub(in crate::script) again: Option<String>,
}

impl Trace {
    /// A place that is known, in a file of this script.
    pub(in crate::script) fn at(
        file: &str,
        function: &str,
        position: RhaiPosition,
        script: Option<&Script>,
    ) -> Self {
        Self {
            file: file.to_owned(),
            function: function.to_owned(),
            position: known(file, position, script),
            calls: Vec::new(),
            again: None,
        }
    }

    pub(in crate::script) fn is_known(&self) -> bool {
        self.position.is_some()
    }

    /// Adds how the script got to where this begins.
    pub(in crate::script) fn called_from(&mut self, outer: &Trace) {
        let call = outer.is_known().then(|| format!("{outer} in {}", outer.function));
        // What called the function may have told its place already.
        self.calls.extend(call.filter(|call| self.calls.last() != Some(call)));
        self.calls.extend(outer.calls.iter().cloned());
    }
}

/// `file:line:column`
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{}:{position}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// A place as it stands in the file.
pub(in crate::script) fn known(
    file: &str,
    position: RhaiPosition,
    script: Option<&Script>,
) -> Option<Position> {
    let at = (!position.is_none()).then(|| place(position))?;
    let source = script.and_then(|script| script.source(file));
    Some(source.map_or(at, |source| source.original(at)))
}
