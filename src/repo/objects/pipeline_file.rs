//! The config file of a commit: one of a few names at the root of its tree.

use git2::{Oid, Repository};

use super::tree::each_entry;
use crate::model::{
    commit::CommitId,
    error::{Error, ErrorKind},
    pipeline::Format,
};
use crate::repo::{
    history::walk,
    repository::{Repo, oid},
};

/// The languages of configs. A build without scripts finds script configs too, because it must not
/// report that such a commit has no config.
pub(in crate::repo) const FORMATS: [Format; 2] = Format::ALL;

/// The size limit of a config, in bytes.
const SIZE_MAX: usize = 1 << 20;

/// The source text of a commit's config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConfigBlob {
    /// The file name.
    pub(crate) name: &'static str,
    /// The language, as the file name says.
    pub(crate) format: Format,
    /// The contents of the file.
    pub(crate) bytes: Vec<u8>,
}

impl Repo {
    /// Returns true if a commit has a config, readable or not.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the commit or its tree cannot be read.
    pub(crate) fn has_config(&self, id: CommitId) -> Result<bool, Error> {
        has_config(&self.git, walk::find_commit(&self.git, oid(id)?)?.tree_id())
    }

    /// Returns the config at the root of a commit's tree, or `None` if no regular file has that
    /// name.
    ///
    /// A symbolic link or a directory is not a config.
    ///
    /// # Errors
    ///
    /// [`Config`](ErrorKind::Config) if the config is larger than 1 MiB, or if there are two in
    /// different languages.
    pub(crate) fn config(&self, id: CommitId) -> Result<Option<ConfigBlob>, Error> {
        let (format, blob) = match *self.configs(id)?.as_slice() {
            [] => return Ok(None),
            [one] => one,
            [(first, _), (second, _), ..] => {
                let (first, second) = (first.file_name(), second.file_name());
                let message =
                    format!("ambiguous config: commit `{id}` has both `{first}` and `{second}`");
                let hint = format!("`git rm {second}` or `git rm {first}`");
                return Err(Error::new(ErrorKind::Config, message).with_hint(hint));
            }
        };
        let name = format.file_name();
        let what = format!("`{name}` of commit `{id}` (object `{blob}`)");
        let unreadable = |source| self.object_error(&what, source);
        let odb = self.git.odb().map_err(unreadable)?;
        let (size, _) = odb.read_header(blob).map_err(unreadable)?;
        if size > SIZE_MAX {
            let message = format!(
                "`{name}` of commit `{id}` is too large: {size} bytes, at most {SIZE_MAX} are \
                 allowed"
            );
            return Err(Error::new(ErrorKind::Config, message).with_path(name));
        }
        let bytes = odb.read(blob).map_err(unreadable)?.data().to_vec();
        Ok(Some(ConfigBlob { name, format, bytes }))
    }

    /// Returns the config of a commit that must have one.
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) if it has none, and those of [`config`](Self::config).
    pub(crate) fn needed_config(&self, id: CommitId) -> Result<ConfigBlob, Error> {
        self.config(id)?.ok_or_else(|| {
            let message = format!("commit {} has no config", id.short());
            Error::new(ErrorKind::NotFound, message)
        })
    }

    /// Returns the blob id of a commit's config in hexadecimal, or `None` if it has no config or
    /// two.
    ///
    /// # Errors
    ///
    /// [`Git`](ErrorKind::Git) if the commit or its tree cannot be read.
    pub(crate) fn config_blob(&self, id: CommitId) -> Result<Option<String>, Error> {
        match *self.configs(id)?.as_slice() {
            [(_, blob)] => Ok(Some(blob.to_string())),
            _ => Ok(None),
        }
    }

    fn configs(&self, id: CommitId) -> Result<Vec<(Format, Oid)>, Error> {
        find(&self.git, walk::find_commit(&self.git, oid(id)?)?.tree_id())
    }
}

