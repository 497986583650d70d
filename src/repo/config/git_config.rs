//! Git's configuration outside tinyci's section: the hooks directory, remotes, and values that
//! `install` adds to the repository's own file.

use std::{fs, io, path::PathBuf};

use git2::{Config, ConfigLevel, ErrorCode};

use super::config_cleanup::without;
use crate::model::error::{Error, ErrorKind};
use crate::repo::{
    objects::shared_write::share,
    refs::hidden::HiddenRefs,
    repository::{Repo, because, git_error},
};
use crate::util::state_file;

/// The setting of git by which a server refuses pushes to refs.
pub(crate) const HIDE_REFS: &str = "receive.hideRefs";

impl Repo {
    /// Returns the directory of the hooks of a push: `core.hooksPath`, or `hooks` in the shared git
    /// directory.
    ///
    /// git runs these hooks in the git directory, even if the repository has a working tree. So a
    /// relative `core.hooksPath` is relative to the git directory.
    pub(crate) fn hooks_dir(&self) -> Result<PathBuf, Error> {
        let unreadable =
            |source| git_error(format!("cannot use `core.hooksPath` of {self}"), source);
        let config = self.git.config().map_err(unreadable)?;
        match config.get_path("core.hooksPath") {
            Ok(path) => Ok(self.common_dir().join(path)),
            Err(error) if error.code() == ErrorCode::NotFound => {
                Ok(self.common_dir().join("hooks"))
            }
            Err(source) => Err(unreadable(source)),
        }
    }

    /// Returns the boolean value of a key from any file that git reads, or `None` if it is not set.
    pub(crate) fn config_bool(&self, key: &str) -> Result<Option<bool>, Error> {
        let unreadable = |source| git_error(format!("cannot read `{key}` of {self}"), source);
        let config = self.git.config().map_err(unreadable)?;
        match config.get_bool(key) {
            Ok(value) => Ok(Some(value)),
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            Err(source) => Err(unreadable(source)),
        }
    }

