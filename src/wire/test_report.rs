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
        let mirror = ReportMirror {
            v: VERSION,
            passed: self.passed(),
            tests: self.tests.iter().map(TestMirror::of).collect(),
            left_out: self.left_out,
            coverage: self.coverage.as_ref().map(CoverageMirror::of),
        };
        // Mirrors hold nothing that JSON cannot: texts, numbers, lists.
        serde_json::to_string(&mirror).unwrap_or_default()
    }
}

#[derive(Serialize)]
struct ReportMirror<'a> {
    v: u32,
    passed: bool,
    tests: Vec<TestMirror<'a>>,
    left_out: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    coverage: Option<CoverageMirror<'a>>,
}

#[derive(Serialize)]
struct TestMirror<'a> {
    name: &'a str,
    line: usize,
    passed: bool,
    duration_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure: Option<FailureMirror<'a>>,
}

#[derive(Serialize)]
struct FailureMirror<'a> {
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
struct CoverageMirror<'a> {
    files: Vec<FileMirror<'a>>,
}

#[derive(Serialize)]
struct FileMirror<'a> {
    file: &'a str,
    lines: usize,
    entered: usize,
    percent: usize,
    missed: Vec<MissedMirror<'a>>,
}

#[derive(Serialize)]
struct MissedMirror<'a> {
    first: usize,
    last: usize,
    source: &'a str,
}

impl<'a> TestMirror<'a> {
    fn of(test: &'a TestResult) -> Self {
        Self {
            name: &test.name,
            line: test.position.line,
            passed: test.passed(),
            duration_ms: u64::try_from(test.duration.as_millis()).unwrap_or(u64::MAX),
            failure: test.failure.as_ref().map(FailureMirror::of),
        }
    }
}

impl<'a> FailureMirror<'a> {
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

impl<'a> CoverageMirror<'a> {
    fn of(coverage: &'a Coverage) -> Self {
        Self { files: coverage.files.iter().map(FileMirror::of).collect() }
    }
}

impl<'a> FileMirror<'a> {
    fn of(file: &'a FileCoverage) -> Self {
        let missed = file.missed.iter();
        Self {
            file: &file.file,
            lines: file.lines,
            entered: file.entered,
            percent: file.percent(),
            missed: missed
                .map(|it| MissedMirror { first: it.first, last: it.last, source: &it.source })
                .collect(),
        }
    }
}
