//! The verdicts: one word per commit, in a note that every git program shows.

use super::notes_ref::Notes;
use crate::{
    model::{commit::CommitId, error::Error, outcome::Verdict},
    repo::{
        refs::atomic_ref::Edit,
        repository::{Repo, VERDICTS},
    },
};

/// The verdict note of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Note {
    /// The verdict, or `None` if the note has other text. The commit then counts as tested, but
    /// never as green.
    pub(crate) verdict: Option<Verdict>,
    /// The whole note.
    pub(crate) bytes: Vec<u8>,
}

impl Note {
    pub(in crate::repo) fn new(bytes: Vec<u8>) -> Self {
        Self { verdict: Verdict::from_note(&bytes), bytes }
    }
}

/// Which existing notes a new verdict replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Replace {
    Nothing,
    /// The verdict of a skipped commit that is tested again.
    Skipped,
    Anything,
}

impl Replace {
    fn allows(self, old: &[u8]) -> bool {
        match self {
            Replace::Nothing => false,
            Replace::Skipped => Verdict::from_note(old) == Some(Verdict::Skipped),
            Replace::Anything => true,
        }
    }
}

/// The outcome of writing a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Written {
    /// The verdict was stored.
    Stored,
    /// The commit already had this note, which is unchanged.
    Existed(Note),
}

impl Repo {
    /// Returns the note of this commit.
    pub(crate) fn verdict(&self, id: CommitId) -> Result<Option<Note>, Error> {
        Ok(self.verdict_notes().tree()?.get(id)?.map(Note::new))
    }

    /// Writes the verdict, unless the commit has a note that `replace` does not cover.
    pub(crate) fn write_verdict(
        &self,
        id: CommitId,
        verdict: Verdict,
        replace: Replace,
    ) -> Result<Written, Error> {
        let text = format!("{verdict}\n");
        self.verdict_notes().update("Notes added by 'tinyci'", |tree| match tree.get(id)? {
            Some(old) if !replace.allows(&old) => Ok(Edit::Keep(Written::Existed(Note::new(old)))),
            Some(old) if old == text.as_bytes() => Ok(Edit::Keep(Written::Stored)),
            _ => Ok(Edit::Replace(tree.with(id, text.as_bytes())?, Written::Stored)),
        })
    }

    /// Removes the note, which makes the commit pending again. Returns false if there was none.
    pub(crate) fn remove_verdict(&self, id: CommitId) -> Result<bool, Error> {
        self.verdict_notes().update("Notes removed by 'tinyci'", |tree| match tree.get(id)? {
            Some(_) => Ok(Edit::Replace(tree.without(id)?, true)),
            None => Ok(Edit::Keep(false)),
        })
    }

