//! `tinyci version`: prints the version, like `--version`.

use crate::console::{exit_codes::OK, failure::Failure, terminal::Stdout};

pub(crate) fn execute() -> Result<u8, Failure> {
    let mut stdout = Stdout::new();
    stdout.line(format_args!("tinyci {}", tinyci::VERSION));
    stdout.finish()?;
    Ok(OK)
}
