//! [`Findings`]: the errors and warnings of one file.

use std::collections::BTreeSet;

use crate::{
    model::{
        check_report::{Finding, Severity},
        error::Position,
    },
    script::{
        syntax::unit::{Unit, place},
        text::excerpt,
    },
};

/// Maximum number of findings. More do not help people, and a generated script may have any number.
pub(super) const FINDINGS_MAX: usize = 100;

/// The errors and warnings of one file, without duplicates, in the order of their positions.
pub(super) struct Findings<'a> {
    pub(super) unit: &'a Unit,
    pub(super) found: BTreeSet<(usize, usize, String, Severity)>,
}

impl<'a> Findings<'a> {
    pub(super) fn new(unit: &'a Unit) -> Self {
        Self { unit, found: BTreeSet::new() }
    }

    /// Adds an error.
    pub(super) fn add(&mut self, at: rhai::Position, message: impl Into<String>) {
        self.add_as(Severity::Error, at, message);
    }

    /// Adds a warning: the code is valid but probably a mistake.
    pub(super) fn warn(&mut self, at: rhai::Position, message: impl Into<String>) {
        self.add_as(Severity::Warning, at, message);
    }

    pub(super) fn add_as(
        &mut self,
        severity: Severity,
        at: rhai::Position,
        message: impl Into<String>,
    ) {
        let at = place(at);
        self.found.insert((at.line, at.column, message.into(), severity));
    }

    pub(super) fn add_at(&mut self, at: Position, message: impl Into<String>) {
        self.found.insert((at.line, at.column, message.into(), Severity::Error));
    }

    /// Returns true if no further findings would be shown.
    pub(super) fn is_full(&self) -> bool {
        self.found.len() >= FINDINGS_MAX
    }

    pub(super) fn into_list(self) -> impl Iterator<Item = Finding> {
        let source = &self.unit.source;
        self.found.into_iter().map(move |(line, column, message, severity)| Finding {
            severity,
            error: excerpt::error(source, Position::new(line, column), message),
        })
    }
}
