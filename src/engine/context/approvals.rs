//! [`Approvals`]: which approvals of a deployment count on this server, and why others do not.
//!
//! The rules themselves are in `approval_rules`. This module collects the evidence for them: the
//! key that signed an approval, and the account of this machine that gave it.

use jiff::tz::TimeZone;

use super::signatures::Keyring;
use super::{process_env::ProcessEnv, shared::Shared};
use crate::{
    model::{
        commit::CommitId,
        deployment::{Approval, ApprovalProof, address_of},
        error::Error,
    },
    process::{account_name, account_number, own_account},
    repo::{CommitSignature, Repo, StoredApproval},
    rules::{
        approval_rules::{Account, ApprovalRules, Evidence, Signature},
        environment::Variables,
    },
    workspace::Workspace,
};

/// The rules for approvals, and what is needed to verify one.
#[derive(Clone)]
pub(in crate::engine) struct Approvals {
    pub(in crate::engine) rules: ApprovalRules,
    workspace: Workspace,
    /// The environment of the programs that verify signatures and look up accounts.
    env: Variables,
    zone: TimeZone,
}

/// The approvals of a commit in an environment.
#[derive(Debug, Default)]
pub(in crate::engine) struct FoundApprovals {
    /// The oldest approval that counts.
    pub(in crate::engine) counted: Option<Approval>,
    /// The approvals that do not count, oldest first.
    pub(in crate::engine) uncounted: Vec<Approval>,
}

impl Shared {
    pub(in crate::engine) fn approvals(&self, env: &ProcessEnv) -> Approvals {
        Approvals {
            rules: self.settings.approvals.clone(),
            workspace: self.workspace(),
            env: env.passed.clone(),
            zone: self.zone.clone(),
        }
    }
}

impl Approvals {
    /// Finds and verifies all approvals of a commit with this config in this environment.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if refs or the commit cannot be read.
    pub(in crate::engine) fn find(
        &self,
        repo: &Repo,
        environment: &str,
        commit: CommitId,
        config: &str,
    ) -> Result<FoundApprovals, Error> {
        let mut found = FoundApprovals::default();
        for stored in repo.approvals(environment, commit, config)? {
            let approval = self.verify(repo, stored)?;
            if approval.problem.is_some() {
                found.uncounted.push(approval);
            } else if found.counted.is_none() {
                found.counted = Some(approval);
            }
        }
        Ok(found)
    }

