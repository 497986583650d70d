//! [`Workspace`]: the paths of all files of tinyci. It has no other state, so every thread can have
//! one.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use rustix::fs::statvfs;
use tempfile::NamedTempFile;

use crate::util::state_file;
use crate::{
    model::{
        error::{Error, ErrorKind},
        stored_names::{builds, state},
    },
    util::{flush::Flush, sharing::Sharing, unfinished},
    workspace::build::Build,
};

/// The paths of one repository.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    builds: PathBuf,
    /// True if the user configured the builds directory. Only then may it be a symbolic link,
    /// because a commit can add a link named `builds` to a working tree.
    named: bool,
    common_dir: PathBuf,
    sharing: Sharing,
    flush: Flush,
}

impl Workspace {
    /// Returns the workspace of a repository. `root` is the bare repository or the root of the
    /// working tree. A relative `builds_dir` is relative to `root`, and may lead out of it.
    pub(crate) fn new(root: &Path, builds_dir: Option<&Path>, common_dir: &Path) -> Workspace {
        Workspace {
            root: root.to_path_buf(),
            builds: without_dots(&root.join(builds_dir.unwrap_or(Path::new("builds")))),
            named: builds_dir.is_some(),
            common_dir: common_dir.to_path_buf(),
            sharing: Sharing::default(),
            flush: Flush::default(),
        }
    }

    /// Returns the same workspace, with new files shared with other accounts.
    #[must_use]
    pub(crate) fn shared(self, sharing: Sharing) -> Workspace {
        Workspace { sharing, ..self }
    }

    /// Returns the same workspace, with new files flushed by this rule.
    #[must_use]
    pub(crate) fn flushed(self, flush: Flush) -> Workspace {
        Workspace { flush, ..self }
    }

    /// Returns the rule by which new files are flushed.
    pub(super) fn flush(&self) -> Flush {
        self.flush
    }

    /// Returns the accounts that new files are shared with.
    pub(crate) fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// Returns the root of the repository.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Returns true if the user configured the builds directory.
    pub(super) fn is_named(&self) -> bool {
        self.named
    }

    /// Fails if the builds directory is a link and not configured.
    pub(super) fn refuse_link(&self) -> Result<(), Error> {
        match fs::symlink_metadata(&self.builds) {
            Ok(metadata) if !self.named && !metadata.is_dir() => {
                Err(no_real_dir(&self.builds, &metadata))
            }
            _ => Ok(()),
        }
    }

    /// Returns the git directory that all working trees share.
    pub(super) fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// Returns the directory that contains a directory per build.
    pub(crate) fn builds_dir(&self) -> &Path {
        &self.builds
    }

