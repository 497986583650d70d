//! Runs the pipeline of a commit with an executor that only prints the commands.
//!
//!     cargo run --example dry_executor -- /srv/git/app.git HEAD

use std::{env, io::Write};

use tinyci::{
    CancelToken, Engine, Error, Event, EventKind, Selection,
    executor::{CancelView, Command, Executor, Exit, Output},
};

/// Prints each command and reports success.
struct DryExecutor;

impl Executor for DryExecutor {
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        _cancel: &CancelView,
    ) -> Result<Exit, Error> {
        output(Output::stdout(format!("would run {}\n", command.program)));
        Ok(Exit::Code(0))
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = env::args().skip(1);
    let path = arguments.next().unwrap_or_else(|| ".".to_owned());
    let revision = arguments.next().unwrap_or_else(|| "HEAD".to_owned());
    let engine = Engine::builder(path).executor(DryExecutor).open()?;
    let selection = Selection::revision(revision).retry(true);
    let summary = engine.run(&selection, &CancelToken::new(), &mut |event: &Event| {
        for line in event.log_lines() {
            println!("{line}");
        }
        if let EventKind::Output { bytes, .. } = &event.kind {
            let _ = std::io::stdout().write_all(bytes);
        }
    })?;
    std::process::exit(summary.exit_code());
}
