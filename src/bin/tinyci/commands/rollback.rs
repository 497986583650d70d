//! `tinyci rollback`: back to what was deployed before.

use tinyci::deploy::DeployRequest;

use crate::{
    commands::deploy::{How, promote},
    console::failure::{DEPLOY_EXIT_CODES, Failure},
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci rollback                   production to the deployment before, after a question
  tinyci rollback --to staging -n   what that would be in another environment
  tinyci rollback --yes             without a question";

#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{DEPLOY_EXIT_CODES}"))]
pub(crate) struct RollbackArgs {
    /// Go back also to a commit that is not green or on its branch any more; the record says so
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    how: How,
}

pub(crate) fn execute(args: &RollbackArgs, globals: &Globals) -> Result<u8, Failure> {
    let request = DeployRequest::rollback().force(args.force);
    promote(&globals.engine()?, request, &args.how, globals)
}
