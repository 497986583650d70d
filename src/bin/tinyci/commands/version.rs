//! `tinyci version`: the same as `--version`.

use crate::console::{
    failure::{Failure, OK},
    terminal::Stdout,
};

pub(crate) fn execute() -> Result<u8, Failure> {
    let mut stdout = Stdout::new();
    stdout.line(format_args!("tinyci {}", tinyci::VERSION));
    stdout.finish()?;
    Ok(OK)
}
