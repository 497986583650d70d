//! Results of pipeline tests as JSON, for `test-pipeline --json`.

use serde::Serialize;

use super::version::VERSION;
use crate::model::{
    error::Error,
    test_report::{Coverage, FileCoverage, TestReport, TestResult},
};

impl TestReport {
    /// Returns one line of JSON.
    ///
    /// The keys are `v`, `passed`, `tests`, `filtered_out` and, if requested, `coverage`. A test
    /// has `name`, `line`, `passed`, `duration_ms` and, if it failed, `failure`. A failure has
    /// `message`, `file`, `line`, `column`, and as `report` the lines for people. Coverage has
    /// `files`, each with `file`, `lines`, `covered`, `percent` and `uncovered`: blocks of lines
    /// with `first`, `last` and `source`.
    pub fn to_json(&self) -> String {
        let json = ReportJson {
            v: VERSION,
            passed: self.passed(),
            tests: self.tests.iter().map(TestJson::of).collect(),
            filtered_out: self.filtered_out,
            coverage: self.coverage.as_ref().map(CoverageJson::of),
        };
        // Serialization cannot fail: the types contain only strings, numbers and arrays.
        serde_json::to_string(&json).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct ReportJson<'a> {
    v: u32,
    passed: bool,
    tests: Vec<TestJson<'a>>,
    filtered_out: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<CoverageJson<'a>>,
}

#[derive(Serialize)]
struct TestJson<'a> {
    name: &'a str,
    line: usize,
    passed: bool,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureJson<'a>>,
}

#[derive(Serialize)]
struct FailureJson<'a> {
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    report: String,
}

#[derive(Serialize)]
struct CoverageJson<'a> {
    files: Vec<FileJson<'a>>,
}

#[derive(Serialize)]
struct FileJson<'a> {
    file: &'a str,
    lines: usize,
    covered: usize,
    percent: usize,
    uncovered: Vec<UncoveredJson<'a>>,
}

#[derive(Serialize)]
struct UncoveredJson<'a> {
    first: usize,
    last: usize,
    source: &'a str,
}

impl<'a> TestJson<'a> {
    fn of(test: &'a TestResult) -> Self {
        Self {
            name: &test.name,
            line: test.position.line,
            passed: test.passed(),
            duration_ms: u64::try_from(test.duration.as_millis()).unwrap_or(u64::MAX),
            failure: test.failure.as_ref().map(FailureJson::of),
        }
    }
}

impl<'a> FailureJson<'a> {
    fn of(error: &'a Error) -> Self {
        Self {
            message: error.message(),
            file: error.path().map(|path| path.display().to_string()),
            line: error.position().map(|at| at.line),
            column: error.position().map(|at| at.column),
            report: error.report(),
        }
    }
}

impl<'a> CoverageJson<'a> {
    fn of(coverage: &'a Coverage) -> Self {
        Self { files: coverage.files.iter().map(FileJson::of).collect() }
    }
}

impl<'a> FileJson<'a> {
    fn of(file: &'a FileCoverage) -> Self {
        let uncovered = file.uncovered.iter();
        Self {
            file: &file.file,
            lines: file.lines,
            covered: file.covered,
            percent: file.percent(),
            uncovered: uncovered
                .map(|it| UncoveredJson { first: it.first, last: it.last, source: &it.source })
                .collect(),
        }
    }
}
