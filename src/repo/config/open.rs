//! Opens a repository, or explains why it cannot be opened.
//!
//! libgit2 writes its error messages for developers. Users meet four causes: an unsupported object
//! format, an unsupported ref storage, a repository of another user, and a directory that is not a
//! repository. This file reports each of them in plain words.

use std::{
    cell::RefCell,
    path::{Path, PathBuf},
};

use git2::{ErrorCode, Repository};

use super::environment;
use crate::model::error::{Error, ErrorKind};
use crate::repo::{
    objects::database,
    repository::{Repo, because, git_error},
};
use crate::util::state_file;

impl Repo {
    /// Opens the repository at this path: a bare one, the root of a main or linked working tree, or
    /// a `.git` directory.
    ///
    /// # Errors
    ///
    /// [`NotARepo`](ErrorKind::NotARepo) if there is none; [`Git`](ErrorKind::Git) if it belongs to
    /// another user and is not trusted; [`Unsupported`](ErrorKind::Unsupported) with the setting,
    /// for SHA-256 and reftable; [`NewerFormat`](ErrorKind::NewerFormat) if only a newer version of
    /// tinyci can read its state.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let path = existing(path)?;
        match Repository::open(&path) {
            Ok(git) => Self::new(git),
            Err(source) => Err(refusal(&path, git_dir_at(&path), source)),
        }
    }

    /// Opens the repository that contains this path.
    ///
    /// # Errors
    ///
    /// As [`open`](Repo::open).
    pub(crate) fn discover(path: &Path) -> Result<Self, Error> {
        let path = existing(path)?;
        let nowhere: [&Path; 0] = [];
        let git_dir = Repository::discover_path(&path, nowhere).map_err(|source| {
            let shown = path.display();
            let message = format!("not a git repository: `{shown}` or any parent directory");
            because(Error::new(ErrorKind::NotARepo, message).with_path(&path), &source)
        })?;
        match Repository::open(&git_dir) {
            Ok(git) => Self::new(git),
            Err(source) => Err(refusal(&path, Some(git_dir), source)),
        }
    }

    fn new(git: Repository) -> Result<Self, Error> {
        prepare(&git)?;
        let common_dir = canonical(git.commondir())?;
        // A linked working tree does not know the path of the main one, but the shared git
        // directory does. `None` means that there is no main working tree.
        let main = if git.is_worktree() { Some(main_of(&common_dir)?) } else { None };
        let main_top = main.as_ref().unwrap_or(&git).workdir();
        let bare = main_top.is_none();
        let root = main_top.map_or_else(|| Ok(common_dir.clone()), canonical)?;
        let repo = Self {
            git,
            root,
            common_dir,
            bare,
            complete_tips: RefCell::default(),
            readable: RefCell::default(),
            new_objects: RefCell::default(),
        };
        // Every way to open a repository leads through here.
        repo.check_readable()?;
        Ok(repo)
    }

    /// Opens the repository of the main working tree, with its own index and HEAD.
    pub(in crate::repo) fn main_repository(&self) -> Result<Repository, Error> {
        main_of(&self.common_dir)
    }
}

fn main_of(common_dir: &Path) -> Result<Repository, Error> {
    let git = Repository::open(common_dir)
        .map_err(|source| refusal(common_dir, git_dir_at(common_dir), source))?;
    prepare(&git)?;
    Ok(git)
}

/// Makes a repository read its objects and its configuration as tinyci does. Called for every
/// repository that is opened.
fn prepare(git: &Repository) -> Result<(), Error> {
    environment::apply(git).map_err(|fault| {
        let message = format!("cannot use git's configuration in the environment: {fault}");
        Error::new(ErrorKind::InvalidArg, message)
    })?;
    let objects = git.commondir().join("objects");
    database::attach(git).map_err(|source| {
        git_error(format!("cannot open the objects in `{}`", objects.display()), source)
            .with_path(objects)
    })
}

fn existing(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|source| {
        let message = format!("cannot find `{}`", path.display());
        Error::new(ErrorKind::NotARepo, message).with_path(path).with_source(source)
    })
}

fn canonical(path: &Path) -> Result<PathBuf, Error> {
    path.canonicalize().map_err(|source| Error::io("find the repository's directory", path, source))
}

