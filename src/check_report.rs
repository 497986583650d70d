//! [`CheckReport`]: what a check of one config found, for people and programs alike.

use crate::error::{Error, ErrorKind, Position};

/// What [`Engine::check`](crate::Engine::check) or
/// [`EngineBuilder::check_config`](crate::EngineBuilder::check_config) found, as `tinyci check`
/// tells it.
///
/// ```
/// use tinyci::{CheckReport, Engine, Format};
///
/// let found = Engine::builder(".").check_config("build: 5\n", Format::Yaml, "ci.yml");
/// let report = CheckReport::new("ci.yml", found)?;
/// assert!(!report.is_valid());
/// assert_eq!(report.problems[0].position.map(|at| (at.line, at.column)), Some((1, 8)));
/// assert!(report.to_json().starts_with(r#"{"v":1,"file":"ci.yml","valid":false,"problems":["#));
/// # Ok::<(), tinyci::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckReport {
    /// The config's name, or the revision that holds it.
    pub file: String,
    /// What is wrong, in the order in which it was found.
    pub problems: Vec<Problem>,
    /// What is valid and perhaps not meant, in the same order.
    pub warnings: Vec<Problem>,
}

/// One thing that is wrong with a config.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Problem {
    /// The file it is in, where that is one which the config imports.
    pub file: Option<String>,
    /// Where, if it has a place.
    pub position: Option<Position>,
    /// What, in one sentence.
    pub message: String,
    /// The lines that show its place to a person, where they are known.
    pub excerpt: Option<String>,
}

impl CheckReport {
    /// A report of what was found in a config of this name.
    ///
    /// # Errors
    ///
    /// The first of them that is no problem of the config, but kept it from being read.
    pub fn new(file: impl Into<String>, found: Vec<Error>) -> Result<Self, Error> {
        let file = file.into();
        let problem = |error: Error| match error.kind() {
            ErrorKind::Config | ErrorKind::Script => Ok(Problem::new(&error, &file)),
            _ => Err(error),
        };
        let problems = found.into_iter().map(problem).collect::<Result<_, _>>()?;
        Ok(Self { file, problems, warnings: Vec::new() })
    }

    /// The same report with what is valid and perhaps not meant.
    #[must_use]
    pub fn with_warnings(mut self, found: &[Error]) -> Self {
        self.warnings = found.iter().map(|error| Problem::new(error, &self.file)).collect();
        self
    }

    /// The same for the config of a commit: names say in which commit the files are.
    ///
    /// # Errors
    ///
    /// As [`new`](CheckReport::new).
    pub fn of_commit(
        revision: impl Into<String>,
        found: Vec<Error>,
        warnings: &[Error],
    ) -> Result<Self, Error> {
        let mut report = Self::new(revision, found)?.with_warnings(warnings);
        let all = report.problems.iter_mut().chain(&mut report.warnings);
        for file in all.filter_map(|problem| problem.file.as_mut()) {
            *file = format!("{}:{file}", report.file);
        }
        Ok(report)
    }

    /// True if nothing is wrong. Warnings do not count.
    pub fn is_valid(&self) -> bool {
        self.problems.is_empty()
    }
}

impl Problem {
    fn new(error: &Error, file: &str) -> Self {
        let path = error.path().map(|path| path.display().to_string());
        // The place stands in front of the message already.
        let excerpt = error.excerpt().map(|it| it.lines().skip(1).collect::<Vec<_>>().join("\n"));
        Self {
            file: path.filter(|path| path != file),
            position: error.position(),
            message: error.message().to_owned(),
            excerpt,
        }
    }
}
