//! `tinyci test-pipeline`: runs the tests of a script.

use tinyci::{
    ErrorKind, Outcome,
    script::{FileCoverage, TestOptions, TestReport},
};

use crate::{
    console::{
        exit_codes::{FAILED, OK},
        failure::Failure,
        terminal::{Palette, Stdout, printable},
    },
    globals::Globals,
};

const HELP: &str = "\
Tests are functions named `test_*` in `.tinyci.test.rhai`, next to `.tinyci.rhai`:

  fn test_push_is_retried(t) {
      t.fake(\"docker push*\", [1, 1, 0]);
      let deployed = t.deploy(#{ branch: \"main\", approved: true });
      t.expect(deployed.ok);
  }

Tests do not run commands: each test sets the results of its commands. `tinyci defs` lists everything \
that `t` can do.

Examples:
  tinyci test-pipeline                  run the tests in the current directory
  tinyci test-pipeline deploy           run only tests with `deploy` in their names
  tinyci test-pipeline --commit main    run the tests of a commit
  tinyci test-pipeline --coverage       also show the lines that no test covers";

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct TestPipelineArgs {
    /// Run only tests with this string in their names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Test the pipeline of this commit [default: the one in the current directory, or DIR]
    #[arg(short, long, value_name = "REV")]
    commit: Option<String>,
    /// Show the lines of the pipeline that neither a test nor the plan of the commit covers
    #[arg(long)]
    coverage: bool,
    /// Print the results as one line of JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &TestPipelineArgs, globals: &Globals) -> Result<u8, Failure> {
    let options = match &args.commit {
        Some(revision) => TestOptions::revision(revision),
        None => TestOptions::directory(globals.dir()),
    };
    let options = args.names.iter().fold(options.coverage(args.coverage), TestOptions::filter);
    let report = globals.engine()?.test_pipeline(&options).map_err(|error| match error.kind() {
        // An invalid script counts as a failed test.
        ErrorKind::Script => Failure::failed(error.report()),
        _ => error.into(),
    })?;
    let mut stdout = Stdout::new();
    if args.json {
        stdout.line(report.to_json());
    } else {
        show(&report, globals.is_quiet(), &mut stdout);
    }
    stdout.finish()?;
    Ok(if report.passed() { OK } else { FAILED })
}

fn show(report: &TestReport, quiet: bool, stdout: &mut Stdout) {
    let palette = Palette::of_stdout();
    for test in report.tests.iter().filter(|test| !quiet || !test.passed()) {
        let word = match test.passed() {
            true => palette.outcome(Outcome::Success, "ok"),
            false => palette.outcome(Outcome::Failure, "failed"),
        };
        stdout.line(format_args!("{} ... {word}", printable(&test.name)));
    }
    for failure in report.tests.iter().filter_map(|test| test.failure.as_ref()) {
        stdout.line("");
        failure.report().lines().for_each(|line| stdout.line(printable(line)));
    }
    let passed = report.tests.iter().filter(|test| test.passed()).count();
    let failed = report.tests.len() - passed;
    let filtered_out = match report.filtered_out {
        0 => String::new(),
        count => format!(", {count} filtered out"),
    };
    if failed > 0 || !quiet {
        let gap = if failed > 0 { "\n" } else { "" };
        stdout.line(format_args!("{gap}{passed} passed, {failed} failed{filtered_out}"));
    }
    for file in report.coverage.iter().flat_map(|coverage| &coverage.files) {
        show_coverage(file, palette, stdout);
    }
}

/// Prints the file, its coverage, and its uncovered lines.
fn show_coverage(file: &FileCoverage, palette: Palette, stdout: &mut Stdout) {
    let FileCoverage { file: name, lines, covered, uncovered, .. } = file;
    stdout.line(format_args!(
        "\n{}: {} % of lines covered ({covered} of {lines})",
        printable(name),
        file.percent()
    ));
    let width = uncovered.last().map_or(1, |range| range.last.to_string().len());
    for (index, range) in uncovered.iter().enumerate() {
        if index > 0 {
            stdout.line(palette.faint(&format!(" {:>width$} ⋮", "")));
        }
        for (line, text) in (range.first..).zip(range.source.lines()) {
            stdout.line(format_args!(" {line:>width$} | {}", printable(text)));
        }
    }
}
