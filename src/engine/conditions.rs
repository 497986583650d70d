//! `when`: whether a step of a YAML config runs for a commit, and why not.

use std::path::Path;

use crate::{commit::Commit, error::Error, glob, pipeline::When, repo::Repo};

/// What conditions are asked of.
pub(super) struct Subject<'a> {
    pub(super) commit: &'a Commit,
    pub(super) tags: &'a [String],
    /// The repository's folder.
    pub(super) root: &'a Path,
}

/// Why a step is left out: the first of its conditions that does not hold.
pub(super) fn unmet(subject: &Subject<'_>, when: &When) -> Result<Option<String>, Error> {
    let commit = subject.commit;
    let holds = |globs: &[String], value: &str| {
        globs.is_empty() || glob::text_matches_list(globs.iter().map(String::as_str), value)
    };
    let branch = commit.branch.as_ref().map(|it| it.to_str_lossy().into_owned());
    if !holds(&when.branch, branch.as_deref().unwrap_or_default()) {
        let on = branch.map_or("no branch".to_owned(), |branch| format!("branch `{branch}`"));
        return Ok(Some(format!("it is on {on}, not on {}", when.branch.join(", "))));
    }
    if !when.tag.is_empty() && !subject.tags.iter().any(|tag| holds(&when.tag, tag)) {
        return Ok(Some(format!("it has no tag {}", when.tag.join(", "))));
    }
    if !holds(&when.message, &commit.message.to_str_lossy()) {
        return Ok(Some(format!("its message is not {}", when.message.join(", "))));
    }
    if !when.changed.is_empty() && !changed(subject, &when.changed)? {
        let globs = when.changed.join(", ");
        return Ok(Some(format!("nothing changed in {globs} since the nearest green ancestor")));
    }
    Ok(None)
}

/// Without a green ancestor everything has changed.
fn changed(subject: &Subject<'_>, globs: &[String]) -> Result<bool, Error> {
    let repo = Repo::open(subject.root)?;
    let Some(base) = repo.green_ancestor(subject.commit.id)? else { return Ok(true) };
    let paths = repo.changed_paths(Some(base), subject.commit.id)?;
    Ok(paths.iter().any(|path| glob::matches_list(globs.iter().map(String::as_str), path)))
}
