//! `tinyci check`: whether a config is valid, and where not.

use std::{
    fs,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use serde::Serialize;
use tinyci::{Engine, Error, ErrorKind as TinyciErrorKind, Format};

use crate::{
    args::Globals,
    failure::{FAILED, Failure, OK},
    terminal::{self, Stdout, printable},
};

const EXAMPLES: &str = "\
Examples:
  tinyci check                      .tinyci.yml or .tinyci.rhai, before it is committed
  tinyci check ci/release.rhai      any other file; `.rhai` says that it is a script
  tinyci check --commit main        as it stands in a commit
  generate-config | tinyci check -  YAML from standard input";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The config, or - for standard input [default: .tinyci.yml or .tinyci.rhai]
    ///
    /// What a script imports is read below the current folder, or DIR.
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
            let report = Report::new(revision.clone(), globals.engine()?.check(revision)?)?;
            report.of_commit(revision)
        }
        None => {
            let (name, text) = read(args.file.as_deref(), globals)?;
            warn_of_settings(globals);
            let builder = Engine::builder(globals.dir());
            let found = builder.check_config(&text, format_of(&name), &name);
            Report::new(name, found)?.with_excerpts(&String::from_utf8_lossy(&text))
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

/// Says what is odd about the settings of the repository, where the folder is in one: a config can
/// be checked anywhere.
fn warn_of_settings(globals: &Globals) {
    match globals.engine() {
        Err(failure) if failure.is_of_usage() => terminal::warn(failure.message()),
        _ => {}
    }
}

/// The language of a file. What is piped in is YAML.
pub(crate) fn format_of(name: &str) -> Format {
    let is_script = Path::new(name).extension().is_some_and(|extension| extension == "rhai");
    if is_script { Format::Rhai } else { Format::Yaml }
}

/// The config's name and its bytes.
pub(crate) fn read(file: Option<&Path>, globals: &Globals) -> Result<(String, Vec<u8>), Failure> {
    if file == Some(Path::new("-")) {
        let mut text = Vec::new();
        let read = io::stdin().read_to_end(&mut text);
        read.map_err(|error| Failure::broken(format!("cannot read standard input: {error}")))?;
        return Ok(("<stdin>".to_owned(), text));
    }
    let path = file.map_or_else(|| default_path(globals), |path| Ok(path.to_path_buf()))?;
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

/// The config that stands in the folder, of which a commit may have only one.
fn default_path(globals: &Globals) -> Result<PathBuf, Failure> {
    let path = |format: Format| match &globals.dir {
        Some(dir) => dir.join(format.file_name()),
        None => PathBuf::from(format.file_name()),
    };
    let (yaml, script) = (path(Format::Yaml), path(Format::Rhai));
    match (yaml.exists(), script.exists()) {
        (true, true) => {
            let (yaml, script) = (yaml.display(), script.display());
            let message = format!("there are `{yaml}` and `{script}`: a commit with both fails");
            Err(Failure::usage(message).hint("keep one of them, or name the one that is meant"))
        }
        (false, true) => Ok(script),
        _ => Ok(yaml),
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
    /// The file it is in, where that is one which the config imports.
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    column: Option<usize>,
    message: String,
    /// The lines that show it.
    #[serde(skip)]
    excerpt: Option<String>,
}

impl Report {
    /// What keeps the config from being read is a failure, not a problem of the config.
    fn new(file: String, found: Vec<Error>) -> Result<Self, Failure> {
        let mut problems = Vec::new();
        for error in found {
            match error.kind() {
                TinyciErrorKind::Config | TinyciErrorKind::Script => {
                    problems.push(Problem::new(&error, &file));
                }
                _ => return Err(error.into()),
            }
        }
        Ok(Self { v: 1, file, valid: problems.is_empty(), problems })
    }

    /// The same with names that say in which commit the files are.
    fn of_commit(mut self, revision: &str) -> Self {
        for file in self.problems.iter_mut().filter_map(|problem| problem.file.as_mut()) {
            *file = format!("{revision}:{file}");
        }
        self
    }

    fn with_excerpts(mut self, text: &str) -> Self {
        for problem in self.problems.iter_mut().filter(|problem| problem.excerpt.is_none()) {
            let line = problem.line.and_then(|line| line.checked_sub(1));
            let line = line.and_then(|line| text.lines().nth(line));
            problem.excerpt = line.zip(problem.column).map(|(line, column)| under(line, column));
        }
        self
    }

    fn to_json(&self) -> Result<String, Failure> {
        serde_json::to_string(self)
            .map_err(|error| Failure::broken(format!("cannot write the report as JSON: {error}")))
    }
}

impl Problem {
    fn new(error: &Error, file: &str) -> Self {
        let path = error.path().map(|path| path.display().to_string());
        let (line, column) = match error.position() {
            Some(at) => (Some(at.line), Some(at.column)),
            None => (None, None),
        };
        // The place stands in front of the message already.
        let excerpt = error.excerpt().map(|it| it.lines().skip(1).collect::<Vec<_>>().join("\n"));
        let message = error.message().to_owned();
        Self { file: path.filter(|path| path != file), line, column, message, excerpt }
    }

    /// `file:line:column: message`, the line, and a caret under the column.
    fn show(&self, file: &str) -> String {
        let mut text = self.file.as_deref().unwrap_or(file).to_owned();
        for number in self.line.into_iter().chain(self.column) {
            text.push_str(&format!(":{number}"));
        }
        text.push_str(&format!(": {}", self.message));
        if let Some(excerpt) = &self.excerpt {
            text.push_str(&format!("\n{excerpt}"));
        }
        text
    }
}

/// The line, and a caret under the column.
fn under(line: &str, column: usize) -> String {
    let line = printable(line);
    let before = line.chars().take(column.saturating_sub(1));
    // A tab stays a tab, so that the caret stands where the eye sees the column.
    let space: String = before.map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
    format!("{line}\n{space}^")
}

#[cfg(test)]
mod tests {
    use tinyci::Position;

    use super::*;

    #[test]
    fn a_problem_points_at_its_column() {
        let error = Error::new(TinyciErrorKind::Config, "no such key");
        let error = error.with_path("f").with_position(Position::new(2, 3));
        let Ok(report) = Report::new("f".to_owned(), vec![error]) else { panic!("a report") };
        let report = report.with_excerpts("build: x\n\té: \u{7}y\n");
        let shown: Vec<_> = report.problems.iter().map(|problem| problem.show("f")).collect();
        assert_eq!(shown, ["f:2:3: no such key\n\té: \u{fffd}y\n\t ^"]);
    }
}
