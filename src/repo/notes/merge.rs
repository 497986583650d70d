//! Reads and merges verdicts and records that were fetched from a remote.
//!
//! A clone fetches a server's notes to `refs/notes/remotes/<remote>/…`, where they overwrite
//! nothing. `git notes merge` cannot merge them: it fails on notes trees of different fan-out, and
//! it merges a verdict like any text. This merge joins records line by line, with each job once and
//! all other lines unchanged. If two verdicts differ, the one whose job finished last wins. The
//! records of both remain. The result is a commit on top of both, so that it can be pushed without
//! force.

use std::{cmp::Reverse, collections::BTreeSet, time::SystemTime};

use git2::Oid;
use serde::Serialize;

use super::{
    note_index::notes_differing,
    notes_ref::Notes,
    notes_tree::{NotesTree, is_too_large},
    records::Line,
    verdicts::Note,
};
use crate::repo::{
    history::walk,
    refs::atomic_ref::{self, Edit},
    repository::{RECORDS, Repo, VERDICTS, git_error},
};
use crate::{
    model::{
        commit::CommitId,
        error::{Error, ErrorKind},
        stored_names::{families::NOTES, refs::FETCHED_NOTES},
    },
    wire,
};

/// The number of edits after which tinyci drops the new objects that later edits replaced.
const EDITS_KEPT: usize = 256;

const MESSAGE: &str = "Notes merged by 'tinyci'";

/// The verdict and records of a commit in one source: this repository, or a remote as last fetched.
#[derive(Clone, Debug, Default)]
pub(crate) struct SourceResults {
    pub(crate) verdict: Option<Note>,
    pub(crate) lines: Vec<Line>,
}

/// The result of a merge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct MergeReport {
    /// The number of added record lines.
    pub records: usize,
    /// The commits that had no verdict before.
    pub added: Vec<CommitId>,
    /// The commits whose verdict was replaced, because the other job finished later.
    pub replaced: Vec<CommitId>,
}