    /// Returns all values of a key in the repository's own file.
    pub(crate) fn config_values(&self, key: &str) -> Result<Vec<String>, Error> {
        let unreadable = |source| git_error(format!("cannot read `{key}` of {self}"), source);
        let config = self.own_config()?;
        let mut values = Vec::new();
        let mut entries = match config.multivar(key, None) {
            Ok(entries) => entries,
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(values),
            Err(source) => return Err(unreadable(source)),
        };
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(unreadable)?;
            if entry.has_value() {
                values.push(String::from_utf8_lossy(entry.value_bytes()).into_owned());
            }
        }
        Ok(values)
    }

    /// Adds a value to a key with several values. Returns false if the value was already there.
    pub(crate) fn config_add(&self, key: &str, value: &str) -> Result<bool, Error> {
        if self.config_values(key)?.iter().any(|known| known == value) {
            return Ok(false);
        }
        // `a^` matches no value, so this replaces none and adds the new one.
        self.edit_config(key, |config| config.set_multivar(key, "a^", value), None)?;
        Ok(true)
    }

    /// Removes one value of a key and keeps the others. Returns false if the value was not there.
    pub(crate) fn config_unset(&self, key: &str, value: &str) -> Result<bool, Error> {
        if !self.config_values(key)?.iter().any(|known| known == value) {
            return Ok(false);
        }
        let section = key.rsplit_once('.').map(|(section, _)| section);
        self.edit_config(key, |config| config.remove_multivar(key, &exactly(value)), section)?;
        Ok(true)
    }

    /// Returns the URL that a push to this remote uses.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) with the names of the existing remotes.
    pub(crate) fn remote_url(&self, name: &str) -> Result<String, Error> {
        let remote = self.git.find_remote(name).map_err(|source| {
            let remotes = self.remote_names();
            let known_remotes = if remotes.is_empty() {
                String::new()
            } else {
                format!(" (there are: {})", remotes.join(", "))
            };
            let message = format!("no remote `{name}` in {self}{known_remotes}");
            let error = Error::new(ErrorKind::NotFound, message);
            because(error.with_hint(format!("`git remote add {name} URL`")), &source)
        })?;
        let url = remote.pushurl_bytes().unwrap_or_else(|| remote.url_bytes());
        if url.is_empty() {
            let message = format!("the remote `{name}` of {self} has no URL");
            return Err(Error::new(ErrorKind::NotFound, message)
                .with_hint(format!("`git remote set-url {name} URL`")));
        }
        String::from_utf8(url.to_vec()).map_err(|source| {
            let message = format!("the URL of the remote `{name}` of {self} is not UTF-8");
            Error::new(ErrorKind::InvalidArg, message).with_source(source)
        })
    }

    fn remote_names(&self) -> Vec<String> {
        let names = self.remotes().unwrap_or_default();
        names.iter().map(|name| format!("`{name}`")).collect()
    }

    /// The names of the remotes that git's configuration has.
    pub(in crate::repo) fn remotes(&self) -> Result<Vec<String>, Error> {
        let unreadable = |source| git_error(format!("cannot read the remotes of {self}"), source);
        let names = self.git.remotes().map_err(unreadable)?;
        Ok(names.iter().flatten().flatten().map(str::to_owned).collect())
    }

    /// The lines of git's configuration that say which refs a push may not write, in git's order:
    /// those of all its files, less these values of the repository's own.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) where it cannot be read.
    pub(crate) fn hidden_refs(&self, less: &[String]) -> Result<HiddenRefs, Error> {
        let unreadable = |source| git_error(format!("cannot read `{HIDE_REFS}` of {self}"), source);
        let config = self.git.config().map_err(unreadable)?;
        let mut entries =
            config.entries(Some(r"^(receive|transfer)\.hiderefs$")).map_err(unreadable)?;
        let mut values = Vec::new();
        while let Some(entry) = entries.next() {
            let entry = entry.map_err(unreadable)?;
            if !entry.has_value() {
                continue;
            }
            let value = String::from_utf8_lossy(entry.value_bytes()).into_owned();
            let is_own =
                entry.level() == ConfigLevel::Local && entry.name_bytes().starts_with(b"receive");
            if !(is_own && less.contains(&value)) {
                values.push(value);
            }
        }
        Ok(HiddenRefs::parse(&values))
    }

    /// Returns the path of the repository's own configuration file.
    pub(in crate::repo) fn config_file(&self) -> PathBuf {
        self.common_dir().join("config")
    }

    /// Edits a copy of the configuration file, removes the empty headers of `section`, and replaces the
    /// file under git's lock on it.
    ///
    /// libgit2 would edit the file itself. A kill would then leave its lock, and a power failure could
    /// leave an empty file.
    fn edit_config(
        &self,
        key: &str,
        edit: impl FnOnce(&mut Config) -> Result<(), git2::Error>,
        section: Option<&str>,
    ) -> Result<(), Error> {
        let owner = self.acquire_ref_lock()?;
        let file = self.config_file();
        let write = || -> io::Result<()> {
            // The file can contain passwords. No copy may be readable by others, not even briefly.
            let mut lock = owner.lock_private(&file)?;
            let text = state_file::read_foreign(lock.path())?;
            let text = owner.in_scratch_file(&text, |copy| {
                let edited = Config::open(copy).and_then(|mut config| edit(&mut config));
                edited.map_err(|source| io::Error::other(source.message().to_owned()))
            })?;
            let text = section.and_then(|section| without(&text, section)).unwrap_or(text);
            lock.write(&text)?;
            lock.set_permissions(fs::metadata(lock.path())?.permissions())?;
            lock.replace()
        };
        write().map_err(|source| self.unwritten(key, source))?;
        // The new file belongs to this account, so share it again.
        let shared = share(&self.git, [&*file]);
        shared.map_err(|source| self.unwritten(key, io::Error::other(source.message().to_owned())))
    }

    fn own_config(&self) -> Result<Config, Error> {
        let file = self.config_file();
        Config::open(&file).map_err(|source| {
            git_error(format!("cannot read `{}`", file.display()), source).with_path(file)
        })
    }

    fn unwritten(&self, key: &str, source: io::Error) -> Error {
        let path = self.config_file();
        let file = path.display();
        let message = format!("cannot write `{key}` to `{file}`");
        if source.kind() == io::ErrorKind::AlreadyExists {
            let message = format!("{message}: another program created `{file}.lock`");
            let hint = format!("if no git process uses this repository, `rm '{file}.lock'`");
            return Error::new(ErrorKind::Git, message).with_hint(hint);
        }
        Error::new(ErrorKind::Git, message).with_source(source)
    }
}