    /// Verifies an approval. Sets its proof if it counts, and its problem otherwise.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub(in crate::engine) fn verify(
        &self,
        repo: &Repo,
        stored: StoredApproval,
    ) -> Result<Approval, Error> {
        let StoredApproval { mut approval, id } = stored;
        if approval.problem.is_some() {
            return Ok(approval);
        }
        let people = repo.people_of(approval.commit)?;
        let signature = repo.signature_of(id)?;
        approval.signed = signature.as_ref().is_some_and(CommitSignature::is_ssh);
        let (mut signature_result, mut account) = (Signature::Absent, Account::None);
        if !self.rules.approvers.is_empty() {
            if let Some(signature) = signature {
                signature_result =
                    self.check_signature(repo, &signature, approval.commit, &people)?;
            }
            account = self.account_of(id);
        }
        let address = address_of(&approval.approved_by);
        let evidence = Evidence { address, signature: signature_result, account, people: &people };
        match self.rules.judge(&evidence) {
            Ok(proof) => approval.proof = Some(proof),
            Err(problem) => approval.problem = Some(problem),
        }
        Ok(approval)
    }

    /// Verifies a signature.
    fn check_signature(
        &self,
        repo: &Repo,
        signature: &CommitSignature,
        commit: CommitId,
        people: &[String],
    ) -> Result<Signature, Error> {
        if !signature.is_ssh() {
            let reason = "its signature is not made with an ssh key";
            return Ok(Signature::Invalid(reason.to_owned()));
        }
        let unverified =
            |reason: String| Signature::Invalid(format!("cannot verify its signature: {reason}"));
        let keyring = match Keyring::open(repo.signers()?, &self.env, &self.zone) {
            Ok(keyring) => keyring,
            Err(fault) => return Ok(unverified(fault)),
        };
        // The key of a signed commit names its maker more reliably than the author and committer
        // lines.
        let of_commit = repo.signature_of(commit)?.filter(CommitSignature::is_ssh);
        let of_commit = of_commit.as_ref().filter(|_| self.rules.four_eyes);
        let verified = self.verify_signature(&keyring, signature, of_commit, people);
        Ok(verified.unwrap_or_else(|error| unverified(error.report())))
    }

    fn verify_signature(
        &self,
        keyring: &Keyring<'_>,
        signature: &CommitSignature,
        of_commit: Option<&CommitSignature>,
        people: &[String],
    ) -> Result<Signature, Error> {
        for principal in &self.rules.approvers {
            let Some(key) = keyring.key_of(signature, principal)? else { continue };
            let mut is_own = match of_commit {
                Some(of_commit) => keyring.key_of(of_commit, principal)?.is_some(),
                None => false,
            };
            // A key can belong to several people. Then each of them counts as its owner.
            for person in people.iter().filter(|it| self.rules.four_eyes && !it.is_empty()) {
                is_own = is_own || keyring.key_of(signature, person)?.is_some();
            }
            let (principal, key) = (principal.clone(), key.fingerprint);
            return Ok(Signature::Of { principal, key, is_own });
        }
        keyring.reason_not_approver(signature).map(Signature::Invalid)
    }

    /// Returns the account of this machine that gave an approval.
    fn account_of(&self, approval: CommitId) -> Account {
        let listed = self.workspace.approval_account(approval).and_then(|number| {
            number.map(|number| Ok((number, self.listed_account(number)?))).transpose()
        });
        match listed {
            Ok(None) => Account::None,
            Ok(Some((_, Some(name)))) => Account::Approver(name),
            Ok(Some((number, None))) => {
                let name = account_name(number, &self.env);
                Account::Invalid(format!("it was given here by the account `{name}`, {UNLISTED}"))
            }
            Err(error) => Account::Invalid(format!(
                "it was given here by an unknown account ({})",
                error.report()
            )),
        }
    }

    /// Returns the approver that has this account number.
    fn listed_account(&self, number: u32) -> Result<Option<String>, Error> {
        for approver in &self.rules.approvers {
            if account_number(approver, &self.env)? == Some(number) {
                return Ok(Some(approver.clone()));
            }
        }
        Ok(None)
    }

    /// Returns true if the account of this process is an approver.
    pub(in crate::engine) fn is_approver(&self) -> bool {
        matches!(self.listed_account(own_account()), Ok(Some(_)))
    }

    /// Returns the account that approvals of this program count for, or the reason why they do not
    /// count.
    pub(in crate::engine) fn check_program(&self) -> Result<Account, String> {
        if self.rules.approvers.is_empty() {
            return Ok(Account::None);
        }
        match self.listed_account(own_account()) {
            Ok(Some(name)) => Ok(Account::Program(name)),
            Ok(None) => {
                let name = account_name(own_account(), &self.env);
                Err(format!(
                    "a program of the account `{name}` cannot approve: `tinyci.approvers` does not \
                     list it"
                ))
            }
            Err(error) => {
                Err(format!("cannot find out the account of this process ({})", error.report()))
            }
        }
    }

    /// Decides whether the host's approval in the name of `by` counts. The inner error is the
    /// reason.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the commit cannot be read.
    pub(in crate::engine) fn check_program_approval(
        &self,
        repo: &Repo,
        commit: CommitId,
        by: &str,
        account: Account,
    ) -> Result<Result<ApprovalProof, String>, Error> {
        let people = repo.people_of(commit)?;
        let (address, signature) = (address_of(by), Signature::Absent);
        let problem = |problem| format!("the approval by {by} does not count: {problem}");
        Ok(self
            .rules
            .judge(&Evidence { address, signature, account, people: &people })
            .map_err(problem))
    }

    /// Returns the reason why no approval can count with these settings, if there is one.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if git's configuration cannot be read.
    pub(in crate::engine) fn fault(&self, repo: &Repo) -> Result<Option<String>, Error> {
        let approvers = &self.rules.approvers;
        if approvers.is_empty() || approvers.iter().any(|name| self.is_account(name)) {
            return Ok(None);
        }
        let fault = match Keyring::open(repo.signers()?, &self.env, &self.zone) {
            Err(fault) => fault,
            Ok(keyring) if approvers.iter().any(|name| keyring.lists(name).unwrap_or(true)) => {
                return Ok(None);
            }
            Ok(keyring) => format!("no keys in `{}`", keyring.path().display()),
        };
        Ok(Some(format!(
            "no approval can count: {} in `tinyci.approvers` are not accounts of this machine, \
             and have no usable keys ({fault})",
            quoted(approvers)
        )))
    }

    /// Returns warnings about the approval settings, for the person who maintains the server.
    ///
    /// # Errors
    ///
    /// As [`fault`](Self::fault).
    pub(in crate::engine) fn warnings(&self, repo: &Repo) -> Result<Vec<String>, Error> {
        if let Some(fault) = self.fault(repo)? {
            return Ok(vec![fault]);
        }
        let others = self.rules.approvers.iter().filter(|name| !self.is_account(name));
        let others: Vec<String> = others.cloned().collect();
        if others.is_empty() {
            return Ok(Vec::new());
        }
        let keyring = match Keyring::open(repo.signers()?, &self.env, &self.zone) {
            Ok(keyring) => keyring,
            Err(fault) => {
                let people = quoted(&others);
                return Ok(vec![format!("approvals by {people} do not count: {fault}")]);
            }
        };
        let without_key = others.iter().filter(|name| !keyring.lists(name).unwrap_or(true));
        let file = keyring.path().display();
        let warning = |name| {
            format!(
                "`{name}` in `tinyci.approvers` cannot approve: not an account of this machine, \
                 and no key in `{file}`"
            )
        };
        Ok(without_key.map(warning).collect())
    }

    fn is_account(&self, name: &str) -> bool {
        account_number(name, &self.env).is_ok_and(|number| number.is_some())
    }
}

impl FoundApprovals {
    /// Returns a sentence for each approval that does not count.
    pub(in crate::engine) fn problems(&self) -> impl Iterator<Item = String> {
        self.uncounted.iter().filter_map(problem_of)
    }
}

/// Returns a sentence that says why an approval does not count, or `None` if it has no problem.
pub(in crate::engine) fn problem_of(approval: &Approval) -> Option<String> {
    let problem = approval.problem.as_ref()?;
    let by = match approval.approved_by.as_str() {
        "" => format!("at `{}`", approval.reference),
        by => format!("by {by}"),
    };
    Some(format!("the approval {by} does not count: {problem}"))
}

const UNLISTED: &str = "which `tinyci.approvers` does not list";

fn quoted(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
