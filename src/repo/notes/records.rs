//! The records: the history of a commit's jobs, with a line of JSON for each attempt.
//!
//! The notes ref is outside `refs/notes/tinyci*`, because TinyCI 0.5 and its users' scripts read
//! all refs there. Lines are only appended. So `git notes merge -s cat_sort_uniq` joins the records
//! of two machines. Lines of other programs stay unchanged.

use std::collections::HashMap;

use super::{note_index::NoteIndex, notes_ref::Notes};
use crate::{
    model::{commit::CommitId, error::Error, record::Record},
    repo::{
        refs::atomic_ref::Edit,
        repository::{RECORDS, Repo},
    },
};

/// A line of a commit's records.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Line {
    /// The record of an attempt at this commit.
    Record(Box<Record>),
    /// Any other line: blank, damaged, of another program, or about another commit (for example
    /// after `git notes copy`).
    Foreign(Vec<u8>),
}

impl Repo {
    /// Appends a record to those of its commit, unless a record of the same job exists.
    pub(crate) fn append_record(&self, record: &Record) -> Result<(), Error> {
        let json = record.to_json();
        self.record_notes().update("Notes added by 'tinyci'", |tree| {
            let mut text = tree.get_to_edit(record.commit)?.unwrap_or_default();
            let is_same =
                |line: &Line| matches!(line, Line::Record(old) if old.job_id == record.job_id);
            if parse_lines(record.commit, &text).iter().any(is_same) {
                return Ok(Edit::Keep(()));
            }
            if !text.is_empty() && !text.ends_with(b"\n") {
                text.push(b'\n');
            }
            text.extend_from_slice(json.as_bytes());
            text.push(b'\n');
            Ok(Edit::Replace(tree.with(record.commit, &text)?, ()))
        })
    }

    /// Returns the lines of this commit in their stored order, which is usually oldest first.
    pub(crate) fn records(&self, id: CommitId) -> Result<Vec<Line>, Error> {
        let text = self.record_notes().tree()?.get(id)?.unwrap_or_default();
        Ok(parse_lines(id, &text))
    }

    /// Returns the unparsed records of those of these commits that have any.
    pub(crate) fn record_texts(
        &self,
        ids: impl IntoIterator<Item = CommitId>,
    ) -> Result<HashMap<CommitId, Vec<u8>>, Error> {
        let mut notes = NoteIndex::new(self.record_notes().tree()?);
        let mut found = HashMap::new();
        for id in ids {
            found.extend(notes.get(id)?.map(|text| (id, text)));
        }
        Ok(found)
    }

    /// Parses the lines of such a text.
    pub(crate) fn records_in(id: CommitId, text: &[u8]) -> Vec<Line> {
        parse_lines(id, text)
    }

    /// Returns the newest valid record of each of these commits that has one.
    pub(crate) fn newest_records(
        &self,
        ids: impl IntoIterator<Item = CommitId>,
    ) -> Result<HashMap<CommitId, Record>, Error> {
        let mut notes = NoteIndex::new(self.record_notes().tree()?);
        let mut newest = HashMap::new();
        for id in ids {
            let lines = parse_lines(id, &notes.get(id)?.unwrap_or_default());
            let records = lines.into_iter().filter_map(|line| match line {
                Line::Record(record) => Some(*record).filter(|record| record.counts),
                Line::Foreign(_) => None,
            });
            // If two jobs finished at the same time, the later line counts.
            newest.extend(records.max_by_key(|record| record.finished).map(|it| (id, it)));
        }
        Ok(newest)
    }

    pub(in crate::repo) fn record_notes(&self) -> Notes<'_> {
        Notes::new(self, RECORDS)
    }
}

pub(in crate::repo) fn parse_lines(id: CommitId, text: &[u8]) -> Vec<Line> {
    let text = text.strip_suffix(b"\n").unwrap_or(text);
    if text.is_empty() {
        return Vec::new();
    }
    text.split(|byte| *byte == b'\n').map(|line| parse_line(id, line)).collect()
}

