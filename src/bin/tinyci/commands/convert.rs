//! `tinyci convert`: converts a YAML config to a script.

use std::path::PathBuf;

use tinyci::{ErrorKind, Format, Pipeline};

use crate::{
    commands::check::{format_of, read},
    console::{
        exit_codes::{FAILED, OK},
        failure::Failure,
        terminal::{self, Stdout},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci convert > .tinyci.rhai && git rm .tinyci.yml
                                    replace the config by a script
  tinyci convert other.yml          print another file as a script";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConvertArgs {
    /// The YAML file, or - for standard input [default: .tinyci.yml]
    file: Option<PathBuf>,
}

pub(crate) fn execute(args: &ConvertArgs, globals: &Globals) -> Result<u8, Failure> {
    let yaml = || globals.dir().join(Format::Yaml.file_name());
    let file = args.file.clone().unwrap_or_else(yaml);
    let (name, text) = read(Some(&file), globals)?;
    if format_of(&name) == Format::Rhai {
        return Err(Failure::usage(format!("cannot convert `{name}`: it is already a script")));
    }
    let script = Pipeline::parse(&text, Format::Yaml, &name).and_then(|it| it.to_rhai());
    let mut stdout = Stdout::new();
    match script {
        Ok(script) => stdout.write(script.as_bytes()),
        Err(error) if error.kind() == ErrorKind::Config => {
            terminal::print_error(Failure::broken(error.report()));
            return Ok(FAILED);
        }
        Err(error) => return Err(error.into()),
    }
    stdout.finish()?;
    Ok(OK)
}
