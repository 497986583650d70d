//! What refs name, with what is known of it: for looking a second time at commits that have a
//! verdict.

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
    /// The commits that the refs matching these patterns name: HEAD's branch first, the others by
    /// name.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where the refs cannot be read,
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

    /// The commit that a ref names now; none if there is no such ref.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where it cannot be read.
    pub(crate) fn ref_tip(&self, name: &GitString) -> Result<Option<CommitId>, Error> {
        // A name that is not UTF-8 cannot be asked for alone.
        let Ok(text) = std::str::from_utf8(name.as_bytes()) else { return Ok(None) };
        match self.git.find_reference(text) {
            Ok(reference) => tip_of(self, &reference).ok().flatten().map(commit_id).transpose(),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(git_error(format!("cannot read `{name}`"), source)),
        }
    }

    /// The full name of the ref that a revision is the name of; none if it is another revision.
    pub(crate) fn ref_named(&self, revision: &str) -> Option<GitString> {
        let reference = self.git.resolve_reference_from_short_name(revision).ok()?;
        Some(GitString::new(reference.name_bytes()))
    }

    /// The notes of those of these commits that have a verdict.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where the notes cannot be read.
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

    /// A word for how verdicts and records stand: it changes with every one of them.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where the notes cannot be read.
    pub(crate) fn results_key(&self) -> Result<String, Error> {
        let shown = |tip: Option<Oid>| tip.map_or("none".to_owned(), |tip| tip.to_string());
        let (verdicts, records) = (self.verdict_notes().tip()?, self.record_notes().tip()?);
        Ok(format!("{} {}", shown(verdicts), shown(records)))
    }

    /// These commits with ancestors before what is above them.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) where their history cannot be read.
    pub(crate) fn by_topology(&self, ids: &[CommitId]) -> Result<Vec<CommitId>, Error> {
        // One alone has its place without a walk.
        if ids.len() < 2 {
            return Ok(ids.to_vec());
        }
        let ids: Vec<Oid> = ids.iter().copied().map(oid).collect::<Result<_, _>>()?;
        walk::by_topology(&self.git, &ids)?.into_iter().map(commit_id).collect()
    }
}
