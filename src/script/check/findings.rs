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
    errors: usize,
}

impl<'a> Findings<'a> {
    pub(super) fn new(unit: &'a Unit) -> Self {
        Self { unit, found: BTreeSet::new(), errors: 0 }
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
        let is_new = self.found.insert((at.line, at.column, message.into(), severity));
        self.errors += usize::from(is_new && severity == Severity::Error);
    }

    pub(super) fn add_at(&mut self, at: Position, message: impl Into<String>) {
        let is_new = self.found.insert((at.line, at.column, message.into(), Severity::Error));
        self.errors += usize::from(is_new);
    }

    /// Whether looking further for errors would find nothing that is shown.
    pub(super) fn is_full(&self) -> bool {
        self.errors >= FINDINGS_MAX
    }

    pub(super) fn into_list(self) -> impl Iterator<Item = Finding> {
        let source = &self.unit.source;
        self.found.into_iter().map(move |(line, column, message, severity)| Finding {
            severity,
            error: excerpt::error(source, Position::new(line, column), message),
        })
    }
}
