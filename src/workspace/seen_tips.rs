//! Remembers the commits to which pushes moved a branch.
//!
//! The history does not contain this. After `git pull` merges the server's branch, the branch's old
//! tip is only the second parent of the new one. The file has lines of `<full id> <ref>`, oldest
//! first. If it is lost, fewer commits can be chosen: those on the line of first parents are known
//! anyway.

use std::{
    collections::HashMap,
    fs::File,
    io::{self, Read, Seek, Write},
};

use super::{layout::Workspace, lock_file};
use crate::model::stored_names::state;
use crate::model::{
    commit::{CommitId, GitString},
    error::Error,
};
use crate::util::state_file;

/// The size in bytes at which the older half of the lines is removed.
const BYTES_MAX: usize = 1 << 20;

impl Workspace {
    /// Remembers that these refs, by their full names, named these commits.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be written.
    pub(crate) fn note_tips(&self, tips: &[(GitString, CommitId)]) -> Result<(), Error> {
        if tips.is_empty() {
            return Ok(());
        }
        self.prepare_state()?;
        let path = self.state_path(state::TIPS);
        let mut lines = Vec::new();
        for (reference, id) in tips {
            lines.extend_from_slice(format!("{id} ").as_bytes());
            lines.extend_from_slice(reference.as_bytes());
            lines.push(b'\n');
        }
        lock_file::hold(&path, self.sharing())
            .and_then(|file| append(file, &lines))
            .map_err(|source| Error::io("record the pushed tips in", &path, source))
    }

    /// Returns the commits that each branch has named, oldest first, by the branch's short name.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file exists but cannot be read.
    pub(crate) fn seen_tips(&self) -> Result<HashMap<GitString, Vec<CommitId>>, Error> {
        let path = self.state_path(state::TIPS);
        let read = || {
            let mut file = state_file::open(&path)?;
            file.lock_shared()?;
            let mut text = Vec::new();
            file.read_to_end(&mut text).map(|_| text)
        };
        let text = match read() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            text => text.map_err(|source| Error::io("read", &path, source))?,
        };
        let mut tips: HashMap<GitString, Vec<CommitId>> = HashMap::new();
        for (branch, id) in text.split(|byte| *byte == b'\n').filter_map(parse_line) {
            tips.entry(branch).or_default().push(id);
        }
        Ok(tips)
    }
}

/// Appends lines to a locked file, and trims it if it is too long.
fn append(mut file: File, lines: &[u8]) -> io::Result<()> {
    let mut text = Vec::new();
    file.read_to_end(&mut text)?;
    if text.len() + lines.len() <= BYTES_MAX {
        return file.write_all(lines);
    }
    let half = text.len() / 2;
    let rest = text.get(half..).unwrap_or_default();
    let begins = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
    let kept = [rest.get(begins..).unwrap_or_default(), lines].concat();
    file.rewind()?;
    file.write_all(&kept)?;
    file.set_len(kept.len() as u64)
}

/// Parses a line into a branch and a commit, or returns `None` for other refs and incomplete lines.
fn parse_line(line: &[u8]) -> Option<(GitString, CommitId)> {
    let space = line.iter().position(|byte| *byte == b' ')?;
    let id = std::str::from_utf8(line.get(..space)?).ok()?.parse().ok()?;
    let branch = line.get(space + 1..)?.strip_prefix(b"refs/heads/")?;
    Some((GitString::new(branch), id))
}

#[cfg(test)]
mod tests {
    use std::{fs, thread};

    use super::*;
    use crate::testing::TestRepo;

    fn id(digit: u8) -> CommitId {
        CommitId::from_bytes([digit; 20])
    }

    #[test]
    fn tips_of_branches_are_remembered_in_order() {
        let repo = TestRepo::bare();
        let workspace = Workspace::new(repo.path(), None, repo.path());
        assert!(workspace.seen_tips().unwrap().is_empty());
        let name = |text: &str| GitString::new(text.as_bytes());
        workspace.note_tips(&[(name("refs/heads/main"), id(1))]).unwrap();
        let more = [(name("refs/tags/v1"), id(2)), (name("refs/heads/a/b"), id(3))];
        workspace.note_tips(&more).unwrap();
        workspace.note_tips(&[(name("refs/heads/main"), id(4))]).unwrap();
        let tips = workspace.seen_tips().unwrap();
        assert_eq!(tips.get(&name("main")), Some(&vec![id(1), id(4)]));
        assert_eq!((tips.get(&name("a/b")), tips.len()), (Some(&vec![id(3)]), 2));
    }

    #[test]
    fn writers_at_once_lose_nothing_and_the_file_stays_small() {
        let repo = TestRepo::bare();
        let workspace = Workspace::new(repo.path(), None, repo.path());
        thread::scope(|scope| {
            for writer in 0..8_u8 {
                let workspace = &workspace;
                let name = GitString::new(format!("refs/heads/{writer}"));
                scope.spawn(move || {
                    (0..20).for_each(|at| workspace.note_tips(&[(name.clone(), id(at))]).unwrap());
                });
            }
        });
        let tips = workspace.seen_tips().unwrap();
        assert!(tips.len() == 8 && tips.values().all(|seen| seen.len() == 20), "{tips:?}");

        let path = repo.path().join("tinyci/tips");
        let line = format!("{} refs/heads/old\n", id(7));
        fs::write(&path, line.repeat(BYTES_MAX / line.len())).unwrap();
        workspace.note_tips(&[(GitString::new("refs/heads/new"), id(9))]).unwrap();
        assert!(fs::metadata(&path).unwrap().len() < 600_000);
        let tips = workspace.seen_tips().unwrap();
        assert_eq!(tips.get(&GitString::new("new")), Some(&vec![id(9)]));
        assert!(tips.len() == 2 && !tips[&GitString::new("old")].is_empty());
    }
}
