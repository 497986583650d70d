//! Reads the results of many commits: their verdicts and records, here and in the remotes.

use super::{
    merge::SourceResults, note_index::NoteIndex, notes_ref::Notes, records::parse_lines,
    verdicts::Note,
};
use crate::model::{commit::CommitId, error::Error};
use crate::repo::repository::{RECORDS, Repo, VERDICTS};

/// The results as they were when the snapshot was taken. Each tree of the notes is read once, however
/// many commits are asked for.
pub(crate) struct ResultsSnapshot<'repo> {
    /// This repository, then the remotes.
    sources: Vec<Source<'repo>>,
}

struct Source<'repo> {
    verdicts: NoteIndex<'repo>,
    records: NoteIndex<'repo>,
}

impl<'repo> Source<'repo> {
    fn new(verdicts: &Notes<'repo>, records: &Notes<'repo>) -> Result<Self, Error> {
        // The verdicts first, so that every verdict has its record.
        let verdicts = NoteIndex::new(verdicts.tree()?);
        Ok(Self { verdicts, records: NoteIndex::new(records.tree()?) })
    }

    fn results(&mut self, id: CommitId) -> Result<SourceResults, Error> {
        let verdict = self.verdicts.get(id)?.map(Note::new);
        let text = self.records.get(id)?.unwrap_or_default();
        Ok(SourceResults { verdict, lines: parse_lines(id, &text) })
    }
}

impl Repo {
    /// Takes a snapshot of the results of this repository, and of these remotes as last fetched.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the notes cannot be read.
    pub(crate) fn results(&self, remotes: &[String]) -> Result<ResultsSnapshot<'_>, Error> {
        let mut sources = vec![Source::new(&self.verdict_notes(), &self.record_notes())?];
        for remote in remotes {
            let tracked = |name| self.tracked(remote, name);
            sources.push(Source::new(&tracked(VERDICTS), &tracked(RECORDS))?);
        }
        Ok(ResultsSnapshot { sources })
    }
}

impl ResultsSnapshot<'_> {
    /// Returns the results of a commit in this repository, then those in each remote.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the notes cannot be read.
    pub(crate) fn of(&mut self, id: CommitId) -> Result<Vec<SourceResults>, Error> {
        self.sources.iter_mut().map(|source| source.results(id)).collect()
    }
}
