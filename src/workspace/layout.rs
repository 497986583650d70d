//! [`Workspace`]: where everything lies. Paths and nothing else, so that every thread can have one.

use std::{
    fs::{self, File},
    io::{self, Write},
    os::unix::ffi::OsStrExt,
    path::{Component, Path, PathBuf},
};

use rustix::fs::statvfs;
use tempfile::NamedTempFile;

use crate::{
    model::{
        error::{Error, ErrorKind},
        stored_names::{builds, state},
    },
    util::{flush::Flush, sharing::Sharing, unfinished},
    workspace::build::Build,
};

/// The places that belong to one repository.
#[derive(Clone, Debug)]
pub(crate) struct Workspace {
    root: PathBuf,
    builds: PathBuf,
    /// Whether the owner named the builds folder. Only then may it be a symbolic link: in a work
    /// tree a link called `builds` may have come with a commit.
    named: bool,
    common_dir: PathBuf,
    sharing: Sharing,
    flush: Flush,
}

impl Workspace {
    /// The workspace of a repository whose top folder (the bare repository, or the work tree) is
    /// `root`. A relative `builds_dir` is taken from there, and may lead out of it.
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

    /// The same, with what is written here shared with other accounts.
    #[must_use]
    pub(crate) fn shared(self, sharing: Sharing) -> Workspace {
        Workspace { sharing, ..self }
    }

    /// The same, with what is written here flushed like this.
    #[must_use]
    pub(crate) fn flushed(self, flush: Flush) -> Workspace {
        Workspace { flush, ..self }
    }

    /// What is flushed to the disk.
    pub(super) fn flush(&self) -> Flush {
        self.flush
    }

    /// Which other accounts may use what is written here.
    pub(crate) fn sharing(&self) -> Sharing {
        self.sharing
    }

    /// The top of the repository.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// Whether the folder of builds was named.
    pub(super) fn is_named(&self) -> bool {
        self.named
    }

    /// Refuses a link in the place of a folder of builds that nobody named.
    pub(super) fn refuse_link(&self) -> Result<(), Error> {
        match fs::symlink_metadata(&self.builds) {
            Ok(there) if !self.named && !there.is_dir() => Err(no_real_dir(&self.builds, &there)),
            _ => Ok(()),
        }
    }

    /// The git directory that all work trees share.
    pub(super) fn common_dir(&self) -> &Path {
        &self.common_dir
    }

    /// The folder that holds a folder per build.
    pub(crate) fn builds_dir(&self) -> &Path {
        &self.builds
    }

