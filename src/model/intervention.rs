//! [`Intervention`]: a decision about a commit that replaces its steps, and the requests for it.

use super::{commit::CommitId, outcome::Outcome, selection::Wait};

/// A decision of a person or a push about a commit, as its [`Record`](crate::Record) keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Intervention {
    /// The decision.
    pub kind: InterventionKind,
    /// Who decided, as they stated: a name and an address, or the account that pushed.
    pub by: String,
    /// The account on the machine that acted for them.
    pub account: Option<String>,
    /// The reason, if they gave one.
    pub reason: Option<String>,
}

/// The kind of a decision about a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum InterventionKind {
    /// Cancel this job. The request named the commit, or it was the only one of a canceled run. The
    /// commit is out of attempts until a retry.
    Cancel,
    /// Cancel the whole run, which was testing several commits. The commit stays pending.
    CancelRun,
    /// Do not test the commit.
    Skip,
    /// Do not test the commit, by `git push -o ci.skip`.
    PushOption,
}

impl InterventionKind {
    /// All kinds.
    pub const ALL: [InterventionKind; 4] = [
        InterventionKind::Cancel,
        InterventionKind::CancelRun,
        InterventionKind::Skip,
        InterventionKind::PushOption,
    ];

    /// Returns the name used in JSON: `cancel`, `cancel_run`, `skip` or `push_option`.
    pub fn name(self) -> &'static str {
        match self {
            InterventionKind::Cancel => "cancel",
            InterventionKind::CancelRun => "cancel_run",
            InterventionKind::Skip => "skip",
            InterventionKind::PushOption => "push_option",
        }
    }

    /// Returns true if the decision is about the commit itself: tinyci does not test it until a
    /// retry.
    pub(crate) fn is_about_commit(self) -> bool {
        self != InterventionKind::CancelRun
    }
}

impl Intervention {
    /// Creates a decision. Logs and terminals show the strings, so they become single lines.
    pub(crate) fn new(kind: InterventionKind, by: &str, reason: Option<&str>) -> Self {
        let reason = reason.map(one_line).filter(|reason| !reason.is_empty());
        Self { kind, by: one_line(by), account: None, reason }
    }

    /// Sets the account that acts.
    pub(crate) fn with_account(self, account: Option<&str>) -> Self {
        Self { account: account.map(one_line), ..self }
    }

    /// Returns the person and the reason, to follow "Canceled …" and "Skipped …" in a log.
    pub(crate) fn phrase(&self) -> String {
        let of_push = self.kind == InterventionKind::PushOption;
        let how = if of_push { " (git push -o ci.skip)" } else { "" };
        let why = self.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("by {}{how}{why}", self.by)
    }
}

/// Replaces control characters, which would break a line or a terminal.
fn one_line(text: &str) -> String {
    let text: String = text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
    text.trim().to_owned()
}

/// The options of [`Engine::cancel`](crate::Engine::cancel).
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
    /// The commit whose job to cancel, in any of git's revision syntax. `None` for the whole run.
    pub revision: Option<String>,
    /// The reason, for the record.
    pub reason: Option<String>,
    /// Name and address of the person. The default is the identity in git's configuration, else the
    /// account.
    pub by: Option<(String, String)>,
    /// True to kill commands at once, without a grace period and without `after_all`.
    pub kill: bool,
    /// How long to wait for the end.
    pub wait: Wait,
}

impl CancelRequest {
    /// Cancels the job of this commit; the run continues.
    pub fn revision(revision: impl Into<String>) -> Self {
        Self { revision: Some(revision.into()), ..Self::run() }
    }

    /// Cancels the whole run.
    pub fn run() -> Self {
        Self { revision: None, reason: None, by: None, kill: false, wait: Wait::Forever }
    }

    /// Sets the reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the person who decides.
    #[must_use]
    pub fn by(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.by = Some((name.into(), address.into()));
        self
    }

    /// Kills commands at once, as a second cancel does.
    #[must_use]
    pub fn kill(mut self, kill: bool) -> Self {
        self.kill = kill;
        self
    }

    /// Sets how long to wait for the end. The default is [`Wait::Forever`].
    #[must_use]
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }
}

/// The options of [`Engine::skip`](crate::Engine::skip).
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
    /// The reason, for the record.
    pub reason: Option<String>,
    /// Name and address of the person. The default is the identity in git's configuration, else the
    /// account.
    pub by: Option<(String, String)>,
}

impl SkipRequest {
    /// Skips this commit.
    pub fn revision(revision: impl Into<String>) -> Self {
        Self { revision: revision.into(), reason: None, by: None }
    }

    /// Sets the reason.
    #[must_use]
    pub fn reason(mut self, reason: impl Into<String>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Sets the person who decides.
    #[must_use]
    pub fn by(mut self, name: impl Into<String>, address: impl Into<String>) -> Self {
        self.by = Some((name.into(), address.into()));
        self
    }
}

/// The result of [`Engine::cancel`](crate::Engine::cancel).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Cancellation {
    /// True if the whole run was canceled.
    pub whole_run: bool,
    /// The jobs that were in progress and were canceled.
    pub jobs: Vec<CanceledJob>,
}

/// A canceled job.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CanceledJob {
    /// The commit.
    pub commit: CommitId,
    /// The id of the job: [`Record::job_id`](crate::Record::job_id).
    pub job_id: String,
    /// The outcome. A job that ends before it notices the cancellation still gets its verdict.
    /// `None` if it has not ended yet, or left no record.
    pub outcome: Option<Outcome>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phrase_is_always_one_line() {
        let phrase = |kind, by, reason| Intervention::new(kind, by, reason).phrase();
        let hangs = phrase(InterventionKind::Cancel, "Ada <a@b>", Some("it\nhangs\u{1b}[31m "));
        assert_eq!(hangs, "by Ada <a@b>: it hangs [31m");
        let pushed = phrase(InterventionKind::PushOption, "ada", None);
        assert_eq!(pushed, "by ada (git push -o ci.skip)");
        assert_eq!(phrase(InterventionKind::Skip, "Ada", Some(" \n")), "by Ada");
    }
}