fn parse_line(id: CommitId, line: &[u8]) -> Line {
    let record = std::str::from_utf8(line).ok().and_then(|text| Record::from_json(text).ok());
    match record {
        Some(record) if record.commit == id => Line::Record(Box::new(record)),
        _ => Line::Foreign(line.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;
    use crate::testing::TestRepo;

    fn record(commit: &str, run: &str) -> Record {
        let line = format!(
            concat!(
                r#"{{"finished":"2026-11-24T19:50:00.123Z","outcome":"failure","v":1,"job_id":"{run}","#,
                r#""commit":"{commit}","tree":"4b825dc642cb6eb9a060e54bf8d69288fbee4904","#,
                r#""started":"2026-11-24T19:49:58.000Z","duration_ms":2123,"machine":"ci","steps":[]}}"#,
            ),
            run = run,
            commit = commit,
        );
        Record::from_json(&line).unwrap()
    }

    fn note(test: &TestRepo, commit: &str) -> String {
        test.git(&["notes", "--ref", "runs/tinyci", "show", commit])
    }

    fn runs(lines: &[Line]) -> Vec<&str> {
        lines
            .iter()
            .filter_map(|line| match line {
                Line::Record(record) => Some(record.job_id.as_str()),
                Line::Foreign(_) => None,
            })
            .collect()
    }

    #[test]
    fn attempts_are_appended_each_once() {
        let test = TestRepo::new();
        let commit = test.commit("one");
        let repo = Repo::open(test.path()).unwrap();
        let (first, second) = (record(&commit, "r1"), record(&commit, "r2"));
        for record in [&first, &second, &first] {
            repo.append_record(record).unwrap();
        }
        assert_eq!(note(&test, &commit), format!("{}\n{}", first.to_json(), second.to_json()));
        let lines = [first, second].map(|record| Line::Record(Box::new(record)));
        assert_eq!(repo.records(commit.parse().unwrap()).unwrap(), lines);
        assert_eq!(test.git(&["rev-list", "--count", RECORDS]), "2");
        assert_eq!(test.git(&["log", "--notes=tinyci*", "--format=%N"]), "", "not in that glob");
        test.git(&["fsck", "--strict"]);
    }

    #[test]
    fn what_others_wrote_stays_byte_for_byte() {
        let test = TestRepo::new();
        let commit = test.commit("one");
        let about_another = record(&"1".repeat(40), "r9").to_json();
        let foreign = format!("{{\"v\":0}}\n\n  \r\n{{\"finished\":\n{about_another}\nno newline");
        let blob = test.outside().join("note");
        std::fs::write(&blob, [foreign.as_bytes(), b"\xff\0"].concat()).unwrap();
        let blob = test.git(&["hash-object", "-w", blob.to_str().unwrap()]);
        test.git(&["notes", "--ref", "runs/tinyci", "add", "-C", &blob, &commit]);
        let repo = Repo::open(test.path()).unwrap();
        let ours = record(&commit, "r1");
        repo.append_record(&ours).unwrap();

        let output = test.try_git(&["notes", "--ref", "runs/tinyci", "show", &commit]).stdout;
        let expected = [foreign.as_bytes(), b"\xff\0\n", ours.to_json().as_bytes(), b"\n"].concat();
        assert_eq!(output, expected);
        let lines = repo.records(commit.parse().unwrap()).unwrap();
        assert_eq!(lines.len(), 7);
        assert_eq!(lines[1], Line::Foreign(Vec::new()));
        assert_eq!(lines[4], Line::Foreign(about_another.into_bytes()));
        assert_eq!(lines[5], Line::Foreign(b"no newline\xff\0".to_vec()));
        assert_eq!(lines[6], Line::Record(Box::new(ours)));
    }

    #[test]
    fn the_records_of_two_machines_merge() {
        let test = TestRepo::new();
        let (one, two) = (test.commit("one"), test.commit("two"));
        let repo = Repo::open(test.path()).unwrap();
        repo.append_record(&record(&one, "r1")).unwrap();
        test.git(&["update-ref", "refs/notes/runs/other", RECORDS]);
        repo.append_record(&record(&one, "r2")).unwrap();
        let ours = test.git(&["rev-parse", RECORDS]);
        test.git(&["update-ref", RECORDS, "refs/notes/runs/other"]);
        repo.append_record(&record(&one, "r3")).unwrap();
        repo.append_record(&record(&two, "r4")).unwrap();
        test.git(&["update-ref", "refs/notes/runs/other", &ours]);
        let merge = ["notes", "--ref", "runs/tinyci", "merge", "-q", "-s", "cat_sort_uniq"];
        test.git(&[&merge[..], &["refs/notes/runs/other"]].concat());
        repo.append_record(&record(&one, "r5")).unwrap();

        let lines = repo.records(one.parse().unwrap()).unwrap();
        assert_eq!(runs(&lines), ["r1", "r2", "r3", "r5"]);
        assert_eq!(runs(&repo.records(two.parse().unwrap()).unwrap()), ["r4"]);
        let parents = test.git(&["log", "-2", "--format=%P", RECORDS]);
        let parents: Vec<usize> = parents.lines().map(|line| line.split(' ').count()).collect();
        assert_eq!(parents, [1, 2], "ours stands on git's merge");
        test.git(&["fsck", "--strict"]);
    }

    #[test]
    fn writers_at_once_on_one_commit_lose_no_record() {
        let test = TestRepo::new();
        let commit = test.commit("one");
        thread::scope(|scope| {
            for writer in 0..20 {
                let (test_path, commit) = (test.path(), &commit);
                scope.spawn(move || {
                    let repo = Repo::open(test_path).unwrap();
                    for run in 0..3 {
                        repo.append_record(&record(commit, &format!("{writer}-{run}"))).unwrap();
                    }
                });
            }
        });
        let repo = Repo::open(test.path()).unwrap();
        let lines = repo.records(commit.parse().unwrap()).unwrap();
        let mut runs = runs(&lines);
        runs.sort_unstable();
        runs.dedup();
        assert_eq!(runs.len(), 60);
    }
}
