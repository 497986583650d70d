//! Checks whether the builds directory would contain tracked files of the working tree.

use std::path::Path;

use git2::{ErrorCode, Repository};

use crate::model::error::Error;
use crate::repo::repository::{Repo, commit_id, git_error};

impl Repo {
    /// Returns true if the index or HEAD of the main working tree tracks this path or anything
    /// below it.
    ///
    /// The path is relative to the root. In a bare repository, the result is false.
    pub(crate) fn has_tracked(&self, folder: &str) -> Result<bool, Error> {
        if self.is_bare() {
            return Ok(false);
        }
        let main = self.main_repository()?;
        let folder = folder.trim_matches('/');
        let unlisted = |source| {
            git_error(format!("cannot list the files that {self} tracks in `{folder}`"), source)
        };
        if in_index(&main, folder).map_err(unlisted)? {
            return Ok(true);
        }
        let head = match main.head() {
            Ok(head) => head.target(),
            Err(error) if error.code() == ErrorCode::UnbornBranch => None,
            Err(source) => return Err(unlisted(source)),
        };
        let Some(head) = head else { return Ok(false) };
        match self.has_path(commit_id(head)?, folder) {
            // A tree that cannot be checked out has no files in the working tree.
            Err(error) if error.is_fault_of_commit() => Ok(false),
            found => found,
        }
    }
}

fn in_index(git: &Repository, folder: &str) -> Result<bool, git2::Error> {
    let index = git.index()?;
    if index.get_path(Path::new(folder), 0).is_some() {
        return Ok(true);
    }
    match index.find_prefix(format!("{folder}/")) {
        Ok(_) => Ok(true),
        Err(error) if error.code() == ErrorCode::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn tracked(repo: &TestRepo) -> bool {
        Repo::open(repo.path()).unwrap().has_tracked("builds/").unwrap()
    }

    #[test]
    fn tracked_builds_are_seen_in_index_and_head() {
        let repo = TestRepo::new();
        assert!(!tracked(&repo));
        repo.write("builds-of-mine/file", "x");
        repo.write("abuilds/file", "x");
        repo.commit("others");
        repo.write("builds/file", "x");
        assert!(!tracked(&repo), "a file nobody added");
        repo.git(&["add", "builds"]);
        assert!(tracked(&repo), "in the index");
        repo.commit("builds");
        repo.git(&["rm", "-rq", "--cached", "builds"]);
        assert!(tracked(&repo), "in HEAD");
        std::fs::remove_dir_all(repo.path().join("builds")).unwrap();
        repo.commit("gone");
        assert!(!tracked(&repo));
    }

    #[test]
    fn a_file_of_that_name_counts_and_a_bare_repository_tracks_nothing() {
        let repo = TestRepo::new();
        repo.write("builds", "x");
        repo.commit("file");
        assert!(tracked(&repo));
        let bare = repo.outside().join("clone.git");
        repo.git(&["clone", "-q", "--bare", ".", bare.to_str().unwrap()]);
        assert!(!Repo::open(&bare).unwrap().has_tracked("builds").unwrap());
    }
}
