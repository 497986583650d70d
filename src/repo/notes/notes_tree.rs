//! A notes tree in git's format: one entry per annotated object, named by its id. As notes are
//! added, git distributes them over directories of two digits.
//!
//! libgit2's writer keeps the shape that it finds. So it rewrites a flat tree of 200,000 notes for
//! each new note. This writer reads every shape that git reads and splits a directory when git
//! would. The cost of an insert is the depth of the tree. Entries that are not notes stay
//! unchanged.

use std::{borrow::Cow, collections::HashMap};

use git2::{ErrorCode, ObjectType, Odb, OdbObject, Oid};

use crate::repo::{
    objects::tree::{self, Entry},
    refs::damage::remedy,
    repository::{Repo, git_error, not_fetched},
};
use crate::{
    model::{
        commit::CommitId,
        error::{Error, ErrorKind},
    },
    util::hex,
};

/// The notes of one ref at one moment.
pub(in crate::repo) struct NotesTree<'repo> {
    repo: &'repo Repo,
    odb: Odb<'repo>,
    /// The name of the ref, for errors.
    reference: Cow<'static, str>,
    root: Option<Oid>,
}

/// An object of a notes tree: in the repository, or made by an edit and not written yet.
enum NoteObject<'odb> {
    Stored(OdbObject<'odb>),
    New(Vec<u8>),
}

impl NoteObject<'_> {
    fn data(&self) -> &[u8] {
        match self {
            Self::Stored(object) => object.data(),
            Self::New(data) => data,
        }
    }
}

/// One tree of a notes tree, without its subtrees.
#[derive(Default)]
pub(in crate::repo) struct Level {
    /// The annotated commits, each with the blob of its note.
    pub(in crate::repo) notes: Vec<(CommitId, Oid)>,
    /// The subtrees, by the next byte of the ids in them.
    pub(in crate::repo) subtrees: HashMap<u8, Oid>,
}

impl<'repo> NotesTree<'repo> {
    pub(in crate::repo) fn new(
        repo: &'repo Repo,
        reference: impl Into<Cow<'static, str>>,
        root: Option<Oid>,
    ) -> Result<Self, git2::Error> {
        Ok(Self { repo, odb: repo.git.odb()?, reference: reference.into(), root })
    }

    /// Returns the same notes with this tree as the new root.
    pub(in crate::repo) fn edited_to(self, root: Oid) -> Self {
        Self { root: Some(root), ..self }
    }

    /// Returns the root tree, or `None` if no note was ever written.
    pub(in crate::repo) fn root(&self) -> Option<Oid> {
        self.root
    }

    /// Returns the text of a commit's note.
    pub(in crate::repo) fn get(&self, id: CommitId) -> Result<Option<Vec<u8>>, Error> {
        let mut blobs = Vec::new();
        if let Some(root) = self.root {
            self.find(root, id.to_string().as_bytes(), &mut blobs)?;
        }
        if blobs.is_empty() { Ok(None) } else { self.text(&blobs).map(Some) }
    }

    /// Returns the text of these blobs as one note. Several are joined as in git: by a blank line,
    /// equal ones once.
    pub(in crate::repo) fn text(&self, blobs: &[Oid]) -> Result<Vec<u8>, Error> {
        let mut text: Vec<u8> = Vec::new();
        for (index, blob) in blobs.iter().enumerate() {
            if blobs[..index].contains(blob) {
                continue;
            }
            if index > 0 {
                let end = text.strip_suffix(b"\n").map_or(text.len(), <[u8]>::len);
                text.truncate(end);
                text.extend(b"\n\n");
            }
            if let Some(size) = self.excess(*blob)? {
                text.extend(format!("{TOO_LARGE} {size} bytes)\n").bytes());
                continue;
            }
            text.extend(self.read(*blob, ObjectType::Blob)?.data());
        }
        Ok(text)
    }

    /// Returns the size of a blob that is larger than a note may be. Its contents are not looked at.
    fn excess(&self, blob: Oid) -> Result<Option<usize>, Error> {
        let header = self.odb.read_header(blob);
        let (size, _) = header.map_err(|source| self.unreadable(ObjectType::Blob, blob, source))?;
        Ok((size > NOTE_BYTES_MAX).then_some(size))
    }

