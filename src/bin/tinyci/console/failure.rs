//! [`Failure`]: why a command failed, with its exit code.

use std::fmt;

use tinyci::{Error, ErrorKind};

use crate::console::exit_codes::{BROKEN, BUSY, CANCELED, FAILED, USAGE};

/// The hint for state that a newer version wrote.
const UPDATE: &str =
    "install that version on this machine; `tinyci version` shows the one that is installed";

/// One sentence for standard error, an optional hint, and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// Returns a usage error.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into(), hint: None }
    }

    /// Returns the failure of the commit, config or job that the command was about.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into(), hint: None }
    }

    /// Returns the failure of tinyci itself to do its work.
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Self { code: BROKEN, message: message.into(), hint: None }
    }

    /// Adds a hint: a command that fixes it.
    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Returns true if an argument or a setting is wrong.
    pub(crate) fn is_usage_error(&self) -> bool {
        self.code == USAGE
    }

    /// Returns the sentence without the hint.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn code(&self) -> u8 {
        self.code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tinyci: {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "\nhint: {hint}"),
            None => Ok(()),
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let code = match error.kind() {
            ErrorKind::InvalidArg | ErrorKind::NotFound => USAGE,
            ErrorKind::Busy => BUSY,
            ErrorKind::Canceled => CANCELED,
            _ => BROKEN,
        };
        let failure = Self { code, message: error.report(), hint: None };
        match error.kind() {
            ErrorKind::NotARepo => {
                failure.hint("`tinyci -D DIR` uses the repository in another directory")
            }
            ErrorKind::NewerFormat => failure.hint(UPDATE),
            _ => failure,
        }
    }
}

/// Returns the exit code of an outcome of the library.
pub(crate) fn exit_code(code: i32) -> u8 {
    u8::try_from(code).unwrap_or(BROKEN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_error_has_the_documented_code() {
        let code = |kind| Failure::from(Error::new(kind, "it did not work")).code();
        assert_eq!(code(ErrorKind::NotFound), 2);
        assert_eq!(code(ErrorKind::InvalidArg), 2);
        assert_eq!(code(ErrorKind::Busy), 3);
        assert_eq!(code(ErrorKind::Canceled), 130);
        for kind in [ErrorKind::Git, ErrorKind::Io, ErrorKind::NotARepo, ErrorKind::Unsupported] {
            assert_eq!(code(kind), 4, "{kind:?}");
        }
    }

    #[test]
    fn a_failure_is_one_line_and_a_hint() {
        let failure = Failure::from(Error::new(ErrorKind::NotARepo, "not a git repository: `/x`"));
        let text = failure.to_string();
        let expected = "tinyci: not a git repository: `/x`\nhint: `tinyci -D DIR` uses the repository in another directory";
        assert_eq!(text, expected);
    }
}
