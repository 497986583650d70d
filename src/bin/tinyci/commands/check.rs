//! `tinyci check`: validates a config or script.

use std::{
    fs,
    io::ErrorKind,
    path::{Path, PathBuf},
};

use tinyci::{
    Format,
    check::{CheckReport, Checker, Problem, Severity},
};

use crate::{
    console::{
        exit_codes::{FAILED, OK},
        failure::Failure,
        terminal::{self, Stdout, printable},
    },
    globals::Globals,
};

/// The most characters of a line that are shown, so that a generated config floods no log.
const LINE_CHARACTERS_MAX: usize = 160;

const EXAMPLES: &str = "\
Examples:
  tinyci check                      validate .tinyci.yml or .tinyci.rhai in this directory
  tinyci check ci/release.rhai      validate another file; `.rhai` marks a script
  tinyci check .tinyci.test.rhai    validate the tests of a script
  tinyci check --commit main        validate the config of a commit
  generate-config | tinyci check -  validate YAML from standard input
  tinyci check - --stdin-filename .tinyci.rhai < buffer
                                    validate an unsaved script, as editors do";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CheckArgs {
    /// The config file, or - for standard input [default: .tinyci.yml or .tinyci.rhai]
    ///
    /// tinyci reads the imports of a script from the current directory, from DIR, or from the commit.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Validate the config of this commit, or standard input as its config
    #[arg(short, long, value_name = "REV")]
    commit: Option<String>,
    /// File name for standard input; `.rhai` at the end marks a script
    #[arg(long, visible_alias = "name", value_name = "FILE", requires = "file")]
    stdin_filename: Option<String>,
    /// Exit with code 1 on warnings too
    #[arg(long)]
    strict: bool,
    /// Print the problems as one line of JSON
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
        let is_shown =
            |severity: Severity| severity == Severity::Error || args.strict || !globals.is_quiet();
        for problem in report.problems.iter().filter(|it| is_shown(it.severity)) {
            stdout.line(show(problem, &report, &text));
        }
        if passes && !globals.is_quiet() {
            stdout.line(format_args!("{} is valid", report.file));
        }
    }
    stdout.finish()?;
    Ok(if passes { OK } else { FAILED })
}

/// Checks the config of a commit, or standard input in its place.
fn in_commit(
    revision: &str,
    args: &CheckArgs,
    globals: &Globals,
) -> Result<(CheckReport, Vec<u8>), Failure> {
    if args.file.is_some() && !args.is_stdin() {
        let message = "cannot check a file with `--commit`: only `-` is allowed";
        let hint = format!("`tinyci check --commit {revision}` checks the config of the commit");
        return Err(Failure::usage(message).hint(hint));
    }
    let engine = globals.engine()?;
    engine.path_warning().iter().for_each(terminal::warn);
    if !args.is_stdin() {
        return Ok((engine.check(revision)?, Vec::new()));
    }
    let (name, text) = given(args, globals)?;
    Ok((engine.check_text(revision, &text, format_of(&name), &name)?, text))
}

/// Returns the name and the contents of the config.
fn given(args: &CheckArgs, globals: &Globals) -> Result<(String, Vec<u8>), Failure> {
    if args.stdin_filename.is_some() && !args.is_stdin() {
        let message = "cannot use `--stdin-filename` with a file: it requires `-`";
        return Err(Failure::usage(message)
            .hint("`tinyci check - --stdin-filename FILE` reads standard input"));
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

/// Warns of problems with the settings and the path of the repository, if there is one. A config
/// can be checked outside of a repository too.
fn warn_of_repository(globals: &Globals) {
    match globals.engine() {
        Ok(engine) => engine.path_warning().iter().for_each(terminal::warn),
        Err(failure) if failure.is_usage_error() => terminal::warn(failure.message()),
        Err(_) => {}
    }
}

/// Returns the format of a file by its name. Standard input is YAML.
pub(crate) fn format_of(name: &str) -> Format {
    let is_script = Path::new(name).extension().is_some_and(|extension| extension == "rhai");
    if is_script { Format::Rhai } else { Format::Yaml }
}

/// Returns the name and the contents of a file.
pub(crate) fn read(file: Option<&Path>, globals: &Globals) -> Result<(String, Vec<u8>), Failure> {
    if file == Some(Path::new("-")) {
        let text = terminal::read_stdin()
            .map_err(|error| Failure::broken(format!("cannot read standard input: {error}")))?;
        return Ok(("<stdin>".to_owned(), text));
    }
    let path = file.map_or_else(|| default_path(globals), |path| Ok(path.to_path_buf()))?;
    let name = path.display().to_string();
    match fs::read(&path) {
        Ok(text) => Ok((name, text)),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            Err(Failure::usage(format!("cannot read `{name}`: no such file"))
                .hint("`tinyci check --commit HEAD` checks a config that is committed"))
        }
        Err(error) => Err(Failure::broken(format!("cannot read `{name}`: {error}"))),
    }
}

/// Returns the config in the directory.
fn default_path(globals: &Globals) -> Result<PathBuf, Failure> {
    let path = |format: Format| match &globals.dir {
        Some(dir) => dir.join(format.file_name()),
        None => PathBuf::from(format.file_name()),
    };
    let (yaml, script) = (path(Format::Yaml), path(Format::Rhai));
    match (yaml.exists(), script.exists()) {
        (true, true) => {
            let (yaml, script) = (yaml.display(), script.display());
            let message = format!("found `{yaml}` and `{script}`: a commit may have only one");
            Err(Failure::usage(message).hint(format!("`tinyci check {yaml}` checks one of them")))
        }
        (false, true) => Ok(script),
        _ => Ok(yaml),
    }
}

/// Returns `file:line:column: message`, the line, and a caret below the column. A warning starts
/// with `warning: `.
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
    terminal::shown(&shown)
}

fn excerpt(problem: &Problem, text: &str) -> Option<String> {
    let at = problem.position?;
    let line = text.lines().nth(at.line.checked_sub(1)?)?;
    Some(under(line, at.column))
}

/// Returns the line, and a caret below the column.
fn under(line: &str, column: usize) -> String {
    let (line, column) = cut(line, column);
    let before: String = line.chars().take(column.saturating_sub(1)).collect();
    // A tab stays a tab, so that the caret is under its column.
    let space: String =
        printable(&before).chars().map(|letter| if letter == '\t' { '\t' } else { ' ' }).collect();
    format!("{}\n{space}^", printable(&line))
}

/// The part of a long line that has the column, and the column in it.
fn cut(line: &str, column: usize) -> (String, usize) {
    if line.chars().nth(LINE_CHARACTERS_MAX).is_none() {
        return (line.to_owned(), column);
    }
    let start = column.saturating_sub(LINE_CHARACTERS_MAX / 2);
    (line.chars().skip(start).take(LINE_CHARACTERS_MAX).collect(), column - start)
}

#[cfg(test)]
mod tests {
    use tinyci::{Format, check::Checker};

    use super::show;

    #[test]
    fn a_problem_points_at_its_column() {
        let text = "build: x\n\t\u{7}é: y\n";
        let report = Checker::new(".").check("build: x\nx: y\n", Format::Yaml, "f");
        let Ok(mut report) = report else { panic!("a report") };
        if let Some(at) = report.problems[0].position.as_mut() {
            at.column = 4;
        }
        let shown: Vec<_> = report.problems.iter().map(|it| show(it, &report, text)).collect();
        let [only] = &shown[..] else { panic!("{shown:?}") };
        assert!(only.starts_with("f:2:4: "), "{only}");
        assert!(only.ends_with("\n\t^Gé: y\n\t   ^"), "{only}");
    }
}
