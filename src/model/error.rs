//! One opaque error: what kind, where, and why.

use std::{
    error::Error as StdError,
    fmt,
    path::{Path, PathBuf},
};

use crate::util::suggestion::hinted;

/// What went wrong, for programs. One to one with the statuses of the C ABI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// An argument is not usable: a bad glob, an empty name, a malformed hook line.
    InvalidArg,
    /// A revision, ref, build or file that was named does not exist.
    NotFound,
    /// The path is not a git repository, or not one that can be read.
    NotARepo,
    /// A pipeline config is not valid.
    Config,
    /// A pipeline script is not valid, or failed.
    Script,
    /// A `<%= … %>` tag cannot be filled in.
    Interpolate,
    /// git's own data could not be read or written.
    Git,
    /// The file system refused.
    Io,
    /// A command could not be started.
    Spawn,
    /// A child's exit status was taken by somebody else in this process.
    ChildLost,
    /// The work was canceled before it could begin.
    Canceled,
    /// The embedding program refused a request, or did not answer it: the step fails.
    HostAbort,
    /// The embedding program could not answer a request, because it failed itself: there is no
    /// verdict.
    HostFault,
    /// Another process or thread is at work in this repository, or a deployment was interrupted in the
    /// middle and nobody has looked since.
    Busy,
    /// Something that tinyci does not do: named, with the setting that asks for it.
    Unsupported,
    /// A newer version of tinyci wrote the repository's state, or what was read, in a form that this
    /// version must not read or change; the message says which version it needs.
    NewerFormat,
    /// A handle was used in another process than the one that made it.
    WrongProcess,
    /// The embedding program's code panicked, or tinyci's did.
    Panic,
}

/// A place in a text, counted from 1 in lines and characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct Position {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
}

impl Position {
    /// A place in a text, both counted from 1.
    pub fn new(line: usize, column: usize) -> Self {
        Self { line, column }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Why tinyci could not work.
///
/// Its text is one sentence without a final stop that names the path or revision it met;
/// [`source`](StdError::source) tells the cause. A failing build is not an error but an
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
    /// An error of this kind with this text.
    ///
    /// Hooks and executors of an embedding program use it to fail a step, and to say that there is
    /// no verdict because the program itself failed:
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

    /// The same error with the file or repository that it met.
    #[must_use]
    pub fn with_path(mut self, path: impl Into<PathBuf>) -> Self {
        self.inner.path = Some(path.into());
        self
    }

    /// The same error with the place in the text that it met.
    #[must_use]
    pub fn with_position(mut self, position: Position) -> Self {
        self.inner.position = Some(position);
        self
    }

    /// The same error with the lines that show its place to a person.
    pub(crate) fn with_excerpt(mut self, excerpt: String) -> Self {
        self.inner.excerpt = Some(excerpt);
        self
    }

    /// The same error with a hint: a command that helps, in backticks, and what it does.
    #[must_use]
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.inner.hint = Some(hint.into());
        self
    }

    /// The same error with the number that the host gave to the request that it failed.
    #[cfg(feature = "capi")]
    pub(crate) fn with_host_code(mut self, code: i32) -> Self {
        self.inner.host_code = code;
        self
    }

    /// That number; 0 where there is none.
    #[cfg(feature = "capi")]
    pub(crate) fn host_code(&self) -> i32 {
        self.inner.host_code
    }

    /// The same error with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.inner.source = Some(source.into());
        self
    }

    /// An error of the file system at this path.
    pub(crate) fn io(what: &str, path: &Path, source: std::io::Error) -> Self {
        Self::new(ErrorKind::Io, format!("cannot {what} `{}`", path.display()))
            .with_path(path)
            .with_source(source)
    }

    /// The same error in other words, which hold its causes and its hint.
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

    /// Whether the embedding program failed where it was asked: no fault of the commit's.
    pub(crate) fn is_host_fault(&self) -> bool {
        matches!(self.kind(), ErrorKind::HostFault | ErrorKind::Panic)
    }

    /// An error about a path that could not be made absolute.
    pub(crate) fn nowhere(kind: ErrorKind, path: &Path) -> Self {
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

    /// What went wrong, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.inner.kind
    }

    /// The sentence alone, without place or causes.
    pub fn message(&self) -> &str {
        &self.inner.message
    }

    /// The file or repository that the error met.
    pub fn path(&self) -> Option<&Path> {
        self.inner.path.as_deref()
    }

    /// The place in a config, script or template that the error met.
    pub fn position(&self) -> Option<Position> {
        self.inner.position
    }

    /// The place of an error in a script, as lines for a person: file, line and column, the line
    /// itself with a caret under the column, and what called it.
    pub fn excerpt(&self) -> Option<&str> {
        self.inner.excerpt.as_deref()
    }

    /// The sentence and its causes, joined by `: `, for a log or a terminal. An error in a script
    /// comes with its [`excerpt`](Error::excerpt) on the lines below the sentence. If a command
    /// helps, the last line names it and begins with `hint: `.
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

/// `path:line:column: `, as far as it is known. A path without a position stands in the sentence.
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