    /// Returns the text of a commit's note in order to change it.
    ///
    /// # Errors
    ///
    /// An error if the note is too large to be read, because a change would lose it.
    pub(in crate::repo) fn get_to_edit(&self, id: CommitId) -> Result<Option<Vec<u8>>, Error> {
        let text = self.get(id)?;
        if text.as_deref().is_some_and(is_too_large) {
            let message = format!("the note of {id} in `{}` is too large", self.reference);
            let hint = format!("`git notes --ref={} remove {id}`", self.reference);
            return Err(Error::new(ErrorKind::Git, message).with_hint(hint));
        }
        Ok(text)
    }

    /// Returns one tree of the notes tree; `prefix` are the bytes of the ids that lead to it.
    ///
    /// Returns an empty level for `None`.
    pub(in crate::repo) fn level(&self, tree: Option<Oid>, prefix: &[u8]) -> Result<Level, Error> {
        let mut level = Level::default();
        let Some(tree) = tree else { return Ok(level) };
        let object = self.read(tree, ObjectType::Tree)?;
        for entry in self.entries(tree, object.data())? {
            let mut id = [0; 20];
            let (head, tail) = id.split_at_mut(prefix.len().min(20));
            let digits = 2 * tail.len();
            if entry.is_note(digits) && hex::decode_into(entry.name, tail).is_some() {
                head.copy_from_slice(prefix);
                level.notes.push((CommitId::from_bytes(id), entry.id));
            } else if entry.is_folder(digits) {
                let byte = hex::decode(entry.name).and_then(|bytes| bytes.first().copied());
                level.subtrees.extend(byte.map(|byte| (byte, entry.id)));
            }
        }
        Ok(level)
    }

    /// Returns the tree in which this commit's note has this text.
    pub(in crate::repo) fn with(&self, id: CommitId, text: &[u8]) -> Result<Oid, Error> {
        let blob = self.write(ObjectType::Blob, text)?;
        self.edited(id, Some(blob))
    }

    /// Returns the tree in which this commit has no note.
    pub(in crate::repo) fn without(&self, id: CommitId) -> Result<Oid, Error> {
        self.edited(id, None)
    }

    fn edited(&self, id: CommitId, blob: Option<Oid>) -> Result<Oid, Error> {
        match self.edit(self.root, id.to_string().as_bytes(), blob)? {
            Some(root) => Ok(root),
            None => self.write(ObjectType::Tree, b""),
        }
    }

    /// Collects the blobs of the note `digits` below `tree`.
    fn find(&self, tree: Oid, digits: &[u8], found: &mut Vec<Oid>) -> Result<(), Error> {
        let object = self.read(tree, ObjectType::Tree)?;
        let entries = self.entries(tree, object.data())?;
        // If there are two, git reads the deeper one first.
        for entry in entries.iter().filter(|entry| entry.is_folder(digits.len())) {
            if digits.starts_with(entry.name) {
                self.find(entry.id, &digits[2..], found)?;
            }
        }
        let here = entries.iter().filter(|entry| entry.is_note(digits.len()));
        found.extend(here.filter(|entry| entry.name == digits).map(|entry| entry.id));
        Ok(())
    }

    /// Sets or removes the note `digits` below `tree`. Returns `None` if nothing is left.
    fn edit(
        &self,
        tree: Option<Oid>,
        digits: &[u8],
        blob: Option<Oid>,
    ) -> Result<Option<Oid>, Error> {
        let object = tree.map(|tree| self.read(tree, ObjectType::Tree)).transpose()?;
        let mut entries = match (&object, tree) {
            (Some(object), Some(tree)) => self.entries(tree, object.data())?,
            _ => Vec::new(),
        };
        entries.retain(|entry| !(entry.is_note(digits.len()) && entry.name == digits));
        let is_ours =
            |entry: &Entry| entry.is_folder(digits.len()) && digits.starts_with(entry.name);
        if let Some(place) = entries.iter().position(is_ours) {
            let folder = entries.remove(place);
            let edited = self.edit(Some(folder.id), &digits[2..], blob)?;
            entries.extend(edited.map(|id| Entry { id, ..folder }));
        } else if let Some(id) = blob {
            entries.push(Entry { mode: FILE, name: digits, id });
        }
        self.write_folder(entries, digits.len())
    }