    /// Returns the notes ref of the verdicts.
    pub(in crate::repo) fn verdict_notes(&self) -> Notes<'_> {
        Notes::new(self, VERDICTS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn the_ancestors_scripts_find_the_word() {
        let test = TestRepo::new();
        let (green, red) = (test.commit("green"), test.commit("red"));
        let repo = Repo::open(test.path()).unwrap();
        repo.write_verdict(green.parse().unwrap(), Verdict::Success, Replace::Nothing).unwrap();
        repo.write_verdict(red.parse().unwrap(), Verdict::Failure, Replace::Nothing).unwrap();
        let log = test.git(&["log", "--notes=tinyci*", "--format=%H %N"]);
        let found: Vec<&str> = log.lines().filter(|line| line.contains("success")).collect();
        assert_eq!(found, [format!("{green} success")]);
        let note = test.git(&["cat-file", "blob", &format!("{VERDICTS}:{red}")]);
        assert_eq!(note, "failure");
        test.git(&["fsck", "--strict"]);
    }

    #[test]
    fn a_word_that_stands_wins_unless_it_is_to_be_replaced() {
        let test = TestRepo::new();
        let id: CommitId = test.commit("one").parse().unwrap();
        let repo = Repo::open(test.path()).unwrap();
        assert_eq!(repo.verdict(id).unwrap(), None);
        assert_eq!(
            repo.write_verdict(id, Verdict::Success, Replace::Nothing).unwrap(),
            Written::Stored
        );
        let stands = Note { verdict: Some(Verdict::Success), bytes: b"success\n".to_vec() };
        let existed = repo.write_verdict(id, Verdict::Failure, Replace::Nothing).unwrap();
        assert_eq!(existed, Written::Existed(stands.clone()));
        assert_eq!(repo.verdict(id).unwrap(), Some(stands));
        for _ in 0..2 {
            assert_eq!(
                repo.write_verdict(id, Verdict::Failure, Replace::Anything).unwrap(),
                Written::Stored
            );
        }
        assert_eq!(test.verdict(&id.to_string()).as_deref(), Some("failure"));
        assert_eq!(test.git(&["rev-list", "--count", VERDICTS]), "2");
        assert!(repo.remove_verdict(id).unwrap());
        assert_eq!(repo.verdict(id).unwrap(), None);
    }

    #[test]
    fn a_foreign_note_is_there_and_not_green() {
        let test = TestRepo::new();
        let id = test.commit("one");
        test.git(&["notes", "--ref", VERDICTS, "add", "-m", "success, I think", &id]);
        let repo = Repo::open(test.path()).unwrap();
        let id: CommitId = id.parse().unwrap();
        let note = Note { verdict: None, bytes: b"success, I think\n".to_vec() };
        assert_eq!(repo.verdict(id).unwrap(), Some(note.clone()));
        let existed = repo.write_verdict(id, Verdict::Success, Replace::Nothing).unwrap();
        assert_eq!(existed, Written::Existed(note));
    }

    #[test]
    fn a_damaged_blob_of_a_verdict_is_written_anew() {
        for damage in [b"".as_slice(), b"x\x9c", b"nothing of git's"] {
            let test = TestRepo::new();
            let (one, two) = (test.commit("one"), test.commit("two"));
            let repo = Repo::open(test.path()).unwrap();
            let write = |id: &str| {
                repo.write_verdict(id.parse().unwrap(), Verdict::Success, Replace::Nothing).unwrap()
            };
            write(&one);
            let blob = test.git(&["rev-parse", &format!("{VERDICTS}:{one}")]);
            let path = test.path().join(".git/objects").join(&blob[..2]).join(&blob[2..]);
            std::fs::remove_file(&path).unwrap();
            std::fs::write(&path, damage).unwrap();
            let repo = Repo::open(test.path()).unwrap();
            let written =
                repo.write_verdict(two.parse().unwrap(), Verdict::Success, Replace::Nothing);
            assert_eq!(written.unwrap(), Written::Stored);
            assert_eq!(test.verdict(&one).as_deref(), Some("success"));
            assert_eq!(test.verdict(&two).as_deref(), Some("success"));
            test.git(&["fsck", "--strict"]);
        }
    }

    #[test]
    fn a_note_of_any_size_is_no_verdict_and_is_not_read() {
        let test = TestRepo::new();
        let id = test.commit("one");
        test.write("large", vec![b'\n'; 9 << 20]);
        let blob = test.git(&["hash-object", "-w", "large"]);
        test.git(&["notes", "--ref", VERDICTS, "add", "-C", &blob, &id]);
        test.git(&["notes", "--ref", crate::repo::repository::RECORDS, "add", "-C", &blob, &id]);
        let repo = Repo::open(test.path()).unwrap();
        let id: CommitId = id.parse().unwrap();
        let note = repo.verdict(id).unwrap().unwrap();
        assert_eq!(note.verdict, None);
        assert!(note.bytes.ends_with(b"note of 9437184 bytes)\n"), "{:?}", note.bytes);
        assert_eq!(repo.records(id).unwrap().len(), 1);
        let commit = repo.commit(id).unwrap();
        let record = crate::model::record::Record::begun(
            "r1".to_owned(),
            &commit,
            std::time::SystemTime::now(),
        );
        let error = repo.append_record(&record).unwrap_err();
        assert!(error.report().contains("is too large"), "{}", error.report());
        assert!(error.report().contains("git notes --ref="), "{}", error.report());
    }
}
