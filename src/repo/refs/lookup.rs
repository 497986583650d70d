//! Selects refs by patterns, and reads what they name.

use std::collections::BTreeMap;

use git2::{ErrorCode, ObjectType, Oid, Reference, Repository};

use crate::repo::{
    history::walk::AncestorSearch,
    objects::commit::tagged,
    repository::{Repo, commit_id, git_error, oid},
};
use crate::{
    model::{
        commit::{Commit, CommitId},
        error::{Error, ErrorKind},
        stored_names::families,
    },
    rules::glob::{ref_fault, secret_ref_fault, text_matches as matches},
};

const BRANCHES: &[u8] = b"refs/heads/";

/// How many tags of tags are followed: damaged ones could lead back to themselves.
const TAGS_MAX: usize = 1000;

/// The refs that no pattern selects: verdicts, records, baseline and similar.
const OURS: [&str; 2] = [families::NOTES, families::TINYCI];

/// Returns what is wrong with a ref pattern, or `None` if it is valid.
pub(in crate::repo) fn pattern_fault(pattern: &str) -> Option<String> {
    let in_ours = OURS.iter().any(|prefix| pattern.starts_with(prefix));
    let of_ours = in_ours.then(|| "cannot select notes or refs of tinyci".to_owned());
    of_ours.or_else(|| ref_fault(pattern))
}

/// Returns the same for patterns of refs whose commits may use secrets. Only branches and tags can
/// match them.
pub(in crate::repo) fn secret_pattern_fault(pattern: &str) -> Option<String> {
    pattern_fault(pattern).or_else(|| secret_ref_fault(pattern))
}

impl Repo {
    /// Rejects patterns that can select nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidArg`](ErrorKind::InvalidArg) with the first of them.
    pub(crate) fn check_patterns(&self, patterns: &[String]) -> Result<(), Error> {
        let mut faults = patterns.iter().filter_map(|it| Some((it, pattern_fault(it)?)));
        let Some((pattern, fault)) = faults.next() else { return Ok(()) };
        let message = format!("invalid ref selection `{pattern}`: a selection {fault}");
        Err(Error::new(ErrorKind::InvalidArg, message))
    }

    /// Returns the commits that the refs matching these patterns name now, by ref name.
    ///
    /// Annotated tags are peeled. Tags of other objects and dangling symbolic refs are ignored.
    pub(in crate::repo) fn selected(
        &self,
        patterns: &[String],
    ) -> Result<BTreeMap<Vec<u8>, Oid>, Error> {
        self.check_patterns(patterns)?;
        let unlisted = |source| git_error(format!("cannot list the refs of {self}"), source);
        let mut tips = BTreeMap::new();
        for reference in self.git.references().map_err(unlisted)? {
            let reference = reference.map_err(unlisted)?;
            let name = reference.name_bytes();
            let chosen = is_selected(patterns, name);
            if let Some(commit) = chosen.then(|| tip_of(self, &reference)).transpose()?.flatten() {
                tips.insert(name.to_vec(), commit);
            }
        }
        Ok(tips)
    }

    /// Returns a check of whether commits are reachable from the refs that these patterns select.
    pub(crate) fn reachable<'a>(&'a self, patterns: &'a [String]) -> Reachable<'a> {
        Reachable { repo: self, patterns, branch: None, all: None }
    }

    /// Returns the commit that an object id names, with tags peeled. Returns `None` for a missing
    /// object and for a tag of another object.
    pub(crate) fn peel(&self, id: CommitId) -> Result<Option<CommitId>, Error> {
        self.peeled(oid(id)?)?.map(commit_id).transpose()
    }

    /// The same, as git2 has ids.
    pub(in crate::repo) fn peeled(&self, id: Oid) -> Result<Option<Oid>, Error> {
        match peeled(&self.git, id) {
            Err(error) if error.code() == ErrorCode::NotFound => Ok(None),
            found => found.map_err(|source| git_error(format!("object `{id}` is broken"), source)),
        }
    }

    /// Returns the full name of HEAD's branch, even if it has no commit. Returns `None` if HEAD
    /// names a commit.
    pub(in crate::repo) fn head_branch(&self) -> Result<Option<Vec<u8>>, Error> {
        let head = self
            .git
            .find_reference("HEAD")
            .map_err(|source| git_error(format!("cannot read HEAD of {self}"), source))?;
        Ok(head.symbolic_target_bytes().map(<[u8]>::to_vec))
    }
}

/// Returns true if these patterns select the ref.
fn is_selected(patterns: &[String], name: &[u8]) -> bool {
    patterns.iter().any(|pattern| matches(pattern.as_bytes(), name))
        && !OURS.iter().any(|prefix| name.starts_with(prefix.as_bytes()))
}

/// Checks whether commits are reachable now. It reads the branch of each commit, and all other refs only
/// if that branch no longer reaches the commit. It reads the history only after refs have moved.
pub(crate) struct Reachable<'a> {
    repo: &'a Repo,
    patterns: &'a [String],
    /// The search below the branch that was asked last.
    branch: Option<TipSearch<'a>>,
    /// The search below all refs.
    all: Option<TipSearch<'a>>,
}

/// Some tips, and the search below them.
type TipSearch<'a> = (Vec<Oid>, AncestorSearch<'a>);

impl<'a> Reachable<'a> {
    /// Returns true if a selected ref reaches the commit.
    pub(crate) fn contains(&mut self, commit: &Commit) -> Result<bool, Error> {
        let id = oid(commit.id)?;
        Ok(self.is_below_its_branch(commit, id)? || self.is_below_any_ref(id)?)
    }

