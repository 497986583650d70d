//! `tinyci settings`: shows every `tinyci.*` key of git's configuration, with its value.

use tinyci::settings::Setting;

use crate::{
    console::{
        exit_codes::OK,
        failure::Failure,
        terminal::{Palette, Stdout, printable},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci settings                   show all settings
  git config tinyci.jobTimeout 30m  change a setting
  git config --unset tinyci.jobTimeout
                                    restore its default
  git config --add tinyci.refs 'refs/tags/v*'
                                    add a value to a setting that takes several";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct SettingsArgs {
    /// Print the settings as JSON, one per line
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &SettingsArgs, globals: &Globals) -> Result<u8, Failure> {
    let settings = globals.engine()?.settings()?;
    let mut stdout = Stdout::new();
    if args.json {
        settings.iter().for_each(|setting| stdout.line(setting.to_json()));
    } else {
        table(&settings, &mut stdout);
    }
    stdout.finish()?;
    Ok(OK)
}

fn table(settings: &[Setting], stdout: &mut Stdout) {
    let palette = Palette::of_stdout();
    let key_width = settings.iter().map(|setting| setting.key.len()).max().unwrap_or_default();
    for setting in settings {
        let key = format!("{:key_width$}", setting.key);
        let origin = match &setting.origin {
            Some(file) => format!("  (in {})", printable(file)),
            None => "  (default)".to_owned(),
        };
        let value = match setting.values.is_empty() {
            true => setting.default_description.to_owned(),
            false => printable(&setting.values.join(", ")),
        };
        stdout.line(format_args!("{key}  {value}{}", palette.faint(&origin)));
        stdout.line(palette.faint(&format!("{:key_width$}  {}", "", setting.description)));
    }
}