    /// Writes a tree of these entries, split if it is crowded. Returns `None` if there are no
    /// entries.
    fn write_folder(&self, entries: Vec<Entry>, digits: usize) -> Result<Option<Oid>, Error> {
        let mut entries =
            if is_crowded(&entries, digits) { self.split(entries, digits)? } else { entries };
        if entries.is_empty() {
            return Ok(None);
        }
        entries.sort_by(|a, b| a.sort_key().cmp(b.sort_key()));
        let mut data = Vec::new();
        for entry in entries {
            data.extend_from_slice(format!("{:o} ", entry.mode).as_bytes());
            data.extend_from_slice(entry.name);
            data.push(0);
            data.extend_from_slice(entry.id.as_bytes());
        }
        self.write(ObjectType::Tree, &data).map(Some)
    }

    /// Moves the notes of a directory one level down.
    fn split<'a>(&self, entries: Vec<Entry<'a>>, digits: usize) -> Result<Vec<Entry<'a>>, Error> {
        let (mut notes, mut rest): (Vec<_>, Vec<_>) =
            entries.into_iter().partition(|entry| entry.is_note(digits));
        notes.sort_by_key(|note| note.name);
        for group in notes.chunk_by(|a, b| a.name[..2] == b.name[..2]) {
            let name = &group[0].name[..2];
            let has_name = |entry: &Entry| entry.is_folder(digits) && entry.name == name;
            let old = rest.iter().position(has_name).map(|place| rest.remove(place).id);
            let object = old.map(|old| self.read(old, ObjectType::Tree)).transpose()?;
            let mut entries = match (&object, old) {
                (Some(object), Some(old)) => self.entries(old, object.data())?,
                _ => Vec::new(),
            };
            entries.extend(group.iter().map(|note| Entry { name: &note.name[2..], ..*note }));
            let id = self.write_folder(entries, digits - 2)?;
            rest.extend(id.map(|id| Entry { mode: FOLDER, name, id }));
        }
        Ok(rest)
    }

    fn read(&self, id: Oid, kind: ObjectType) -> Result<NoteObject<'_>, Error> {
        if let Some((found, data)) = self.repo.new_object(id) {
            let object = NoteObject::New(data);
            return if found == kind { Ok(object) } else { Err(self.damaged(kind, id)) };
        }
        let object = self.odb.read(id).map_err(|source| self.unreadable(kind, id, source))?;
        if object.kind() == kind {
            Ok(NoteObject::Stored(object))
        } else {
            Err(self.damaged(kind, id))
        }
    }

    fn write(&self, kind: ObjectType, data: &[u8]) -> Result<Oid, Error> {
        self.repo.make_object(kind, data).map_err(|source| {
            git_error(format!("cannot write a {kind} for `{}`", self.reference), source)
        })
    }

    fn entries<'a>(&self, tree: Oid, data: &'a [u8]) -> Result<Vec<Entry<'a>>, Error> {
        let entries: Option<Vec<_>> = tree::entries(data).collect();
        entries.ok_or_else(|| self.damaged(ObjectType::Tree, tree))
    }

    fn unreadable(&self, kind: ObjectType, id: Oid, source: git2::Error) -> Error {
        if source.code() == ErrorCode::NotFound && self.repo.is_partial_clone() {
            return not_fetched(&format!("{kind} {id} of `{}`", self.reference));
        }
        let what = format!("cannot read {kind} {id} of `{}`", self.reference);
        git_error(what, source).with_hint(self.remedy())
    }

    fn damaged(&self, kind: ObjectType, id: Oid) -> Error {
        let message = format!("object {id} of `{}` is not a valid {kind}", self.reference);
        Error::new(ErrorKind::Git, message).with_hint(self.remedy())
    }

    fn remedy(&self) -> String {
        remedy(&self.reference)
    }
}

/// The most bytes of a note that is read. Others may write notes of any size.
const NOTE_BYTES_MAX: usize = 8 << 20;

/// The beginning of what stands for a larger one. It is neither a verdict nor a record.
const TOO_LARGE: &str = "(tinyci does not read this note of";

/// Returns true if a text of [`NotesTree::get`] stands for a note that is too large.
pub(in crate::repo) fn is_too_large(text: &[u8]) -> bool {
    text.starts_with(TOO_LARGE.as_bytes())
}

/// The file modes of the entries that tinyci writes.
const FILE: u32 = 0o100_644;
const FOLDER: u32 = 0o40_000;

