//! What tests of a pipeline came to: [`TestReport`].

use std::{path::PathBuf, time::Duration};

use super::error::{Error, Position};

/// Which tests to run, and what to find out.
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
    /// Where the pipeline and its tests stand.
    pub source: TestSource,
    /// Only tests whose names hold one of these; all where there is none.
    pub filters: Vec<String>,
    /// Finds out which lines of the pipeline neither a test nor the plan of the commit enters.
    pub coverage: bool,
}

/// Where a pipeline and its tests stand.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum TestSource {
    /// In a commit, by its revision.
    Revision(String),
    /// In a folder, while they are edited. The plan that counts for its coverage is that of `HEAD`
    /// by the folder's pipeline, where there is a commit.
    Directory(PathBuf),
}

impl TestOptions {
    /// All tests of a commit, without coverage.
    pub fn revision(revision: impl Into<String>) -> Self {
        Self::of(TestSource::Revision(revision.into()))
    }

    /// All tests of a folder, without coverage. A relative path is made absolute here.
    pub fn directory(folder: impl Into<PathBuf>) -> Self {
        let folder = folder.into();
        // Without a current directory it stays what it is, and the tests say that they cannot be
        // found.
        Self::of(TestSource::Directory(std::path::absolute(&folder).unwrap_or(folder)))
    }

    fn of(source: TestSource) -> Self {
        Self { source, filters: Vec::new(), coverage: false }
    }

    /// Only tests whose names hold this text, or that of another filter.
    #[must_use]
    pub fn filter(mut self, part: impl Into<String>) -> Self {
        self.filters.push(part.into());
        self
    }

    /// Finds out which lines are never entered.
    #[must_use]
    pub fn coverage(mut self, coverage: bool) -> Self {
        self.coverage = coverage;
        self
    }
}

/// What tests of a pipeline came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct TestReport {
    /// Each test that was run, in the order of the file.
    pub tests: Vec<TestResult>,
    /// How many tests the filters left out.
    pub filtered_out: usize,
    /// Which lines were entered, where that was asked for.
    pub coverage: Option<Coverage>,
}

impl TestReport {
    /// Whether every test passed that was run.
    pub fn passed(&self) -> bool {
        self.tests.iter().all(TestResult::passed)
    }
}

/// What one test came to.
#[derive(Debug)]
#[non_exhaustive]
pub struct TestResult {
    /// The name of its function.
    pub name: String,
    /// Where that begins.
    pub position: Position,
    /// Why it failed; none where it passed.
    pub failure: Option<Error>,
    /// How long it took.
    pub duration: Duration,
}

impl TestResult {
    /// Whether it passed.
    pub fn passed(&self) -> bool {
        self.failure.is_none()
    }
}

/// Which lines of a pipeline were entered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Coverage {
    /// The pipeline, then the modules that it imports.
    pub files: Vec<FileCoverage>,
}

/// Which lines of one file were entered. Only lines count on which a statement of a function
/// begins.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FileCoverage {
    /// Its path.
    pub file: String,
    /// How many lines count.
    pub lines: usize,
    /// How many of them were entered.
    pub covered: usize,
    /// Those that were not, in their order.
    pub uncovered: Vec<UncoveredLines>,
}

impl FileCoverage {
    /// The entered lines in percent, rounded down, so that 100 means all.
    ///
    /// A file without a line that counts is entered as far as it can be.
    pub fn percent(&self) -> usize {
        (self.covered * 100).checked_div(self.lines).unwrap_or(100)
    }
}

/// Lines that were never entered, with none between them that was.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UncoveredLines {
    /// The first, from 1.
    pub first: usize,
    /// The last.
    pub last: usize,
    /// Their text.
    pub source: String,
}