impl MergeReport {
    /// Returns the report as one line of JSON: `records`, and the full ids of `added` and
    /// `replaced`.
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
    /// Returns the names of the configured remotes whose verdicts or records were fetched, sorted. Refs
    /// below another name were not fetched, or belong to a remote that was removed.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the refs or the remotes cannot be listed.
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
            let ends = [VERDICTS, RECORDS].map(|own| own.trim_start_matches(NOTES));
            let remote = ends.iter().find_map(|end| name.strip_suffix(end)?.strip_suffix('/'));
            found.extend(remote.map(str::to_owned));
        }
        let configured = self.remotes()?;
        Ok(found.into_iter().filter(|remote| configured.contains(remote)).collect())
    }

    /// Merges the fetched results of a remote into this repository's own verdicts and records.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if nothing was fetched; [`Git`](ErrorKind::Git) if notes
    /// cannot be read or written.
    pub(crate) fn merge_results(&self, remote: &str) -> Result<MergeReport, Error> {
        if !self.tracked_remotes()?.iter().any(|known| known == remote) {
            self.remote_url(remote)?;
            let message = format!("no verdicts of `{remote}` have been fetched");
            let hint = format!("`tinyci setup-remote {remote}`, then `git fetch {remote}`");
            return Err(Error::new(ErrorKind::NotFound, message).with_hint(hint));
        }
        // The records first, because a verdict needs its record.
        let records = self.merge(remote, RECORDS, |_, note| Ok(joined_lines(&note)))?;
        let verdicts = self.merge(remote, VERDICTS, |id, note| self.newer_verdict(id, note))?;
        let of = |is_replaced: bool| {
            verdicts.iter().filter(move |(_, it)| *it == is_replaced).map(|(id, _)| *id).collect()
        };
        let records = records.iter().map(|(_, lines)| lines).sum();
        Ok(MergeReport { records, added: of(false), replaced: of(true) })
    }

    pub(super) fn tracked(&self, remote: &str, own: &str) -> Notes<'_> {
        let below = own.trim_start_matches(NOTES);
        Notes::new(self, format!("{FETCHED_NOTES}{remote}/{below}"))
    }

    /// Returns their verdict if it is to be stored, and whether it replaces one of ours.
    ///
    /// A verdict that was removed here after a merge is not added again.
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
        let is_newer = precedence(&theirs, &lines) > precedence(&ours, &lines);
        Ok(is_newer.then_some((theirs.bytes, true)))
    }

    /// Merges one notes ref. `choose` gets each note that differs and returns the new text with a
    /// result for the caller, or `None` to keep ours.
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

    /// Merges a commit that one of our notes refs no longer contains.
    pub(in crate::repo) fn merge_lost_notes(&self, own: &str, tip: Oid) -> Result<(), Error> {
        match own {
            RECORDS => self.merge_tip(RECORDS, tip, |_, note| Ok(joined_lines(&note))).map(drop),
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
            // If ours has no new commits, the merge is a fast-forward.
            let is_fast_forward = base == tip;
            self.flush_fetched(tip, their_tip)?;
            let (our_tree, base_tree) = (ours.tree_at(tip)?, ours.tree_at(base)?);
            let merging = NotesMerge {
                repo: self,
                base: &base_tree,
                theirs: &their_tree,
                writes: !is_fast_forward,
            };
            let (tree, changed) = merging.merge(our_tree, &choose)?;
            match (tip, tree) {
                _ if base == Some(their_tip) && changed.is_empty() => Ok(Edit::Keep(changed)),
                (Some(tip), Some(tree)) if !is_fast_forward => {
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

    /// Returns the merge base of two commits of the notes.
    fn base_of(&self, ours: Oid, theirs: Oid) -> Result<Option<Oid>, Error> {
        let bases = walk::merge_bases(&self.git, ours, theirs);
        let bases = bases.map_err(|error| {
            let kind = error.kind();
            Error::new(kind, "cannot read the history of the notes").with_source(error.report())
        })?;
        Ok(bases.first().copied())
    }
}

/// The commits whose note changes in a merge, each with the result of `choose`.
type Changed<T> = Vec<(CommitId, T)>;

/// The notes of one commit in a merge, if theirs differs from ours.
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
    /// True if the merge writes the new tree; false if it only computes the changes.
    writes: bool,
}

impl NotesMerge<'_, '_> {
    /// Returns our tree with all notes that `choose` returned, and the results of `choose`.
    fn merge<T>(
        &self,
        mut ours: NotesTree<'_>,
        choose: &impl Fn(CommitId, ThreeWay) -> Result<Option<(Vec<u8>, T)>, Error>,
    ) -> Result<(Option<Oid>, Changed<T>), Error> {
        let mut changed = Vec::new();
        for id in notes_differing(&ours, self.theirs)? {
            let theirs = self.theirs.get(id)?.filter(|text| !is_too_large(text));
            let Some(theirs) = theirs else { continue };
            let note = ThreeWay { base: self.base.get(id)?, ours: ours.get_to_edit(id)?, theirs };
            if note.ours.as_ref() == Some(&note.theirs) {
                continue;
            }
            if let Some((text, result)) = choose(id, note)? {
                if self.writes {
                    let tree = ours.with(id, &text)?;
                    ours = ours.edited_to(tree);
                    if changed.len() % EDITS_KEPT == 0 {
                        self.repo.forget_all_but(tree);
                    }
                }
                changed.push((id, result));
            }
        }
        Ok((ours.root(), changed))
    }
}

/// Returns our lines followed by their new lines, and the number of new lines.
fn joined_lines(note: &ThreeWay) -> Option<(Vec<u8>, usize)> {
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

/// Returns what the greater verdict of two is by: when the newest job with it finished, and of two that
/// finished at the same time the one that is no success, so that each clone takes the same. `None` without
/// a record of a job.
fn precedence(note: &Note, lines: &[Line]) -> Option<(SystemTime, Reverse<Vec<u8>>)> {
    let verdict = note.verdict?;
    let records = lines.iter().filter_map(|line| match line {
        Line::Record(record) => Some(record),
        Line::Foreign(_) => None,
    });
    let matching = records.filter(|record| record.verdict() == Some(verdict));
    let finished = matching.map(|record| record.finished).max()?;
    Some((finished, Reverse(note.bytes.clone())))
}

/// Returns the verdict of the job that finished last; the first of them if several are equal.
pub(crate) fn newest_verdict(sources: &[SourceResults]) -> Option<Note> {
    let lines: Vec<Line> = sources.iter().flat_map(|it| it.lines.iter().cloned()).collect();
    let verdicts = sources.iter().filter_map(|it| it.verdict.as_ref());
    let first = verdicts.clone().next()?;
    let newest = verdicts.fold(first, |best, verdict| {
        if precedence(verdict, &lines) > precedence(best, &lines) { verdict } else { best }
    });
    Some(newest.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{Chance, TestRepo};

    const COMMITS: usize = 5;

    /// A text of records of a commit: jobs of ids by chance that finished at times by chance, and what others
    /// wrote.
    fn records(commit: &str, chance: &mut Chance) -> String {
        let line = |chance: &mut Chance| match chance.below(5) {
            0 => "a line of another program\n".to_owned(),
            _ => {
                let (job, second) = (chance.below(6), chance.below(3));
                let outcome = *chance.one(&["success", "failure"]);
                // A job has one record, wherever it is read.
                let (second, outcome) = if job < 3 {
                    (job, ["success", "failure"][job % 2])
                } else {
                    (second, outcome)
                };
                format!(
                    "{{\"finished\":\"2026-11-24T19:50:0{second}Z\",\"outcome\":\"{outcome}\",\
                     \"job_id\":\"r{job}-{second}-{outcome}\",\"commit\":\"{commit}\",\
                     \"tree\":\"{commit}\"}}\n"
                )
            }
        };
        (0..=chance.below(4)).map(|_| line(chance)).collect()
    }

    /// The notes of three clones of one repository, as texts of git: refs `refs/notes/<clone>/…`.
    fn set_up(chance: &mut Chance) -> (TestRepo, Vec<String>) {
        let test = TestRepo::new();
        test.git(&["remote", "add", "other", "/nowhere"]);
        let commits: Vec<String> = (0..COMMITS).map(|it| test.commit(&it.to_string())).collect();
        for clone in ["a", "b", "c"] {
            for commit in &commits {
                if chance.below(4) == 0 {
                    continue;
                }
                let text = records(commit, chance);
                let notes = format!("refs/notes/{clone}/runs/tinyci");
                test.write("text", &text);
                let blob = test.git(&["hash-object", "-w", "text"]);
                test.git(&["notes", "--ref", &notes, "add", "-f", "-C", &blob, commit]);
                if let Some(verdict) = newest_outcome(&text) {
                    let notes = format!("refs/notes/{clone}/tinyci-result");
                    test.git(&["notes", "--ref", &notes, "add", "-f", "-m", verdict, commit]);
                }
            }
        }
        (test, commits)
    }

    /// Returns the outcome of the newest job in these lines. tinyci writes it as the verdict. Of jobs
    /// that ended in the same second, the failed one counts.
    fn newest_outcome(lines: &str) -> Option<&'static str> {
        let of = |outcome: &&'static str| {
            let jobs = lines.lines().filter(|line| line.contains(*outcome));
            Some((jobs.map(|line| line.split("\"outcome").next()).max()?, Reverse(*outcome)))
        };
        let newest = ["success", "failure"].iter().filter_map(of).max();
        newest.map(|(_, Reverse(outcome))| outcome)
    }

    /// The verdict of a commit, and its records as a set.
    type Known = (Option<String>, BTreeSet<String>);

    /// Begins as one clone and merges the others, one after the other. Returns what is then known of
    /// each commit.
    fn merged(test: &TestRepo, commits: &[String], clones: &[&str]) -> Vec<Known> {
        let parts = ["tinyci-result", "runs/tinyci"];
        let set = |own: &str, clone: &str| {
            for part in parts {
                let (own, theirs) =
                    (format!("refs/notes/{own}{part}"), format!("refs/notes/{clone}/{part}"));
                let known = test.try_git(&["rev-parse", "-q", "--verify", &theirs]);
                match known.status.success() {
                    true => test.git(&["update-ref", &own, &theirs]),
                    false => test.git(&["update-ref", "-d", &own]),
                };
            }
        };
        let _ = std::fs::remove_dir_all(test.path().join(".git/tinyci"));
        set("", clones[0]);
        for clone in &clones[1..] {
            set("remotes/other/", clone);
            let repo = Repo::open(test.path()).unwrap();
            if repo.tracked_remotes().unwrap().is_empty() {
                continue;
            }
            repo.merge_results("other").unwrap();
        }
        let repo = Repo::open(test.path()).unwrap();
        let known = |commit: &String| {
            let id: CommitId = commit.parse().unwrap();
            let shown = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let verdict = repo.verdict(id).unwrap().map(|note| shown(&note.bytes));
            let text = repo.record_notes().tree().unwrap().get(id).unwrap().unwrap_or_default();
            let lines = text.split(|byte| *byte == b'\n').map(shown);
            (verdict, lines.filter(|line| !line.is_empty()).collect())
        };
        commits.iter().map(known).collect()
    }

    #[test]
    fn a_merge_gives_the_same_in_every_order_and_as_often_as_it_is_done() {
        let mut chance = Chance::new(4);
        for round in 0..4 {
            let (test, commits) = set_up(&mut chance);
            let after = |clones: &[&str]| merged(&test, &commits, clones);
            let ab = after(&["a", "b"]);
            assert_eq!(after(&["b", "a"]), ab, "round {round}: a and b");
            assert_eq!(after(&["a", "b", "b", "a"]), ab, "round {round}: again");
            assert_eq!(after(&["a", "a"]), after(&["a"]), "round {round}: with itself");
            let all = after(&["a", "b", "c"]);
            for order in [["a", "c", "b"], ["b", "c", "a"], ["c", "b", "a"], ["c", "a", "b"]] {
                assert_eq!(after(&order), all, "round {round}: {order:?}");
            }
            test.git(&["fsck", "--strict"]);
        }
    }
}
