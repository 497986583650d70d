//! [`RepoLookups`]: what the repository and this machine say, to real runs and to dry ones.

use std::{fs, os::unix::fs::PermissionsExt, path::PathBuf};

use crate::{
    commit::Commit,
    engine::{handle::Shared, secrets::SecretPolicy},
    error::Error,
    repo::Repo,
    step::{Changes, Denied, Lookups, TreeEntry},
};

/// Looks things up in the repository, on whichever thread a task of the step runs.
pub(in crate::engine) struct RepoLookups {
    root: PathBuf,
    commit: Commit,
    secrets: SecretPolicy,
}

impl RepoLookups {
    pub(in crate::engine) fn new(shared: &Shared, commit: &Commit) -> Self {
        let secrets = shared.secret_policy(commit);
        Self { root: shared.root.clone(), commit: commit.clone(), secrets }
    }
}

impl Lookups for RepoLookups {
    fn changes(&self) -> Result<Changes, Error> {
        let repo = Repo::open(&self.root)?;
        let base = repo.green_ancestor(self.commit.id)?;
        let paths = repo.changed_paths(base, self.commit.id)?;
        Ok(Changes { base: base.map(|base| base.to_string()), paths })
    }

    fn previous(&self) -> Result<Option<String>, Error> {
        let Some(parent) = self.commit.parents.first() else { return Ok(None) };
        let note = Repo::open(&self.root)?.verdict(*parent)?;
        Ok(note.and_then(|note| note.verdict).map(|verdict| verdict.word().to_owned()))
    }

    fn tree_entry(&self, path: &str) -> Result<TreeEntry, Error> {
        Repo::open(&self.root)?.tree_entry(self.commit.id, path)
    }

    fn has_program(&self, name: &str, dirs: &[PathBuf]) -> bool {
        let is_program = |dir: &PathBuf| {
            let found = fs::metadata(dir.join(name));
            found.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
        };
        dirs.iter().any(is_program)
    }

    fn check_secret(&self, name: &str) -> Result<(), Denied> {
        self.secrets.check(name)
    }
}
