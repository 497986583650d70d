//! Moves and removes refs of tinyci: writes the file of the ref under git's lock on it, and flushes it
//! by `core.fsync`.
//!
//! libgit2 cannot do this. Its setting for flushes applies to the whole process, including the
//! repositories of a host program. Its signatures read the time zone from the environment, which
//! belongs to the host. tinyci refuses to open repositories with reftables, so every ref is a file or
//! a line of the packed refs.

use std::{
    fs,
    io::{self, Write},
    path::Path,
};

use git2::{ErrorClass, ErrorCode, Oid, ReferenceType};

use super::{
    atomic_ref::{OUR_ADDRESS, OUR_NAME, now},
    ref_lock_owner::{FileLock, RefLockOwner},
};
use crate::model::stored_names::families::NOTES;
use crate::repo::{
    objects::shared_write::{share_ref, share_removed, sharing},
    repository::Repo,
};
use crate::util::{sharing::Sharing, state_file};

/// The file of the refs that have no file of their own.
const PACKED: &str = "packed-refs";

/// The value of a ref.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::repo) enum RefValue {
    Absent,
    Commit(Oid),
    /// The ref names another ref.
    Symbolic,
    /// The file of the ref is empty or invalid, for example after a power failure.
    Damaged,
}

impl Repo {
    /// Reads the value of this ref.
    pub(in crate::repo) fn ref_value(&self, name: &str) -> Result<RefValue, git2::Error> {
        match self.git.find_reference(name) {
            Err(error) if error.code() == ErrorCode::NotFound => Ok(RefValue::Absent),
            Err(error) if is_damage(&error) => Ok(RefValue::Damaged),
            Err(error) => Err(error),
            Ok(reference) if reference.kind() == Some(ReferenceType::Symbolic) => {
                Ok(RefValue::Symbolic)
            }
            Ok(reference) => Ok(reference.target().map_or(RefValue::Damaged, RefValue::Commit)),
        }
    }

    /// Moves a ref if its value is still `from`.
    pub(super) fn move_ref(
        &self,
        owner: &RefLockOwner,
        name: &str,
        (from, to): (RefValue, Oid),
        message: &str,
    ) -> Result<(), git2::Error> {
        let lock = self.lock_ref(owner, name, from, format!("{to}\n").as_bytes())?;
        let sharing = sharing(&self.git)?;
        let logged = self.log_move(name, (from, to), message, sharing);
        logged.map_err(|error| unmoved(name, &error))?;
        lock.replace().map_err(|error| unmoved(name, &error))?;
        share_ref(&self.git, name)
    }

    /// Removes a ref and its log if its value is still `from`.
    pub(super) fn remove_ref(
        &self,
        owner: &RefLockOwner,
        name: &str,
        from: RefValue,
    ) -> Result<(), git2::Error> {
        let lock = self.lock_ref(owner, name, from, b"")?;
        let failed = |error: io::Error| unmoved(name, &error);
        self.unpack(owner, name)?;
        lock.remove().map_err(failed)?;
        match fs::remove_file(self.log_file(name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed(error)),
            _ => Ok(()),
        }
    }

