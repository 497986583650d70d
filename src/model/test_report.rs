//! [`TestReport`]: the results of pipeline tests.

use std::{path::PathBuf, time::Duration};

use super::error::{Error, Position};

/// The tests to run, and their options.
///
/// ```
/// use tinyci::script::TestOptions;
/// let edited = TestOptions::directory(".").filter("deploy");
/// let committed = TestOptions::revision("main").coverage(true);
/// # let _ = (edited, committed);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TestOptions {
    /// The commit or directory with the pipeline and its tests.
    pub source: TestSource,
    /// Runs only tests whose names contain one of these strings. If empty, all tests.
    pub filters: Vec<String>,
    /// True to find the lines of the pipeline that neither a test nor the commit's plan executes.
    pub coverage: bool,
}

/// The place of a pipeline and its tests.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TestSource {
    /// A commit, in any of git's revision syntax.
    Revision(String),
    /// A directory with files that are being edited. For coverage, the plan of `HEAD` with this
    /// pipeline also counts, if there is a commit.
    Directory(PathBuf),
}

impl TestOptions {
    /// Runs all tests of a commit, without coverage.
    pub fn revision(revision: impl Into<String>) -> Self {
        Self::of(TestSource::Revision(revision.into()))
    }

    /// Runs all tests of a directory, without coverage. Makes a relative path absolute.
    pub fn directory(dir: impl Into<PathBuf>) -> Self {
        let dir = dir.into();
        // If there is no current directory, the path stays relative. The tests then fail with a
        // clear error.
        Self::of(TestSource::Directory(std::path::absolute(&dir).unwrap_or(dir)))
    }

    fn of(source: TestSource) -> Self {
        Self { source, filters: Vec::new(), coverage: false }
    }

    /// Adds a filter: only tests whose names contain a filter run.
    #[must_use]
    pub fn filter(mut self, part: impl Into<String>) -> Self {
        self.filters.push(part.into());
        self
    }

    /// Finds lines that are never executed.
    #[must_use]
    pub fn coverage(mut self, coverage: bool) -> Self {
        self.coverage = coverage;
        self
    }
}

/// The results of pipeline tests.
#[derive(Debug)]
#[non_exhaustive]
pub struct TestReport {
    /// The result of each test that ran, in the order of the file.
    pub tests: Vec<TestResult>,
    /// The number of tests that the filters excluded.
    pub filtered_out: usize,
    /// The coverage, if requested.
    pub coverage: Option<Coverage>,
}

impl TestReport {
    /// Returns true if all tests that ran passed.
    pub fn passed(&self) -> bool {
        self.tests.iter().all(TestResult::passed)
    }
}

/// The result of one test.
#[derive(Debug)]
#[non_exhaustive]
pub struct TestResult {
    /// The name of the test function.
    pub name: String,
    /// The position of that function.
    pub position: Position,
    /// The failure. `None` if the test passed.
    pub failure: Option<Error>,
    /// The duration.
    pub duration: Duration,
}

impl TestResult {
    /// Returns true if it passed.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// The lines of a pipeline that were executed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// The pipeline, then the modules that it imports.
    pub files: Vec<FileCoverage>,
}

/// The lines of one file that were executed. Only the first line of each statement in a function
/// counts.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileCoverage {
    /// The path.
    pub file: String,
    /// The number of lines that count.
    pub lines: usize,
    /// The number of these lines that were executed.
    pub covered: usize,
    /// The lines that were not executed, in order.
    pub uncovered: Vec<UncoveredLines>,
}

impl FileCoverage {
    /// Returns the executed lines in percent, rounded down, so that 100 means all.
    ///
    /// A file without lines that count has 100 percent.
    pub fn percent(&self) -> usize {
        (self.covered * 100).checked_div(self.lines).unwrap_or(100)
    }
}

/// A block of lines that were never executed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UncoveredLines {
    /// The first line, from 1.
    pub first: usize,
    /// The last line.
    pub last: usize,
    /// The source of these lines.
    pub source: String,
}
