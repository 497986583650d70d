//! `tinyci check`: whether a config is valid, and where not.

use std::{
    fs,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use tinyci::{CheckReport, Engine, Format, Problem};

use crate::{
    args::Globals,
    failure::{FAILED, Failure, OK},
    terminal::{self, Stdout, printable},
};

const EXAMPLES: &str = "\
Examples:
  tinyci check                      .tinyci.yml or .tinyci.rhai, before it is committed
  tinyci check ci/release.rhai      any other file; `.rhai` says that it is a script
  tinyci check .tinyci.test.rhai    the tests of a script
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
    let (report, text) = match &args.commit {
        Some(revision) => {
            let engine = globals.engine()?;
            engine.path_warning().iter().for_each(terminal::warn);
            let found = engine.check(revision)?;
            let warnings = engine.check_warnings(revision)?;
            (CheckReport::of_commit(revision, found, &warnings)?, Vec::new())
        }
        None => {
            let (name, text) = read(args.file.as_deref(), globals)?;
            warn_of_repository(globals);
            let builder = Engine::builder(globals.dir());
            let found = builder.check_config(&text, format_of(&name), &name);
            let warnings = builder.config_warnings(&text, format_of(&name), &name);
            (CheckReport::new(name, found)?.with_warnings(&warnings), text)
        }
    };
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(report.to_json());
    } else {
        let text = String::from_utf8_lossy(&text);
        report.problems.iter().for_each(|problem| stdout.line(show(problem, &report, &text)));
        for warning in report.warnings.iter().filter(|_| !globals.is_quiet()) {
            stdout.line(format_args!("warning: {}", show(warning, &report, &text)));
        }
        if report.is_valid() && !globals.is_quiet() {
            stdout.line(format_args!("{} is valid", report.file));
        }
    }
    stdout.finish()?;
    Ok(if report.is_valid() { OK } else { FAILED })
}

/// Says what is odd about the settings and the path of the repository, where the folder is in one: a
/// config can be checked anywhere.
fn warn_of_repository(globals: &Globals) {
    match globals.engine() {
        Ok(engine) => engine.path_warning().iter().for_each(terminal::warn),
        Err(failure) if failure.is_of_usage() => terminal::warn(failure.message()),
        Err(_) => {}
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

/// `file:line:column: message`, the line, and a caret under the column.
fn show(problem: &Problem, report: &CheckReport, text: &str) -> String {
    let mut shown = problem.file.as_deref().unwrap_or(&report.file).to_owned();
    if let Some(at) = problem.position {
        shown.push_str(&format!(":{at}"));
    }
    shown.push_str(&format!(": {}", problem.message));
    if let Some(excerpt) = problem.excerpt.clone().or_else(|| excerpt(problem, text)) {
        shown.push_str(&format!("\n{excerpt}"));
    }
    shown
}

fn excerpt(problem: &Problem, text: &str) -> Option<String> {
    let at = problem.position?;
    let line = text.lines().nth(at.line.checked_sub(1)?)?;
    Some(under(line, at.column))
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
    use tinyci::{Error, ErrorKind, Position};

    use super::{CheckReport, show};

    #[test]
    fn a_problem_points_at_its_column() {
        let error = Error::new(ErrorKind::Config, "no such key");
        let error = error.with_path("f").with_position(Position::new(2, 3));
        let Ok(report) = CheckReport::new("f", vec![error]) else { panic!("a report") };
        let text = "build: x\n\té: \u{7}y\n";
        let shown: Vec<_> = report.problems.iter().map(|it| show(it, &report, text)).collect();
        assert_eq!(shown, ["f:2:3: no such key\n\té: \u{fffd}y\n\t ^"]);
    }
}
