//! Checks HEAD of a bare repository, and shows the command that corrects it.

use crate::repo::repository::Repo;
use crate::{model::error::Error, util::suggestion::hinted};

/// The most likely names of the main branch, in this order.
const USUAL: [&str; 2] = ["main", "master"];

impl Repo {
    /// Returns a sentence for users if HEAD of a bare repository names none of its branches. This
    /// happens if `git init` chose one name and users push another.
    ///
    /// Repositories with a working tree are not checked, because their users choose HEAD. A
    /// repository without a branch is not checked either.
    ///
    /// # Errors
    ///
    /// [`Git`](crate::ErrorKind::Git) if the refs cannot be read.
    pub(crate) fn head_fault(&self) -> Result<Option<String>, Error> {
        if !self.bare || self.git.is_worktree() {
            return Ok(None);
        }
        let branches = self.branch_list()?;
        if branches.iter().any(|branch| branch.is_head) {
            return Ok(None);
        }
        let usual = USUAL.iter().find_map(|name| branches.iter().find(|it| it.name == **name));
        let Some(meant) = usual.or(branches.first()) else { return Ok(None) };
        let named = match self.head_branch()? {
            Some(name) => format!("`{}`, which does not exist", shown(&name)),
            None => "a commit".to_owned(),
        };
        let message = format!(
            "HEAD of {self} points to {named}, not to a branch: deployments need `branch` in their \
             config, and clones check out no files"
        );
        let branch = word(&format!("refs/heads/{}", meant.name));
        Ok(Some(hinted(&message, &format!("`git symbolic-ref HEAD {branch}` in that repository"))))
    }
}

/// Returns the short name of a branch for display.
fn shown(name: &[u8]) -> String {
    let name = String::from_utf8_lossy(name);
    name.strip_prefix("refs/heads/").unwrap_or(&name).to_owned()
}

/// Quotes a ref's name for a shell, because git allows `$` and `;` in it.
fn word(name: &str) -> String {
    let is_plain = |letter: char| letter.is_alphanumeric() || "/._-+@".contains(letter);
    match name.chars().all(is_plain) {
        true => name.to_owned(),
        false => format!("'{}'", name.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn fault(repo: &TestRepo) -> String {
        Repo::open(repo.path()).unwrap().head_fault().unwrap().unwrap_or_default()
    }

    /// Makes a bare repository whose HEAD names `trunk`, with a commit but no branch.
    fn bare() -> (TestRepo, String) {
        let repo = TestRepo::bare();
        repo.git(&["symbolic-ref", "HEAD", "refs/heads/trunk"]);
        let tree = repo.git(&["hash-object", "-t", "tree", "-w", "/dev/null"]);
        let commit = repo.git(&["commit-tree", "-m", "x", &tree]);
        (repo, commit)
    }

    #[test]
    fn a_head_that_names_no_branch_is_told_with_the_command_that_mends_it() {
        let (repo, commit) = bare();
        assert_eq!(fault(&repo), "", "nothing was pushed yet");
        for (pushed, meant) in [("it's", r"'refs/heads/it'\''s'"), ("main", "refs/heads/main")] {
            repo.git(&["update-ref", &format!("refs/heads/{pushed}"), &commit]);
            let fault = fault(&repo);
            assert!(fault.contains("`trunk`, which does not exist"), "{fault}");
            assert!(fault.contains(&format!("`git symbolic-ref HEAD {meant}`")), "{fault}");
        }
        repo.git(&["update-ref", "--no-deref", "HEAD", &commit]);
        assert!(fault(&repo).contains("points to a commit, not to a branch"), "{}", fault(&repo));
        repo.git(&["symbolic-ref", "HEAD", "refs/heads/main"]);
        assert_eq!(fault(&repo), "");
    }

    #[test]
    fn the_head_of_a_working_tree_is_its_owners() {
        let (repo, commit) = bare();
        repo.git(&["update-ref", "refs/heads/main", &commit]);
        let linked = repo.outside().join("linked");
        repo.git(&["worktree", "add", "-q", "--detach", linked.to_str().unwrap(), "main"]);
        assert_eq!(Repo::open(&linked).unwrap().head_fault().unwrap(), None);
        let work = TestRepo::new();
        work.commit("x");
        work.git(&["checkout", "-q", "--orphan", "new"]);
        assert_eq!(fault(&work), "");
    }
}
