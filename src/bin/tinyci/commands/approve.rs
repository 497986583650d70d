//! `tinyci approve`: lets a deployment go on that waits for a person.

use tinyci::deploy::{Approval, ApprovalProof, DeployRules};

use crate::{
    console::{
        failure::{Failure, OK},
        terminal::{Stdout, printable, warn},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci approve f40785c            let production have this commit
  tinyci approve main --to staging  another environment
  git push origin 'refs/tinyci/approvals/*'
                                    carry what was approved in a clone to the server
  git config gpg.format ssh && git config user.signingKey ~/.ssh/id_ed25519
                                    sign approvals: a server with `tinyci.approvers` counts
                                    those alone that are signed, or given there by an account";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ApproveArgs {
    /// The commit to approve of
    #[arg(value_name = "REV")]
    revision: String,
    /// The environment that it may be deployed to
    #[arg(long, value_name = "ENV", default_value = DeployRules::PRODUCTION)]
    to: String,
    /// Print the approval as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &ApproveArgs, globals: &Globals) -> Result<u8, Failure> {
    let engine = globals.engine()?;
    let commit = engine.commit(&args.revision)?;
    // By its id: what the name means may change between two looks.
    let approval = engine.approve(&args.to, &commit.id.to_string())?;
    let mut stdout = Stdout::new();
    if let Some(problem) = &approval.problem {
        warn(format_args!("this approval does not count here: {problem}"));
    }
    if args.json {
        stdout.line(approval.to_json());
    } else if !globals.is_quiet() {
        let subject = printable(&commit.subject.to_str_lossy());
        let config = approval.config_blob.get(..7).unwrap_or(&approval.config_blob);
        stdout.line(format_args!("Approved {} for {}", commit.id, approval.environment));
        stdout.line(format_args!("  subject: {subject}"));
        stdout.line(format_args!("  config:  {config}"));
        stdout.line(format_args!("  by:      {}", printable(&approval.approved_by)));
        stdout.line(format_args!("  signed:  {}", signed(&approval)));
        if !engine.is_bare() {
            stdout.line(format_args!(
                "From a clone, carry it to the server: git push origin {}",
                approval.reference
            ));
        }
    }
    stdout.finish()?;
    Ok(OK)
}

/// Whether a key stands for it, which a server that lists approvers asks for.
fn signed(approval: &Approval) -> String {
    match (&approval.proof, approval.signed) {
        (Some(ApprovalProof::Signature { principal, key }), _) => {
            format!("with {key} of {}", printable(principal))
        }
        (_, true) => "with an ssh key".to_owned(),
        (_, false) => "no (git's `gpg.format` and `user.signingKey` name no ssh key)".to_owned(),
    }
}
