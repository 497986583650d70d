//! Whose a folder of builds is. One that two repositories use would be pruned by each of them, and
//! what the other one has deployed would go.
//!
//! A repository has a random id in its state folder, with the path at which it stands; the folder of
//! builds that it uses has the same. So a folder tells whose it is, and a repository that stands
//! elsewhere than its id says was moved or copied: if one with that id is still where it says, this
//! one is the copy.
//!
//! Everything that writes into the folder or removes from it asks [`own_builds`] before. What only
//! reads says what it sees and goes on.
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
use crate::{
    model::error::{Error, ErrorKind},
    rules::retention::BuildName,
    util::{sharing::Sharing, suggestion::hinted},
    wire,
    workspace::layout::Workspace,
};

/// The form of a mark: the version of all JSON.
const VERSION: u32 = wire::VERSION;

/// Which repository it is, and where it stood when that was written.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Mark {
    v: u32,
    id: String,
    /// What people call it: the bare repository, or the top of its work tree.
    repository: String,
    /// The git directory, which holds its own mark.
    git_dir: String,
    machine: String,
    /// What a newer version wrote.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

/// What stands in the place of a mark.
enum Found {
    Nothing,
    Damaged,
    Mark(Mark),
}

/// Whose the folder is.
enum Standing {
    /// This repository's, and the marks say so.
    Ours,
    /// Free for this repository to mark.
    Open(Claim),
    /// Another's.
    Taken(Taken),
}

/// Marks to be written.
struct Claim {
    /// The repository's id; none as long as it has none of its own.
    id: Option<String>,
    /// Whether there are marks to be replaced: the folder's, the repository's.
    replaces: (bool, bool),
    /// Where the repository was before it was moved.
    from: Option<String>,
    /// What a newer version wrote into the mark that is replaced.
    unknown: Map<String, Value>,
}

/// Why the folder is not ours to use.
struct Taken {
    message: String,
    /// Whether its owner is known to be gone.
    by_none: bool,
    owner: String,
}

/// The right to mark things for this repository.
struct Alone(File);

impl Drop for Alone {
    /// Closing is not enough: a child that is just starting has the file open.
    fn drop(&mut self) {
        let _ = self.0.unlock();
    }
}

/// Who this repository is.
enum Identity {
    /// None yet, or the file that said so is damaged.
    New { is_damaged: bool },
    /// The one that its mark names; where it was before, if it was moved.
    Own { mark: Mark, from: Option<String> },
    /// A copy of the one that its mark names, which is still where it was.
    Copy { mark: Mark, of: String },
}

impl Workspace {
    /// Makes sure that the folder of builds is this repository's, before anything in it is written
    /// or removed. The first to use a folder owns it. Says whether it is there and marked.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) naming the owner, if that is another repository, and
    /// for a link that nobody named; [`Io`](ErrorKind::Io) where marks cannot be read or written.
    pub(crate) fn own_builds(&self) -> Result<bool, Error> {
        self.refuse_link()?;
        let mut alone = None;
        loop {
            match self.standing()? {
                Standing::Ours => return Ok(true),
                Standing::Taken(taken) => return Err(self.refusal(taken.message)),
                Standing::Open(_) if !self.builds_dir().is_dir() => return Ok(false),
                // Others of this repository may be at it: it is to be seen once more.
                Standing::Open(_) if alone.is_none() => alone = Some(self.alone()?),
                Standing::Open(claim) => {
                    // If it was marked meanwhile, that was another repository.
                    if self.mark(&claim)? {
                        return Ok(true);
                    }
                }
            }
        }
    }

    /// That this repository was moved away from where it says that it is, if it was: the next
    /// [`own_builds`](Self::own_builds) writes down where it is now.
    pub(crate) fn moved_notice(&self) -> Option<String> {
        let Ok(Standing::Open(Claim { from: Some(from), .. })) = self.standing() else {
            return None;
        };
        Some(format!(
            "this repository was moved from `{from}` to `{}`; it still owns its builds in `{}`",
            self.root().display(),
            self.builds_dir().display()
        ))
    }

    /// Why the folder of builds is not to be used by this repository, if it is not.
    pub(crate) fn builds_warning(&self) -> Option<String> {
        match self.standing() {
            Ok(Standing::Taken(taken)) => Some(taken.message),
            Ok(_) => None,
            Err(error) => Some(error.report()),
        }
    }

    /// Takes the folder of builds over from an owner that is gone; says from which. One that is
    /// this repository's already, or nobody's, stays as it is.
    ///
    /// # Errors
    ///
    /// As [`own_builds`](Self::own_builds): above all if the owner is not known to be gone.
    pub(crate) fn adopt_builds(&self) -> Result<Option<String>, Error> {
        let alone = self.alone()?;
        let taken = match self.standing()? {
            Standing::Ours => return Ok(None),
            Standing::Open(_) => {
                drop(alone);
                return self.own_builds().map(|_| None);
            }
            Standing::Taken(taken) if !taken.by_none => return Err(self.refusal(taken.message)),
            Standing::Taken(taken) => taken,
        };
        let builds = read(&self.builds_dir().join(builds::OWNER))?;
        self.mark(&claim(self.identity()?, &builds, false))?;
        Ok(Some(taken.owner))
    }

