//! Verdicts and records that were fetched from a remote, read beside one's own and merged into
//! them.
//!
//! A clone fetches a server's notes to `refs/notes/remotes/<remote>/…`, where they overwrite
//! nothing. Merging is done here and not by `git notes merge`, which fails on notes trees of
//! different fan-out, and to which a word is a text like any other. Records are joined line by line,
//! each run once, other lines byte for byte. Of two words that differ, the one holds whose run
//! finished last; the records of both stay. The result is a commit on top of both, so that it can
//! be pushed without force.

use std::{collections::BTreeSet, time::SystemTime};

use git2::{ErrorCode, Oid};
use serde::Serialize;

use super::{
    note_index::notes_differing,
    notes_ref::Notes,
    notes_tree::NotesTree,
    records::{Line, parse_lines},
    verdicts::Note,
};
use crate::repo::{
    refs::atomic_ref::{self, Edit},
    repository::{RECORDS, Repo, VERDICTS, git_error},
};
use crate::{
    model::{
        commit::CommitId,
        error::{Error, ErrorKind},
        stored_names::refs::FETCHED_NOTES,
    },
    wire,
};

/// After how many edits what they made and replaced again is forgotten.
const EDITS_KEPT: usize = 256;

const MESSAGE: &str = "Notes merged by 'tinyci'";

/// What one source says of a commit: this repository, or a remote when it was last fetched.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceResults {
    pub(crate) verdict: Option<Note>,
    pub(crate) lines: Vec<Line>,
}

/// What a merge brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeReport {
    /// How many lines of records are new here.
    pub records: usize,
    /// The commits that have a verdict now and had none.
    pub added: Vec<CommitId>,
    /// The commits whose verdict was another one, of a run that finished earlier.
    pub replaced: Vec<CommitId>,
}

impl MergeReport {
    /// As one line of JSON: `records`, and the full ids of `added` and `replaced`.
    ///
    /// ```
    /// let expected = r#"{"v":1,"records":0,"added":[],"replaced":[]}"#;
    /// assert_eq!(tinyci::record::MergeReport::default().to_json(), expected);
    /// ```
    pub fn to_json(&self) -> String {
        let ids = |ids: &[CommitId]| ids.iter().map(CommitId::to_string).collect();
        wire::json(&MergedJson {
            v: wire::VERSION,
            records: self.records,
            added: ids(&self.added),
            replaced: ids(&self.replaced),
        })
    }
}

#[derive(Serialize)]
struct MergedJson {
    v: u32,
    records: usize,
    added: Vec<String>,
    replaced: Vec<String>,
}

impl Repo {
    /// The remotes of which verdicts or records were fetched, by name.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where the refs cannot be listed.
    pub(crate) fn tracked_remotes(&self) -> Result<Vec<String>, Error> {
        let unlisted = |source| git_error(format!("cannot list the refs of {self}"), source);
        let mut found = BTreeSet::new();
        let references =
            self.git.references_glob(&format!("{FETCHED_NOTES}*")).map_err(unlisted)?;
        for reference in references {
            let reference = reference.map_err(unlisted)?;
            let Some(name) = reference.name().ok().and_then(|it| it.strip_prefix(FETCHED_NOTES))
            else {
                continue;
            };
            let ends = [VERDICTS, RECORDS].map(|own| own.trim_start_matches("refs/notes"));
            found.extend(ends.iter().find_map(|end| name.strip_suffix(end)).map(str::to_owned));
        }
        Ok(found.into_iter().collect())
    }

    /// What these remotes said of a commit when they were last fetched, in their order.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where their notes cannot be read.
    pub(crate) fn said_by(
        &self,
        remotes: &[String],
        id: CommitId,
    ) -> Result<Vec<SourceResults>, Error> {
        let said = |remote: &String| {
            let word = self.tracked(remote, VERDICTS).tree()?.get(id)?.map(Note::new);
            let text = self.tracked(remote, RECORDS).tree()?.get(id)?.unwrap_or_default();
            Ok(SourceResults { verdict: word, lines: parse_lines(id, &text) })
        };
        remotes.iter().map(said).collect()
    }

