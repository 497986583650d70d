//! [`Attempts`]: how often a commit was tried without a verdict, kept on disk.
//!
//! Counted before the export, so that a commit that kills its engine is counted too. Lines of
//! `<full id> <count>`, and the name of a secret if it was for want of that, replaced whole.

use std::{fmt::Write as _, fs, io, sync::Mutex};

use crate::model::stored_names::state;
use crate::{
    model::{commit::CommitId, error::Error},
    util::lock::lock,
    workspace::layout::Workspace,
};

/// How many commits are remembered; the longest untouched are forgotten first.
const COMMITS_MAX: usize = 1000;

/// The counts, as they were read and as this value changed them.
///
/// Only the lock's holder may change them. Its workers share one value.
#[derive(Debug)]
pub(crate) struct Attempts {
    workspace: Workspace,
    counts: Mutex<Vec<Count>>,
}

/// How often a commit was tried.
#[derive(Clone, Debug)]
struct Count {
    commit: CommitId,
    tried: u32,
    /// The secret for want of which the last attempt left no verdict.
    lacks: Option<String>,
    /// What a newer version wrote behind that.
    more: Option<String>,
}

impl Workspace {
    /// Reads the counts. A line that is not one of ours counts as nothing.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file is there and cannot be read.
    pub(crate) fn attempts(&self) -> Result<Attempts, Error> {
        let path = self.state_path(state::ATTEMPTS);
        let text = match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            text => text.map_err(|source| Error::io("read", &path, source))?,
        };
        let counts = String::from_utf8_lossy(&text).lines().filter_map(parse_line).collect();
        Ok(Attempts { workspace: self.clone(), counts: Mutex::new(counts) })
    }
}

impl Attempts {
    /// How often this commit was tried since it last had a verdict.
    pub(crate) fn get(&self, commit: &CommitId) -> u32 {
        lock(&self.counts).iter().find(|it| it.commit == *commit).map_or(0, |it| it.tried)
    }

    /// The secret that the server lacked when this commit was last tried.
    pub(crate) fn lacks(&self, commit: &CommitId) -> Option<String> {
        lock(&self.counts).iter().find(|it| it.commit == *commit)?.lacks.clone()
    }

    /// Counts one more attempt, on disk before this returns, and says which it is.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the counts cannot be written.
    pub(crate) fn increment(&self, commit: &CommitId) -> Result<u32, Error> {
        self.change(commit, |count| (count.saturating_add(1), None))
    }

    /// Notes for want of which secret the last attempt left no verdict.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the counts cannot be written.
    pub(crate) fn wait_for(&self, commit: &CommitId, secret: &str) -> Result<(), Error> {
        self.change(commit, |count| (count, Some(secret.to_owned()))).map(drop)
    }

    /// Takes one attempt back, which was canceled or could not be made here.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the counts cannot be written.
    pub(crate) fn take_back(&self, commit: &CommitId) -> Result<(), Error> {
        self.change(commit, |count| (count.saturating_sub(1), None)).map(drop)
    }

    /// Forgets a commit that has its verdict.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the counts cannot be written.
    pub(crate) fn clear(&self, commit: &CommitId) -> Result<(), Error> {
        self.change(commit, |_| (0, None)).map(drop)
    }

    fn change(
        &self,
        commit: &CommitId,
        change: impl Fn(u32) -> (u32, Option<String>),
    ) -> Result<u32, Error> {
        let mut counts = lock(&self.counts);
        let place = counts.iter().position(|it| it.commit == *commit);
        let before = place.map(|place| counts.remove(place));
        let tried = before.as_ref().map_or(0, |it| it.tried);
        let (after, lacks) = change(tried);
        let is_same = after == tried && before.and_then(|it| it.lacks) == lacks;
        if after > 0 {
            counts.push(Count { commit: *commit, tried: after, lacks, more: None });
        }
        let surplus = counts.len().saturating_sub(COMMITS_MAX);
        counts.drain(..surplus);
        if is_same {
            return Ok(after);
        }
        let mut text = String::new();
        for Count { commit, tried, lacks, more } in counts.iter() {
            let rest = [lacks, more].into_iter().flatten().map(|word| format!(" {word}"));
            // Writing to a string does not fail.
            let _ = writeln!(text, "{commit} {tried}{}", rest.collect::<String>());
        }
        // A commit that brings the whole machine down must not do so for ever. That a count is taken
        // back can wait.
        let stored = match after > tried {
            true => self.workspace.replace_and_flush(state::ATTEMPTS, text.as_bytes()),
            false => self.workspace.replace_state(state::ATTEMPTS, text.as_bytes()),
        };
        stored.map_err(|source| {
            Error::io("count an attempt in", &self.workspace.state_path(state::ATTEMPTS), source)
        })?;
        Ok(after)
    }
}