/// Whether there is a config in this root tree. If the tree is one that no version of git can have
/// written, its commit is to fail, and is tested like one with a config.
pub(in crate::repo) fn has_config(git: &Repository, tree: Oid) -> Result<bool, Error> {
    match find(git, tree) {
        Err(error) if error.is_fault_of_commit() => Ok(true),
        found => Ok(!found?.is_empty()),
    }
}

/// Returns the languages and blobs of the configs in this root tree.
fn find(git: &Repository, tree: Oid) -> Result<Vec<(Format, Oid)>, Error> {
    let mut found = Vec::new();
    each_entry(git, tree, |entry| {
        let format = FORMATS.iter().find(|format| format.file_name().as_bytes() == entry.name);
        if let Some(format) = format.filter(|_| entry.is_file()) {
            found.push((*format, entry.id));
        }
        // Entries are sorted by name, and every config's name begins with a dot. So the search ends
        // after the names that begin with one.
        entry.name.first().is_some_and(|byte| *byte <= b'.')
    })?;
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn config_of(repo: &TestRepo, commit: &str) -> Result<Option<ConfigBlob>, Error> {
        Repo::open(repo.path()).unwrap().config(commit.parse().unwrap())
    }

    #[test]
    fn a_regular_file_at_the_root_is_a_config() {
        let repo = TestRepo::new();
        for name in ["-dash", ".a", ".zz", "a", ".tinyci.ym", ".tinyci.ymlx", "sub/.tinyci.yml"] {
            repo.write(name, "x");
        }
        assert_eq!(config_of(&repo, &repo.commit("none")).unwrap(), None);
        repo.write(".tinyci.rhai", "fn build() {}");
        let script = config_of(&repo, &repo.commit("script")).unwrap().unwrap();
        assert_eq!((script.name, script.format), (".tinyci.rhai", Format::Rhai));
        repo.git(&["rm", "-q", ".tinyci.rhai"]);
        let config = config_of(&repo, &repo.commit_config("build: x\n")).unwrap().unwrap();
        assert_eq!((config.name, config.format), (".tinyci.yml", Format::Yaml));
        assert_eq!(config.bytes, b"build: x\n");
        repo.git(&["update-index", "--chmod=+x", ".tinyci.yml"]);
        repo.git(&["commit", "-q", "-m", "executable"]);
        assert!(config_of(&repo, &repo.git(&["rev-parse", "HEAD"])).unwrap().is_some());
    }

    #[test]
    fn a_link_or_a_folder_is_none() {
        let repo = TestRepo::new();
        repo.write("elsewhere", "build: x\n");
        let path = repo.path().join(".tinyci.yml");
        std::os::unix::fs::symlink("elsewhere", &path).unwrap();
        assert_eq!(config_of(&repo, &repo.commit("link")).unwrap(), None);
        std::fs::remove_file(&path).unwrap();
        repo.write(".tinyci.yml/file", "x");
        assert_eq!(config_of(&repo, &repo.commit("folder")).unwrap(), None);
    }

    #[test]
    fn two_languages_in_one_commit_are_an_error_that_names_both() {
        let repo = TestRepo::new();
        repo.write(".tinyci.rhai", "fn build() {}");
        let commit = repo.commit_config("build: x\n");
        let error = config_of(&repo, &commit).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("both `.tinyci.rhai` and `.tinyci.yml`"), "{error}");
        assert!(Repo::open(repo.path()).unwrap().has_config(commit.parse().unwrap()).unwrap());
    }

    #[test]
    fn a_config_has_a_greatest_size() {
        let repo = TestRepo::new();
        let commit = repo.commit_config(&"#".repeat(SIZE_MAX));
        assert_eq!(config_of(&repo, &commit).unwrap().unwrap().bytes.len(), SIZE_MAX);
        let error = config_of(&repo, &repo.commit_config(&"#".repeat(SIZE_MAX + 1))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains("1048577 bytes"), "{error}");
    }
}
