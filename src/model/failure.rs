//! What failed in a step.

use std::fmt;

use super::outcome::Exit;

/// How much of what failed is told in one line with other failures.
const TOLD_CHARACTERS_MAX: usize = 200;

/// One thing that failed in a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepFailure {
    /// The task of a `parallel` or `matrix` or the group that it failed in, such as `db=my`.
    pub label: Option<String>,
    /// Where in a script, as `file:line:column`.
    pub place: Option<String>,
    /// What failed, in a sentence.
    pub message: String,
    /// The command that failed.
    pub command: Option<String>,
    /// How that command ended.
    pub exit: Option<Exit>,
}

impl StepFailure {
    /// Label and message, as far as one line has room.
    pub(crate) fn brief(&self) -> String {
        let label = self.label.as_ref().map(|label| format!("{label}: ")).unwrap_or_default();
        let message = first_line(&self.message);
        match message.char_indices().nth(TOLD_CHARACTERS_MAX) {
            Some((end, _)) => format!("{label}{} …", message.get(..end).unwrap_or_default()),
            None => format!("{label}{message}"),
        }
    }
}

/// In one line: its label, what failed, and where in the script.
impl fmt::Display for StepFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(label) = &self.label {
            write!(f, "{label}: ")?;
        }
        f.write_str(first_line(&self.message))?;
        self.place.as_ref().map_or(Ok(()), |place| write!(f, " ({place})"))
    }
}

pub(crate) fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}