fn parse_line(line: &str) -> Option<Count> {
    let mut words = line.splitn(4, ' ');
    let (commit, tried) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let mut rest = words.map(str::to_owned);
    Some(Count { commit, tried, lacks: rest.next(), more: rest.next() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn id(number: u32) -> CommitId {
        format!("{number:040x}").parse().unwrap()
    }

    fn workspace(repo: &TestRepo) -> Workspace {
        Workspace::new(repo.path(), None, repo.path())
    }

    #[test]
    fn counts_are_on_disk_at_once_and_go_with_a_verdict() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let _lock = workspace.lock().unwrap();
        let attempts = workspace.attempts().unwrap();
        let on_disk = |number| workspace.attempts().unwrap().get(&id(number));
        assert_eq!(attempts.increment(&id(1)).unwrap(), 1);
        assert_eq!(attempts.increment(&id(1)).unwrap(), 2);
        assert_eq!(attempts.increment(&id(2)).unwrap(), 1);
        assert_eq!((on_disk(1), on_disk(2), on_disk(3)), (2, 1, 0));
        attempts.take_back(&id(1)).unwrap();
        attempts.take_back(&id(3)).unwrap();
        assert_eq!((on_disk(1), attempts.get(&id(1))), (1, 1));
        attempts.wait_for(&id(1), "TOKEN").unwrap();
        assert_eq!(workspace.attempts().unwrap().lacks(&id(1)).as_deref(), Some("TOKEN"));
        assert_eq!((on_disk(1), attempts.increment(&id(1)).unwrap()), (1, 2));
        assert_eq!(workspace.attempts().unwrap().lacks(&id(1)), None);
        attempts.clear(&id(1)).unwrap();
        attempts.take_back(&id(2)).unwrap();
        assert_eq!(fs::read_to_string(repo.path().join("tinyci/attempts")).unwrap(), "");
    }

    #[test]
    fn the_file_is_bounded_and_a_damaged_one_costs_only_its_damaged_lines() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let _lock = workspace.lock().unwrap();
        let mut text = String::from("nonsense\n\u{0} 7\n");
        for number in 0..2000 {
            text.push_str(&format!("{} 1\n", id(number)));
        }
        fs::write(repo.path().join("tinyci/attempts"), text).unwrap();
        let attempts = workspace.attempts().unwrap();
        assert_eq!(attempts.increment(&id(0)).unwrap(), 2);
        let again = workspace.attempts().unwrap();
        assert_eq!((again.get(&id(0)), again.get(&id(1)), again.get(&id(1999))), (2, 0, 1));
        let text = fs::read_to_string(repo.path().join("tinyci/attempts")).unwrap();
        assert_eq!(text.lines().count(), COMMITS_MAX);
    }

    #[test]
    fn workers_share_one_value() {
        let repo = TestRepo::bare();
        let workspace = workspace(&repo);
        let _lock = workspace.lock().unwrap();
        let attempts = workspace.attempts().unwrap();
        std::thread::scope(|scope| {
            for number in 0..8 {
                let attempts = &attempts;
                scope.spawn(move || {
                    for _ in 0..5 {
                        attempts.increment(&id(number)).unwrap();
                    }
                });
            }
        });
        let again = workspace.attempts().unwrap();
        assert!((0..8).all(|number| again.get(&id(number)) == 5));
    }
}
