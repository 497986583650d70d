//! Marks for approvals that were given on this machine. They record the account, in a place that no
//! push can write.
//!
//! Anyone who can push can push an approval's ref under any name. But a push cannot write a file in
//! the state directory, and no other account can create a file that this one owns. So the mark is a
//! file with the id of the approval, and its owner is the approver. The id covers everything in the
//! approval. A mark is valid only if its owner alone can write it. Accounts that share a repository
//! can rename each other's files there, but not write them.

use std::{
    fs::Permissions,
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

use super::layout::Workspace;
use crate::model::{
    commit::CommitId,
    error::{Error, ErrorKind},
    stored_names::state,
};
use crate::util::{state_file, unfinished};

/// The mode of a mark. All accounts can read it, because a deploying account reads the marks of
/// others. Only its owner can write it, even in a shared repository.
const MODE: u32 = 0o644;

/// The write bits of other accounts. A mark with one of them is invalid.
const OTHER_WRITERS: u32 = 0o022;

impl Workspace {
    /// Marks an approval as given on this machine by the account of this process.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file cannot be written.
    pub(crate) fn mark_approval(&self, approval: CommitId) -> Result<(), Error> {
        self.prepare_state()?;
        let path = self.mark_path(approval);
        let dir = path.parent().unwrap_or(&path);
        let write = || {
            // Half a mark is invalid, and would prevent the next one.
            let mut file = unfinished::create(dir, MODE)?;
            file.write_all(&text_of(approval))?;
            file.as_file().set_permissions(Permissions::from_mode(MODE))?;
            self.flush().state(file.as_file())?;
            file.persist_noclobber(&path)?;
            self.flush().state_dir(dir)
        };
        write().map_err(|source: io::Error| Error::io("write", &path, source))
    }

    /// Returns the uid of the account that gave this approval here, or `None` if it was given
    /// elsewhere.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the file exists but cannot be read or is not a valid mark.
    pub(crate) fn approval_account(&self, approval: CommitId) -> Result<Option<u32>, Error> {
        let path = self.mark_path(approval);
        let failed = |source| Error::io("read", &path, source);
        let file = match state_file::open(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            file => file.map_err(failed)?,
        };
        let meta = file.metadata().map_err(failed)?;
        let mut text = Vec::new();
        let expected = text_of(approval);
        let read_limit = u64::try_from(expected.len()).unwrap_or(u64::MAX).saturating_add(1);
        if !meta.is_file() || meta.mode() & OTHER_WRITERS != 0 {
            return Err(invalid_mark(&path, "other accounts can write to it"));
        }
        file.take(read_limit).read_to_end(&mut text).map_err(failed)?;
        match text == expected {
            true => Ok(Some(meta.uid())),
            false => Err(invalid_mark(&path, "it belongs to another approval")),
        }
    }

    fn mark_path(&self, approval: CommitId) -> PathBuf {
        self.state_path(&format!("{}{approval}", state::APPROVAL))
    }
}

fn invalid_mark(path: &Path, why: &str) -> Error {
    let message = format!("cannot trust `{}`: {why}", path.display());
    Error::new(ErrorKind::Io, message).with_path(path)
}

fn text_of(approval: CommitId) -> Vec<u8> {
    format!("{approval}\n").into_bytes()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::testing::TestRepo;

    /// Only a file that nobody except its owner can write is a mark.
    #[test]
    fn only_a_file_that_its_owner_alone_could_write_is_a_mark() {
        let repo = TestRepo::bare();
        let workspace = Workspace::new(repo.path(), None, repo.path());
        let id = CommitId::from_bytes([7; 20]);
        assert_eq!(workspace.approval_account(id).unwrap(), None);
        workspace.mark_approval(id).unwrap();
        let uid = rustix::process::geteuid().as_raw();
        assert_eq!(workspace.approval_account(id).unwrap(), Some(uid));
        assert!(workspace.mark_approval(id).is_err(), "it is given once");

        let path = workspace.mark_path(id);
        for mode in [0o664, 0o646, 0o666] {
            fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let error = workspace.approval_account(id).unwrap_err().to_string();
            assert!(error.contains("other accounts can write"), "{mode:o}: {error}");
        }
        fs::set_permissions(&path, Permissions::from_mode(MODE)).unwrap();
        // The mark of another approval under this name, a link to it, and half of it.
        let other = CommitId::from_bytes([8; 20]);
        fs::rename(&path, workspace.mark_path(other)).unwrap();
        let error = workspace.approval_account(other).unwrap_err().to_string();
        assert!(error.contains("belongs to another approval"), "{error}");
        fs::rename(workspace.mark_path(other), repo.outside().join("mark")).unwrap();
        symlink(repo.outside().join("mark"), &path).unwrap();
        assert!(workspace.approval_account(id).is_err());
        fs::remove_file(&path).unwrap();
        fs::write(&path, &text_of(id)[..20]).unwrap();
        assert!(workspace.approval_account(id).is_err());
    }

    /// The owner of the file counts, independent of the account that reads it.
    #[test]
    fn a_mark_of_another_account_is_that_account_s() {
        let repo = TestRepo::bare();
        let workspace = Workspace::new(repo.path(), None, repo.path());
        let id = CommitId::from_bytes([7; 20]);
        workspace.mark_approval(id).unwrap();
        let path = workspace.mark_path(id);
        // The other account can write to the directory of a shared repository.
        fs::set_permissions(path.parent().unwrap(), Permissions::from_mode(0o775)).unwrap();
        // Only root can give a file to another account.
        if std::os::unix::fs::chown(&path, Some(12345), None).is_ok() {
            assert_eq!(workspace.approval_account(id).unwrap(), Some(12345));
        }
    }
}
