//! Which commits a caller means, and how a call behaves that meets another run.

use std::time::Duration;

use super::{
    commit::{CommitId, GitString},
    error::{Error, ErrorKind},
    pipeline::Pipeline,
};

/// Which commits to look at.
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
    /// What was named; empty means all that is pending.
    pub selectors: Vec<Selector>,
    /// Runs named commits again that have a verdict, and any that are out of attempts.
    pub retry: bool,
    /// Lets a retry make the build anew of a commit that is deployed, in the place of what runs.
    pub replace_live: bool,
    /// What was said with the push: `git push -o OPTION`.
    pub push_options: Vec<String>,
    /// Looks under the baseline too.
    pub all_history: bool,
    /// What to do when another run holds the repository.
    pub wait: Wait,
    /// Judges every commit by this pipeline in place of its own config.
    pub pipeline: Option<Pipeline>,
}

/// One thing that was named.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selector {
    /// One commit, in any of git's revision syntax.
    Revision(String),
    /// `a..b`, `a...b` or `^a b`: commits in git's range syntax.
    Range(String),
    /// A ref that was pushed.
    RefUpdate(RefUpdate),
}

/// One line of what git tells a `post-receive` hook.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefUpdate {
    /// What the ref named before; none for a new ref.
    pub old: Option<CommitId>,
    /// What it names now; none for a deleted one. Any object: tags are peeled by the engine.
    pub new: Option<CommitId>,
    /// The ref's full name.
    pub reference: GitString,
}

/// What a call does that meets another run in the same repository.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wait {
    /// Returns an error of kind [`Busy`](ErrorKind::Busy) at once. The other run is told to look
    /// again before it ends, so that nothing is missed.
    #[default]
    Never,
    /// Follows the other run until the selected commits have a verdict, or for this long.
    AtMost(Duration),
    /// Follows the other run until the selected commits have a verdict.
    Forever,
}

impl Selection {
    /// All that is due: reachable from the selected refs, without a verdict, not under the
    /// baseline, with a config.
    pub fn pending() -> Self {
        Self::default()
    }

    /// One commit, in any of git's revision syntax: `HEAD`, `main~3`, a tag, a short id.
    pub fn revision(revision: impl Into<String>) -> Self {
        Self { selectors: vec![Selector::Revision(revision.into())], ..Self::default() }
    }

    /// The commits of a range in git's syntax, such as `v1.0..main`.
    pub fn range(range: impl Into<String>) -> Self {
        Self { selectors: vec![Selector::Range(range.into())], ..Self::default() }
    }

    /// What a `post-receive` hook reads on its standard input: lines of `old new ref`.
    ///
    /// The pushed refs say whose verdicts the caller waits for; the run covers all selected refs.
    /// The backlog rule holds: see [`guide`](crate::guide).
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) with the line number, where a line is not of that form.
    pub fn hook_lines(lines: impl AsRef<[u8]>) -> Result<Self, Error> {
        let updates = parse_updates(lines.as_ref())?.into_iter().map(Selector::RefUpdate);
        Ok(Self { selectors: updates.collect(), ..Self::default() })
    }

    /// What was said with the push, as git tells it a `post-receive` hook (`GIT_PUSH_OPTION_*`).
    ///
    /// `ci.skip` gives the commits that the push brought the verdict `skipped`, as far as they have
    /// none and no job of theirs has begun; what another selected ref reaches too was there before.
    /// That holds at once, whoever holds the repository. It means nothing where nothing was pushed.
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

    /// Adds a commit by its revision.
    #[must_use]
    pub fn and_revision(mut self, revision: impl Into<String>) -> Self {
        self.selectors.push(Selector::Revision(revision.into()));
        self
    }

    /// Runs again what has a verdict (where it is named) or is out of attempts.
    #[must_use]
    pub fn retry(mut self, retry: bool) -> Self {
        self.retry = retry;
        self
    }

    /// Lets a [`retry`](Selection::retry) make the build anew of a commit that is deployed, in the
    /// place of what an environment runs; without it such a retry is refused. If what was deployed
    /// is gone, nothing is replaced, and no leave is needed.
    #[must_use]
    pub fn replace_live(mut self, replace_live: bool) -> Self {
        self.replace_live = replace_live;
        self
    }

    /// Looks under the baseline too, and switches the backlog rule off.
    #[must_use]
    pub fn all_history(mut self, all_history: bool) -> Self {
        self.all_history = all_history;
        self
    }

    /// Says what to do when another run holds the repository.
    #[must_use]
    pub fn wait(mut self, wait: Wait) -> Self {
        self.wait = wait;
        self
    }

    /// Judges commits by this pipeline instead of the config that each of them holds, or lacks.
    ///
    /// Every selected commit then counts as configured, whatever stands in its tree, and what
    /// becomes of it is its verdict as any other is: word and record are written, and it is not due
    /// again. The tree is exported as it is; imports of a script are those it was parsed with.
    ///
    /// With [`pending`](Selection::pending) all commits that the selected refs reach are due that
    /// have no verdict and are not under the baseline: in a repository whose commits have no config,
    /// its whole history, looked at anew by each call. What is meant are mostly named commits, a
    /// range, or [`hook_lines`](Selection::hook_lines), whose backlog rule holds here too.
    ///
    /// Another run that holds the repository knows nothing of this pipeline, and judges by their own
    /// configs the commits that it runs: where it matters, [`wait`](Selection::wait). What this run
    /// does for callers that find the repository busy after it has named commits of its own, it does
    /// by their configs.
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

/// The lines that a `post-receive` hook reads.
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
    /// The line that a `post-receive` hook reads for it.
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

/// `Some(None)` for the all-zero id that stands for "no object".
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
