//! Replaces the object database that libgit2 reads through, for every use of a repository.
//!
//! libgit2's own database never stops reading two kinds of damaged files: a truncated loose object, and
//! a packed object whose size is requested and whose end is missing. So tinyci attaches this database
//! instead. tinyci reads loose objects, and libgit2 still reads packed ones (`packs`). The size of a
//! packed object is that of the unpacked object. libgit2 still writes. The file `commit-graph` is not used,
//! because it can be damaged and nothing in tinyci would be faster with it.
//!
//! This file and `packs` contain all unsafe code for reading objects.

use std::{
    ffi::{CString, c_int, c_void},
    os::unix::ffi::OsStrExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    ptr,
};

use git2::{Binding, ErrorClass, ErrorCode, Odb, Repository};
use libgit2_sys as raw;

use super::{
    alternates::object_dirs,
    loose::{Completed, Damage, LooseObject, LooseObjects},
    packs::packs,
};

/// The priorities of the backends, highest first: packs come first, as in git. A repository's own files
/// come before borrowed ones.
const PACKED: c_int = 1_000_000;
const LOOSE: c_int = 2;
const WRITER: c_int = 1;

/// The backend that reads loose objects.
#[repr(C)]
struct Reader {
    /// The first field, so that a pointer to it is also a pointer to the whole struct.
    parent: raw::git_odb_backend,
    objects: LooseObjects,
}

/// Attaches the database described above to this repository.
pub(in crate::repo) fn attach(git: &Repository) -> Result<(), git2::Error> {
    let odb = Odb::new()?;
    let dirs = object_dirs(git.commondir());
    let fsync = git.config().and_then(|config| config.get_bool("core.fsyncObjectFiles"));
    let fsync = c_int::from(fsync.unwrap_or(false));
    for (number, dir) in dirs.iter().enumerate() {
        let is_borrowed = number > 0;
        let later = c_int::try_from(number).unwrap_or(c_int::MAX);
        add(&odb, packs(dir.clone())?, PACKED.saturating_sub(later), is_borrowed)?;
        add(&odb, writer(dir, fsync)?, WRITER.saturating_sub(later), is_borrowed)?;
    }
    add(&odb, reader(dirs)?, LOOSE, false)?;
    git.set_odb(&odb)
}

pub(super) type Backend = *mut raw::git_odb_backend;

/// Creates the backend with which libgit2 writes loose objects and lists their ids. It does not read
/// them.
fn writer(dir: &Path, fsync: c_int) -> Result<Backend, git2::Error> {
    let dir = CString::new(dir.as_os_str().as_bytes())?;
    let mut backend = ptr::null_mut();
    // SAFETY: the path lives until after the call, which copies it. -1 and 0 request git's defaults.
    checked(unsafe {
        raw::git_odb_backend_loose(&raw mut backend, dir.as_ptr(), -1, fsync, 0, 0)
    })?;
    // SAFETY: the call succeeded, so this is a backend, which nothing else has yet.
    unsafe {
        (*backend).read = None;
        (*backend).read_prefix = None;
        (*backend).read_header = None;
        (*backend).readstream = None;
    }
    Ok(backend)
}

fn reader(dirs: Vec<std::path::PathBuf>) -> Result<Backend, git2::Error> {
    let mut parent = empty_backend()?;
    parent.read = Some(read);
    parent.read_header = Some(read_header);
    parent.read_prefix = Some(read_prefix);
    parent.foreach = Some(foreach);
    parent.free = Some(free);
    Ok(Box::into_raw(Box::new(Reader { parent, objects: LooseObjects::new(dirs) })).cast())
}

/// Returns a backend without functions.
pub(super) fn empty_backend() -> Result<raw::git_odb_backend, git2::Error> {
    // SAFETY: a backend is a number, pointers and functions that may be absent: zeros are valid.
    let mut backend: raw::git_odb_backend = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer refers to a whole backend.
    checked(unsafe { raw::git_odb_init_backend(&raw mut backend, VERSION) })?;
    Ok(backend)
}

/// The version of the struct in libgit2 1.x.
const VERSION: std::ffi::c_uint = 1;

/// Adds the backend to the database, which then owns and frees it.
fn add(
    odb: &Odb<'_>,
    backend: Backend,
    priority: c_int,
    is_borrowed: bool,
) -> Result<(), git2::Error> {
    // SAFETY: both are valid, and no other database has the backend.
    checked(unsafe {
        match is_borrowed {
            true => raw::git_odb_add_alternate(odb.raw(), backend, priority),
            false => raw::git_odb_add_backend(odb.raw(), backend, priority),
        }
    })
}

pub(super) fn checked(code: c_int) -> Result<(), git2::Error> {
    if code < 0 { Err(git2::Error::last_error(code)) } else { Ok(()) }
}

