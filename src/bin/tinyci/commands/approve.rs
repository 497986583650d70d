//! `tinyci approve`: approves the deployment of a commit.

use tinyci::deploy::{Approval, ApprovalProof, DeployRules};

use crate::{
    console::{
        exit_codes::OK,
        failure::Failure,
        terminal::{Stdout, printable, warn},
    },
    globals::Globals,
};

const EXAMPLES: &str = "\
Examples:
  tinyci approve f40785c            approve this commit for production
  tinyci approve main --to staging  approve it for another environment
  git push origin 'refs/tinyci/approvals/*'
                                    push the approvals of a clone to the server
  git config gpg.format ssh && git config user.signingKey ~/.ssh/id_ed25519
                                    sign your approvals

If the server sets `tinyci.approvers`, an approval counts only if it is signed, or if it was given on \
the server by a listed account.";

#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ApproveArgs {
    /// The commit to approve
    #[arg(value_name = "REV")]
    revision: String,
    /// The environment to approve it for
    #[arg(long, value_name = "ENV", default_value = DeployRules::PRODUCTION)]
    to: String,
    /// Print the approval as JSON
    #[arg(long)]
    json: bool,
}

pub(crate) fn execute(args: &ApproveArgs, globals: &Globals) -> Result<u8, Failure> {
    let engine = globals.engine()?;
    let commit = engine.commit(&args.revision)?;
    // By its id: a branch may move in between.
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
                "hint: `git push origin {}` sends it to the server",
                approval.reference
            ));
        }
    }
    stdout.finish()?;
    Ok(OK)
}

/// Returns the key that signed the approval, which a server with `tinyci.approvers` requires.
fn signed(approval: &Approval) -> String {
    match (&approval.proof, approval.signed) {
        (Some(ApprovalProof::Signature { principal, key }), _) => {
            format!("with {key} of {}", printable(principal))
        }
        (_, true) => "with an ssh key".to_owned(),
        (_, false) => "no (`gpg.format` and `user.signingKey` do not name an ssh key)".to_owned(),
    }
}