    /// Merges what was fetched of a remote into this repository's own verdicts and records.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) where nothing of it was fetched, [`Git`](ErrorKind::Git)
    /// where notes cannot be read or written.
    pub(crate) fn merge_results(&self, remote: &str) -> Result<MergeReport, Error> {
        if !self.tracked_remotes()?.iter().any(|known| known == remote) {
            self.remote_url(remote)?;
            let message = format!("no verdicts of `{remote}` have been fetched");
            let hint = format!("`tinyci setup-remote {remote}`, then `git fetch {remote}`");
            return Err(Error::new(ErrorKind::NotFound, message).with_hint(hint));
        }
        // The records first: a word rests on them.
        let records = self.merge(remote, RECORDS, |_, note| Ok(joined(&note)))?;
        let words = self.merge(remote, VERDICTS, |id, note| self.newer_verdict(id, note))?;
        let of = |overruled: bool| {
            words.iter().filter(move |(_, it)| *it == overruled).map(|(id, _)| *id).collect()
        };
        let records = records.iter().map(|(_, lines)| lines).sum();
        Ok(MergeReport { records, added: of(false), replaced: of(true) })
    }

    fn tracked(&self, remote: &str, own: &str) -> Notes<'_> {
        let below = own.trim_start_matches("refs/notes/");
        Notes::new(self, format!("{FETCHED_NOTES}{remote}/{below}"))
    }

    /// The word of theirs, if it is to stand here, and whether it takes another's place. One that was
    /// taken away here after it was merged stays away.
    fn newer_verdict(
        &self,
        id: CommitId,
        note: ThreeWay,
    ) -> Result<Option<(Vec<u8>, bool)>, Error> {
        let theirs = Note::new(note.theirs);
        let Some(ours) = note.ours.map(Note::new) else {
            let is_new = note.base.as_ref() != Some(&theirs.bytes);
            return Ok(is_new.then_some((theirs.bytes, false)));
        };
        let lines = self.records(id)?;
        let is_newer = finished(&theirs, &lines) > finished(&ours, &lines);
        Ok(is_newer.then_some((theirs.bytes, true)))
    }

    /// Merges one notes ref. `choose` is shown a commit's note where there is another one there than
    /// here, and gives the text that is to stand, if not the one that does, with what to tell of it.
    fn merge<T>(
        &self,
        remote: &str,
        own: &'static str,
        choose: impl Fn(CommitId, ThreeWay) -> Result<Option<(Vec<u8>, T)>, Error>,
    ) -> Result<Changed<T>, Error> {
        match self.tracked(remote, own).tip()? {
            Some(their_tip) => self.merge_tip(own, their_tip, choose),
            None => Ok(Vec::new()),
        }
    }

    /// Joins a commit of one of our notes refs to it that it does not contain any more.
    pub(in crate::repo) fn join_notes(&self, own: &str, tip: Oid) -> Result<(), Error> {
        match own {
            RECORDS => self.merge_tip(RECORDS, tip, |_, note| Ok(joined(&note))).map(drop),
            _ => self.merge_tip(VERDICTS, tip, |id, note| self.newer_verdict(id, note)).map(drop),
        }
    }

    fn merge_tip<T>(
        &self,
        own: &'static str,
        their_tip: Oid,
        choose: impl Fn(CommitId, ThreeWay) -> Result<Option<(Vec<u8>, T)>, Error>,
    ) -> Result<Changed<T>, Error> {
        let ours = Notes::new(self, own);
        let their_tree = ours.tree_at(Some(their_tip))?;
        ours.move_by(MESSAGE, |tip| {
            let base = tip.map(|tip| self.base_of(tip, their_tip)).transpose()?.flatten();
            // What only grew is taken as it is, and its history with it.
            let grew = base == tip;
            self.flush_fetched(tip, their_tip)?;
            let (our_tree, base_tree) = (ours.tree_at(tip)?, ours.tree_at(base)?);
            let merging =
                NotesMerge { repo: self, base: &base_tree, theirs: &their_tree, writes: !grew };
            let (tree, changed) = merging.merge(our_tree, &choose)?;
            match (tip, tree) {
                _ if base == Some(their_tip) && changed.is_empty() => Ok(Edit::Keep(changed)),
                (Some(tip), Some(tree)) if !grew => {
                    let parents = [tip, their_tip];
                    let commit =
                        atomic_ref::commit(self, tree, &parents, atomic_ref::now(), MESSAGE);
                    let failed = |source| git_error(format!("cannot extend `{own}`"), source);
                    Ok(Edit::Replace(commit.map_err(failed)?, changed))
                }
                _ => Ok(Edit::Replace(their_tip, changed)),
            }
        })
    }

    /// The newest commit that both notes rest on.
    fn base_of(&self, ours: Oid, theirs: Oid) -> Result<Option<Oid>, Error> {
        match self.git.merge_base(ours, theirs) {
            Ok(base) => Ok(Some(base)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(git_error("cannot read the history of the notes", source)),
        }
    }
}

