//! [`Error`]: the only error type, with a kind, a position and causes.

use std::{
    error::Error as StdError,
    fmt,
    path::{Path, PathBuf},
};

use crate::util::suggestion::hinted;

/// The kind of an error, for programs. Each kind corresponds to one code of the C ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An invalid argument, such as a bad glob, an empty name or a malformed hook line.
    InvalidArg,
    /// A named revision, ref, build or file does not exist.
    NotFound,
    /// The path is not a git repository, or the repository cannot be read.
    NotARepo,
    /// A pipeline config is invalid.
    Config,
    /// A pipeline script is invalid, or failed.
    Script,
    /// A placeholder `<%= … %>` cannot be filled in.
    Interpolate,
    /// git's data could not be read or written.
    Git,
    /// A file system operation failed.
    Io,
    /// A command could not be started.
    Spawn,
    /// Other code in this process took the exit status of a child process.
    ChildLost,
    /// The work was canceled before it started.
    Canceled,
    /// The embedding program refused a request or did not answer it. The step fails.
    HostAbort,
    /// The embedding program could not answer a request because it failed itself. There is no
    /// verdict.
    HostFault,
    /// Another process or thread is working in this repository. Or a deployment was interrupted,
    /// and a person must check the environment first.
    Busy,
    /// tinyci does not support this. The message names the setting that asks for it.
    Unsupported,
    /// A newer version of tinyci wrote this data in a format that this version must not read or
    /// change. The message names the version needed.
    NewerFormat,
    /// A handle was used in another process than the one that made it.
    WrongProcess,
    /// The embedding program or tinyci panicked.
    Panic,
}

/// A position in a text. Lines and characters count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// Creates a position; both numbers count from 1.
    pub fn new(line: usize, column: usize) -> Self {
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The reason why tinyci could not do its work.
///
/// The text is one sentence without a final period, and names the path or revision involved.
/// [`source`](StdError::source) returns the cause. A failed build is not an error but an
/// [`Outcome`](crate::Outcome).
#[derive(thiserror::Error)]
#[error(transparent)]
pub struct Error {
    inner: Box<Inner>,
}

#[derive(Debug, thiserror::Error)]
#[error("{}{message}", place(.path.as_deref(), *.position))]
struct Inner {
    kind: ErrorKind,
    message: String,
    path: Option<PathBuf>,
    position: Option<Position>,
    excerpt: Option<String>,
    hint: Option<String>,
    is_of_commit: bool,
    #[cfg(feature = "capi")]
    host_code: i32,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// Creates an error.
    ///
    /// Callbacks and executors of your program return errors. A refusal fails the step; a fault of
    /// your program leaves the commit without a verdict:
    ///
    /// ```
    /// use tinyci::{Error, ErrorKind};
    /// let refusal = Error::new(ErrorKind::HostAbort, "no release is planned today");
    /// let fault = Error::new(ErrorKind::HostFault, "the calendar does not answer");
    /// assert!(refusal.kind() != fault.kind());
    /// ```
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        let message = message.into();
        let (path, position, excerpt, hint, source) = (None, None, None, None, None);
        Self {
            inner: Box::new(Inner {
                kind,
                message,
                path,
                position,
                excerpt,
                hint,
                is_of_commit: false,
                #[cfg(feature = "capi")]
                host_code: 0,
                source,
            }),
        }
    }

    /// Sets the path of the file or repository involved.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.inner.path = Some(path.into());
        self
    }

    /// Sets the position in the text.
    #[must_use]
    pub fn with_position(mut self, position: Position) -> Self {
        self.inner.position = Some(position);
        self
    }

    /// Sets the source lines around the position, for people.
    pub(crate) fn with_excerpt(mut self, excerpt: String) -> Self {
        self.inner.excerpt = Some(excerpt);
        self
    }

    /// Sets a hint: a command that helps, in backticks, and what it does.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// Sets the number that the host gave when it failed the request.
    #[cfg(feature = "capi")]
    pub(crate) fn with_host_code(mut self, code: i32) -> Self {
        self.inner.host_code = code;
        self
    }

    /// Returns the host's number, or 0 if there is none.
    #[cfg(feature = "capi")]
    pub(crate) fn host_code(&self) -> i32 {
        self.inner.host_code
    }

    /// Sets the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// Creates an error of the file system at this path.
    pub(crate) fn io(what: &str, path: &Path, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("cannot {what} `{}`", path.display()))
            .with_path(path)
            .with_source(source)
    }

    /// Replaces the message with one that already includes the causes and the hint.
    pub(crate) fn with_message(mut self, message: String) -> Self {
        self.inner.message = message;
        self.inner.hint = None;
        self.inner.source = None;
        self
    }

    /// The same error as one that the commit's own contents cause, here and in every other clone.
    #[must_use]
    pub(crate) fn with_commit_at_fault(mut self) -> Self {
        self.inner.is_of_commit = true;
        self
    }

    /// Whether the commit itself is at fault: its config or its tree. Then the commit fails. Any other
    /// error leaves it without a verdict.
    pub(crate) fn is_fault_of_commit(&self) -> bool {
        let of_config = [ErrorKind::Config, ErrorKind::Interpolate, ErrorKind::Script];
        self.inner.is_of_commit || of_config.contains(&self.kind())
    }

    /// Returns true if the embedding program itself failed, so that the commit is not to blame.
    pub(crate) fn is_host_fault(&self) -> bool {
        matches!(self.kind(), ErrorKind::HostFault | ErrorKind::Panic)
    }

    /// Creates an error about a path that could not be made absolute.
    pub(crate) fn unresolved_path(kind: ErrorKind, path: &Path) -> Self {
        let shown = path.display();
        let message = match path.as_os_str().is_empty() {
            true => "the path is empty".to_owned(),
            false => format!(
                "cannot resolve `{shown}`: the current directory is missing or unreadable; use an \
                 absolute path"
            ),
        };
        Self::new(kind, message).with_path(path)
    }

    /// Returns the kind of the error.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// Returns the sentence alone, without position or causes.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// Returns the path of the file or repository involved.
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// Returns the position in a config, script or template.
    pub fn position(&self) -> Option<Position> {
        self.inner.position
    }

    /// Returns the source lines of an error in a script, for people. They show file, line and
    /// column, the line with a caret below the column, and the callers.
    pub fn excerpt(&self) -> Option<&str> {
        self.inner.excerpt.as_deref()
    }

    /// Returns the sentence and its causes, joined by `: `, for a log or a terminal. For an error
    /// in a script, the [`excerpt`](Error::excerpt) follows on separate lines. If a command helps,
    /// the last line begins with `hint: ` and names it.
    pub fn report(&self) -> String {
        let text = self.sentence_and_causes();
        self.inner.hint.as_ref().map_or_else(|| text.clone(), |hint| hinted(&text, hint))
    }

    fn sentence_and_causes(&self) -> String {
        if let Some(excerpt) = &self.inner.excerpt {
            return format!("{}\n{excerpt}", self.inner.message);
        }
        let mut text = self.to_string();
        let mut cause = StdError::source(self);
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        text
    }
}

