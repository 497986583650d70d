//! [`Attempts`]: the number of attempts at each commit that ended without a verdict, kept on disk.
//!
//! An attempt is counted before the export, so that a commit that kills its engine is counted too.
//! The file has lines of `<full id> <count>`, followed by the name of a secret if a missing secret
//! ended the last attempt. It is replaced atomically.

use std::{fmt::Write as _, io, sync::Mutex};

use crate::model::stored_names::state;
use crate::util::state_file;
use crate::{
    model::{commit::CommitId, error::Error},
    util::lock::lock,
    workspace::layout::Workspace,
};

/// The maximum number of commits in the file. The ones that changed longest ago are dropped first.
const COMMITS_MAX: usize = 1000;

/// The counts of the file, with the changes of this value.
///
/// Only the owner of the run lock may change them. Its workers share one value.
#[derive(Debug)]
pub(crate) struct Attempts {
    workspace: Workspace,
    counts: Mutex<Vec<Count>>,
}

/// The count of one commit.
#[derive(Clone, Debug)]
struct Count {
    commit: CommitId,
    attempts: u32,
    /// The missing secret that ended the last attempt.
    missing_secret: Option<String>,
    /// The rest of the line, which a newer version wrote.
    unknown: Option<String>,
}

impl Workspace {
    /// Reads the counts. Ignores lines of another form.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file exists but cannot be read.
    pub(crate) fn attempts(&self) -> Result<Attempts, Error> {
        let path = self.state_path(state::ATTEMPTS);
        let text = match state_file::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            text => text.map_err(|source| Error::io("read", &path, source))?,
        };
        let counts = String::from_utf8_lossy(&text).lines().filter_map(parse_line).collect();
        Ok(Attempts { workspace: self.clone(), counts: Mutex::new(counts) })
    }
}

impl Attempts {
    /// Returns the number of attempts at this commit since its last verdict.
    pub(crate) fn get(&self, commit: &CommitId) -> u32 {
        lock(&self.counts).iter().find(|it| it.commit == *commit).map_or(0, |it| it.attempts)
    }

    /// Returns the secret that was missing at the last attempt at this commit.
    pub(crate) fn missing_secret(&self, commit: &CommitId) -> Option<String> {
        lock(&self.counts).iter().find(|it| it.commit == *commit)?.missing_secret.clone()
    }

    /// Counts one more attempt, on disk before this returns, and returns its number.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the counts cannot be written.
    pub(crate) fn increment(&self, commit: &CommitId) -> Result<u32, Error> {
        self.change(commit, |count| (count.saturating_add(1), None))
    }

    /// Records the missing secret that ended the last attempt.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the counts cannot be written.
    pub(crate) fn set_missing_secret(&self, commit: &CommitId, secret: &str) -> Result<(), Error> {
        self.change(commit, |count| (count, Some(secret.to_owned()))).map(drop)
    }

    /// Subtracts an attempt that was canceled or could not start.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the counts cannot be written.
    pub(crate) fn decrement(&self, commit: &CommitId) -> Result<(), Error> {
        self.change(commit, |count| (count.saturating_sub(1), None)).map(drop)
    }

    /// Removes the count of a commit that has a verdict.
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
        let attempts = before.as_ref().map_or(0, |it| it.attempts);
        let (after, missing_secret) = change(attempts);
        let is_same =
            after == attempts && before.and_then(|it| it.missing_secret) == missing_secret;
        if after > 0 {
            counts.push(Count { commit: *commit, attempts: after, missing_secret, unknown: None });
        }
        let surplus = counts.len().saturating_sub(COMMITS_MAX);
        counts.drain(..surplus);
        if is_same {
            return Ok(after);
        }
        let mut text = String::new();
        for Count { commit, attempts, missing_secret, unknown } in counts.iter() {
            let rest =
                [missing_secret, unknown].into_iter().flatten().map(|word| format!(" {word}"));
            // Writing to a string does not fail.
            let _ = writeln!(text, "{commit} {attempts}{}", rest.collect::<String>());
        }
        // Flush a higher count, so that a commit that crashes the machine runs out of attempts. A lower
        // count need not be flushed.
        let stored = match after > attempts {
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
    let (commit, attempts) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    let mut rest = words.map(str::to_owned);
    Some(Count { commit, attempts, missing_secret: rest.next(), unknown: rest.next() })
}

#[cfg(test)]
mod tests {
    use std::fs;

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
        attempts.decrement(&id(1)).unwrap();
        attempts.decrement(&id(3)).unwrap();
        assert_eq!((on_disk(1), attempts.get(&id(1))), (1, 1));
        attempts.set_missing_secret(&id(1), "TOKEN").unwrap();
        assert_eq!(workspace.attempts().unwrap().missing_secret(&id(1)).as_deref(), Some("TOKEN"));
        assert_eq!((on_disk(1), attempts.increment(&id(1)).unwrap()), (1, 2));
        assert_eq!(workspace.attempts().unwrap().missing_secret(&id(1)), None);
        attempts.clear(&id(1)).unwrap();
        attempts.decrement(&id(2)).unwrap();
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
