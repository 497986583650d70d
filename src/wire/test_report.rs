//! What tests of a pipeline came to, as `test-pipeline --json` prints it.

use serde::Serialize;

use super::version::VERSION;
use crate::model::{
    error::Error,
    test_report::{Coverage, FileCoverage, TestReport, TestResult},
};

impl TestReport {
    /// As one line of JSON.
    ///
    /// It has `v`, `passed`, `tests`, `left_out` and, where it was asked for, `coverage`. A test has
    /// `name`, `line`, `passed`, `duration_ms` and, where it failed, `failure` with `message`,
    /// `file`, `line`, `column` and `report`, the lines for a person. Coverage has `files`, each with
    /// `file`, `lines`, `entered`, `percent` and `missed`: ranges of lines with `first`, `last` and
    /// `source`.
    pub fn to_json(&self) -> String {
        let mirror = ReportJson {
            v: VERSION,
            passed: self.passed(),
            tests: self.tests.iter().map(TestJson::of).collect(),
            filtered_out: self.filtered_out,
            coverage: self.coverage.as_ref().map(CoverageJson::of),
        };
        // Mirrors hold nothing that JSON cannot: texts, numbers, lists.
        serde_json::to_string(&mirror).unwrap_or_default()
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
    uncovered: Vec<MissedJson<'a>>,
}

#[derive(Serialize)]
struct MissedJson<'a> {
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
        let missed = file.uncovered.iter();
        Self {
            file: &file.file,
            lines: file.lines,
            covered: file.covered,
            percent: file.percent(),
            uncovered: missed
                .map(|it| MissedJson { first: it.first, last: it.last, source: &it.source })
                .collect(),
        }
    }
}
