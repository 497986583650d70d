//! The backend for packed objects: libgit2's own, which is replaced when git has repacked.
//!
//! While a process reads, `git gc` and `git repack` move all objects into new packs and remove the old
//! ones. libgit2 looks for new packs once for each object. If git repacks again at that moment, it does
//! not find an object that exists. tinyci would take the ref for damaged. So this backend looks again
//! until the packs have stayed the same during a whole search.

use std::{
    collections::BTreeSet,
    ffi::{CString, OsString, c_int, c_void},
    fs, mem,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    ptr,
    sync::Mutex,
    time::SystemTime,
};

use libgit2_sys as raw;

use super::database::{Backend, checked, empty_backend, guarded};
use crate::util::lock::lock;

/// The number of searches for an object in packs that change during each of them.
const SEARCHES: u32 = 100;

/// The backend. libgit2 owns it.
#[repr(C)]
struct Packs {
    /// The first field, so that a pointer to it is also a pointer to the whole struct.
    parent: raw::git_odb_backend,
    /// The directory `objects`.
    dir: PathBuf,
    current: Mutex<Snapshot>,
}

/// The packs at one time.
struct Snapshot {
    files: Files,
    reader: Reader,
    /// True after [`refresh`]: libgit2 has not found an object anywhere, and searches the packs once more.
    is_last_search: bool,
}

/// The files of the directory `pack`, and when one was last added or removed.
type Files = (Option<SystemTime>, BTreeSet<OsString>);

/// A backend of libgit2, which is freed with this value.
struct Reader(Backend);

// SAFETY: libgit2's backends do not depend on the thread. The mutex allows one user at a time.
unsafe impl Send for Reader {}

impl Reader {
    fn new(dir: &Path) -> Result<Self, git2::Error> {
        let dir = CString::new(dir.as_os_str().as_bytes())?;
        let mut backend = ptr::null_mut();
        // SAFETY: the path lives until after the call, which copies it.
        checked(unsafe { raw::git_odb_backend_pack(&raw mut backend, dir.as_ptr()) })?;
        Ok(Self(backend))
    }

    /// Returns libgit2's functions for this backend.
    fn functions(&self) -> &raw::git_odb_backend {
        // SAFETY: the backend is valid until it is dropped.
        unsafe { &*self.0 }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        if let Some(free) = self.functions().free {
            free(self.0);
        }
    }
}

impl Snapshot {
    fn new(dir: &Path) -> Result<Self, git2::Error> {
        // Listed first: files that come later make the snapshot outdated, not incomplete.
        let files = files(dir);
        Ok(Self { files, reader: Reader::new(dir)?, is_last_search: false })
    }

    /// Replaces an outdated snapshot. Returns false if it was not outdated.
    fn renew(&mut self, dir: &Path) -> Result<bool, git2::Error> {
        if self.files == files(dir) {
            return Ok(false);
        }
        *self = Self::new(dir)?;
        Ok(true)
    }
}

fn files(dir: &Path) -> Files {
    let dir = dir.join("pack");
    let changed = fs::metadata(&dir).and_then(|dir| dir.modified()).ok();
    let entries = fs::read_dir(&dir).into_iter().flatten().flatten();
    (changed, entries.map(|entry| entry.file_name()).collect())
}

/// Creates the backend for the packs below this directory `objects`.
///
/// It does not read headers, so libgit2 reads the whole object instead.
pub(super) fn packs(dir: PathBuf) -> Result<Backend, git2::Error> {
    let mut parent = empty_backend()?;
    parent.read = Some(read);
    parent.read_prefix = Some(read_prefix);
    parent.exists = Some(exists);
    parent.exists_prefix = Some(exists_prefix);
    parent.refresh = Some(refresh);
    parent.foreach = Some(foreach);
    parent.writepack = Some(writepack);
    parent.freshen = Some(freshen);
    parent.free = Some(free);
    let current = Mutex::new(Snapshot::new(&dir)?);
    Ok(Box::into_raw(Box::new(Packs { parent, dir, current })).cast())
}

