//! [`CheckReport`]: the errors and warnings of one config.

use std::fmt;

use super::error::{Error, ErrorKind, Position};

/// The result of [`Engine::check`](crate::Engine::check),
/// [`Checker::check`](crate::check::Checker::check) and `tinyci check`.
///
/// ```
/// use tinyci::{Format, check::{Checker, Severity}};
///
/// let report = Checker::new(".").check("build: 5\n", Format::Yaml, "ci.yml")?;
/// assert!(!report.is_valid());
/// assert_eq!(report.problems[0].severity, Severity::Error);
/// assert_eq!(report.problems[0].position.map(|at| (at.line, at.column)), Some((1, 8)));
/// assert!(report.to_json().starts_with(r#"{"v":1,"file":"ci.yml","valid":false,"problems":["#));
/// # Ok::<(), tinyci::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The name of the config, or the revision that contains it.
    pub file: String,
    /// The errors and warnings, sorted by file and line.
    pub problems: Vec<Problem>,
}

/// One error or warning in a config.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The severity: an error or a warning.
    pub severity: Severity,
    /// The file of the problem, if it is one that the config imports.
    pub file: Option<String>,
    /// The line and column, if known.
    pub position: Option<Position>,
    /// The description in one sentence.
    pub message: String,
    /// The source lines around the position, for people, if known.
    pub excerpt: Option<String>,
}

/// The severity of a [`Problem`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Invalid: a run with this config fails or does something else than the config says.
    Error,
    /// Valid, but probably not what the author meant.
    Warning,
}

impl Severity {
    /// Returns `error` or `warning`.
    pub fn as_str(self) -> &'static str {
        match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error or warning, before it becomes a [`Problem`] of a report.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) error: Error,
}

impl Finding {
    pub(crate) fn error(error: Error) -> Self {
        Self { severity: Severity::Error, error }
    }

    pub(crate) fn warning(error: Error) -> Self {
        Self { severity: Severity::Warning, error }
    }
}

impl CheckReport {
    /// Creates a report for the config of this name. Returns the first error that is not about the
    /// config's contents but prevented reading it.
    pub(crate) fn new(file: impl Into<String>, found: Vec<Finding>) -> Result<Self, Error> {
        let file = file.into();
        let problem = |it: Finding| match it.error.kind() {
            ErrorKind::Config | ErrorKind::Script => Ok(Problem::new(&it, &file)),
            _ => Err(it.error),
        };
        let problems = found.into_iter().map(problem).collect::<Result<_, _>>()?;
        Ok(Self { file, problems })
    }

    /// Creates a report for a config of a commit. Names of imported files get the revision as a
    /// prefix.
    pub(crate) fn in_commit(
        revision: &str,
        file: &str,
        found: Vec<Finding>,
    ) -> Result<Self, Error> {
        let mut report = Self::new(file, found)?;
        for file in report.problems.iter_mut().filter_map(|problem| problem.file.as_mut()) {
            *file = format!("{revision}:{file}");
        }
        Ok(report)
    }

    /// Returns true if there are no errors. Warnings do not count.
    pub fn is_valid(&self) -> bool {
        !self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

impl Problem {
    fn new(found: &Finding, file: &str) -> Self {
        let error = &found.error;
        let path = error.path().map(|path| path.display().to_string());
        // The first line of the excerpt is the position, and the message already has that.
        let excerpt = error.excerpt().map(|it| it.lines().skip(1).collect::<Vec<_>>().join("\n"));
        Self {
            severity: found.severity,
            file: path.filter(|path| path != file),
            position: error.position(),
            message: error.message().to_owned(),
            excerpt,
        }
    }
}

/// Writes `file:line:column: message`, with the parts that are known.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{file}:")?;
        }
        match self.position {
            Some(at) => write!(f, "{at}: {}", self.message),
            None if self.file.is_some() => write!(f, " {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}