    /// The log of all runs.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.builds.join(builds::LOG)
    }

    /// The build of this name, `<committer time>_<full id>`, whether it exists or not.
    pub(crate) fn build(&self, name: &str) -> Build {
        Build::new(self, name)
    }

    /// Makes the builds folder, if it is this repository's to make.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) where a link stands in its place, or the builds of
    /// another repository; [`Io`](ErrorKind::Io) where it cannot be made.
    pub(crate) fn prepare(&self) -> Result<(), Error> {
        let is_owned = self.own_builds()?;
        if self.named {
            let made = self.sharing.create_dir_all(&self.builds);
            made.map_err(|source| Error::io("create the builds directory", &self.builds, source))?;
        } else {
            self.make_real_dir(&self.builds)?;
        }
        // One that has just been made is to be marked.
        if is_owned { Ok(()) } else { self.own_builds().map(drop) }
    }

    /// How many bytes this user can still write to the disk that holds the builds, or will.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the system does not say.
    pub(crate) fn free_bytes(&self) -> Result<u64, Error> {
        let there = [&self.builds, &self.root].into_iter().find(|path| path.exists());
        let path = there.unwrap_or(&self.common_dir);
        let disk = statvfs(path)
            .map_err(|error| Error::io("read the free disk space at", path, error.into()))?;
        Ok(disk.f_bavail.saturating_mul(disk.f_frsize))
    }

    /// Hides the builds from `git status` and `git add` in a repository with a work tree, by a
    /// line in `info/exclude` that is written once.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if the file cannot be read or written.
    pub(crate) fn exclude_builds(&self) -> Result<(), Error> {
        let Ok(inside) = self.builds.strip_prefix(&self.root) else { return Ok(()) };
        let pattern = exclude_pattern(inside);
        let path = self.common_dir.join("info/exclude");
        let failed = |source| Error::io("exclude the builds from git in", &path, source);
        let text = match fs::read(&path) {
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
        self.sharing.create_dir_all(&self.common_dir.join("info")).map_err(failed)?;
        let file = File::options().append(true).create(true).open(&path);
        let written = file.and_then(|mut file| {
            self.sharing.adjust_open(&file)?;
            file.write_all(&addition)
        });
        written.map_err(failed)
    }

    /// A file of tinyci's own state, in a folder that every work tree of the repository shares.
    pub(super) fn state_path(&self, name: &str) -> PathBuf {
        self.common_dir.join(state::DIR).join(name)
    }

    /// Makes the folder that [`state_path`](Self::state_path) names files in.
    pub(super) fn prepare_state(&self) -> Result<(), Error> {
        let dir = self.common_dir.join(state::DIR);
        let made = self.sharing.create_dir_all(&dir);
        made.map_err(|source| Error::io("create the directory", &dir, source))
    }

    /// Replaces a file of the state whole, and not on the disk before the system gets to it: after a
    /// power cut the old contents will do, or none.
    pub(super) fn replace_state(&self, name: &str, text: &[u8]) -> io::Result<()> {
        replace_file(&self.state_path(name), text, self.sharing)
    }

    /// Replaces a file of the state on the disk.
    pub(super) fn replace_and_flush(&self, name: &str, text: &[u8]) -> io::Result<()> {
        let path = self.state_path(name);
        self.flush.persist(new_file(&path, text, self.sharing)?, &path)
    }

    /// Removes what killed writers left in the state.
    pub(super) fn remove_abandoned(&self) {
        for dir in ["", state::PUSHED, state::CANCEL] {
            unfinished::remove_abandoned(&self.state_path(dir));
        }
    }

    /// Makes this folder and those above it; what stands there already must be a folder and no
    /// link.
    pub(super) fn make_real_dir(&self, dir: &Path) -> Result<(), Error> {
        let failed = |source| Error::io("create the build directory", dir, source);
        match fs::symlink_metadata(dir) {
            Ok(there) if there.is_dir() => Ok(()),
            Ok(there) => Err(no_real_dir(dir, &there)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.sharing.create_dir_all(dir).map_err(failed)
            }
            Err(error) => Err(failed(error)),
        }
    }
}

/// Replaces a small file whole: readers see the old text or the new one.
pub(super) fn replace_file(path: &Path, text: &[u8], sharing: Sharing) -> io::Result<()> {
    new_file(path, text, sharing)?.persist(path)?;
    Ok(())
}

/// A file with this text, beside the place that it is for.
fn new_file(path: &Path, text: &[u8], sharing: Sharing) -> io::Result<NamedTempFile> {
    let mut file = sharing.new_file_in(path.parent().unwrap_or(path))?;
    file.write_all(text)?;
    Ok(file)
}

/// The error for what stands in the place of a folder.
fn no_real_dir(dir: &Path, there: &fs::Metadata) -> Error {
    let what = if there.is_symlink() { "a symbolic link" } else { "not a directory" };
    let message = format!("cannot write builds to `{}`: it is {what}", dir.display());
    Error::new(ErrorKind::Unsupported, message)
        .with_path(dir)
        .with_hint("`git config tinyci.buildsDir DIR` names another directory")
}

/// A path without `.` and `..`, read as text: only such a path says by its beginning whether it lies
/// below another one.
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

/// The line of `info/exclude` for a folder below the work tree's top, which it is anchored to: a
/// source folder that happens to be called `builds` stays visible.
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
