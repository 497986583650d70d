//! [`Approvals`]: which approvals of a deployment count here, and why others do not.
//!
//! What the rules say is decided in `approval_rules`; here is found out what is known of an
//! approval: whose key signed it, which account of this machine gave it.

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

/// What approvals are looked at with.
#[derive(Clone)]
pub(in crate::engine) struct Approvals {
    pub(in crate::engine) rules: ApprovalRules,
    workspace: Workspace,
    /// For the programs that are asked.
    env: Variables,
    zone: TimeZone,
}

/// The approvals of a commit in an environment.
#[derive(Debug, Default)]
pub(in crate::engine) struct FoundApprovals {
    /// The oldest that counts.
    pub(in crate::engine) counted: Option<Approval>,
    /// Those that do not, the oldest first.
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
    /// Looks at all approvals of a commit with this config in this environment.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where refs or the commit cannot be read.
    pub(in crate::engine) fn find(
        &self,
        repo: &Repo,
        environment: &str,
        commit: CommitId,
        config: &str,
    ) -> Result<FoundApprovals, Error> {
        let mut found = FoundApprovals::default();
        for stored in repo.approvals(environment, commit, config)? {
            let approval = self.judged(repo, stored)?;
            if approval.problem.is_some() {
                found.uncounted.push(approval);
            } else if found.counted.is_none() {
                found.counted = Some(approval);
            }
        }
        Ok(found)
    }

    /// Finds out whether an approval counts: it has its proof then, else its problem.
    ///
    /// # Errors
    ///
    /// As [`find`](Self::find).
    pub(in crate::engine) fn judged(
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
        let (mut signed, mut account) = (Signature::Absent, Account::None);
        if !self.rules.approvers.is_empty() {
            if let Some(signature) = signature {
                signed = self.signature(repo, &signature, approval.commit, &people)?;
            }
            account = self.account(id);
        }
        let address = address_of(&approval.approved_by);
        let known = Evidence { address, signature: signed, account, people: &people };
        match self.rules.judge(&known) {
            Ok(proof) => approval.proof = Some(proof),
            Err(problem) => approval.problem = Some(problem),
        }
        Ok(approval)
    }

    /// What a signature is worth.
    fn signature(
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
        // A commit that is signed says more of who made it than its lines of author and committer.
        let of_commit = repo.signature_of(commit)?.filter(CommitSignature::is_ssh);
        let of_commit = of_commit.as_ref().filter(|_| self.rules.four_eyes);
        let verified = self.verified(&keyring, signature, of_commit, people);
        Ok(verified.unwrap_or_else(|error| unverified(error.report())))
    }

    fn verified(
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
            // A key that stands for several people is that of each of them.
            for person in people.iter().filter(|it| self.rules.four_eyes && !it.is_empty()) {
                is_own = is_own || keyring.key_of(signature, person)?.is_some();
            }
            let (principal, key) = (principal.clone(), key.fingerprint);
            return Ok(Signature::Of { principal, key, is_own });
        }
        keyring.flaw_of(signature).map(Signature::Invalid)
    }

    /// Which account of this machine gave an approval.
    fn account(&self, approval: CommitId) -> Account {
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

    /// The approver who is this account.
    fn listed_account(&self, number: u32) -> Result<Option<String>, Error> {
        for approver in &self.rules.approvers {
            if account_number(approver, &self.env)? == Some(number) {
                return Ok(Some(approver.clone()));
            }
        }
        Ok(None)
    }

    /// Whether the account of this process is an approver.
    pub(in crate::engine) fn is_approver(&self) -> bool {
        matches!(self.listed_account(own_account()), Ok(Some(_)))
    }

    /// Whether this program could approve; why not, if it could not.
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

    /// Whether it counts that this program says that somebody approves.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where the commit cannot be read.
    pub(in crate::engine) fn of_program(
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

    /// Why no approval at all can count here.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where git's configuration cannot be read.
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
            named(approvers)
        )))
    }

    /// What there is to say of the settings to whoever looks after the server.
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
                let who = named(&others);
                return Ok(vec![format!("approvals by {who} do not count: {fault}")]);
            }
        };
        let unknown = others.iter().filter(|name| !keyring.lists(name).unwrap_or(true));
        let file = keyring.path().display();
        let warning = |name| {
            format!(
                "`{name}` in `tinyci.approvers` cannot approve: not an account of this machine, \
                 and no key in `{file}`"
            )
        };
        Ok(unknown.map(warning).collect())
    }

    fn is_account(&self, name: &str) -> bool {
        account_number(name, &self.env).is_ok_and(|number| number.is_some())
    }
}

impl FoundApprovals {
    /// A sentence for each that does not count.
    pub(in crate::engine) fn problems(&self) -> impl Iterator<Item = String> {
        self.uncounted.iter().filter_map(problem_of)
    }
}

/// What there is to say of an approval that does not count.
pub(in crate::engine) fn problem_of(approval: &Approval) -> Option<String> {
    let problem = approval.problem.as_ref()?;
    let by = match approval.approved_by.as_str() {
        "" => format!("at `{}`", approval.reference),
        by => format!("by {by}"),
    };
    Some(format!("the approval {by} does not count: {problem}"))
}

const UNLISTED: &str = "which `tinyci.approvers` does not list";

fn named(names: &[String]) -> String {
    let quoted: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    quoted.join(", ")
}
