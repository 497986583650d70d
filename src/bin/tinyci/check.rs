//! `tinyci check`: whether a config is valid, and where not.

use std::{
    fs,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tinyci::{Error, ErrorKind as TinyciErrorKind, Format, Pipeline, Position, Vars};

use crate::{
    args::Globals,
    failure::{FAILED, Failure, OK},
    terminal::{Stdout, printable},
};

const EXAMPLES: &str = "\
Examples:
  tinyci check                      .tinyci.yml, before it is committed
  tinyci check --commit main        as it stands in a commit
  generate-config | tinyci check -  from standard input";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The config, or - for standard input [default: .tinyci.yml]
    #[arg(value_name = "FILE", conflicts_with = "commit")]
    file: Option<PathBuf>,
    /// Check the config of this commit
    #[arg(short, long, value_name = "REV")]
    commit: Option<String>,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &CheckArgs, globals: &Globals) -> Result<u8, Failure> {
    let report = match &args.commit {
        Some(revision) => {
            let name = format!("{revision}:{}", Format::Yaml.file_name());
            Report::new(name, globals.engine()?.pipeline(revision))?
        }
        None => {
            let (name, text) = read(args.file.as_deref(), globals)?;
            let pipeline = Pipeline::parse(&text, Format::Yaml, &name);
            Report::new(name, pipeline)?.with_excerpts(&String::from_utf8_lossy(&text))
        }
    };
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(report.to_json()?);
    } else if !report.valid {
        report.problems.iter().for_each(|problem| stdout.line(problem.show(&report.file)));
    } else if !globals.is_quiet() {
        stdout.line(format_args!("{} is valid", report.file));
    }
    stdout.finish()?;
    Ok(if report.valid { OK } else { FAILED })
}

/// The config's name and its bytes.
fn read(file: Option<&Path>, globals: &Globals) -> Result<(String, Vec<u8>), Failure> {
    if file == Some(Path::new("-")) {
        let mut text = Vec::new();
        let read = io::stdin().read_to_end(&mut text);
        read.map_err(|error| Failure::broken(format!("cannot read standard input: {error}")))?;
        return Ok(("<stdin>".to_owned(), text));
    }
    let here = || match &globals.dir {
        Some(dir) => dir.join(Format::Yaml.file_name()),
        None => PathBuf::from(Format::Yaml.file_name()),
    };
    let path = file.map_or_else(here, Path::to_path_buf);
    let name = path.display().to_string();
    match fs::read(&path) {
        Ok(text) => Ok((name, text)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Failure::usage(format!("there is no `{name}`"))
                .hint("`tinyci check FILE` reads another file, `--commit REV` a commit"))
        }
        Err(error) => Err(Failure::broken(format!("cannot read `{name}`: {error}"))),
    }
}

/// What there is to say about one config. It is also the schema of `--json`.
#[derive(Debug, Serialize)]
struct Report {
    v: u32,
    file: String,
    valid: bool,
    problems: Vec<Problem>,
}

#[derive(Debug, Serialize)]
struct Problem {
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    message: String,
    /// The line it is on.
    #[serde(skip)]
    excerpt: Option<String>,
}

impl Report {
    /// What keeps the config from being read is a failure, not a problem of the config.
    fn new(file: String, pipeline: Result<Pipeline, Error>) -> Result<Self, Failure> {
        let problems = match pipeline {
            // What has no effect is forgiven in a run and not here.
            Ok(pipeline) => pipeline
                .check_tags(&Vars::new())
                .into_iter()
                .chain(pipeline.warnings)
                .map(|warning| Problem::new(warning.message, Some(warning.position)))
                .collect(),
            Err(error) if error.kind() == TinyciErrorKind::Config => {
                vec![Problem::new(error.message().to_owned(), error.position())]
            }
            Err(error) => return Err(error.into()),
        };
        Ok(Self { v: 1, file, valid: problems.is_empty(), problems })
    }

    fn with_excerpts(mut self, text: &str) -> Self {
        for problem in &mut self.problems {
            let line = problem.line.and_then(|line| line.checked_sub(1));
            problem.excerpt = line.and_then(|line| text.lines().nth(line)).map(str::to_owned);
        }
        self
    }

    fn to_json(&self) -> Result<String, Failure> {
        serde_json::to_string(self)
            .map_err(|error| Failure::broken(format!("cannot write the report as JSON: {error}")))
    }
}

impl Problem {
    fn new(message: String, position: Option<Position>) -> Self {
        let (line, column) = (position.map(|at| at.line), position.map(|at| at.column));
        Self { line, column, message, excerpt: None }
    }

    /// `file:line:column: message`, the line, and a caret under the column.
    fn show(&self, file: &str) -> String {
        let mut text = file.to_owned();
        for number in self.line.into_iter().chain(self.column) {
            text.push_str(&format!(":{number}"));
        }
        text.push_str(&format!(": {}", self.message));
        if let (Some(line), Some(column)) = (&self.excerpt, self.column) {
            let line = printable(line);
            let before = line.chars().take(column.saturating_sub(1));
            // A tab stays a tab, so that the caret stands where the eye sees the column.
            let space: String =
                before.map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
            text.push_str(&format!("\n{line}\n{space}^"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_points_at_its_column() {
        let problem = Problem::new("no such key".to_owned(), Some(Position::new(2, 3)));
        let report = Report { v: 1, file: "f".to_owned(), valid: false, problems: vec![problem] };
        let report = report.with_excerpts("build: x\n\té: \u{7}y\n");
        let shown: Vec<_> = report.problems.iter().map(|problem| problem.show("f")).collect();
        assert_eq!(shown, ["f:2:3: no such key\n\té: \u{fffd}y\n\t ^"]);
    }
}
