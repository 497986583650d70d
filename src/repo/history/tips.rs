//! Reads what refs name and which verdicts exist, to decide which tested commits to test again.

use std::collections::HashMap;

use git2::{ErrorCode, Oid};

use super::walk;
use crate::model::{
    commit::{CommitId, GitString},
    error::Error,
};
use crate::repo::{
    notes::{note_index::NoteIndex, verdicts::Note},
    refs::lookup::tip_of,
    repository::{Repo, commit_id, git_error, oid},
};

impl Repo {
    /// Returns the refs that match these patterns with their commits: HEAD's branch first, the
    /// others by name.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the refs cannot be read;
    /// [`InvalidArg`](crate::ErrorKind::InvalidArg) for a pattern that can select nothing.
    pub(crate) fn ref_tips(
        &self,
        patterns: &[String],
    ) -> Result<Vec<(GitString, CommitId)>, Error> {
        let head = self.head_branch()?;
        let tips = self.selected(patterns)?.into_iter();
        let tips = tips.map(|(name, tip)| Ok((GitString::new(name), commit_id(tip)?)));
        let mut tips: Vec<_> = tips.collect::<Result<_, Error>>()?;
        tips.sort_by_key(|(name, _)| Some(name.as_bytes()) != head.as_deref());
        Ok(tips)
    }

    /// Returns the commit that a ref names now, or `None` if the ref does not exist.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if it cannot be read.
    pub(crate) fn ref_tip(&self, name: &GitString) -> Result<Option<CommitId>, Error> {
        // libgit2 cannot look up a single name that is not UTF-8.
        let Ok(text) = std::str::from_utf8(name.as_bytes()) else { return Ok(None) };
        match self.git.find_reference(text) {
            Ok(reference) => tip_of(self, &reference).ok().flatten().map(commit_id).transpose(),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(git_error(format!("cannot read `{name}`"), source)),
        }
    }

    /// Returns the full name of the ref that a revision abbreviates, or `None` for other revisions.
    pub(crate) fn ref_named(&self, revision: &str) -> Option<GitString> {
        let reference = self.git.resolve_reference_from_short_name(revision).ok()?;
        Some(GitString::new(reference.name_bytes()))
    }

    /// Returns the notes of those of these commits that have a verdict.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the notes cannot be read.
    pub(crate) fn verdicts_of(
        &self,
        ids: impl IntoIterator<Item = CommitId>,
    ) -> Result<HashMap<CommitId, Note>, Error> {
        let mut notes = NoteIndex::new(self.verdict_notes().tree()?);
        let mut found = HashMap::new();
        for id in ids {
            if let Some(bytes) = notes.get(id)? {
                found.insert(id, Note::new(bytes));
            }
        }
        Ok(found)
    }

    /// Returns a key that changes with every change to verdicts and records.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the notes cannot be read.
    pub(crate) fn results_key(&self) -> Result<String, Error> {
        let shown = |tip: Option<Oid>| tip.map_or("none".to_owned(), |tip| tip.to_string());
        let (verdicts, records) = (self.verdict_notes().tip()?, self.record_notes().tip()?);
        Ok(format!("{} {}", shown(verdicts), shown(records)))
    }

    /// Sorts these commits so that ancestors come first.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if their history cannot be read.
    pub(crate) fn by_topology(&self, ids: &[CommitId]) -> Result<Vec<CommitId>, Error> {
        // A single commit needs no walk.
        if ids.len() < 2 {
            return Ok(ids.to_vec());
        }
        let ids: Vec<Oid> = ids.iter().copied().map(oid).collect::<Result<_, _>>()?;
        walk::by_topology(&self.git, &ids)?.into_iter().map(commit_id).collect()
    }
}
