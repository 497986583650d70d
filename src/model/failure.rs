//! [`StepFailure`]: one failure in a step.

use std::fmt;

use super::outcome::Exit;

/// The most characters of a failure in a line with other failures.
const BRIEF_CHARACTERS_MAX: usize = 200;

/// One failure in a step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StepFailure {
    /// The label of the task or group that failed, such as `db=my`. Tasks are those of `parallel`
    /// and `matrix`.
    pub label: Option<String>,
    /// The position in the script, as `file:line:column`.
    pub place: Option<String>,
    /// The failure in one sentence.
    pub message: String,
    /// The command that failed.
    pub command: Option<String>,
    /// How the command ended.
    pub exit: Option<Exit>,
}

impl StepFailure {
    /// Returns label and message, shortened for one line.
    pub(crate) fn brief(&self) -> String {
        let label = self.label.as_ref().map(|label| format!("{label}: ")).unwrap_or_default();
        let message = first_line(&self.message);
        match message.char_indices().nth(BRIEF_CHARACTERS_MAX) {
            Some((end, _)) => format!("{label}{} …", message.get(..end).unwrap_or_default()),
            None => format!("{label}{message}"),
        }
    }
}

/// Writes one line: the label, the message, and the position in the script.
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