    /// Returns the path of the log of all runs.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.builds.join(builds::LOG)
    }

    /// Returns the build with this name, `<committer time>_<full id>`, which may not exist.
    pub(crate) fn build(&self, name: &str) -> Build {
        Build::new(self, name)
    }

    /// Creates the builds directory, if this repository may use it.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) if it is a link, or belongs to another repository;
    /// [`Io`](ErrorKind::Io) if it cannot be created.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let is_owned = self.own_builds()?;
        if self.named {
            let made = self.sharing.create_dir_all(&self.builds);
            made.map_err(|source| Error::io("create the builds directory", &self.builds, source))?;
        } else {
            self.make_real_dir(&self.builds)?;
        }
        // A new directory needs its mark.
        if is_owned { Ok(()) } else { self.own_builds().map(drop) }
    }

    /// Returns the number of bytes that this user can still write to the disk of the builds
    /// directory.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the system does not report it.
    pub(crate) fn free_bytes(&self) -> Result<u64, Error> {
        let existing = [&self.builds, &self.root].into_iter().find(|path| path.exists());
        let path = existing.unwrap_or(&self.common_dir);
        let disk = statvfs(path)
            .map_err(|error| Error::io("read the free disk space at", path, error.into()))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Hides the builds from `git status` and `git add` in a repository with a working tree, by a
    /// line in `info/exclude`. Writes the line once.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the file cannot be read or written.
    pub(crate) fn exclude_builds(&self) -> Result<(), Error> {
        let Ok(inside) = self.builds.strip_prefix(&self.root) else { return Ok(()) };
        let pattern = exclude_pattern(inside);
        let path = self.common_dir.join("info/exclude");
        let failed = |source| Error::io("exclude the builds from git in", &path, source);
        let text = match state_file::read_foreign(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            text => text.map_err(failed)?,
        };
        let known = |line: &[u8]| line == pattern || pattern.strip_prefix(b"/") == Some(line);
        if text.split(|byte| *byte == b'\n').any(known) {
            return Ok(());
        }
        let mut addition = Vec::new();
        if text.last().is_some_and(|byte| *byte != b'\n') {
            addition.push(b'\n');
        }
        addition.extend_from_slice(&pattern);
        addition.push(b'\n');
        let made = self.sharing.create_dir_below(&self.common_dir, &self.common_dir.join("info"));
        made.map_err(failed)?;
        let file = File::options().append(true).create(true).open(&path);
        let written = file.and_then(|mut file| {
            self.sharing.adjust_open(&file)?;
            file.write_all(&addition)
        });
        written.map_err(failed)
    }

    /// Returns the path of a file of tinyci's state, in a directory that all working trees share.
    pub(super) fn state_path(&self, name: &str) -> PathBuf {
        self.common_dir.join(state::DIR).join(name)
    }

    /// Creates the directory of [`state_path`](Self::state_path).
    pub(super) fn prepare_state(&self) -> Result<(), Error> {
        let dir = self.common_dir.join(state::DIR);
        let made = self.sharing.create_dir_below(&self.common_dir, &dir);
        made.map_err(|source| Error::io("create the directory", &dir, source))
    }

    /// Replaces a file of the state atomically, without a flush. Use it only if the old contents, or
    /// none, are good enough after a power failure.
    pub(super) fn replace_state(&self, name: &str, text: &[u8]) -> io::Result<()> {
        replace_file(&self.state_path(name), text, self.sharing)
    }

    /// Replaces a file of the state atomically, and flushes it.
    pub(super) fn replace_and_flush(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let path = self.state_path(name);
        self.flush.persist(new_file(&path, text, self.sharing)?, &path)
    }

    /// Removes the unfinished files of killed writers from the state.
    pub(super) fn remove_abandoned(&self) {
        for dir in ["", state::PUSHED, state::CANCEL] {
            unfinished::remove_abandoned(&self.state_path(dir));
        }
    }

    /// Creates this directory and its parents. Fails if one of them exists but is a link or a file.
    pub(super) fn make_real_dir(&self, dir: &Path) -> Result<(), Error> {
        let failed = |source| Error::io("create the build directory", dir, source);
        match fs::symlink_metadata(dir) {
            Ok(metadata) if metadata.is_dir() => Ok(()),
            Ok(metadata) => Err(no_real_dir(dir, &metadata)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.sharing.create_dir_below(&self.root, dir).map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// Replaces a small file atomically: readers see the old or the new contents.
pub(super) fn replace_file(path: &Path, text: &[u8], sharing: Sharing) -> io::Result<()> {
    new_file(path, text, sharing)?.persist(path)?;
    Ok(())
}

/// Creates an unfinished file with this text, in the directory of `path`.
fn new_file(path: &Path, text: &[u8], sharing: Sharing) -> io::Result<NamedTempFile> {
    let mut file = sharing.new_file_in(path.parent().unwrap_or(path))?;
    file.write_all(text)?;
    Ok(file)
}

/// Returns the error for a path that is not a directory.
fn no_real_dir(dir: &Path, metadata: &fs::Metadata) -> Error {
    let what = if metadata.is_symlink() { "a symbolic link" } else { "not a directory" };
    let message = format!("cannot write builds to `{}`: it is {what}", dir.display());
    Error::new(ErrorKind::Unsupported, message)
        .with_path(dir)
        .with_hint("`git config tinyci.buildsDir DIR` names another directory")
}

/// Removes `.` and `..` from a path without reading the file system. Only such paths can be
/// compared by their beginnings.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::Normal(_) => plain.push(part),
        }
    }
    plain
}

/// Returns the line of `info/exclude` for a directory, anchored to the root of the working tree.
/// Source directories that are named `builds` too stay visible.
fn exclude_pattern(folder: &Path) -> Vec<u8> {
    let mut pattern = Vec::new();
    for part in folder.components() {
        pattern.push(b'/');
        for byte in part.as_os_str().as_bytes() {
            if b"*?[]\\# !".contains(byte) {
                pattern.push(b'\\');
            }
            pattern.push(*byte);
        }
    }
    pattern.push(b'/');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    const ID: &str = "f40785cbc4422f39c36118fbae071932774cb5b6";

    fn workspace(repo: &TestRepo) -> Workspace {
        Workspace::new(repo.path(), None, &repo.path().join(".git"))
    }

    #[test]
    fn a_link_in_place_of_builds_is_refused_unless_it_was_named() {
        let repo = TestRepo::new();
        let elsewhere = repo.outside().join("elsewhere");
        fs::create_dir(&elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, repo.path().join("builds")).unwrap();
        let error = workspace(&repo).prepare().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("symbolic link"), "{error}");

        let named = Path::new("builds");
        let named = Workspace::new(repo.path(), Some(named), &repo.path().join(".git"));
        named.build(&format!("1_{ID}")).prepare(&|| false).unwrap();
        assert!(elsewhere.join(format!("1_{ID}")).is_dir());
    }

    #[test]
    fn git_does_not_see_the_builds_and_the_line_is_written_once() {
        let repo = TestRepo::new();
        let exclude = repo.path().join(".git/info/exclude");
        fs::write(&exclude, "*.o").unwrap();
        let odd = Path::new("out #1/my [builds]");
        let workspaces =
            [workspace(&repo), Workspace::new(repo.path(), Some(odd), &repo.path().join(".git"))];
        for workspace in &workspaces {
            workspace.build(&format!("1_{ID}")).prepare(&|| false).unwrap();
            fs::write(workspace.build(&format!("1_{ID}")).log_path(), "").unwrap();
        }
        repo.write("src/builds/kept", "a source folder of that name");
        for workspace in workspaces.iter().chain(&workspaces) {
            workspace.exclude_builds().unwrap();
        }
        let text = fs::read_to_string(&exclude).unwrap();
        assert_eq!(text.lines().filter(|line| line.contains("builds")).count(), 2, "{text}");
        assert!(text.starts_with("*.o\n"), "{text}");
        assert_eq!(repo.git(&["status", "--porcelain", "-uall"]), "?? src/builds/kept");
    }
}