/// Calls `answer` with the backend that libgit2 passed, and turns an error or a panic into a code.
fn answered(backend: Backend, answer: impl FnOnce(&Packs) -> Result<c_int, git2::Error>) -> c_int {
    // SAFETY: libgit2 passes the backend that `packs` made, which lives until after the call.
    let packs = unsafe { &*backend.cast::<Packs>() };
    guarded("reading packs", || answer(packs))
}

/// Calls one of libgit2's functions for packs.
fn called(
    backend: Backend,
    call: impl Fn(&raw::git_odb_backend, Backend) -> Option<c_int>,
) -> c_int {
    answered(backend, |packs| {
        let current = lock(&packs.current);
        Ok(call(current.reader.functions(), current.reader.0).unwrap_or(raw::GIT_ENOTFOUND))
    })
}

/// Calls one of libgit2's functions to find an object.
///
/// Most objects that are in no pack have a file of their own, and so can an object whose packed copy is
/// damaged. So an error is first "not found", and libgit2 looks there. If that fails too, libgit2 calls
/// [`refresh`] and searches the packs once more. Then this repeats the call until it finds the object or
/// the packs do not change meanwhile, and returns the error.
fn searched(
    backend: Backend,
    search: impl Fn(&raw::git_odb_backend, Backend) -> Option<c_int>,
) -> c_int {
    answered(backend, |packs| {
        let mut current = lock(&packs.current);
        let is_last_search = mem::take(&mut current.is_last_search);
        let mut code = raw::GIT_ENOTFOUND;
        for _ in 0..SEARCHES {
            let found = search(current.reader.functions(), current.reader.0);
            code = found.unwrap_or(raw::GIT_ENOTFOUND);
            if code >= 0 || code == raw::GIT_EAMBIGUOUS {
                break;
            }
            if !is_last_search {
                return Ok(raw::GIT_ENOTFOUND);
            }
            if !current.renew(&packs.dir)? {
                break;
            }
        }
        Ok(code)
    })
}

extern "C" fn read(
    contents: *mut *mut c_void,
    size: *mut usize,
    kind: *mut raw::git_object_t,
    backend: Backend,
    id: *const raw::git_oid,
) -> c_int {
    searched(backend, |it, reader| Some(it.read?(contents, size, kind, reader, id)))
}

extern "C" fn read_prefix(
    whole: *mut raw::git_oid,
    contents: *mut *mut c_void,
    size: *mut usize,
    kind: *mut raw::git_object_t,
    backend: Backend,
    short: *const raw::git_oid,
    digits: usize,
) -> c_int {
    searched(backend, |it, reader| {
        Some(it.read_prefix?(whole, contents, size, kind, reader, short, digits))
    })
}

/// Does not search again. If the object is not found, libgit2 calls [`refresh`] first.
extern "C" fn exists(backend: Backend, id: *const raw::git_oid) -> c_int {
    let code = called(backend, |it, reader| Some(it.exists?(reader, id)));
    code.max(0)
}

extern "C" fn exists_prefix(
    whole: *mut raw::git_oid,
    backend: Backend,
    short: *const raw::git_oid,
    digits: usize,
) -> c_int {
    searched(backend, |it, reader| Some(it.exists_prefix?(whole, reader, short, digits)))
}

extern "C" fn refresh(backend: Backend) -> c_int {
    answered(backend, |packs| {
        let mut current = lock(&packs.current);
        current.renew(&packs.dir)?;
        current.is_last_search = true;
        Ok(0)
    })
}

/// Lists the objects with a reader of its own, because the callback may read objects.
extern "C" fn foreach(
    backend: Backend,
    callback: raw::git_odb_foreach_cb,
    payload: *mut c_void,
) -> c_int {
    answered(backend, |packs| {
        let reader = Reader::new(&packs.dir)?;
        let listed = reader.functions().foreach.map(|list| list(reader.0, callback, payload));
        Ok(listed.unwrap_or(0))
    })
}

