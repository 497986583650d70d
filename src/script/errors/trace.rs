//! [`Trace`]: the position of an error and the calls that led to it.

use std::fmt;

use rhai::Position as RhaiPosition;

use crate::{
    model::error::Position,
    script::syntax::{script::Script, unit::place},
};

/// The position of an error and the calls that led to it.
#[derive(Clone, Debug)]
pub(in crate::script) struct Trace {
    /// The file and function that contain it.
    pub(in crate::script) file: String,
    pub(in crate::script) function: String,
    /// The position, if known. The engine does not know the positions of some errors.
    pub(in crate::script) position: Option<Position>,
    /// The calls as `file:line:col in function`, innermost first.
    pub(in crate::script) calls: Vec<String>,
    /// The position where a script threw it again, if it did.
    pub(in crate::script) again: Option<String>,
}

impl Trace {
    /// Returns a trace without calls, at a position in a file of this script.
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

    /// Appends the calls that led to the beginning of this trace.
    pub(in crate::script) fn called_from(&mut self, outer: &Trace) {
        let call = outer.is_known().then(|| format!("{outer} in {}", outer.function));
        // The called function may have added this position already.
        self.calls.extend(call.filter(|call| self.calls.last() != Some(call)));
        self.calls.extend(outer.calls.iter().cloned());
    }
}

/// Writes `file:line:column`.
impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{}:{position}", self.file),
            None => f.write_str(&self.file),
        }
    }
}

/// Converts a position of the engine into one of the original file, if it is known.
pub(in crate::script) fn known(
    file: &str,
    position: RhaiPosition,
    script: Option<&Script>,
) -> Option<Position> {
    let at = (!position.is_none()).then(|| place(position))?;
    let source = script.and_then(|script| script.source(file));
    Some(source.map_or(at, |source| source.original(at)))
}
