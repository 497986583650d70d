//! [`Failure`]: why a command could not do its work, and the exit code that says so.

use std::fmt;

use tinyci::{Error, ErrorKind};

/// The exit codes, for `--help`.
pub(crate) const EXIT_CODES: &str = "\
Exit codes:
  0    every commit passed, was skipped, or there was nothing to do
  1    a commit failed, or a config is not valid
  2    the command line is wrong, or names a revision that does not exist
  3    another run holds the repository, and --no-wait was given
  4    a commit got no verdict, or tinyci could not do its work
  130  the run was canceled";

/// The same for what deploys.
pub(crate) const DEPLOY_EXIT_CODES: &str = "\
Exit codes:
  0    it is deployed, or --dry-run has shown what would be
  1    it failed, or somebody answered no; what was deployed before counts as deployed
  2    the command line is wrong, or the commit may not be deployed there
  3    something is being deployed there now, or was interrupted (--unlock)
  4    tinyci could not do its work
  5    it waits for an approval, and has done nothing
  130  it was canceled";

/// The same for what packs and removes builds.
pub(crate) const HOUSEKEEPING_EXIT_CODES: &str = "\
Exit codes:
  0    it is done, or there was nothing to do
  2    the command line is wrong, or nothing says what to remove
  3    another call packs or removes builds
  4    something could not be packed or removed; it is named, and the rest is done
  130  it was canceled";

/// The same for what jobs kept.
pub(crate) const ARTIFACT_EXIT_CODES: &str = "\
Exit codes:
  0    the artifacts are listed, or fetched
  2    the command line is wrong, nothing was kept by that name, or a file exists already
  4    something could not be read or written, or is not what the job kept
  130  it was canceled";

pub(crate) const OK: u8 = 0;
pub(crate) const FAILED: u8 = 1;
pub(crate) const USAGE: u8 = 2;
const BUSY: u8 = 3;
pub(crate) const BROKEN: u8 = 4;
pub(crate) const CANCELED: u8 = 130;

/// The next step where a newer version was at work.
const UPDATE: &str = "install that version on this machine; `tinyci version` shows which one runs";

/// One sentence for standard error, perhaps a next step, and an exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    code: u8,
    message: String,
    hint: Option<String>,
}

impl Failure {
    /// The command line is wrong.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { code: USAGE, message: message.into(), hint: None }
    }

    /// What was looked at is at fault.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { code: FAILED, message: message.into(), hint: None }
    }

    /// The work could not be done.
    pub(crate) fn broken(message: impl Into<String>) -> Self {
        Self { code: BROKEN, message: message.into(), hint: None }
    }

    /// The same failure with a next step.
    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    /// Whether what was said, or set, is the mistake.
    pub(crate) fn is_of_usage(&self) -> bool {
        self.code == USAGE
    }

    /// The sentence alone.
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
            ErrorKind::NotARepo => failure.hint("`-D DIR` names the repository to act on"),
            ErrorKind::NewerFormat => failure.hint(UPDATE),
            _ => failure,
        }
    }
}

/// The exit code of a library's answer, which is one of those above.
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
        let failure = Failure::from(Error::new(ErrorKind::NotARepo, "`/x` is not a repository"));
        let text = failure.to_string();
        let expected =
            "tinyci: `/x` is not a repository\nhint: `-D DIR` names the repository to act on";
        assert_eq!(text, expected);
    }
}
