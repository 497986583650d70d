//! `tinyci run --step`: runs steps of one commit by hand.

use std::{path::PathBuf, time::SystemTime};

use tinyci::{Event, EventKind, Record, Summary, pipeline::StepOptions};

use crate::{
    commands::run::RunArgs,
    console::{
        failure::{Failure, exit_code},
        signals,
        terminal::{self, Stdout},
        transcript::Transcript,
    },
    globals::{Globals, is_range},
};

pub(crate) fn execute(args: &RunArgs, globals: &Globals) -> Result<u8, Failure> {
    let options = options(args)?;
    let engine = globals.engine_with(|builder| match args.timeout {
        Some(timeout) => builder.job_timeout(timeout),
        None => builder,
    })?;
    let cancel = signals::cancel_on_interrupt()?;
    let mut view = View {
        stdout: Stdout::new(),
        transcript: Transcript::new(false),
        export: None,
        json: args.json,
        quiet: globals.is_quiet(),
    };
    let summary = engine.run_step(&options, &cancel, &mut |event: &Event| view.event(event))?;
    view.summary(&summary, args.keep);
    Ok(exit_code(summary.exit_code()))
}

/// Returns the options: one commit, `HEAD` by default.
fn options(args: &RunArgs) -> Result<StepOptions, Failure> {
    let named: Vec<&String> = args.commit.iter().chain(&args.revisions).collect();
    let revision = match named.as_slice() {
        [] => "HEAD",
        [one] if !is_range(one) => one,
        _ => return Err(Failure::usage("too many commits: `run --step` takes one")),
    };
    let options = StepOptions::new(revision).keep(args.keep);
    Ok(args.steps.iter().fold(options, StepOptions::step))
}

/// Shows the steps as lines or as JSON.
struct View {
    stdout: Stdout,
    transcript: Transcript,
    /// The directory of the commit's files.
    export: Option<PathBuf>,
    json: bool,
    quiet: bool,
}

impl View {
    fn event(&mut self, event: &Event) {
        if let EventKind::Exported { dir, .. } = &event.kind {
            self.export = Some(dir.clone());
        }
        if self.quiet {
            return;
        }
        match &event.kind {
            _ if self.json => self.stdout.line(event.to_json()),
            // Its line would show a verdict.
            EventKind::JobFinished { .. } => {}
            _ => self.stdout.write(&self.transcript.event(event)),
        }
    }

    fn summary(&mut self, summary: &Summary, keep: bool) {
        if self.json {
            return self.stdout.line(summary.to_json());
        }
        let export = self.export.take().filter(|_| keep);
        if let Some(export) = &export {
            terminal::print_error(format_args!(
                "tinyci: the export is kept for one day in `{}`",
                export.display()
            ));
        }
        if self.quiet {
            return;
        }
        let lines = summary.records.iter().flat_map(closing_lines);
        let mut shown = Vec::new();
        for line in lines {
            self.transcript.line(SystemTime::now(), None, &line, &mut shown);
        }
        self.stdout.write(&shown);
    }
}

/// Returns the outcome, with the reason if no step has shown it.
fn closing_lines(record: &Record) -> Vec<String> {
    let steps: Vec<String> = record.steps.iter().map(|step| format!("`{}`", step.name)).collect();
    let what = if steps.is_empty() { String::new() } else { format!("{}: ", steps.join(", ")) };
    let shown = record.steps.iter().filter_map(|step| step.error.as_deref()).collect::<Vec<_>>();
    let reason =
        record.reason.iter().filter(|it| !shown.iter().any(|shown| shown.contains(&***it)));
    let reason = reason.flat_map(|reason| reason.lines()).map(str::to_owned);
    let outcome = record.outcome;
    reason.chain([format!("{what}{outcome} (run by hand, not recorded)")]).collect()
}