extern "C" fn writepack(
    writer: *mut *mut raw::git_odb_writepack,
    backend: Backend,
    odb: *mut raw::git_odb,
    progress: raw::git_indexer_progress_cb,
    payload: *mut c_void,
) -> c_int {
    let code =
        called(backend, |it, reader| Some(it.writepack?(writer, reader, odb, progress, payload)));
    if code == 0 {
        // SAFETY: the call succeeded, so this is a writer, which may outlive the reader.
        unsafe { (**writer).backend = backend };
    }
    code
}

extern "C" fn freshen(backend: Backend, id: *const raw::git_oid) -> c_int {
    called(backend, |it, reader| Some(it.freshen?(reader, id)))
}

extern "C" fn free(backend: Backend) {
    // SAFETY: `packs` made this backend, and libgit2 frees it once.
    drop(unsafe { Box::from_raw(backend.cast::<Packs>()) });
}

#[cfg(test)]
mod tests {
    use git2::{ObjectType, OdbLookupFlags, Oid};

    use crate::{repo::repository::Repo, testing::TestRepo};

    /// Repacks between two reads, and reads an object that is in the new pack only.
    #[test]
    fn objects_are_found_in_the_packs_of_each_time() {
        let test = TestRepo::new();
        let git = Repo::open(test.path()).unwrap().git;
        let odb = git.odb().unwrap();
        let mut ids = Vec::new();
        for number in 0..5 {
            let id = test.commit(&number.to_string()).parse::<Oid>().unwrap();
            ids.push(id);
            test.git(&["repack", "-q", "-a", "-d"]);
            for id in &ids {
                assert_eq!(odb.read_header(*id).unwrap().1, ObjectType::Commit);
                assert!(odb.exists_ext(*id, OdbLookupFlags::NO_REFRESH));
            }
        }
        let mut listed = Vec::new();
        odb.foreach(|id| {
            assert!(odb.read(*id).is_ok(), "reading inside a listing");
            listed.push(*id);
            true
        })
        .unwrap();
        assert!(ids.iter().all(|id| listed.contains(id)));
        let missing = Oid::hash_object(ObjectType::Blob, b"missing").unwrap();
        let error = odb.read(missing).err().unwrap();
        assert_eq!(error.code(), git2::ErrorCode::NotFound);
        assert!(!odb.exists(missing));
    }

    /// Tests that removed packs do not occupy the disk for as long as the repository is open.
    #[test]
    fn a_removed_pack_is_closed_when_a_search_fails() {
        let test = TestRepo::new();
        test.commit("first");
        test.git(&["repack", "-q", "-a", "-d"]);
        let git = Repo::open(test.path()).unwrap().git;
        let odb = git.odb().unwrap();
        let id = test.git(&["rev-parse", "HEAD"]).parse().unwrap();
        assert!(odb.read(id).is_ok());
        test.commit("second");
        test.git(&["repack", "-q", "-a", "-d"]);
        let missing = Oid::hash_object(ObjectType::Blob, b"missing").unwrap();
        assert!(odb.read(missing).is_err());
        let open = std::fs::read_to_string("/proc/self/maps").unwrap();
        let packs = test.path().join(".git/objects/pack");
        let ours = open.lines().filter(|line| line.contains(packs.to_str().unwrap()));
        assert_eq!(ours.filter(|line| line.ends_with("(deleted)")).count(), 0, "{open}");
    }

    /// git also reads the file of an object whose packed copy is damaged.
    #[test]
    fn a_loose_copy_is_read_if_the_packed_one_is_damaged() {
        let test = TestRepo::new();
        let id = test.commit("first").parse().unwrap();
        test.git(&["repack", "-q"]);
        test.damage_pack();
        let git = Repo::open(test.path()).unwrap().git;
        assert_eq!(git.find_commit(id).unwrap().message().unwrap(), "first\n");
        test.git(&["cat-file", "commit", &id.to_string()]);
        let loose = &id.to_string();
        let loose = test.path().join(".git/objects").join(&loose[..2]).join(&loose[2..]);
        std::fs::remove_file(loose).unwrap();
        let git = Repo::open(test.path()).unwrap().git;
        assert_ne!(git.find_commit(id).unwrap_err().code(), git2::ErrorCode::NotFound);
    }
}