    fn lock_ref<'owner>(
        &self,
        owner: &'owner RefLockOwner,
        name: &str,
        from: RefValue,
        contents: &[u8],
    ) -> Result<FileLock<'owner>, git2::Error> {
        let lock = owner.lock_file(Path::new(name), contents);
        let lock = lock.map_err(|error| unmoved(name, &error))?;
        if self.ref_value(name)? != from {
            let message = "another process moved the ref";
            return Err(git2::Error::new(ErrorCode::Modified, ErrorClass::Reference, message));
        }
        Ok(lock)
    }

    /// Removes a ref from the packed refs.
    fn unpack(&self, owner: &RefLockOwner, name: &str) -> Result<(), git2::Error> {
        let failed = |error: io::Error| unmoved(PACKED, &error);
        let path = self.git.commondir().join(PACKED);
        let mut lock = owner.lock_private(Path::new(PACKED)).map_err(failed)?;
        let text = match state_file::read_foreign_list(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            text => text.map_err(failed)?,
        };
        let Some(rest) = without(&text, name.as_bytes()) else { return Ok(()) };
        let permissions = fs::metadata(&path).map_err(failed)?.permissions();
        lock.write(&rest).map_err(failed)?;
        lock.set_permissions(permissions).map_err(failed)?;
        lock.replace().map_err(failed)?;
        share_removed(&self.git)
    }

    /// Adds a line to the ref's log, if the repository keeps one.
    fn log_move(
        &self,
        name: &str,
        (from, to): (RefValue, Oid),
        message: &str,
        sharing: Sharing,
    ) -> io::Result<()> {
        let path = self.log_file(name);
        if !self.keeps_log(&path) {
            return Ok(());
        }
        if let Some(dir) = path.parent() {
            sharing.create_dir_all(dir)?;
        }
        let from = match from {
            RefValue::Commit(from) => from,
            RefValue::Absent | RefValue::Symbolic | RefValue::Damaged => Oid::ZERO_SHA1,
        };
        let line = format!("{from} {to} {OUR_NAME} <{OUR_ADDRESS}> {} +0000\t{message}\n", now());
        state_file::append(&path)?.write_all(line.as_bytes())
    }

    /// Returns true if git would write to this log. git keeps logs of notes, and of other refs if
    /// `core.logAllRefUpdates` is `always`.
    fn keeps_log(&self, path: &Path) -> bool {
        let config = self.git.config().and_then(|mut config| config.snapshot());
        let value = config.and_then(|config| config.get_string("core.logallrefupdates"));
        let is_note = path.starts_with(self.log_file(NOTES));
        match value.as_deref() {
            Ok("always") => true,
            Ok(value) => match git2::Config::parse_bool(value) {
                Ok(true) => is_note || path.exists(),
                _ => path.exists(),
            },
            Err(_) => (is_note && !self.git.is_bare()) || path.exists(),
        }
    }

    /// Returns the path of this ref's log.
    pub(in crate::repo) fn log_file(&self, name: &str) -> std::path::PathBuf {
        self.git.commondir().join("logs").join(name)
    }
}

fn is_damage(error: &git2::Error) -> bool {
    error.class() == ErrorClass::Reference && error.code() == ErrorCode::GenericError
}

fn unmoved(name: &str, error: &io::Error) -> git2::Error {
    let (code, class) = match error.kind() {
        io::ErrorKind::AlreadyExists => (ErrorCode::Locked, ErrorClass::Reference),
        _ => (ErrorCode::GenericError, ErrorClass::Os),
    };
    git2::Error::new(code, class, format!("cannot write `{name}`: {error}"))
}

/// Returns the text of the packed refs without this ref, or `None` if it is not among them. A line
/// that begins with `^` belongs to the line before it.
fn without(text: &[u8], name: &[u8]) -> Option<Vec<u8>> {
    let mut rest = Vec::with_capacity(text.len());
    let mut is_ours = false;
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        if !line.starts_with(b"^") {
            let named = line.trim_ascii_end().splitn(2, |byte| *byte == b' ').nth(1);
            is_ours = named == Some(name) && !line.starts_with(b"#");
        }
        if !is_ours {
            rest.extend_from_slice(line);
        }
    }
    (rest.len() < text.len()).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_packed_ref_goes_with_its_peeled_line_and_no_other() {
        let text = b"# pack-refs with: peeled\n1 refs/a\n^2\n3 refs/ab\n4 refs/b";
        let rest = without(text, b"refs/a").unwrap();
        assert_eq!(rest, b"# pack-refs with: peeled\n3 refs/ab\n4 refs/b");
        assert_eq!(without(text, b"refs/b").unwrap(), &text[..text.len() - 8]);
        assert_eq!(without(text, b"refs"), None);
    }
}
