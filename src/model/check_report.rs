//! [`CheckReport`]: what a check of one config found, for people and programs alike.

use std::fmt;

use super::error::{Error, ErrorKind, Position};

/// What [`Engine::check`](crate::Engine::check) or
/// [`Checker::check`](crate::check::Checker::check) found, as `tinyci check`
/// tells it.
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
    /// The config's name, or the revision that holds it.
    pub file: String,
    /// Errors and warnings, in the order of the files and their lines.
    pub problems: Vec<Problem>,
}

/// One thing that was found in a config.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// Whether it is wrong, or only likely not meant.
    pub severity: Severity,
    /// The file it is in, where that is one which the config imports.
    pub file: Option<String>,
    /// Where, if it has a place.
    pub position: Option<Position>,
    /// What, in one sentence.
    pub message: String,
    /// The lines that show its place to a person, where they are known.
    pub excerpt: Option<String>,
}

/// How grave a [`Problem`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Wrong: a run of the config fails, or does not do what the config says.
    Error,
    /// Valid, and perhaps not meant.
    Warning,
}

impl Severity {
    /// `error` or `warning`.
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

/// What was found, before it has a report around it.
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
    /// A report of what was found in a config of this name. Fails with the first finding that is
    /// no problem of the config, but kept it from being read.
    pub(crate) fn new(file: impl Into<String>, found: Vec<Finding>) -> Result<Self, Error> {
        let file = file.into();
        let problem = |it: Finding| match it.error.kind() {
            ErrorKind::Config | ErrorKind::Script => Ok(Problem::new(&it, &file)),
            _ => Err(it.error),
        };
        let problems = found.into_iter().map(problem).collect::<Result<_, _>>()?;
        Ok(Self { file, problems })
    }

    /// The same where other files are those of a commit: their names say of which.
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

    /// True if nothing is wrong. Warnings do not count.
    pub fn is_valid(&self) -> bool {
        !self.problems.iter().any(|problem| problem.severity == Severity::Error)
    }
}

impl Problem {
    fn new(found: &Finding, file: &str) -> Self {
        let error = &found.error;
        let path = error.path().map(|path| path.display().to_string());
        // The place stands in front of the message already.
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

/// `file:line:column: message`, as far as it has them.
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
