//! [`Selection`]: which commits a call is for, and what it does if another run is active.

use std::time::Duration;

use super::{
    commit::{CommitId, GitString},
    error::{Error, ErrorKind},
    pipeline::Pipeline,
};

/// The commits that a call is for.
///
/// ```
/// use tinyci::Selection;
/// let all = Selection::pending();
/// let one = Selection::revision("HEAD~2").retry(true);
/// let some = Selection::range("v1.0..main");
/// # let _ = (all, one, some);
/// ```
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Selection {
    /// The named commits. If empty, all pending commits.
    pub selectors: Vec<Selector>,
    /// True to test named commits again that have a verdict, and commits that are out of attempts.
    pub retry: bool,
    /// True to allow a retry to rebuild a deployed commit, which replaces the deployed files.
    pub replace_live: bool,
    /// The push options: `git push -o OPTION`.
    pub push_options: Vec<String>,
    /// True to include history below the baseline.
    pub all_history: bool,
    /// What to do if another run is active.
    pub wait: Wait,
    /// The pipeline to use instead of each commit's config.
    pub pipeline: Option<Pipeline>,
}

/// A named commit, range or ref.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selector {
    /// One commit, in any of git's revision syntax.
    Revision(String),
    /// `a..b`, `a...b` or `^a b`: commits in git's range syntax.
    Range(String),
    /// A pushed ref.
    RefUpdate(RefUpdate),
}

/// One line of the standard input of a `post-receive` hook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefUpdate {
    /// The object that the ref named before. `None` for a new ref.
    pub old: Option<CommitId>,
    /// The object that the ref names now, of any type; the engine resolves tags. `None` for a
    /// deleted ref.
    pub new: Option<CommitId>,
    /// The full name of the ref.
    pub reference: GitString,
}

/// What a call does if another run is active in the repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// Return an error of the kind [`Busy`](ErrorKind::Busy) at once. The other run scans again
    /// before it ends, so no commit is lost.
    #[default]
    Never,
    /// Follow the other run until the selected commits have a verdict, or this time has passed.
    AtMost(Duration),
    /// Follow the other run until the selected commits have a verdict.
    Forever,
}

impl Selection {
    /// Selects all pending commits: reachable from the selected refs, without a verdict, above the
    /// baseline, with a config.
    pub fn pending() -> Self {
        Self::default()
    }

    /// Selects one commit, in any of git's revision syntax: `HEAD`, `main~3`, a tag, a short id.
    pub fn revision(revision: impl Into<String>) -> Self {
        Self { selectors: vec![Selector::Revision(revision.into())], ..Self::default() }
    }

    /// Selects the commits of a range in git's syntax, such as `v1.0..main`.
    pub fn range(range: impl Into<String>) -> Self {
        Self { selectors: vec![Selector::Range(range.into())], ..Self::default() }
    }

    /// Selects the refs of a push, from the standard input of a `post-receive` hook: lines of `old
    /// new ref`.
    ///
    /// The caller waits for the verdicts of the pushed refs; the run tests all selected refs. The
    /// backlog limit applies: see [`guide`](crate::guide).
    ///
    /// # Errors
    ///
    /// Returns [`InvalidArg`](ErrorKind::InvalidArg) with the line number if a line is malformed.
    pub fn hook_lines(lines: impl AsRef<[u8]>) -> Result<Self, Error> {
        let updates = parse_updates(lines.as_ref())?.into_iter().map(Selector::RefUpdate);
        Ok(Self { selectors: updates.collect(), ..Self::default() })
    }

    /// Adds the push options, which git passes to a `post-receive` hook in `GIT_PUSH_OPTION_*`.
    ///
    /// `ci.skip` gives the verdict `skipped` to the commits that are new with this push. Commits
    /// that have a verdict, a started job or another selected ref keep their state. This happens at
    /// once, even if another run is active. Without pushed refs, the option has no effect.
    ///
    /// ```
    /// use tinyci::Selection;
    /// let id = "f40785cbc4422f39c36118fbae071932774cb5b6";
    /// let line = format!("{} {id} refs/heads/main\n", "0".repeat(40));
    /// let push = Selection::hook_lines(line)?.push_options(["ci.skip"]);
    /// # let _ = push;
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    #[must_use]
    pub fn push_options<S: Into<String>>(mut self, options: impl IntoIterator<Item = S>) -> Self {
        self.push_options.extend(options.into_iter().map(Into::into));
        self
    }

    /// Adds a commit, in any of git's revision syntax.
    #[must_use]
    pub fn and_revision(mut self, revision: impl Into<String>) -> Self {
        self.selectors.push(Selector::Revision(revision.into()));
        self
    }