/// Returns `path:line:column: `, with the parts that are known. A path without a position is
/// already part of the sentence.
fn place(path: Option<&Path>, position: Option<Position>) -> String {
    match (path, position) {
        (Some(path), Some(position)) => format!("{}:{position}: ", path.display()),
        (None, Some(position)) => format!("{position}: "),
        _ => String::new(),
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.inner.kind)
            .field("message", &self.inner.message)
            .field("path", &self.inner.path)
            .field("position", &self.inner.position)
            .field("hint", &self.inner.hint)
            .field("source", &self.inner.source)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_names_place_and_causes() {
        let cause = std::io::Error::other("disk on fire");
        let error = Error::new(ErrorKind::Config, "expected a command")
            .with_path(".tinyci.yml")
            .with_position(Position::new(3, 5))
            .with_source(cause);
        assert_eq!(error.to_string(), ".tinyci.yml:3:5: expected a command");
        assert_eq!(error.report(), ".tinyci.yml:3:5: expected a command: disk on fire");
        assert_eq!(error.message(), "expected a command");
    }

    #[test]
    fn a_hint_is_the_last_line_of_the_report_alone() {
        let error = Error::new(ErrorKind::NotFound, "no remote `origin` in `/r`")
            .with_hint("`git remote add origin URL`")
            .with_source(std::io::Error::other("not listed"));
        let report = "no remote `origin` in `/r`: not listed\nhint: `git remote add origin URL`";
        assert_eq!(error.report(), report);
        assert_eq!(error.to_string(), "no remote `origin` in `/r`");
        let other = error.with_message("nothing was fetched".to_owned());
        assert_eq!(other.report(), "nothing was fetched");
    }
}
