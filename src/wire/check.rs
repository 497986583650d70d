//! A [`CheckReport`] as JSON.

use serde::Serialize;

use super::version::VERSION;
use crate::{
    model::check_report::{CheckReport, Problem},
    wire::record::json,
};

impl CheckReport {
    /// As one line of JSON, which `tinyci check --json` prints: each of `problems` has a `severity`,
    /// `error` or `warning`. Excerpts are for people, and left out.
    pub fn to_json(&self) -> String {
        json(&ReportMirror {
            v: VERSION,
            file: &self.file,
            valid: self.is_valid(),
            problems: self.problems.iter().map(ProblemMirror::of).collect(),
        })
    }
}

#[derive(Serialize)]
struct ReportMirror<'a> {
    v: u32,
    file: &'a str,
    valid: bool,
    problems: Vec<ProblemMirror<'a>>,
}

#[derive(Serialize)]
struct ProblemMirror<'a> {
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    message: &'a str,
}

impl<'a> ProblemMirror<'a> {
    fn of(problem: &'a Problem) -> Self {
        Self {
            severity: problem.severity.as_str(),
            file: problem.file.as_deref(),
            line: problem.position.map(|at| at.line),
            column: problem.position.map(|at| at.column),
            message: &problem.message,
        }
    }
}
