//! A directory of secrets: one file each, with the secret's name and its value as contents.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use crate::model::error::{Error, ErrorKind};
use crate::util::state_file;

/// The size limit of a secret, in bytes.
const SIZE_MAX: u64 = 64 << 10;

/// A directory of secrets, outside the repository.
#[derive(Clone, Debug)]
pub(crate) struct SecretDir {
    path: PathBuf,
}

impl SecretDir {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Returns the value of a secret, or `None` if the directory has no file of this name.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the directory or the file cannot be read, or if other accounts can
    /// read it. The administrator must correct this; the commit is not at fault.
    pub(crate) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        let Some(path) = self.find(name)? else { return Ok(None) };
        // Another file may be there by now: what was opened is checked, too.
        let failed = |source| Error::io("read", &path, source);
        let file = state_file::open(&path).map_err(failed)?;
        check_private(&path, &file.metadata().map_err(failed)?, true, "0600")?;
        let mut value = Vec::new();
        file.take(SIZE_MAX).read_to_end(&mut value).map_err(failed)?;
        Ok(Some(value))
    }

    /// Returns the file of a secret, or `None` if the directory has no file of this name.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub(crate) fn find(&self, name: &str) -> Result<Option<PathBuf>, Error> {
        if name.is_empty() || name.starts_with('.') || name.contains(['/', '\0']) {
            let message = format!("invalid secret name `{name}`: expected the name of a file");
            return Err(Error::new(ErrorKind::InvalidArg, message));
        }
        let folder = stat(&self.path)?.ok_or_else(|| {
            let message = format!("secrets directory `{}` does not exist", self.path.display());
            Error::new(ErrorKind::Io, message).with_path(&self.path)
        })?;
        check_private(&self.path, &folder, folder.is_dir(), "0700")?;
        let path = self.path.join(name);
        let Some(file) = stat(&path)? else { return Ok(None) };
        check_private(&path, &file, file.is_file(), "0600")?;
        if file.len() > SIZE_MAX {
            let message = format!("secret file `{}` is too large", path.display());
            return Err(Error::new(ErrorKind::Io, message).with_path(path));
        }
        Ok(Some(path))
    }
}

/// Reads the metadata of a path without following links.
fn stat(path: &Path) -> Result<Option<fs::Metadata>, Error> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::io("read", path, source)),
    }
}

/// Fails if other accounts can read or write the path, if it belongs to one of them, or if it has the
/// wrong type. Root can read every file, but a file of another account is not its secret.
fn check_private(
    path: &Path,
    found: &fs::Metadata,
    of_kind: bool,
    mode: &str,
) -> Result<(), Error> {
    if !of_kind {
        let shown = path.display();
        let message =
            format!("cannot read secrets from `{shown}`: it is not a regular file or directory");
        return Err(Error::new(ErrorKind::Io, message).with_path(path));
    }
    let account = rustix::process::geteuid().as_raw();
    if found.uid() != account && found.uid() != 0 {
        let (shown, owner) = (path.display(), found.uid());
        let message =
            format!("`{shown}` contains secrets, and belongs to another account ({owner})");
        let hint = format!("`chown {account} '{shown}'`");
        return Err(Error::new(ErrorKind::Io, message).with_path(path).with_hint(hint));
    }
    let others = found.mode() & 0o077;
    if others != 0 {
        let found = found.mode() & 0o777;
        let message = format!(
            "`{}` contains secrets, and other accounts can access it (mode {found:04o})",
            path.display()
        );
        let hint = format!("`chmod {mode} '{}'`", path.display());
        return Err(Error::new(ErrorKind::Io, message).with_path(path).with_hint(hint));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn set(path: &Path, mode: u32) {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn only_private_files_in_private_folders_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        let secrets = SecretDir::new(path.clone());
        assert!(secrets.read("A").unwrap_err().message().contains("does not exist"));
        fs::create_dir(&path).unwrap();
        fs::write(path.join("A"), b"raw\xff\n").unwrap();
        set(&path, 0o700);
        set(&path.join("A"), 0o600);
        assert_eq!(secrets.read("A").unwrap().unwrap(), b"raw\xff\n");
        assert_eq!(secrets.read("B").unwrap(), None);
        for bad in ["", ".", "..", "../x", "a/b"] {
            assert_eq!(secrets.read(bad).unwrap_err().kind(), ErrorKind::InvalidArg, "{bad}");
        }
        set(&path.join("A"), 0o640);
        let error = secrets.read("A").unwrap_err();
        assert!(error.report().contains("chmod 0600"), "{error}");
        set(&path.join("A"), 0o600);
        set(&path, 0o755);
        assert!(secrets.read("A").unwrap_err().report().contains("chmod 0700"));
        set(&path, 0o700);
        std::os::unix::fs::symlink("A", path.join("L")).unwrap();
        assert!(secrets.read("L").is_err());
    }

    #[test]
    fn a_secret_of_another_account_is_refused_for_root_too() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        fs::create_dir(&path).unwrap();
        fs::write(path.join("A"), "a").unwrap();
        set(&path, 0o700);
        set(&path.join("A"), 0o600);
        let secrets = SecretDir::new(path.clone());
        for (given, back) in [(path.join("A"), 0), (path.clone(), 0)] {
            if std::os::unix::fs::chown(&given, Some(54_321), None).is_err() {
                eprintln!("left out: only root can give a file away");
                return;
            }
            let error = secrets.read("A").unwrap_err().report();
            assert!(error.contains("belongs to another account (54321)"), "{error}");
            assert!(error.contains("`chown "), "{error}");
            std::os::unix::fs::chown(&given, Some(back), None).unwrap();
        }
        assert_eq!(secrets.read("A").unwrap().unwrap(), b"a");
    }
}