    /// Waits until no other process marks anything for this repository.
    fn alone(&self) -> Result<Alone, Error> {
        self.prepare_state()?;
        let dir = self.common_dir().join(state::DIR);
        let failed = |source| Error::io("lock the directory", &dir, source);
        let file = File::open(&dir).map_err(failed)?;
        file.lock().map_err(failed)?;
        Ok(Alone(file))
    }

    fn refusal(&self, message: String) -> Error {
        Error::new(ErrorKind::Unsupported, message).with_path(self.builds_dir())
    }

    fn standing(&self) -> Result<Standing, Error> {
        let identity = self.identity()?;
        let found = read(&self.builds_dir().join(builds::OWNER))?;
        if let (Identity::Own { mark, from: None }, Found::Mark(there)) = (&identity, &found)
            && there.id == mark.id
            && self.is_at(there)
        {
            return Ok(Standing::Ours);
        }
        let builds = without_links(self.builds_dir());
        if self.holds(&builds, &found) {
            // Where nobody named it, its place says whose it is.
            let is_plain = !self.is_named() && matches!(found, Found::Nothing);
            let open = || Standing::Open(claim(identity, &found, false));
            return Ok(if is_plain { Standing::Ours } else { open() });
        }
        let taken = match (&found, &identity) {
            (Found::Nothing, _) => self.around(&builds)?,
            (Found::Damaged, _) => Some(self.damaged()),
            (Found::Mark(there), Identity::Copy { mark, of }) if there.id == mark.id => {
                Some(self.taken_from_copy(of))
            }
            (Found::Mark(there), Identity::Own { mark, .. }) if there.id == mark.id => None,
            (Found::Mark(there), _) => Some(self.taken_by(there)),
        };
        Ok(taken.map_or_else(|| Standing::Open(claim(identity, &found, true)), Standing::Taken))
    }

    fn identity(&self) -> Result<Identity, Error> {
        let mark = match read(&self.state_path(state::ID))? {
            Found::Nothing => return Ok(Identity::New { is_damaged: false }),
            Found::Damaged => return Ok(Identity::New { is_damaged: true }),
            Found::Mark(mark) => mark,
        };
        // The original may have been moved itself since: then its builds know where to.
        let there = match read(&self.builds_dir().join(builds::OWNER))? {
            Found::Mark(there) if there.id == mark.id => Some(there),
            _ => None,
        };
        let original = there.iter().chain([&mark]).find(|it| self.is_another(it));
        if let Some(original) = original {
            return Ok(Identity::Copy { of: original.repository.clone(), mark });
        }
        let from = (!self.is_at(&mark)).then(|| mark.repository.clone());
        Ok(Identity::Own { mark, from })
    }

    /// Whether this repository stands where the mark says. It may have several paths.
    fn is_at(&self, mark: &Mark) -> bool {
        let here = self.common_dir();
        let place = |path: &Path| fs::metadata(path).ok().map(|it| (it.dev(), it.ino()));
        let there = Path::new(&mark.git_dir);
        there == here || place(there).is_some_and(|there| place(here) == Some(there))
    }

    /// Whether the repository of a mark is there, and another than this one. One that cannot be
    /// looked at is taken to be.
    fn is_another(&self, mark: &Mark) -> bool {
        if self.is_at(mark) {
            return false;
        }
        match read(&Path::new(&mark.git_dir).join(state::DIR).join(state::ID)) {
            Ok(Found::Mark(there)) => there.id == mark.id,
            Ok(Found::Nothing) => false,
            Ok(Found::Damaged) | Err(_) => true,
        }
    }

    /// Whether the folder lies in this repository itself, and so is its own whatever a mark says: a
    /// copy of the whole has a copy of the builds. One of a repository within this one is not.
    fn holds(&self, builds: &Path, found: &Found) -> bool {
        if !builds.starts_with(self.root()) && !builds.starts_with(self.common_dir()) {
            return false;
        }
        let Found::Mark(mark) = found else { return true };
        let owner = Path::new(&mark.repository);
        let is_nearer = owner != self.root() && owner.starts_with(self.root());
        !(is_nearer && builds.starts_with(owner) && self.is_another(mark))
    }

