//! Gives approvals, and finds the approvals of a plan.

use super::{candidate::Candidate, identity::Identity};
use crate::engine::{context::shared::Shared, run::attempt};
use crate::{
    engine::context::signatures,
    model::{
        commit::CommitId,
        deployment::{Approval, ApprovalState},
        error::Error,
    },
    repo::{Repo, StoredApproval},
    util::clock,
};

/// Approves the deployment of a commit to an environment.
pub(in crate::engine) fn approve(
    shared: &Shared,
    repo: &Repo,
    environment: &str,
    commit: CommitId,
) -> Result<Approval, Error> {
    let env = shared.process_env();
    let approvals = shared.approvals(&env);
    // The account of an approver identifies the person, even if git has no identity configured.
    if shared.options.by.is_none() && !approvals.is_approver() {
        repo.required_identity()?;
    }
    let identity = Identity::of(shared, repo, None, &env);
    let approval = Approval {
        reference: Repo::approval_ref(environment, commit, &attempt::new_id()),
        environment: environment.to_owned(),
        commit,
        config_blob: repo.config_blob(commit)?.unwrap_or_default(),
        approved_by: identity.to_string(),
        time: clock::now_ms(),
        signed: false,
        proof: None,
        problem: None,
    };
    let id = match repo.signs_with_ssh() {
        true => signatures::sign_approval(repo, &approval, &identity, &shared.process_variables())?,
        false => repo.make_approval(&approval, &identity)?,
    };
    // Stored before its ref, so that readers of the ref can find the account.
    shared.workspace().mark_approval(id)?;
    repo.keep_approval(&approval, id)?;
    approvals.verify(repo, StoredApproval { approval, id })
}

/// The approvals of a plan.
pub(in crate::engine) struct Approvals {
    pub(super) state: ApprovalState,
    pub(super) uncounted: Vec<Approval>,
    /// The reason why no approval can count.
    pub(super) fault: Option<String>,
}

/// Returns the state of the approval that counts, and the approvals that do not count.
/// `is_required` is `None` if a plan cannot know it.
pub(in crate::engine) fn state(
    shared: &Shared,
    repo: &Repo,
    environment: &str,
    candidate: &Candidate,
    is_required: Option<bool>,
) -> Result<Approvals, Error> {
    if is_required == Some(false) {
        return Ok(Approvals {
            state: ApprovalState::NotNeeded,
            uncounted: Vec::new(),
            fault: None,
        });
    }
    let missing =
        if is_required.is_some() { ApprovalState::Awaiting } else { ApprovalState::Unknown };
    let approvals = shared.approvals(&shared.process_env());
    let found = approvals.find(repo, environment, candidate.commit.id, &candidate.config)?;
    let fault = match &found.counted {
        Some(_) => None,
        None => approvals.fault(repo)?,
    };
    let given = |approval| ApprovalState::Given(Box::new(approval));
    let state = found.counted.map_or(missing, given);
    Ok(Approvals { state, uncounted: found.uncounted, fault })
}