extern "C" fn read(
    contents: *mut *mut c_void,
    size: *mut usize,
    kind: *mut raw::git_object_t,
    backend: Backend,
    id: *const raw::git_oid,
) -> c_int {
    answered(backend, id, |object| {
        let bytes = usize::try_from(object.size).map_err(|_| too_large())?;
        let room = bytes.checked_add(1).ok_or_else(too_large)?;
        // SAFETY: libgit2 passes its own backend, and valid pointers for the three results.
        let place = unsafe { raw::git_odb_backend_data_alloc(backend, room) };
        if place.is_null() {
            return Err(git2::Error::last_error(raw::GIT_ERROR));
        }
        let found = object.kind;
        // SAFETY: the call allocated `room` bytes, which nothing else uses yet. After they are zeroed,
        // they form a valid slice.
        let filled = unsafe {
            ptr::write_bytes(place.cast::<u8>(), 0, room);
            object.read_into(std::slice::from_raw_parts_mut(place.cast::<u8>(), bytes))
        };
        if let Err(damage) = filled {
            // SAFETY: the memory was allocated for this backend and is in no result.
            unsafe { raw::git_odb_backend_data_free(backend, place) };
            return Err(damaged(&damage));
        }
        // SAFETY: as above.
        unsafe {
            *contents = place;
            *size = bytes;
            *kind = found.raw();
        }
        Ok(())
    })
}

extern "C" fn read_header(
    size: *mut usize,
    kind: *mut raw::git_object_t,
    backend: Backend,
    id: *const raw::git_oid,
) -> c_int {
    answered(backend, id, |object| {
        let bytes = usize::try_from(object.size).map_err(|_| too_large())?;
        // SAFETY: libgit2 passes valid pointers for both results.
        unsafe {
            *size = bytes;
            *kind = object.kind.raw();
        }
        Ok(())
    })
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
    // SAFETY: libgit2 passes the backend that `reader` made, a valid id, and a valid pointer for the
    // whole id.
    let (reader, short, whole) = unsafe { (&*backend.cast::<Reader>(), &(*short).id, &mut *whole) };
    guarded("reading the names of loose objects", || {
        Ok(match reader.objects.complete(short, digits) {
            Completed::One(id) => {
                whole.id = id;
                read(contents, size, kind, backend, whole)
            }
            Completed::None => raw::GIT_ENOTFOUND,
            Completed::Several => raw::GIT_EAMBIGUOUS,
        })
    })
}

/// Lists nothing, because libgit2's own backend lists the names.
extern "C" fn foreach(_: Backend, _: raw::git_odb_foreach_cb, _: *mut c_void) -> c_int {
    0
}

extern "C" fn free(backend: Backend) {
    // SAFETY: `reader` made this backend, and libgit2 frees it once.
    drop(unsafe { Box::from_raw(backend.cast::<Reader>()) });
}

/// Finds an object and calls `answer` with it. Returns the code that libgit2 expects: 0, "not found",
/// or an error whose message is set.
fn answered(
    backend: Backend,
    id: *const raw::git_oid,
    answer: impl FnOnce(LooseObject) -> Result<(), git2::Error>,
) -> c_int {
    // SAFETY: libgit2 passes the backend that `reader` made, and a valid id. Both live until after the
    // call.
    let (reader, id) = unsafe { (&*backend.cast::<Reader>(), &(*id).id) };
    guarded("reading a loose object", || match reader.objects.open(id) {
        Ok(Some(object)) => answer(object).map(|()| 0),
        Ok(None) => Ok(raw::GIT_ENOTFOUND),
        Err(damage) => Err(damaged(&damage)),
    })
}

/// Calls a function for libgit2. Returns its code, or that of its error or panic, whose message is set.
/// `what` is the subject of the message after a panic.
pub(super) fn guarded(what: &str, answer: impl FnOnce() -> Result<c_int, git2::Error>) -> c_int {
    match catch_unwind(AssertUnwindSafe(answer)) {
        Ok(Ok(code)) => code,
        Ok(Err(error)) => fail(&error),
        Err(_) => fail(&odb_error(&format!("{what} panicked"))),
    }
}

fn damaged(damage: &Damage) -> git2::Error {
    odb_error(&damage.to_string())
}

fn odb_error(message: &str) -> git2::Error {
    git2::Error::new(ErrorCode::GenericError, ErrorClass::Odb, message)
}

fn too_large() -> git2::Error {
    odb_error("the object is larger than the memory that can be addressed")
}