/// Returns a regular expression that matches only this value.
fn exactly(value: &str) -> String {
    let escaped = value.chars().map(|letter| {
        let plain = letter.is_alphanumeric() || !letter.is_ascii();
        if plain { letter.to_string() } else { format!("\\{letter}") }
    });
    format!("^{}$", escaped.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn open(repo: &TestRepo) -> Repo {
        Repo::open(repo.path()).unwrap()
    }

    #[test]
    fn several_values_are_added_and_taken_away_one_by_one() {
        const KEY: &str = "receive.hideRefs";
        let repo = TestRepo::bare();
        let opened = open(&repo);
        repo.git(&["config", KEY, "refs/a.b*"]);
        assert!(opened.config_add(KEY, "refs/axb*").unwrap());
        assert!(opened.config_add(KEY, "!refs/+(x)[y]").unwrap());
        assert!(!opened.config_add(KEY, "refs/a.b*").unwrap());
        let all = "refs/a.b*\nrefs/axb*\n!refs/+(x)[y]";
        assert_eq!(repo.git(&["config", "--get-all", KEY]), all);
        assert_eq!(opened.config_values(KEY).unwrap().join("\n"), all);
        assert!(opened.config_unset(KEY, "refs/a.b*").unwrap());
        assert!(!opened.config_unset(KEY, "refs/a.b*").unwrap());
        assert!(opened.config_unset(KEY, "!refs/+(x)[y]").unwrap());
        assert_eq!(repo.git(&["config", "--get-all", KEY]), "refs/axb*");
        assert!(opened.config_unset(KEY, "refs/axb*").unwrap());
        assert_eq!(opened.config_values(KEY).unwrap(), [""; 0]);
        let file = std::fs::read_to_string(opened.config_file()).unwrap();
        assert!(file.contains("[core]") && !file.contains("[receive]"), "{file}");
    }

    #[test]
    fn the_file_keeps_its_mode_and_nothing_beside_it_stays() {
        use std::os::unix::fs::PermissionsExt;
        let repo = TestRepo::bare();
        let opened = open(&repo);
        for mode in [0o600, 0o640] {
            fs::set_permissions(opened.config_file(), fs::Permissions::from_mode(mode)).unwrap();
            assert!(opened.config_add("receive.hideRefs", "refs/x").unwrap());
            assert!(opened.config_unset("receive.hideRefs", "refs/x").unwrap());
            let found = fs::metadata(opened.config_file()).unwrap().permissions().mode();
            assert_eq!(found & 0o777, mode);
        }
        assert_eq!(fs::read_dir(repo.path().join("tinyci/locking")).unwrap().count(), 0);
        assert!(!repo.path().join("config.lock").exists());
    }

    #[test]
    fn a_lock_in_the_way_of_a_value_is_named() {
        let repo = TestRepo::new();
        std::fs::write(repo.path().join(".git/config.lock"), "").unwrap();
        let error = open(&repo).config_add("receive.hideRefs", "refs/x").unwrap_err();
        assert!(error.to_string().contains("config.lock"), "{error}");
    }

    /// Returns what `git push` to the repository prints.
    fn pushed(repo: &TestRepo) -> String {
        let clone = repo.outside().join("clone");
        if !clone.exists() {
            repo.git(&["clone", "-q", ".", clone.to_str().unwrap()]);
        }
        let commit = ["commit", "-q", "--allow-empty", "-m", "x"];
        assert!(repo.command_in(&clone).args(commit).status().unwrap().success());
        let output = repo.command_in(&clone).args(["push", "origin", "HEAD:side"]).output();
        String::from_utf8_lossy(&output.unwrap().stderr).into_owned()
    }

    #[test]
    fn hooks_are_put_where_a_push_finds_them() {
        use std::os::unix::fs::PermissionsExt;
        for (repo, hooks_path) in [
            (TestRepo::new(), None),
            (TestRepo::new(), Some("my hooks")),
            (TestRepo::bare(), Some("my hooks")),
            (TestRepo::bare(), Some("/absolute")),
        ] {
            let absolute = repo.outside().join("absolute");
            let value = hooks_path.map(|path| match path {
                "/absolute" => absolute.to_str().unwrap().to_owned(),
                relative => relative.to_owned(),
            });
            if let Some(value) = &value {
                repo.git(&["config", "core.hooksPath", value]);
            }
            let dir = open(&repo).hooks_dir().unwrap();
            std::fs::create_dir_all(&dir).unwrap();
            let hook = dir.join("post-receive");
            std::fs::write(&hook, "#!/bin/sh\necho it was found\n").unwrap();
            std::fs::set_permissions(&hook, PermissionsExt::from_mode(0o755)).unwrap();
            let said = pushed(&repo);
            assert!(said.contains("it was found"), "{value:?}: {said}");
        }
    }

    #[test]
    fn a_remote_s_push_url_goes_first() {
        let repo = TestRepo::new();
        let opened = open(&repo);
        let error = opened.remote_url("origin").unwrap_err();
        assert!(error.to_string().contains("no remote `origin`"), "{error}");
        repo.git(&["remote", "add", "origin", "git@host:path"]);
        assert_eq!(opened.remote_url("origin").unwrap(), "git@host:path");
        repo.git(&["config", "remote.origin.pushurl", "ssh://host/push"]);
        assert_eq!(opened.remote_url("origin").unwrap(), "ssh://host/push");
        let error = opened.remote_url("upstream").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.to_string().contains("`origin`"), "{error}");
    }
}
