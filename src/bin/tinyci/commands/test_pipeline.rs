//! `tinyci test-pipeline`: the tests beside a script.

use tinyci::{
    ErrorKind, Outcome,
    script::{FileCoverage, TestOptions, TestReport},
};

use crate::{
    console::{
        failure::{FAILED, Failure, OK},
        terminal::{Palette, Stdout, printable},
    },
    globals::Globals,
};

const HELP: &str = "\
Tests are the functions `test_*` in `.tinyci.test.rhai`, beside `.tinyci.rhai`:

  fn test_push_is_retried(t) {
      t.fake(\"docker push*\", [1, 1, 0]);
      let deployed = t.deploy(#{ branch: \"main\", approved: true });
      t.expect(deployed.ok);
  }

They run nothing: commands end as the test says. The guide's chapter on scripts tells what else `t`
can do.

Examples:
  tinyci test-pipeline                        the files as they stand in the folder
  tinyci test-pipeline deploy                 only tests with `deploy` in their names
  tinyci test-pipeline --commit main          as they stand in a commit
  tinyci test-pipeline --coverage             and which lines nothing ever enters

Exit codes:
  0  every test passed
  1  a test failed, or one of the two files is not valid
  2  the command line is wrong, or there is no test";

#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct TestPipelineArgs {
    /// Run only tests with this text in their names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Test the pipeline of this commit [default: the one in the current folder, or DIR]
    #[arg(short, long, value_name = "REV")]
    commit: Option<String>,
    /// Show which lines of the pipeline no test enters, and the plan of the commit neither
    #[arg(long)]
    coverage: bool,
    /// Print one line of JSON
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
        // A file that is not valid is what a test of it found.
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
        stdout.line(format_args!("{} ... {word}", test.name));
    }
    for failure in report.tests.iter().filter_map(|test| test.failure.as_ref()) {
        stdout.line("");
        failure.report().lines().for_each(|line| stdout.line(printable(line)));
    }
    let passed = report.tests.iter().filter(|test| test.passed()).count();
    let failed = report.tests.len() - passed;
    let left_out = match report.filtered_out {
        0 => String::new(),
        count => format!(", {count} left out"),
    };
    if failed > 0 || !quiet {
        let gap = if failed > 0 { "\n" } else { "" };
        stdout.line(format_args!("{gap}{passed} passed, {failed} failed{left_out}"));
    }
    for file in report.coverage.iter().flat_map(|coverage| &coverage.files) {
        show_coverage(file, palette, stdout);
    }
}

/// The file, how much of it was entered, and the lines that were not.
fn show_coverage(file: &FileCoverage, palette: Palette, stdout: &mut Stdout) {
    let FileCoverage { file: name, lines, covered: entered, uncovered: missed, .. } = file;
    stdout.line(format_args!(
        "\n{}: {} % of its lines entered ({entered} of {lines})",
        printable(name),
        file.percent()
    ));
    let width = missed.last().map_or(1, |range| range.last.to_string().len());
    for (index, range) in missed.iter().enumerate() {
        if index > 0 {
            stdout.line(palette.faint(&format!(" {:>width$} ⋮", "")));
        }
        for (line, text) in (range.first..).zip(range.source.lines()) {
            stdout.line(format_args!(" {line:>width$} | {}", printable(text)));
        }
    }
}