    /// Tests commits again that are out of attempts, and named commits that have a verdict.
    #[must_use]
    pub fn retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }

    /// Allows a [`retry`](Selection::retry) to rebuild a deployed commit, which replaces the
    /// deployed files. Without this, tinyci refuses such a retry. If the deployed files no longer
    /// exist, the retry is allowed anyway.
    #[must_use]
    pub fn replace_live(mut self, replace_live: bool) -> Self {
        self.replace_live = replace_live;
        self
    }

    /// Includes history below the baseline, and ignores the backlog limit.
    #[must_use]
    pub fn all_history(mut self, all_history: bool) -> Self {
        self.all_history = all_history;
        self
    }

    /// Sets what to do if another run is active.
    #[must_use]
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    /// Tests commits with this pipeline instead of their configs.
    ///
    /// Every selected commit then counts as configured, even if its tree has no config. The outcome
    /// is an ordinary verdict: the note and the record are written, and the commit is no longer
    /// pending. The tree is exported unchanged. Imports of a script are those from when it was
    /// parsed.
    ///
    /// With [`pending`](Selection::pending), all reachable commits without a verdict above the
    /// baseline are pending. In a repository without configs, this is the whole history, and each
    /// call scans it again. So use this with named commits, a range, or
    /// [`hook_lines`](Selection::hook_lines), to which the backlog limit applies.
    ///
    /// Another active run does not know this pipeline and tests its commits with their configs. If
    /// that matters, use [`wait`](Selection::wait). If other callers find the repository busy, this
    /// run tests their commits too, with their configs.
    ///
    /// ```
    /// use tinyci::{Format, Pipeline, Selection};
    ///
    /// let pipeline = Pipeline::parse("build: make\ntest: make check\n", Format::Yaml, "nightly")?;
    /// let nightly = Selection::revision("main").pipeline(pipeline).retry(true);
    /// # let _ = nightly;
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    #[must_use]
    pub fn pipeline(mut self, pipeline: Pipeline) -> Self {
        self.pipeline = Some(pipeline);
        self
    }
}

/// Parses the standard input of a `post-receive` hook.
pub(crate) fn parse_updates(lines: &[u8]) -> Result<Vec<RefUpdate>, Error> {
    let lines = lines.split(|byte| *byte == b'\n').enumerate();
    let lines = lines.filter(|(_, line)| !line.is_empty());
    let updates = lines.map(|(index, line)| {
        parse_update(line).ok_or_else(|| {
            let text = String::from_utf8_lossy(line);
            let message = format!(
                "invalid hook line {}: expected `<old id> <new id> <ref>`, got `{text}`",
                index + 1
            );
            Error::new(ErrorKind::InvalidArg, message)
        })
    });
    updates.collect()
}

impl RefUpdate {
    /// Returns the line that a `post-receive` hook reads for this update.
    pub(crate) fn line(&self) -> Vec<u8> {
        let id = |id: Option<CommitId>| id.map_or_else(|| "0".repeat(40), |id| id.to_string());
        let ids = format!("{} {} ", id(self.old), id(self.new));
        [ids.as_bytes(), self.reference.as_bytes(), b"\n"].concat()
    }
}

fn parse_update(line: &[u8]) -> Option<RefUpdate> {
    let text = line.strip_suffix(b"\r").unwrap_or(line);
    let mut words = text.splitn(3, |byte| *byte == b' ');
    let (old, new, reference) = (words.next()?, words.next()?, words.next()?);
    if !reference.starts_with(b"refs/") {
        return None;
    }
    Some(RefUpdate {
        old: parse_id(old)?,
        new: parse_id(new)?,
        reference: GitString::new(reference),
    })
}

/// Parses an id. Returns `Some(None)` for the all-zero id, which means "no object".
fn parse_id(digits: &[u8]) -> Option<Option<CommitId>> {
    let id: CommitId = std::str::from_utf8(digits).ok()?.parse().ok()?;
    Some((id.as_bytes() != &[0; 20]).then_some(id))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hook_lines_are_read_and_bad_ones_named() {
        let id = "f40785cbc4422f39c36118fbae071932774cb5b6";
        let zero = "0".repeat(40);
        let text = format!("{zero} {id} refs/heads/a b\n{id} {zero} refs/tags/x\n");
        let selection = Selection::hook_lines(&text).expect("both lines are well formed");
        let Selector::RefUpdate(first) = &selection.selectors[0] else { panic!("an update") };
        assert_eq!((first.old, first.new), (None, id.parse().ok()));
        assert_eq!(first.reference, "refs/heads/a b");
        let Selector::RefUpdate(second) = &selection.selectors[1] else { panic!("an update") };
        assert_eq!(second.new, None);

        let error = Selection::hook_lines(format!("{id} {id} refs/heads/a\nnonsense\n"));
        assert!(error.expect_err("the second line").to_string().contains("line 2"));
    }
}
