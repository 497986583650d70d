//! A [`CheckReport`] as JSON.

use serde::Serialize;

use super::version::VERSION;
use crate::{
    model::check_report::{CheckReport, Problem},
    wire::record::json,
};

impl CheckReport {
    /// Returns one line of JSON, as `tinyci check --json` prints it. Each of `problems` has a
    /// `severity`: `error` or `warning`. Excerpts are not included, because they are for people.
    pub fn to_json(&self) -> String {
        json(&ReportJson {
            v: VERSION,
            file: &self.file,
            valid: self.is_valid(),
            problems: self.problems.iter().map(ProblemJson::of).collect(),
        })
    }
}

#[derive(Serialize)]
struct ReportJson<'a> {
    v: u32,
    file: &'a str,
    valid: bool,
    problems: Vec<ProblemJson<'a>>,
}

#[derive(Serialize)]
struct ProblemJson<'a> {
    severity: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    message: &'a str,
}

impl<'a> ProblemJson<'a> {
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