impl Entry<'_> {
    /// Returns true if it is a note, in a directory whose prefix leaves this many digits.
    fn is_note(&self, digits: usize) -> bool {
        self.is_file() && self.name.len() == digits && is_hex(self.name)
    }

    /// Returns true if it is a directory of notes there.
    fn is_folder(&self, digits: usize) -> bool {
        self.is_tree() && digits > 2 && self.name.len() == 2 && is_hex(self.name)
    }

    /// Returns git's sort key: a directory's name is compared as if a slash followed it.
    fn sort_key(&self) -> impl Iterator<Item = u8> {
        self.name.iter().copied().chain(self.is_tree().then_some(b'/'))
    }
}

/// Returns true if git would split a directory: each of the 16 first digits has at least two notes
/// or a directory. With random ids, this happens near a hundred notes.
fn is_crowded(entries: &[Entry], digits: usize) -> bool {
    let mut notes = [0_u32; 16];
    let mut any = false;
    for entry in entries {
        let note = entry.is_note(digits);
        let first = entry.name.first().and_then(|digit| char::from(*digit).to_digit(16));
        let count = first.and_then(|first| notes.get_mut(usize::try_from(first).ok()?));
        if let Some(count) = count
            && (note || entry.is_folder(digits))
        {
            *count += if note { 1 } else { 2 };
            any |= note;
        }
    }
    any && digits > 2 && notes.iter().all(|count| *count >= 2)
}

