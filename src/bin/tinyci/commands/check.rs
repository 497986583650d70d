//! `tinyci check`: whether a config is valid, and where not.

use std::{
    fs,
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
};

use tinyci::{
    Format,
    check::{CheckReport, Checker, Problem, Severity},
};

use crate::{
    console::{
        failure::{FAILED, Failure, OK},
        terminal::{self, Stdout, printable},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci check                      .tinyci.yml or .tinyci.rhai, before it is committed
  tinyci check ci/release.rhai      any other file; `.rhai` says that it is a script
  tinyci check .tinyci.test.rhai    the tests of a script
  tinyci check --commit main        as it stands in a commit
  generate-config | tinyci check -  YAML from standard input
  tinyci check - --stdin-filename .tinyci.rhai < buffer
                                    what an editor holds and has not saved";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The config, or - for standard input [default: .tinyci.yml or .tinyci.rhai]
    ///
    /// What a script imports is read below the current folder, or DIR, or from the commit.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Check the config of this commit, or what standard input would be in it
    #[arg(short, long, value_name = "REV")]
    commit: Option<String>,
    /// The name of what standard input holds; one that ends with `.rhai` makes it a script
    #[arg(long, visible_alias = "name", value_name = "FILE", requires = "file")]
    stdin_filename: Option<String>,
    /// Fail with exit code 1 on warnings too
    #[arg(long)]
    strict: bool,
    /// Print one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &CheckArgs, globals: &Globals) -> Result<u8, Failure> {
    let (report, text) = match &args.commit {
        Some(revision) => in_commit(revision, args, globals)?,
        None => {
            let (name, text) = given(args, globals)?;
            warn_of_repository(globals);
            let checker = Checker::new(globals.dir());
            (checker.check(&text, format_of(&name), &name)?, text)
        }
    };
    let passes = report.is_valid() && !(args.strict && has_warnings(&report));
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(report.to_json());
    } else {
        let text = String::from_utf8_lossy(&text);
        let is_told =
            |severity: Severity| severity == Severity::Error || args.strict || !globals.is_quiet();
        for problem in report.problems.iter().filter(|it| is_told(it.severity)) {
            stdout.line(show(problem, &report, &text));
        }
        if passes && !globals.is_quiet() {
            stdout.line(format_args!("{} is valid", report.file));
        }
    }
    stdout.finish()?;
    Ok(if passes { OK } else { FAILED })
}

/// The config of a commit, or another text in its place.
fn in_commit(
    revision: &str,
    args: &CheckArgs,
    globals: &Globals,
) -> Result<(CheckReport, Vec<u8>), Failure> {
    if args.file.is_some() && !args.is_stdin() {
        let message = "with `--commit` only `-` can be named: a file is not of the commit";
        return Err(Failure::usage(message).hint("leave the file out to check the commit's config"));
    }
    let engine = globals.engine()?;
    engine.path_warning().iter().for_each(terminal::warn);
    if !args.is_stdin() {
        return Ok((engine.check(revision)?, Vec::new()));
    }
    let (name, text) = given(args, globals)?;
    Ok((engine.check_text(revision, &text, format_of(&name), &name)?, text))
}

/// What is to be checked, under the name that it has or is given.
fn given(args: &CheckArgs, globals: &Globals) -> Result<(String, Vec<u8>), Failure> {
    if args.stdin_filename.is_some() && !args.is_stdin() {
        let message = "`--stdin-filename` names what standard input holds";
        return Err(Failure::usage(message).hint("write `tinyci check - --stdin-filename FILE`"));
    }
    let (name, text) = read(args.file.as_deref(), globals)?;
    Ok((args.stdin_filename.clone().unwrap_or(name), text))
}

impl CheckArgs {
    fn is_stdin(&self) -> bool {
        self.file.as_deref() == Some(Path::new("-"))
    }
}

fn has_warnings(report: &CheckReport) -> bool {
    report.problems.iter().any(|problem| problem.severity == Severity::Warning)
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

/// `file:line:column: message`, the line, and a caret under the column. In front of a warning stands
/// that it is one.
fn show(problem: &Problem, report: &CheckReport, text: &str) -> String {
    let mut shown = String::new();
    if problem.severity != Severity::Error {
        shown.push_str(&format!("{}: ", problem.severity));
    }
    shown.push_str(problem.file.as_deref().unwrap_or(&report.file));
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
    use tinyci::{Format, check::Checker};

    use super::show;

    #[test]
    fn a_problem_points_at_its_column() {
        let text = "build: x\n\té: \u{7}y\n";
        let report = Checker::new(".").check("build: x\nx: y\n", Format::Yaml, "f");
        let Ok(mut report) = report else { panic!("a report") };
        if let Some(at) = report.problems[0].position.as_mut() {
            at.column = 3;
        }
        let shown: Vec<_> = report.problems.iter().map(|it| show(it, &report, text)).collect();
        let [only] = &shown[..] else { panic!("{shown:?}") };
        assert!(only.starts_with("f:2:3: "), "{only}");
        assert!(only.ends_with("\n\té: \u{fffd}y\n\t ^"), "{only}");
    }
}