/// Returns the error for a repository that libgit2 does not open.
fn refusal(path: &Path, git_dir: Option<PathBuf>, source: git2::Error) -> Error {
    if source.code() == ErrorCode::Owner {
        return not_owned(path, git_dir.as_deref());
    }
    if let Some((_, file)) = environment::unreadable_user_files().next() {
        let message = format!("cannot read git's configuration in `{}`", file.display());
        let hint = "git skips such a file; set HOME to a directory of this account";
        let error = Error::new(ErrorKind::Git, message).with_path(file).with_hint(hint);
        return error.with_source(source.message().to_owned());
    }
    if let Some((name, value)) = git_dir.as_deref().and_then(unknown_extension) {
        let message = format!(
            "unsupported repository `{}`: tinyci does not support `{name} = {value}`",
            path.display()
        );
        return because(Error::new(ErrorKind::Unsupported, message).with_path(path), &source);
    }
    let shown = path.display();
    let message = match git_dir {
        Some(_) => format!("cannot open the git repository at `{shown}`"),
        None => match inside_of(path) {
            Some(top) => {
                format!("not a git repository: `{shown}` is a directory inside `{}`", top.display())
            }
            None => format!("not a git repository: `{shown}`"),
        },
    };
    because(Error::new(ErrorKind::NotARepo, message).with_path(path), &source)
}

fn not_owned(path: &Path, git_dir: Option<&Path>) -> Error {
    let git_dir = git_dir.unwrap_or(path);
    let trusted = if git_dir.ends_with(".git") { git_dir.parent() } else { None };
    // `components` removes a final slash, because libgit2 does not recognize the path with one.
    let trusted: PathBuf = trusted.unwrap_or(git_dir).components().collect();
    let message = format!("refusing to use `{}`: it belongs to another user", path.display());
    let mut hint = format!(
        "if you trust it, `git config --global --add safe.directory '{}'`",
        trusted.display()
    );
    if environment::is_in_use() {
        hint += "; `safe.directory` counts only in the user's and the system's own files, not in the \
                 environment";
    }
    Error::new(ErrorKind::Git, message).with_path(path).with_hint(hint)
}

/// Returns the root of the repository that contains this directory.
fn inside_of(path: &Path) -> Option<PathBuf> {
    let nowhere: [&Path; 0] = [];
    let git_dir = Repository::discover_path(path, nowhere).ok()?;
    let git = Repository::open(git_dir).ok()?;
    Some(git.workdir().unwrap_or_else(|| git.path()).to_path_buf())
}

/// Returns the git directory of a repository at exactly this path, without opening it.
fn git_dir_at(path: &Path) -> Option<PathBuf> {
    let inner = path.join(".git");
    let found = if inner.exists() { inner } else { path.to_path_buf() };
    if found.is_dir() {
        return found.join("HEAD").exists().then_some(found);
    }
    let text = String::from_utf8(state_file::read_foreign(&found).ok()?).ok()?;
    let target = text.strip_prefix("gitdir:")?.trim();
    Some(found.parent()?.join(target))
}