/// Lowercase only, as git writes them.
fn is_hex(name: &[u8]) -> bool {
    name.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeMap, io::Write, process::Stdio};

    use super::*;
    use crate::{
        model::outcome::Verdict,
        repo::{
            notes::verdicts::{Replace, Written},
            repository::VERDICTS,
        },
        testing::{TestRepo, succeed},
    };

    /// Returns ids with a random distribution (splitmix64), the same in every run.
    fn ids(count: u64) -> Vec<CommitId> {
        let mix = |number: u64| {
            let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
            let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            (number ^ (number >> 31)).to_be_bytes()
        };
        let id = |number| {
            let bytes = [mix(3 * number), mix(3 * number + 1), mix(3 * number + 2)].concat();
            CommitId::from_bytes(bytes[..20].try_into().unwrap())
        };
        (1..=count).map(id).collect()
    }

    /// Writes a notes commit with these files.
    fn import(test: &TestRepo, files: impl IntoIterator<Item = (String, &'static str)>) {
        let mut stream = format!(
            "commit {VERDICTS}\ncommitter Ada <ada@example.org> 1500000000 +0000\ndata 0\n"
        );
        for (path, text) in files {
            let length = text.len();
            stream += &format!("M 100644 inline {path}\ndata {length}\n{text}\n");
        }
        let mut command = test.command();
        command.args(["fast-import", "--quiet", "--force"]).stdin(Stdio::piped());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(stream.as_bytes()).unwrap();
        succeed("fast-import", &child.wait_with_output().unwrap());
    }

    /// Returns the path of a note below this many directories of two digits each.
    fn path(id: CommitId, folders: usize) -> String {
        let digits = id.to_string();
        let split: String = (0..folders)
            .map(|folder| format!("{}/", &digits[folder * 2..folder * 2 + 2]))
            .collect();
        split + &digits[folders * 2..]
    }

    fn listed_by_git(test: &TestRepo) -> BTreeMap<String, String> {
        let list = test.git(&["notes", "--ref", VERDICTS, "list"]);
        let pair = |line: &str| line.split_once(' ').map(|(blob, id)| (id.into(), blob.into()));
        list.lines().filter_map(pair).collect()
    }

    fn check_agrees_with_git(test: &TestRepo, repo: &Repo) {
        let listed = listed_by_git(test);
        assert!(!listed.is_empty());
        // Of many notes, a sample of about a thousand is enough.
        let step = 1 + listed.len() / 1000;
        for (id, blob) in listed.into_iter().step_by(step) {
            let note = repo.verdict(id.parse().unwrap()).unwrap().unwrap();
            let hashed = Oid::hash_object(ObjectType::Blob, &note.bytes).unwrap();
            assert_eq!(hashed.to_string(), blob, "{id}");
        }
        test.git(&["fsck", "--strict"]);
    }

    #[test]
    fn every_shape_is_read_and_written() {
        type Folders = fn(usize) -> usize;
        let shapes: [(&str, Folders); 5] = [
            ("flat", |_| 0),
            ("2/38", |_| 1),
            ("2/2/36", |_| 2),
            ("mixed", |number| number % 3),
            ("deep", |number| number % 19),
        ];
        let all = ids(600);
        let (news, olds) = all.split_at(20);
        for (shape, folders) in shapes {
            let test = TestRepo::bare();
            let repo = Repo::open(test.path()).unwrap();
            let others = ["README", "zz/deep/file", "ab/no note", "ab/cd/ef/x", "0123/x"];
            let notes = olds.iter().enumerate();
            let notes = notes.map(|(number, id)| (path(*id, folders(number)), "success\n"));
            import(&test, notes.chain(others.map(|other| (other.to_owned(), "mine\n"))));
            check_agrees_with_git(&test, &repo);
            assert_eq!(repo.verdict(news[0]).unwrap(), None, "{shape}");

            for id in news {
                assert_eq!(
                    repo.write_verdict(*id, Verdict::Failure, Replace::Nothing).unwrap(),
                    Written::Stored
                );
            }
            for id in olds.iter().step_by(7) {
                repo.write_verdict(*id, Verdict::Skipped, Replace::Anything).unwrap();
            }
            for id in olds.iter().skip(1).step_by(7) {
                assert!(repo.remove_verdict(*id).unwrap(), "{shape}");
                assert!(!repo.remove_verdict(*id).unwrap(), "{shape}");
            }
            check_agrees_with_git(&test, &repo);
            assert_eq!(test.verdict(&news[3].to_string()).as_deref(), Some("failure"));
            assert_eq!(test.verdict(&olds[0].to_string()).as_deref(), Some("skipped"));
            assert_eq!(test.verdict(&olds[1].to_string()), None);
            assert_eq!(test.verdict(&olds[2].to_string()).as_deref(), Some("success"));
            for other in others {
                assert_eq!(test.git(&["show", &format!("{VERDICTS}:{other}")]), "mine", "{shape}");
            }
        }
    }

    #[test]
    fn the_shape_is_the_one_that_git_would_write() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        let (ids, stranger) = (ids(400), "0123456789012345678901234567890123456789");
        let tree = || test.git(&["rev-parse", &format!("{VERDICTS}^{{tree}}")]);
        for (number, id) in ids.iter().enumerate() {
            repo.write_verdict(*id, Verdict::Success, Replace::Nothing).unwrap();
            if number % 40 == 0 {
                let ours = tree();
                test.git(&["notes", "--ref", VERDICTS, "add", "-m", "x", stranger]);
                assert!(repo.verdict(stranger.parse().unwrap()).unwrap().is_some());
                test.git(&["notes", "--ref", VERDICTS, "remove", stranger]);
                assert_eq!(tree(), ours, "with {} notes", number + 1);
            }
        }
        let top = test.git(&["ls-tree", "--name-only", VERDICTS]);
        assert!(top.lines().all(|name| name.len() == 2), "{top}");
        check_agrees_with_git(&test, &repo);
    }

    #[test]
    fn an_insert_into_many_notes_costs_their_depth() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        let all = ids(4_000);
        let (news, olds) = all.split_at(2);
        import(&test, olds.iter().map(|id| (path(*id, 0), "success\n")));
        let objects = || {
            let counts = test.git(&["count-objects"]);
            counts.split(' ').next().unwrap().parse::<u32>().unwrap()
        };
        // The first one splits the flat tree.
        repo.write_verdict(news[0], Verdict::Success, Replace::Nothing).unwrap();
        let before = objects();
        repo.write_verdict(news[1], Verdict::Success, Replace::Nothing).unwrap();
        // The root tree, one or two subtrees, and the commit.
        assert!(objects() - before <= 4, "{} objects", objects() - before);
        check_agrees_with_git(&test, &repo);
    }

    #[test]
    fn a_note_in_two_places_is_read_as_git_reads_it_and_healed_by_the_next_write() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        let id = ids(1)[0];
        let digits = id.to_string();
        for (second, verdict) in [("success\n", Some(Verdict::Success)), ("failure\n", None)] {
            test.try_git(&["update-ref", "-d", VERDICTS]);
            import(&test, [(path(id, 0), "success\n"), (path(id, 1), second)]);
            let note = repo.verdict(id).unwrap().unwrap();
            assert_eq!(note.verdict, verdict);
            let text = String::from_utf8(note.bytes).unwrap();
            assert_eq!(Some(text.trim_end().to_owned()), test.verdict(&digits));
            repo.write_verdict(id, Verdict::Failure, Replace::Anything).unwrap();
            assert_eq!(test.verdict(&digits).as_deref(), Some("failure"));
            repo.remove_verdict(id).unwrap();
            assert_eq!(test.verdict(&digits), None);
        }
    }
}