    /// Whether a folder without a mark is another's by its place: that in which a repository keeps
    /// its builds if nothing else is said, or one inside a build, which would go with it.
    fn around(&self, builds: &Path) -> Result<Option<Taken>, Error> {
        let owner = builds.parent().filter(|above| builds.ends_with("builds") && has_runs(above));
        if let Some(owner) = owner.map(|owner| owner.display().to_string()) {
            let builds = self.builds_dir().display();
            let message = format!("cannot use `{builds}` for builds: it belongs to `{owner}`");
            let message = hinted(&message, ANOTHER_DIR);
            return Ok(Some(Taken { message, by_none: false, owner }));
        }
        for (inner, outer) in builds.ancestors().zip(builds.ancestors().skip(1)) {
            let name = inner.file_name().and_then(|name| name.to_str());
            if name.and_then(BuildName::parse).is_none() {
                continue;
            }
            if let Found::Mark(mark) = read(&outer.join(builds::OWNER))? {
                let (builds, owner) = (self.builds_dir().display(), mark.repository);
                let message =
                    format!("cannot use `{builds}` for builds: it is inside a build of `{owner}`");
                let message = hinted(&message, ANOTHER_DIR);
                return Ok(Some(Taken { message, by_none: false, owner }));
            }
        }
        Ok(None)
    }

    fn damaged(&self) -> Taken {
        let mark = self.builds_dir().join(builds::OWNER);
        let shown = mark.display();
        let message = format!("cannot find out the owner of the builds: `{shown}` is damaged");
        let hint = format!("if no other repository uses this directory, `rm '{shown}'`");
        let message = hinted(&message, &hint);
        Taken { message, by_none: false, owner: String::new() }
    }

    fn taken_from_copy(&self, of: &str) -> Taken {
        let message = format!(
            "cannot use `{}` for builds: it belongs to `{of}`, and this repository is a copy of it",
            self.builds_dir().display()
        );
        let message = hinted(&message, ANOTHER_DIR);
        Taken { message, by_none: false, owner: of.to_owned() }
    }

    fn taken_by(&self, mark: &Mark) -> Taken {
        let builds = self.builds_dir().display();
        let owner = &mark.repository;
        let is_gone = !self.is_another(mark);
        let is_elsewhere = is_gone && mark.machine != host_name() && !self.is_at(mark);
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
        let message = if self.is_at(mark) {
            format!(
                "cannot use `{builds}` for builds: it belongs to another repository, which was at \
                 `{owner}` before this one"
            )
        } else {
            format!("cannot use `{builds}` for builds: it belongs to `{owner}`")
        };
        let message = hinted(&message, &hint);
        Taken { message, by_none: is_gone && !is_elsewhere, owner: owner.clone() }
    }

    /// Writes both marks, the repository's first. Gives false if one that was to be new is there.
    fn mark(&self, claim: &Claim) -> Result<bool, Error> {
        let mark = Mark {
            v: VERSION,
            id: claim.id.clone().unwrap_or_else(new_id),
            repository: self.root().to_string_lossy().into_owned(),
            git_dir: self.common_dir().to_string_lossy().into_owned(),
            machine: host_name(),
            unknown: claim.unknown.clone(),
        };
        let (replaces_builds, replaces_own) = claim.replaces;
        self.prepare_state()?;
        let sharing = self.sharing();
        let places = [
            (self.state_path(state::ID), replaces_own),
            (self.builds_dir().join(builds::OWNER), replaces_builds),
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

/// The marks that make a folder this repository's. That the repository was moved is worth telling if
/// the folder lies elsewhere and is marked.
fn claim(identity: Identity, found: &Found, lies_elsewhere: bool) -> Claim {
    let is_there = !matches!(found, Found::Nothing);
    let tells = lies_elsewhere && is_there;
    let fresh = |replaces| Claim { id: None, replaces, from: None, unknown: Map::new() };
    match identity {
        Identity::New { is_damaged } => fresh((is_there, is_damaged)),
        Identity::Own { mark, from } => Claim {
            id: Some(mark.id),
            replaces: (is_there, true),
            from: from.filter(|_| tells),
            unknown: mark.unknown,
        },
        // From here on it is a repository of its own.
        Identity::Copy { .. } => fresh((is_there, true)),
    }
}

fn read(path: &Path) -> Result<Found, Error> {
    let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
    match fs::read(path) {
        Ok(text) => {
            let mark: Option<Value> = serde_json::from_slice(&text).ok();
            let v = mark.as_ref().and_then(|mark| mark.get("v")?.as_u64()).unwrap_or_default();
            let what = format!("mark `{}`", path.display());
            wire::unknown::check_version(&what, u32::try_from(v).unwrap_or(u32::MAX))?;
            let mark = mark.and_then(|mark| serde_json::from_value::<Mark>(mark).ok());
            let mark = mark.filter(|mark| mark.v == VERSION && !mark.id.is_empty());
            Ok(mark.map_or(Found::Damaged, Found::Mark))
        }
        Err(error) if absent.contains(&error.kind()) => Ok(Found::Nothing),
        Err(error) => Err(Error::io("read the owner of builds in", path, error)),
    }
}

impl Mark {
    /// Writes it whole and to the disk; says whether it did, or found something in its place that
    /// is not to be replaced.
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

/// Whether this is the top of a repository that tinyci runs in.
fn has_runs(top: &Path) -> bool {
    let git_dirs = [top.to_path_buf(), top.join(".git")];
    git_dirs.iter().any(|dir| dir.join("HEAD").is_file() && dir.join(state::DIR).is_dir())
}

/// The path without links, as far as it exists.
fn without_links(path: &Path) -> PathBuf {
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
