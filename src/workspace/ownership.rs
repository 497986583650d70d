//! The owner of a builds directory. If two repositories used one directory, each would prune the
//! other's builds, even deployed ones.
//!
//! A repository has a random id in its state directory, with its own path. The builds directory
//! that it uses has a copy. So the directory names its owner. If a repository is not at the path of
//! its id, it was moved or copied. It is a copy if a repository with that id is still at the path.
//!
//! All code that writes into the directory or removes from it calls [`own_builds`] first. Code that
//! only reads reports a problem and continues.
//!
//! [`own_builds`]: Workspace::own_builds

use std::{
    fs::{self, File},
    hash::{BuildHasher, RandomState},
    io::{self, Write},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::stored_names::{builds, state};
use crate::util::state_file;
use crate::{
    model::error::{Error, ErrorKind},
    rules::retention::BuildName,
    util::{sharing::Sharing, suggestion::hinted},
    wire,
    workspace::layout::Workspace,
};

/// The version of a mark, which is that of all JSON.
const VERSION: u32 = wire::VERSION;

/// The identity of a repository, and its path when this was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    v: u32,
    id: String,
    /// The path that users know: the bare repository, or the root of its working tree.
    repository: String,
    /// The git directory, which contains the repository's own mark.
    git_dir: String,
    machine: String,
    /// The fields of a newer version.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// The result of reading a mark.
enum StoredMark {
    Nothing,
    Damaged,
    Mark(Mark),
}

/// The ownership of the builds directory.
enum Ownership {
    /// It belongs to this repository, and the marks say so.
    Ours,
    /// It has no owner, so this repository can mark it.
    Open(Claim),
    /// It belongs to another repository.
    OtherOwner(OtherOwner),
}

/// Marks that have to be written.
struct Claim {
    /// The repository's id, or `None` if it needs a new one.
    id: Option<String>,
    /// True if the directory's mark is to be replaced.
    replaces_builds_mark: bool,
    /// True if the repository's mark is to be replaced.
    replaces_own_mark: bool,
    /// The repository's path before it was moved.
    from: Option<String>,
    /// The fields of a newer version in the mark that is replaced.
    unknown: Map<String, Value>,
}

/// Why this repository may not use the directory.
struct OtherOwner {
    message: String,
    /// True if the owner no longer exists.
    is_gone: bool,
    owner: String,
}

/// The right to write marks for this repository.
struct MarkLock(File);

impl Drop for MarkLock {
    /// Unlocks explicitly. Closing the file is not enough while a starting child has inherited it.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// The identity of this repository.
enum Identity {
    /// It has no id yet, or the file is damaged.
    New { is_damaged: bool },
    /// It has the id of its mark. `from` is its old path if it was moved.
    Own { mark: Mark, from: Option<String> },
    /// It is a copy of the repository in its mark, which still exists at its path `of`.
    Copy { mark: Mark, of: String },
}

impl Workspace {
    /// Ensures that the builds directory belongs to this repository, before anything in it is
    /// written or removed. The first repository to use a directory owns it.
    ///
    /// Returns true if the directory exists and is marked.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) with the owner if it is another repository, and for
    /// a link that is not configured; [`Io`](ErrorKind::Io) if marks cannot be read or written.
    pub(crate) fn own_builds(&self) -> Result<bool, Error> {
        self.refuse_link()?;
        let mut mark_lock = None;
        loop {
            match self.ownership()? {
                Ownership::Ours => return Ok(true),
                Ownership::OtherOwner(other) => return Err(self.refused(other.message)),
                Ownership::Open(_) if !self.builds_dir().is_dir() => return Ok(false),
                // Another process of this repository may be writing marks, so check again with the
                // lock.
                Ownership::Open(_) if mark_lock.is_none() => mark_lock = Some(self.mark_lock()?),
                Ownership::Open(claim) => {
                    // If the directory has a mark now, another repository wrote it.
                    if self.mark(&claim)? {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// Returns a message if this repository was moved. The next [`own_builds`](Self::own_builds)
    /// stores its new path.
    pub(crate) fn moved_notice(&self) -> Option<String> {
        let Ok(Ownership::Open(Claim { from: Some(from), .. })) = self.ownership() else {
            return None;
        };
        Some(format!(
            "this repository was moved from `{from}` to `{}`; it still owns its builds in `{}`",
            self.root().display(),
            self.builds_dir().display()
        ))
    }

    /// Returns why this repository may not use the builds directory, or `None` if it may.
    pub(crate) fn builds_warning(&self) -> Option<String> {
        match self.ownership() {
            Ok(Ownership::OtherOwner(other)) => Some(other.message),
            Ok(_) => None,
            Err(error) => Some(error.report()),
        }
    }

    /// Takes the builds directory over from an owner that no longer exists. Returns that owner, or
    /// `None` if the directory had no other owner.
    ///
    /// # Errors
    ///
    /// As [`own_builds`](Self::own_builds), for example if the owner may still exist.
    pub(crate) fn adopt_builds(&self) -> Result<Option<String>, Error> {
        let mark_lock = self.mark_lock()?;
        let other = match self.ownership()? {
            Ownership::Ours => return Ok(None),
            Ownership::Open(_) => {
                drop(mark_lock);
                return self.own_builds().map(|_| None);
            }
            Ownership::OtherOwner(other) if !other.is_gone => {
                return Err(self.refused(other.message));
            }
            Ownership::OtherOwner(other) => other,
        };
        let builds = read(&self.builds_dir().join(builds::OWNER))?;
        self.mark(&claim(self.identity()?, &builds, false))?;
        Ok(Some(other.owner))
    }

    /// Waits for the lock under which marks are written for this repository.
    fn mark_lock(&self) -> Result<MarkLock, Error> {
        self.prepare_state()?;
        let dir = self.common_dir().join(state::DIR);
        let failed = |source| Error::io("lock the directory", &dir, source);
        let file = state_file::open_dir(&dir).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(MarkLock(file))
    }

    fn refused(&self, message: String) -> Error {
        Error::new(ErrorKind::Unsupported, message).with_path(self.builds_dir())
    }

    fn ownership(&self) -> Result<Ownership, Error> {
        let identity = self.identity()?;
        let found = read(&self.builds_dir().join(builds::OWNER))?;
        if let (Identity::Own { mark, from: None }, StoredMark::Mark(other_mark)) =
            (&identity, &found)
            && other_mark.id == mark.id
            && self.is_at_path_of(other_mark)
        {
            return Ok(Ownership::Ours);
        }
        let builds = resolve_links(self.builds_dir());
        if self.contains_builds(&builds, &found) {
            // If the directory is not configured, its place alone decides.
            let is_plain = !self.is_named() && matches!(found, StoredMark::Nothing);
            let open = || Ownership::Open(claim(identity, &found, false));
            return Ok(if is_plain { Ownership::Ours } else { open() });
        }
        let other = match (&found, &identity) {
            (StoredMark::Nothing, _) => self.owner_by_place(&builds)?,
            (StoredMark::Damaged, _) => Some(self.damaged_mark()),
            (StoredMark::Mark(other_mark), Identity::Copy { mark, of })
                if other_mark.id == mark.id =>
            {
                Some(self.original_owner(of))
            }
            (StoredMark::Mark(other_mark), Identity::Own { mark, .. })
                if other_mark.id == mark.id =>
            {
                None
            }
            (StoredMark::Mark(other_mark), _) => Some(self.owner_of(other_mark)),
        };
        Ok(other
            .map_or_else(|| Ownership::Open(claim(identity, &found, true)), Ownership::OtherOwner))
    }

    fn identity(&self) -> Result<Identity, Error> {
        let mark = match read(&self.state_path(state::ID))? {
            StoredMark::Nothing => return Ok(Identity::New { is_damaged: false }),
            StoredMark::Damaged => return Ok(Identity::New { is_damaged: true }),
            StoredMark::Mark(mark) => mark,
        };
        // The original may have been moved too. Its builds then have its new path.
        let other_mark = match read(&self.builds_dir().join(builds::OWNER))? {
            StoredMark::Mark(other_mark) if other_mark.id == mark.id => Some(other_mark),
            _ => None,
        };
        let original = other_mark.iter().chain([&mark]).find(|it| self.is_another(it));
        if let Some(original) = original {
            return Ok(Identity::Copy { of: original.repository.clone(), mark });
        }
        let from = (!self.is_at_path_of(&mark)).then(|| mark.repository.clone());
        Ok(Identity::Own { mark, from })
    }

    /// Returns true if this repository is at the path of the mark. It may have several paths.
    fn is_at_path_of(&self, mark: &Mark) -> bool {
        let git_dir = self.common_dir();
        let device_and_inode = |path: &Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
        let recorded = Path::new(&mark.git_dir);
        recorded == git_dir
            || device_and_inode(recorded).is_some_and(|it| device_and_inode(git_dir) == Some(it))
    }

    /// Returns true if the repository of a mark exists and is not this one. An unreadable
    /// repository counts as existing.
    fn is_another(&self, mark: &Mark) -> bool {
        if self.is_at_path_of(mark) {
            return false;
        }
        match read(&Path::new(&mark.git_dir).join(state::DIR).join(state::ID)) {
            Ok(StoredMark::Mark(other_mark)) => other_mark.id == mark.id,
            Ok(StoredMark::Nothing) => false,
            Ok(StoredMark::Damaged) | Err(_) => true,
        }
    }

    /// Returns true if the directory is inside this repository. It then owns the directory in spite
    /// of marks, because a copied repository contains copied builds. A directory inside a nested
    /// repository does not count.
    fn contains_builds(&self, builds: &Path, found: &StoredMark) -> bool {
        if !builds.starts_with(self.root()) && !builds.starts_with(self.common_dir()) {
            return false;
        }
        let StoredMark::Mark(mark) = found else { return true };
        let owner = Path::new(&mark.repository);
        let is_nearer = owner != self.root() && owner.starts_with(self.root());
        !(is_nearer && builds.starts_with(owner) && self.is_another(mark))
    }

    /// Returns the owner of a directory without a mark, if the directory's place shows one.
    ///
    /// This is the case for the default builds directory of another repository. A directory inside
    /// a build also has an owner, because it would be removed with the build.
    fn owner_by_place(&self, builds: &Path) -> Result<Option<OtherOwner>, Error> {
        let owner = builds
            .parent()
            .filter(|above| builds.ends_with("builds") && is_tinyci_repository(above));
        if let Some(owner) = owner.map(|owner| owner.display().to_string()) {
            let builds = self.builds_dir().display();
            let message = format!("cannot use `{builds}` for builds: it belongs to `{owner}`");
            let message = hinted(&message, ANOTHER_DIR);
            return Ok(Some(OtherOwner { message, is_gone: false, owner }));
        }
        for (inner, outer) in builds.ancestors().zip(builds.ancestors().skip(1)) {
            let name = inner.file_name().and_then(|name| name.to_str());
            if name.and_then(BuildName::parse).is_none() {
                continue;
            }
            if let StoredMark::Mark(mark) = read(&outer.join(builds::OWNER))? {
                let (builds, owner) = (self.builds_dir().display(), mark.repository);
                let message =
                    format!("cannot use `{builds}` for builds: it is inside a build of `{owner}`");
                let message = hinted(&message, ANOTHER_DIR);
                return Ok(Some(OtherOwner { message, is_gone: false, owner }));
            }
        }
        Ok(None)
    }

    fn damaged_mark(&self) -> OtherOwner {
        let mark = self.builds_dir().join(builds::OWNER);
        let shown = mark.display();
        let message = format!("cannot find out the owner of the builds: `{shown}` is damaged");
        let hint = format!("if no other repository uses this directory, `rm '{shown}'`");
        let message = hinted(&message, &hint);
        OtherOwner { message, is_gone: false, owner: String::new() }
    }

    fn original_owner(&self, of: &str) -> OtherOwner {
        let message = format!(
            "cannot use `{}` for builds: it belongs to `{of}`, and this repository is a copy of it",
            self.builds_dir().display()
        );
        let message = hinted(&message, ANOTHER_DIR);
        OtherOwner { message, is_gone: false, owner: of.to_owned() }
    }

    fn owner_of(&self, mark: &Mark) -> OtherOwner {
        let builds = self.builds_dir().display();
        let owner = &mark.repository;
        let is_gone = !self.is_another(mark);
        let is_elsewhere = is_gone && mark.machine != host_name() && !self.is_at_path_of(mark);
        let hint = if is_elsewhere {
            format!(
                "if that repository, on the machine `{}`, is gone for good, `rm '{builds}/{}'`",
                mark.machine,
                builds::OWNER
            )
        } else if is_gone {
            "that repository is gone; `tinyci install --adopt-builds` takes its builds over"
                .to_owned()
        } else {
            ANOTHER_DIR.to_owned()
        };
        let message = if self.is_at_path_of(mark) {
            format!(
                "cannot use `{builds}` for builds: it belongs to another repository, which was at \
                 `{owner}` before this one"
            )
        } else {
            format!("cannot use `{builds}` for builds: it belongs to `{owner}`")
        };
        let message = hinted(&message, &hint);
        OtherOwner { message, is_gone: is_gone && !is_elsewhere, owner: owner.clone() }
    }

    /// Writes both marks, the repository's first. Returns false if a mark that should be new
    /// exists.
    fn mark(&self, claim: &Claim) -> Result<bool, Error> {
        let mark = Mark {
            v: VERSION,
            id: claim.id.clone().unwrap_or_else(new_id),
            repository: self.root().to_string_lossy().into_owned(),
            git_dir: self.common_dir().to_string_lossy().into_owned(),
            machine: host_name(),
            unknown: claim.unknown.clone(),
        };
        self.prepare_state()?;
        let sharing = self.sharing();
        let places = [
            (self.state_path(state::ID), claim.replaces_own_mark),
            (self.builds_dir().join(builds::OWNER), claim.replaces_builds_mark),
        ];
        for (path, replaces) in places {
            let written = mark.write(&path, replaces, sharing);
            if !written
                .map_err(|source| Error::io("write the owner of builds to", &path, source))?
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The hint for a directory that belongs to another repository.
const ANOTHER_DIR: &str = "`git config tinyci.buildsDir DIR` names another directory";

/// Returns the marks that make this repository the owner of a directory. Keeps the old path of a
/// moved repository only if the directory is elsewhere and has a mark, because users should know
/// then.
fn claim(identity: Identity, found: &StoredMark, is_outside: bool) -> Claim {
    let is_there = !matches!(found, StoredMark::Nothing);
    let keeps_old_path = is_outside && is_there;
    let fresh = |replaces_own_mark| Claim {
        id: None,
        replaces_builds_mark: is_there,
        replaces_own_mark,
        from: None,
        unknown: Map::new(),
    };
    match identity {
        Identity::New { is_damaged } => fresh(is_damaged),
        Identity::Own { mark, from } => Claim {
            id: Some(mark.id),
            replaces_builds_mark: is_there,
            replaces_own_mark: true,
            from: from.filter(|_| keeps_old_path),
            unknown: mark.unknown,
        },
        // The copy becomes a repository with its own id.
        Identity::Copy { .. } => fresh(true),
    }
}

fn read(path: &Path) -> Result<StoredMark, Error> {
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    match state_file::read(path) {
        Ok(text) => {
            let mark: Option<Value> = serde_json::from_slice(&text).ok();
            let v = mark.as_ref().and_then(|mark| mark.get("v")?.as_u64()).unwrap_or_default();
            let what = format!("mark `{}`", path.display());
            wire::unknown::check_version(&what, u32::try_from(v).unwrap_or(u32::MAX))?;
            let mark = mark.and_then(|mark| serde_json::from_value::<Mark>(mark).ok());
            let mark = mark.filter(|mark| mark.v == VERSION && !mark.id.is_empty());
            Ok(mark.map_or(StoredMark::Damaged, StoredMark::Mark))
        }
        Err(error) if absent.contains(&error.kind()) => Ok(StoredMark::Nothing),
        Err(error) => Err(Error::io("read the owner of builds in", path, error)),
    }
}

impl Mark {
    /// Writes the mark atomically and syncs it to the disk. Returns false if a file exists and
    /// `replaces` is false.
    fn write(&self, path: &Path, replaces: bool, sharing: Sharing) -> io::Result<bool> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        let mut file = sharing.new_file_in(path.parent().unwrap_or(path))?;
        file.write_all(&text)?;
        file.as_file().sync_all()?;
        if replaces {
            file.persist(path)?;
            return Ok(true);
        }
        match file.persist_noclobber(path) {
            Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
            written => Ok(written.map(|_| true)?),
        }
    }
}

/// Returns true if this is the root of a repository that tinyci has run in.
fn is_tinyci_repository(top: &Path) -> bool {
    let git_dirs = [top.to_path_buf(), top.join(".git")];
    git_dirs.iter().any(|dir| dir.join("HEAD").is_file() && dir.join(state::DIR).is_dir())
}

/// Resolves the links of a path, as far as it exists.
fn resolve_links(path: &Path) -> PathBuf {
    let real = path.ancestors().find_map(|above| Some((above, above.canonicalize().ok()?)));
    real.map_or_else(
        || path.to_path_buf(),
        |(above, real)| real.join(path.strip_prefix(above).unwrap_or(Path::new(""))),
    )
}

fn new_id() -> String {
    let random = || RandomState::new().hash_one((std::process::id(), Instant::now()));
    format!("{:016x}{:016x}", random(), random())
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}
