//! `tinyci rollback`: rolls back to the previous deployment.

use tinyci::deploy::DeployRequest;

use crate::{
    commands::deploy::{SharedOptions, confirm_and_deploy},
    console::failure::Failure,
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci rollback                   roll production back to the previous deployment
  tinyci rollback --to staging --dry-run
                                    show what that would do in another environment
  tinyci rollback --yes             roll back without asking";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RollbackArgs {
    /// Roll back even if the commit is no longer green or on its branch; this is recorded
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    options: SharedOptions,
}

pub(crate) fn execute(args: &RollbackArgs, globals: &Globals) -> Result<u8, Failure> {
    let request = DeployRequest::rollback().force(args.force);
    confirm_and_deploy(&globals.engine()?, request, &args.options, globals)
}