/// The commits whose note is another one after a merge, with what there is to tell of each.
type Changed<T> = Vec<(CommitId, T)>;

/// What is said of one commit, where theirs differs from ours.
struct ThreeWay {
    base: Option<Vec<u8>>,
    ours: Option<Vec<u8>>,
    theirs: Vec<u8>,
}

/// A merge of one notes tree into another.
struct NotesMerge<'a, 'repo> {
    repo: &'repo Repo,
    base: &'a NotesTree<'repo>,
    theirs: &'a NotesTree<'repo>,
    /// Whether the merged tree is wanted, and not only what would change.
    writes: bool,
}

impl NotesMerge<'_, '_> {
    /// Our tree with all that `choose` takes, and what it told of each.
    fn merge<T>(
        &self,
        mut ours: NotesTree<'_>,
        choose: &impl Fn(CommitId, ThreeWay) -> Result<Option<(Vec<u8>, T)>, Error>,
    ) -> Result<(Option<Oid>, Changed<T>), Error> {
        let mut changed = Vec::new();
        for id in notes_differing(&ours, self.theirs)? {
            let Some(theirs) = self.theirs.get(id)? else { continue };
            let note = ThreeWay { base: self.base.get(id)?, ours: ours.get(id)?, theirs };
            if note.ours.as_ref() == Some(&note.theirs) {
                continue;
            }
            if let Some((text, told)) = choose(id, note)? {
                if self.writes {
                    let tree = ours.with(id, &text)?;
                    ours = ours.edited_to(tree);
                    if changed.len() % EDITS_KEPT == 0 {
                        self.repo.forget_all_but(tree);
                    }
                }
                changed.push((id, told));
            }
        }
        Ok((ours.root(), changed))
    }
}

/// Our lines and, behind them, those of theirs that are new; with how many those are.
fn joined(note: &ThreeWay) -> Option<(Vec<u8>, usize)> {
    let ours = note.ours.as_deref().unwrap_or_default();
    let mut text = ours.to_vec();
    let known: BTreeSet<&[u8]> = ours.split(|byte| *byte == b'\n').chain([&b""[..]]).collect();
    let mut added = BTreeSet::new();
    for line in note.theirs.split(|byte| *byte == b'\n') {
        if !known.contains(line) && added.insert(line) {
            if !text.is_empty() && !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            text.extend_from_slice(line);
            text.push(b'\n');
        }
    }
    (!added.is_empty()).then_some((text, added.len()))
}

/// When the newest run finished that gave this word; none where no record says so.
fn finished(note: &Note, lines: &[Line]) -> Option<SystemTime> {
    let verdict = note.verdict?;
    let records = lines.iter().filter_map(|line| match line {
        Line::Record(record) => Some(record),
        Line::Foreign(_) => None,
    });
    let gave = records.filter(|record| record.verdict() == Some(verdict));
    gave.map(|record| record.finished).max()
}

/// The word that holds among these: that of the run that finished last, the first of equals.
pub(crate) fn word_that_holds(said: &[SourceResults]) -> Option<Note> {
    let lines: Vec<Line> = said.iter().flat_map(|it| it.lines.iter().cloned()).collect();
    let words = said.iter().filter_map(|it| it.verdict.as_ref());
    let first = words.clone().next()?;
    let newest = words.fold(first, |best, word| {
        if finished(word, &lines) > finished(best, &lines) { word } else { best }
    });
    Some(newest.clone())
}