/// Returns the name and value of a configured extension that libgit2 does not support.
fn unknown_extension(git_dir: &Path) -> Option<(&'static str, String)> {
    const NAMES: [&str; 5] = [
        "extensions.objectFormat",
        "extensions.refStorage",
        "extensions.partialClone",
        "extensions.compatObjectFormat",
        "extensions.submodulePathConfig",
    ];
    let shared = state_file::read_foreign(&git_dir.join("commondir"));
    let shared = shared.ok().and_then(|text| String::from_utf8(text).ok());
    let common_dir = shared.map_or_else(|| git_dir.to_path_buf(), |dir| git_dir.join(dir.trim()));
    let config = git2::Config::open(&common_dir.join("config")).ok()?;
    let found = NAMES.iter().find_map(|name| Some((*name, config.get_string(name).ok()?)))?;
    (found != ("extensions.objectFormat", "sha1".to_owned())).then_some(found)
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::testing::{TestRepo, succeed};

    /// Returns the root, the shared git directory, and whether the repository is bare.
    fn opened(path: &Path) -> (PathBuf, PathBuf, bool) {
        let repo = Repo::open(path).unwrap();
        (repo.root().to_path_buf(), repo.common_dir().to_path_buf(), repo.is_bare())
    }

    fn refused(path: &Path) -> Error {
        Repo::open(path).err().unwrap()
    }

    #[test]
    fn a_handle_can_go_to_another_thread() {
        fn send<T: Send>() {}
        send::<Repo>();
    }

    #[test]
    fn work_trees_open_by_their_top_and_their_git_directory() {
        let repo = TestRepo::new();
        let git_dir = repo.path().join(".git");
        let expected = (repo.path().to_path_buf(), git_dir.clone(), false);
        assert_eq!(opened(repo.path()), expected);
        assert_eq!(opened(&git_dir), expected);
        let link = repo.outside().join("link");
        std::os::unix::fs::symlink(repo.path(), &link).unwrap();
        assert_eq!(opened(&link), expected);
    }

    #[test]
    fn a_bare_repository_is_its_own_root() {
        let repo = TestRepo::bare();
        let expected = (repo.path().to_path_buf(), repo.path().to_path_buf(), true);
        assert_eq!(opened(repo.path()), expected);
    }

    #[test]
    fn linked_work_trees_share_the_main_root() {
        for (repo, git_dir) in [(TestRepo::new(), ".git"), (TestRepo::bare(), "")] {
            let seed = TestRepo::new();
            seed.commit("x");
            repo.git(&["fetch", "-q", seed.path().to_str().unwrap(), "main:refs/heads/seed"]);
            let linked = repo.outside().join("linked");
            repo.git(&["worktree", "add", "-q", linked.to_str().unwrap(), "seed"]);
            let common_dir = repo.path().join(git_dir).canonicalize().unwrap();
            let expected = (repo.path().to_path_buf(), common_dir, git_dir.is_empty());
            assert_eq!(opened(&linked), expected);
            assert_eq!(opened(&linked.join(".git")), expected);
            let found = Repo::discover(&linked).unwrap();
            assert_eq!(found.root(), repo.path());
            assert!(found.resolve("HEAD").is_ok(), "HEAD is that of the linked one");
        }
    }

    #[test]
    fn looking_upwards_finds_what_opening_refuses() {
        let repo = TestRepo::new();
        let below = repo.path().join("a/b");
        std::fs::create_dir_all(&below).unwrap();
        assert_eq!(Repo::discover(&below).unwrap().root(), repo.path());
        assert_eq!(Repo::discover(repo.path()).unwrap().root(), repo.path());
        assert_eq!(Repo::discover(&repo.path().join(".git")).unwrap().root(), repo.path());
        let error = refused(&below);
        assert_eq!(error.kind(), ErrorKind::NotARepo);
        let top = format!("inside `{}", repo.path().display());
        assert!(error.to_string().contains(&top), "{error}");
    }

    #[test]
    fn what_is_no_repository_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("file");
        std::fs::write(&file, "x").unwrap();
        for path in [dir.path(), &file, &dir.path().join("absent")] {
            for error in [refused(path), Repo::discover(path).err().unwrap()] {
                assert_eq!(error.kind(), ErrorKind::NotARepo, "{error}");
                assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
            }
        }
    }

    #[test]
    fn unsupported_formats_are_named_with_their_setting() {
        for bare in [false, true] {
            let dir = tempfile::tempdir().unwrap();
            let mut command = Command::new("git");
            command.current_dir(dir.path()).args(["init", "-q", "--object-format=sha256", "."]);
            command.args(bare.then_some("--bare"));
            succeed("init", &command.output().unwrap());
            let inside = dir.path().join(if bare { "refs" } else { ".git" });
            for error in [refused(dir.path()), Repo::discover(&inside).err().unwrap()] {
                assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
                assert!(error.to_string().contains("extensions.objectFormat = sha256"), "{error}");
            }
        }
        let repo = TestRepo::new();
        let linked = repo.outside().join("linked");
        repo.commit("x");
        repo.git(&["worktree", "add", "-q", linked.to_str().unwrap()]);
        let config = repo.path().join(".git/config");
        let text = std::fs::read_to_string(&config).unwrap();
        let text = text.replace("repositoryformatversion = 0", "repositoryformatversion = 1");
        std::fs::write(&config, text + "[extensions]\n\trefStorage = reftable\n").unwrap();
        for path in [repo.path(), &repo.path().join(".git"), &linked] {
            let error = refused(path);
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
            assert!(error.to_string().contains("extensions.refStorage = reftable"), "{error}");
        }
    }

    #[test]
    fn harmless_extensions_do_not_hinder() {
        let repo = TestRepo::new();
        repo.git(&["config", "core.repositoryFormatVersion", "1"]);
        repo.git(&["config", "extensions.objectFormat", "sha1"]);
        repo.git(&["config", "extensions.worktreeConfig", "true"]);
        assert_eq!(opened(repo.path()).0, repo.path());
    }

    #[test]
    fn another_user_s_repository_names_the_remedy() {
        let repo = TestRepo::new();
        // Only root can give a repository to another user. If the machine trusts every directory,
        // git opens the repository, and so does tinyci.
        let chown = |owner| {
            let path = repo.path();
            [path.to_path_buf(), path.join(".git")]
                .iter()
                .all(|path| std::os::unix::fs::chown(path, Some(owner), Some(owner)).is_ok())
        };
        if !chown(12_345) {
            return;
        }
        let mut git = Command::new("git");
        let trusted = git.arg("-C").arg(repo.path()).args(["rev-parse", "--git-dir"]).output();
        match Repo::open(repo.path()) {
            Ok(_) => assert!(trusted.unwrap().status.success()),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Git);
                let remedy = format!("safe.directory '{}'", repo.path().display());
                assert!(error.report().contains(&remedy), "{error}");
            }
        }
        assert!(chown(0));
    }
}
