//! [`Intervention`]: what somebody decided about a commit in place of its steps; and how that is
//! asked for.

use super::{commit::CommitId, outcome::Outcome, selection::Wait};

/// What a person, or a push, decided about a commit, as its [`Record`](crate::Record) keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Intervention {
    /// What was decided.
    pub kind: InterventionKind,
    /// Who decided it, by their own word: a name and an address; or the account that pushed.
    pub by: String,
    /// The account of the machine that acted for them.
    pub account: Option<String>,
    /// Why, as far as that was said.
    pub reason: Option<String>,
}

/// What was decided about a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InterventionKind {
    /// Its job was to end: it was named, or was the only one of a run that was to end. The commit is
    /// out of attempts until a retry.
    Cancel,
    /// The run was to end that had it in hand beside others, so that it is due again.
    CancelRun,
    /// It was not to be tested.
    Skip,
    /// The same, said by those who pushed it: `git push -o ci.skip`.
    PushOption,
}

impl InterventionKind {
    /// Every kind there is.
    pub const ALL: [InterventionKind; 4] = [
        InterventionKind::Cancel,
        InterventionKind::CancelRun,
        InterventionKind::Skip,
        InterventionKind::PushOption,
    ];

    /// The name used in JSON: `cancel`, `cancel_run`, `skip` or `push_option`.
    pub fn name(self) -> &'static str {
        match self {
            InterventionKind::Cancel => "cancel",
            InterventionKind::CancelRun => "cancel_run",
            InterventionKind::Skip => "skip",
            InterventionKind::PushOption => "push_option",
        }
    }

    /// Whether the commit is left alone from then on, until somebody has it tested again.
    pub(crate) fn is_of_the_commit(self) -> bool {
        self != InterventionKind::CancelRun
    }
}

impl Intervention {
    /// Of this kind, by this person or account. Reasons are shown in logs and terminals: they are
    /// one line.
    pub(crate) fn new(kind: InterventionKind, by: &str, reason: Option<&str>) -> Self {
        let reason = reason.map(one_line).filter(|reason| !reason.is_empty());
        Self { kind, by: one_line(by), account: None, reason }
    }

    /// The same with the account that acts.
    pub(crate) fn with_account(self, account: Option<&str>) -> Self {
        Self { account: account.map(one_line), ..self }
    }

    /// Who and why, as it follows "Canceled …" and "Skipped …" in a log.
    pub(crate) fn phrase(&self) -> String {
        let of_push = self.kind == InterventionKind::PushOption;
        let how = if of_push { " (git push -o ci.skip)" } else { "" };
        let why = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("by {}{how}{why}", self.by)
    }
}

/// Without what would break a line, or a terminal.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    text.trim().to_owned()
}

/// What [`Engine::cancel`](crate::Engine::cancel) is to end, and who says so.
///
/// ```
/// use tinyci::intervention::CancelRequest;
/// let job = CancelRequest::revision("main").reason("it hangs");
/// let run = CancelRequest::run().kill(true);
/// # let _ = (job, run);
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CancelRequest {
    /// The commit whose job is to end, in any of git's revision syntax; none for the whole run.
    pub revision: Option<String>,
    /// Why: it goes into the record.
    pub reason: Option<String>,
    /// Who: a name and an address. Without them git's configuration says it, or the account.
    pub by: Option<(String, String)>,
    /// Kills commands at once, without a grace period and without `after_all`.
    pub kill: bool,
    /// How long to wait until it has ended.
    pub wait: Wait,
}

impl CancelRequest {
    /// The job of this commit; the run goes on.
    pub fn revision(revision: impl Into<String>) -> Self {
        Self { revision: Some(revision.into()), ..Self::run() }
    }

    /// The whole run.
    pub fn run() -> Self {
        Self { revision: None, reason: None, by: None, kill: false, wait: Wait::Forever }
    }

    /// Says why.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Says who.
    #[must_use]
    pub fn by(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.by = Some((name.into(), address.into()));
        self
    }

    /// Kills at once, as a second cancel does.
    #[must_use]
    pub fn kill(mut self, kill: bool) -> Self {
        self.kill = kill;
        self
    }

    /// Says how long to wait until it has ended. Without it, for as long as that takes.
    #[must_use]
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }
}

/// What [`Engine::skip`](crate::Engine::skip) is to leave untested, and who says so.
///
/// ```
/// use tinyci::intervention::SkipRequest;
/// let request = SkipRequest::revision("main").reason("it only changes the history file");
/// # let _ = request;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SkipRequest {
    /// The commit, in any of git's revision syntax.
    pub revision: String,
    /// Why: it goes into the record.
    pub reason: Option<String>,
    /// Who: a name and an address. Without them git's configuration says it, or the account.
    pub by: Option<(String, String)>,
}

impl SkipRequest {
    /// This commit.
    pub fn revision(revision: impl Into<String>) -> Self {
        Self { revision: revision.into(), reason: None, by: None }
    }

    /// Says why.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Says who.
    #[must_use]
    pub fn by(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.by = Some((name.into(), address.into()));
        self
    }
}

/// What [`Engine::cancel`](crate::Engine::cancel) came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancellation {
    /// Whether the whole run was to end.
    pub whole_run: bool,
    /// The jobs that were in progress, and are to end.
    pub jobs: Vec<CanceledJob>,
}

/// A job that was to end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CanceledJob {
    /// Its commit.
    pub commit: CommitId,
    /// Its id: [`Record::job_id`](crate::Record::job_id).
    pub job_id: String,
    /// What became of it: a job that is over before it meets the cancel has its verdict all the
    /// same. None where it has not ended yet, or left no record.
    pub outcome: Option<Outcome>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_one_line_whatever_was_said() {
        let phrase = |kind, by, reason| Intervention::new(kind, by, reason).phrase();
        let hangs = phrase(InterventionKind::Cancel, "Ada <a@b>", Some("it\nhangs\u{1b}[31m "));
        assert_eq!(hangs, "by Ada <a@b>: it hangs [31m");
        let pushed = phrase(InterventionKind::PushOption, "ada", None);
        assert_eq!(pushed, "by ada (git push -o ci.skip)");
        assert_eq!(phrase(InterventionKind::Skip, "Ada", Some(" \n")), "by Ada");
    }
}