/// Sets the class and the message that git2 puts into its error, and returns the error code.
fn fail(error: &git2::Error) -> c_int {
    let text: Vec<u8> = error.message().bytes().filter(|byte| *byte != 0).collect();
    if let Ok(text) = CString::new(text) {
        // SAFETY: the text lives until after the call, which copies it.
        unsafe { raw::git_error_set_str(error.raw_class() as c_int, text.as_ptr()) };
    }
    raw::GIT_ERROR
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;
    use crate::{repo::repository::Repo, testing::TestRepo};

    fn loose_file(repo: &TestRepo, id: &str) -> PathBuf {
        repo.path().join(".git/objects").join(&id[..2]).join(&id[2..])
    }

    fn replace(file: &Path, with: &[u8]) {
        fs::remove_file(file).unwrap();
        fs::write(file, with).unwrap();
    }

    #[test]
    fn short_ids_are_completed_and_names_listed_as_by_git() {
        let repo = TestRepo::new();
        for number in 0..300 {
            repo.write(&number.to_string(), number.to_string());
        }
        let commit = repo.commit("many");
        let git = Repo::open(repo.path()).unwrap().git;
        for digits in [4, 7, 12, 40] {
            assert_eq!(git.revparse_single(&commit[..digits]).unwrap().id().to_string(), commit);
        }
        let ids = repo.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
        let shared = ids.lines().zip(ids.lines().skip(1)).find(|(one, two)| one[..4] == two[..4]);
        if let Some((one, _)) = shared {
            assert_eq!(git.revparse_single(&one[..4]).unwrap_err().code(), ErrorCode::Ambiguous);
        }
        let mut listed = Vec::new();
        let each = |id: &git2::Oid| {
            listed.push(id.to_string());
            true
        };
        git.odb().unwrap().foreach(each).unwrap();
        listed.sort();
        assert_eq!(listed, ids.lines().collect::<Vec<_>>());
    }

    #[test]
    fn what_libgit2_writes_git_reads_and_so_do_we() {
        let repo = TestRepo::new();
        repo.commit("first");
        let git = Repo::open(repo.path()).unwrap().git;
        let id = git.blob(b"contents").unwrap();
        assert_eq!(repo.git(&["cat-file", "blob", &id.to_string()]), "contents");
        assert_eq!(git.find_blob(id).unwrap().content(), b"contents");
        let odb = git.odb().unwrap();
        assert_eq!(odb.read_header(id).unwrap(), (8, git2::ObjectType::Blob));
        repo.git(&["update-ref", "refs/keep", &id.to_string()]);
        repo.git(&["gc", "-q", "--prune=now"]);
        assert!(!loose_file(&repo, &id.to_string()).exists());
        assert_eq!(odb.read_header(id).unwrap(), (8, git2::ObjectType::Blob), "in a pack by now");
        assert_eq!(odb.read(id).unwrap().data(), b"contents");
    }

    /// libgit2's own reader never stops reading these.
    #[test]
    fn a_torn_object_is_an_error_that_names_its_file() {
        let repo = TestRepo::new();
        let other = repo.commit("first").parse().unwrap();
        let commit = repo.commit("second");
        let file = loose_file(&repo, &commit);
        let whole = fs::read(&file).unwrap();
        let id = commit.parse().unwrap();
        for cut in 0..whole.len() {
            replace(&file, &whole[..cut]);
            let git = Repo::open(repo.path()).unwrap().git;
            let errors = [
                git.find_commit(id).err().unwrap(),
                git.revparse_single("HEAD~0").err().unwrap(),
                git.revparse_single(&commit[..9]).err().unwrap(),
                git.graph_descendant_of(id, other).err().unwrap(),
            ];
            for error in errors {
                let path = file.to_str().unwrap();
                assert!(error.message().contains(path), "{cut}: {error}");
            }
        }
    }

    /// Tests the size of a delta whose end is missing. libgit2's own reader of headers never stops
    /// there.
    #[test]
    fn a_pack_that_is_damaged_at_its_end_is_an_error() {
        let repo = TestRepo::new();
        let text: String = (0..2000).map(|number: u32| format!("line {number}\n")).collect();
        repo.write("a", &text);
        repo.commit("first");
        repo.write("a", text + "and one more\n");
        repo.commit("second");
        repo.git(&["repack", "-q", "-a", "-d", "-f", "--depth=50"]);
        let pack = repo.pack();
        let whole = fs::read(&pack).unwrap();
        let ids = repo.git(&["cat-file", "--batch-all-objects", "--batch-check=%(objectname)"]);
        // The trailer stays, because libgit2 compares it with the index.
        for place in (12..whole.len() - 20).step_by(whole.len() / 50) {
            let mut damaged = whole.clone();
            damaged[place..whole.len() - 20].fill(0);
            replace(&pack, &damaged);
            let git = Repo::open(repo.path()).unwrap().git;
            let odb = git.odb().unwrap();
            for id in ids.lines() {
                let id = id.parse().unwrap();
                let (header, object) = (odb.read_header(id).is_ok(), odb.read(id).is_ok());
                assert_eq!(header, object, "{place} {id}");
            }
        }
    }
}
