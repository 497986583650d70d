//! [`RepoLookups`]: facts from the repository and this machine, for real and dry runs.

use std::{ffi::OsStr, path::PathBuf};

use crate::{
    engine::context::{secrets::SecretPolicy, shared::Shared},
    model::{
        commit::Commit,
        error::Error,
        step::{Changes, Denied, Facts, Lookups, TreeEntry},
    },
    process::find_program,
    repo::Repo,
};

/// Looks up facts in the repository. Each call opens it, because tasks of a step run on several
/// threads.
pub(in crate::engine) struct RepoLookups {
    root: PathBuf,
    commit: Commit,
    export_dir: PathBuf,
    secrets: SecretPolicy,
}

impl RepoLookups {
    pub(in crate::engine) fn new(shared: &Shared, commit: &Commit, facts: &Facts) -> Self {
        let secrets = shared.secret_policy(commit, &facts.tags);
        let export_dir = facts.export_dir.clone().into();
        Self { root: shared.root.clone(), commit: commit.clone(), export_dir, secrets }
    }
}

impl Lookups for RepoLookups {
    fn changes(&self) -> Result<Changes, Error> {
        let repo = Repo::open(&self.root)?;
        let base = repo.green_ancestor(self.commit.id)?;
        let paths = repo.changed_paths(base, self.commit.id)?;
        Ok(Changes::new(base.map(|base| base.to_string()), paths))
    }

    fn previous(&self) -> Result<Option<String>, Error> {
        let Some(parent) = self.commit.parents.first() else { return Ok(None) };
        let note = Repo::open(&self.root)?.verdict(*parent)?;
        Ok(note.and_then(|note| note.verdict).map(|verdict| verdict.as_str().to_owned()))
    }

    fn tree_entry(&self, path: &str) -> Result<TreeEntry, Error> {
        Repo::open(&self.root)?.tree_entry(self.commit.id, path)
    }

    fn tree_files(&self) -> Result<Option<Vec<String>>, Error> {
        Repo::open(&self.root)?.tree_files(self.commit.id).map(Some)
    }

    fn tree_file(&self, path: &str) -> Result<Option<Vec<u8>>, Error> {
        Repo::open(&self.root)?.tree_file(self.commit.id, path)
    }

    fn has_program(&self, name: &str, path: &OsStr) -> bool {
        find_program(name, &self.export_dir, path).is_ok()
    }

    fn check_secret(&self, name: &str) -> Result<(), Denied> {
        self.secrets.check(name)
    }
}
