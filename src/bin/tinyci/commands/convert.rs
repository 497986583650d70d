//! `tinyci convert`: a YAML config as a script.

use std::path::PathBuf;

use tinyci::{ErrorKind, Format, Pipeline};

use crate::{
    commands::check::{format_of, read},
    console::{
        failure::{FAILED, Failure, OK},
        terminal::{self, Stdout},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci convert > .tinyci.rhai && git rm .tinyci.yml
  tinyci convert other.yml";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConvertArgs {
    /// The config, or - for standard input [default: .tinyci.yml]
    file: Option<PathBuf>,
}

pub(crate) fn execute(args: &ConvertArgs, globals: &Globals) -> Result<u8, Failure> {
    let yaml = || globals.dir().join(Format::Yaml.file_name());
    let file = args.file.clone().unwrap_or_else(yaml);
    let (name, text) = read(Some(&file), globals)?;
    if format_of(&name) == Format::Rhai {
        return Err(Failure::usage(format!("`{name}` is a script already")));
    }
    let script = Pipeline::parse(&text, Format::Yaml, &name).and_then(|it| it.to_rhai());
    let mut stdout = Stdout::new();
    match script {
        Ok(script) => stdout.write(script.as_bytes()),
        Err(error) if error.kind() == ErrorKind::Config => {
            terminal::complain(Failure::broken(error.report()));
            return Ok(FAILED);
        }
        Err(error) => return Err(error.into()),
    }
    stdout.finish()?;
    Ok(OK)
}
