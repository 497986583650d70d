//! [`Exit`], [`Outcome`] and [`Verdict`], and the conversions between them.
//!
//! Only this file turns an exit code into an outcome and a verdict.

use std::{fmt, str::FromStr};

use super::error::{Error, ErrorKind};
use crate::util::suggestion::did_you_mean_or_list;

/// How a command ended, as an executor reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exit {
    /// The command exited with this code.
    Code(i32),
    /// A signal that tinyci did not send killed the command.
    Signal(i32),
    /// A deadline passed, and tinyci ended the command.
    TimedOut,
    /// The run was canceled, and tinyci ended the command.
    Canceled,
}

impl Exit {
    /// Returns the outcome for the step that ran the command.
    ///
    /// ```
    /// use tinyci::{Outcome, executor::Exit};
    /// assert_eq!(Exit::Code(0).outcome(), Outcome::Success);
    /// assert_eq!(Exit::Signal(9).outcome(), Outcome::Failure);
    /// ```
    pub fn outcome(self) -> Outcome {
        match self {
            Exit::Code(0) => Outcome::Success,
            Exit::Code(_) | Exit::Signal(_) => Outcome::Failure,
            Exit::TimedOut => Outcome::TimedOut,
            Exit::Canceled => Outcome::Canceled,
        }
    }
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Code(code) => write!(f, "failed with status {code}"),
            Exit::Signal(signal) => write!(f, "was killed by signal {signal}"),
            Exit::TimedOut => f.write_str("timed out"),
            Exit::Canceled => f.write_str("was canceled"),
        }
    }
}

/// The outcome of a commit, or of one of its steps.
///
/// A failed build is an outcome, not an error. Use [`Outcome::passed`] to test for green.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// All required steps succeeded.
    Success,
    /// A command of the commit failed, or its config is invalid.
    Failure,
    /// A time limit passed. The verdict is `failure`.
    TimedOut,
    /// The pipeline decided that there is nothing to do. A final verdict, but not green.
    Skipped,
    /// tinyci could not run the job. There is no verdict.
    Error,
    /// A person or program canceled the job. There is no verdict.
    Canceled,
}

impl Outcome {
    /// All outcomes.
    pub const ALL: [Outcome; 6] = [
        Outcome::Success,
        Outcome::Failure,
        Outcome::TimedOut,
        Outcome::Skipped,
        Outcome::Error,
        Outcome::Canceled,
    ];

    /// Returns true if this is green: the test to use before a deployment.
    pub fn passed(self) -> bool {
        self == Outcome::Success
    }

    /// Returns the verdict for the note. `None` if there is no verdict.
    pub fn verdict(self) -> Option<Verdict> {
        match self {
            Outcome::Success => Some(Verdict::Success),
            Outcome::Failure | Outcome::TimedOut => Some(Verdict::Failure),
            Outcome::Skipped => Some(Verdict::Skipped),
            Outcome::Error | Outcome::Canceled => None,
        }
    }

    /// Returns the process exit code for this outcome: 0, 1, 4 or 130.
    pub fn exit_code(self) -> i32 {
        match self {
            Outcome::Success | Outcome::Skipped => 0,
            Outcome::Failure | Outcome::TimedOut => 1,
            Outcome::Error => 4,
            Outcome::Canceled => 130,
        }
    }

    /// Returns the severity. The most severe outcome in a step is the step's outcome.
    pub(crate) fn rank(self) -> u8 {
        match self {
            Outcome::Success => 0,
            Outcome::Skipped => 1,
            Outcome::Failure => 2,
            Outcome::TimedOut => 3,
            Outcome::Error => 4,
            Outcome::Canceled => 5,
        }
    }

    /// Returns the name used in JSON and in tables: `success`, `failure`, `timed_out`, `skipped`,
    /// `error` or `canceled`.
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Success => "success",
            Outcome::Failure => "failure",
            Outcome::TimedOut => "timed_out",
            Outcome::Skipped => "skipped",
            Outcome::Error => "error",
            Outcome::Canceled => "canceled",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Outcome {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let known = Outcome::ALL.into_iter().find(|outcome| outcome.name() == text);
        known.ok_or_else(|| {
            let hint = did_you_mean_or_list(text, &Outcome::ALL.map(Outcome::name));
            Error::new(ErrorKind::InvalidArg, format!("unknown outcome `{text}`{hint}"))
        })
    }
}

/// The word in a verdict note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verdict {
    /// `success`
    Success,
    /// `failure`
    Failure,
    /// `skipped`
    Skipped,
}

impl Verdict {
    /// Returns the word.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Success => "success",
            Verdict::Failure => "failure",
            Verdict::Skipped => "skipped",
        }
    }

    /// Parses the contents of a note, ignoring white space around it.
    ///
    /// Returns `None` for another word. Such a note still settles the commit, since its author
    /// wrote it deliberately, but it is never green.
    pub fn from_note(note: &[u8]) -> Option<Verdict> {
        match note.trim_ascii() {
            b"success" => Some(Verdict::Success),
            b"failure" => Some(Verdict::Failure),
            b"skipped" => Some(Verdict::Skipped),
            _ => None,
        }
    }

    /// Returns the outcome for this word.
    pub fn outcome(self) -> Outcome {
        match self {
            Verdict::Success => Outcome::Success,
            Verdict::Failure => Outcome::Failure,
            Verdict::Skipped => Outcome::Skipped,
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.name().parse::<Outcome>().ok(), Some(outcome));
        }
        let error = |word: &str| word.parse::<Outcome>().unwrap_err().to_string();
        assert!(error("sucess").ends_with("; did you mean `success`?"), "{}", error("sucess"));
        assert!(error("green").ends_with("skipped, error, canceled)"), "{}", error("green"));
    }

    #[test]
    fn only_success_passes_and_words_round_trip() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.passed(), outcome == Outcome::Success);
            if let Some(verdict) = outcome.verdict() {
                assert_eq!(Verdict::from_note(verdict.as_str().as_bytes()), Some(verdict));
                assert_eq!(verdict.outcome().exit_code(), outcome.exit_code());
            }
        }
        assert_eq!(Verdict::from_note(b" success\n"), Some(Verdict::Success));
        assert_eq!(Verdict::from_note(b"success failure"), None);
    }
}
