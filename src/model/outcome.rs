//! How a command ended ([`Exit`]) and what tinyci makes of it ([`Outcome`]).
//!
//! This file alone judges: nowhere else does an exit code become a verdict.

use std::{fmt, str::FromStr};

use super::error::{Error, ErrorKind};
use crate::util::suggestion::did_you_mean_or_list;

/// How a command ended, as an executor reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Exit {
    /// The command ended by itself with this status.
    Code(i32),
    /// The command was ended by this signal, which tinyci did not send.
    Signal(i32),
    /// A deadline passed and tinyci ended the command.
    TimedOut,
    /// A cancel was raised and tinyci ended the command.
    Canceled,
}

impl Exit {
    /// What this exit means for the step that ran the command.
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

/// What became of a commit, or of one step of it.
///
/// A red build is an outcome, not an error. [`Outcome::passed`] is the one test for green.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Everything that had to pass did.
    Success,
    /// A command of the commit failed, or its config is not valid.
    Failure,
    /// A time limit passed. Recorded as a failure.
    TimedOut,
    /// The pipeline said that there is nothing to do. Settled, but never green.
    Skipped,
    /// The machinery failed, not the commit. Nothing is settled.
    Error,
    /// Somebody canceled the run. Nothing is settled.
    Canceled,
}

impl Outcome {
    /// Every outcome there is.
    pub const ALL: [Outcome; 6] = [
        Outcome::Success,
        Outcome::Failure,
        Outcome::TimedOut,
        Outcome::Skipped,
        Outcome::Error,
        Outcome::Canceled,
    ];

    /// Whether this is green: the one test that a promotion may rest on.
    pub fn passed(self) -> bool {
        self == Outcome::Success
    }

    /// The word that the note holds, or `None` where nothing is settled.
    pub fn verdict(self) -> Option<Verdict> {
        match self {
            Outcome::Success => Some(Verdict::Success),
            Outcome::Failure | Outcome::TimedOut => Some(Verdict::Failure),
            Outcome::Skipped => Some(Verdict::Skipped),
            Outcome::Error | Outcome::Canceled => None,
        }
    }

    /// The process exit code that stands for this outcome: 0, 1, 4 or 130.
    pub fn exit_code(self) -> i32 {
        match self {
            Outcome::Success | Outcome::Skipped => 0,
            Outcome::Failure | Outcome::TimedOut => 1,
            Outcome::Error => 4,
            Outcome::Canceled => 130,
        }
    }

    /// How grave this is: of all that happened in one step the gravest counts.
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

    /// The name used in JSON and in tables: `success`, `failure`, `timed_out`, `skipped`,
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

/// The one word that a verdict note holds.
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
    /// The word itself.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Success => "success",
            Verdict::Failure => "failure",
            Verdict::Skipped => "skipped",
        }
    }

    /// Reads the word from the text of a note.
    ///
    /// White space around it is ignored. `None` is no word of ours: such a note settles the
    /// commit all the same (its author meant something by it), but it is never green.
    pub fn from_note(note: &[u8]) -> Option<Verdict> {
        match note.trim_ascii() {
            b"success" => Some(Verdict::Success),
            b"failure" => Some(Verdict::Failure),
            b"skipped" => Some(Verdict::Skipped),
            _ => None,
        }
    }

    /// The outcome that this word stands for.
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
