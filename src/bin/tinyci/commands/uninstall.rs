//! `tinyci uninstall`: removes what `install` added, and nothing else.

use crate::{commands::install, console::failure::Failure, globals::Globals};

pub(crate) fn execute(globals: &Globals) -> Result<u8, Failure> {
    let installed = globals.engine()?.uninstall()?;
    let what = if installed.changed { "uninstalled successfully" } else { "is not installed" };
    install::print_report(&installed, what, globals)
}