    fn is_below_its_branch(&mut self, commit: &Commit, id: Oid) -> Result<bool, Error> {
        let Some(branch) = &commit.branch else { return Ok(false) };
        let name = [BRANCHES, branch.as_bytes()].concat();
        if !is_selected(self.patterns, &name) {
            return Ok(false);
        }
        // A name that is not UTF-8, and a ref that cannot be read, are left to the list of all refs.
        let name = std::str::from_utf8(&name).ok();
        let reference = name.and_then(|name| self.repo.git.find_reference(name).ok());
        let Some(tip) = reference.and_then(|it| it.target()) else { return Ok(false) };
        Self::is_below(self.repo, &mut self.branch, vec![tip], id)
    }

    fn is_below_any_ref(&mut self, id: Oid) -> Result<bool, Error> {
        let tips: Vec<Oid> = self.repo.selected(self.patterns)?.into_values().collect();
        Self::is_below(self.repo, &mut self.all, tips, id)
    }

    /// Continues a search if its tips are still these.
    fn is_below(
        repo: &'a Repo,
        search: &mut Option<TipSearch<'a>>,
        tips: Vec<Oid>,
        id: Oid,
    ) -> Result<bool, Error> {
        let mut below = match search.take() {
            Some((known, below)) if known == tips => below,
            _ => AncestorSearch::new(&repo.git, &tips)?,
        };
        let contains = below.contains(id)?;
        *search = Some((tips, below));
        Ok(contains)
    }
}

/// Returns the commit that a listed ref names.
///
/// Most refs name commits directly, and then only the object's type is read. Repositories can have
/// thousands of refs, and every scan reads all of them.
pub(in crate::repo) fn tip_of(
    repo: &Repo,
    reference: &Reference<'_>,
) -> Result<Option<Oid>, Error> {
    let name = String::from_utf8_lossy(reference.name_bytes());
    let target = match reference.target() {
        Some(target) => target,
        None => match reference.resolve().map(|resolved| resolved.target()) {
            Ok(Some(target)) => target,
            Ok(None) => return Ok(None),
            // A symbolic ref whose target does not exist.
            Err(error) if error.code() == ErrorCode::NotFound => return Ok(None),
            Err(source) => return Err(git_error(format!("cannot read `{name}`"), source)),
        },
    };
    let unreadable = |source| {
        git_error(format!("`{name}` points to `{target}`, which is missing or broken"), source)
    };
    // git lets a branch name nothing but a commit, and what is a commit is read where it is needed.
    let is_branch = reference.name_bytes().starts_with(BRANCHES);
    if is_branch && repo.git.odb().is_ok_and(|odb| odb.exists(target)) {
        return Ok(Some(target));
    }
    peeled(&repo.git, target).map_err(unreadable)
}

/// The commit that an object is, or that it is a tag of; none if it is something else.
pub(in crate::repo) fn peeled(git: &Repository, id: Oid) -> Result<Option<Oid>, git2::Error> {
    let odb = git.odb()?;
    let mut id = id;
    for _ in 0..TAGS_MAX {
        match odb.read_header(id)?.1 {
            ObjectType::Commit => return Ok(Some(id)),
            ObjectType::Tag => match tagged(odb.read(id)?.data()) {
                Some(next) => id = next,
                None => break,
            },
            _ => break,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn a_star_stands_for_any_bytes() {
        for (pattern, name, expected) in [
            ("refs/heads/*", "refs/heads/a/b", true),
            ("refs/heads/*", "refs/heads/", true),
            ("refs/heads/*", "refs/tags/a", false),
            ("refs/heads/main", "refs/heads/main", true),
            ("refs/heads/main", "refs/heads/main2", false),
            ("refs/*/v*.x", "refs/tags/v1.x", true),
            ("refs/*/v*.x", "refs/tags/v1.y", false),
            ("refs/*a*a*", "refs/a", false),
            ("refs/*a*a*", "refs/baca", true),
            ("refs/**/x", "refs/a/b/x", true),
            ("refs/ab*ba", "refs/aba", false),
            ("refs/[ab]?", "refs/ab", false),
        ] {
            assert_eq!(matches(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }

    #[test]
    fn names_that_are_not_utf8_are_selected() {
        use std::{ffi::OsStr, os::unix::ffi::OsStrExt};
        let repo = TestRepo::new();
        let id = repo.commit("x");
        let name = OsStr::from_bytes(b"refs/heads/caf\xe9");
        assert!(repo.command().arg("update-ref").arg(name).arg(&id).status().unwrap().success());
        let opened = Repo::open(repo.path()).unwrap();
        let tips = opened.selected(&["refs/heads/caf*".to_owned()]).unwrap();
        assert_eq!(tips.keys().collect::<Vec<_>>(), [b"refs/heads/caf\xe9"]);
    }

    #[test]
    fn objects_peel_to_commits_or_to_nothing() {
        let repo = TestRepo::new();
        let commit = repo.commit("x");
        repo.git(&["tag", "-a", "one", "-m", "x"]);
        repo.git(&["tag", "-a", "two", "-m", "x", "one"]);
        repo.git(&["tag", "-a", "tree", "-m", "x", "HEAD^{tree}"]);
        let opened = Repo::open(repo.path()).unwrap();
        let peel = |name: &str| {
            let id = repo.git(&["rev-parse", name]).parse().unwrap();
            opened.peel(id).unwrap().map(|id| id.to_string())
        };
        assert_eq!(peel("HEAD").as_ref(), Some(&commit));
        assert_eq!(peel("two").as_ref(), Some(&commit));
        assert_eq!((peel("tree"), peel("HEAD^{tree}")), (None, None));
        assert_eq!(opened.peel(CommitId::from_bytes([7; 20])).unwrap(), None);
    }
}
