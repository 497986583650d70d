//! Fetches that leave tinyci's refs alone: negative refspecs beside those that take them away.
//!
//! What an install has added is remembered beside tinyci's own state, so that an uninstall leaves
//! alone what was there before.

use std::{fs, io, path::PathBuf};

use crate::model::stored_names::state;
use crate::{
    model::error::Error,
    repo::{OverwritingRefspec, Repo},
    util::suggestion::hinted,
};

/// The file of the state that says which lines of git's configuration an install added.
const MEMORY: &str = state::REFSPECS;

/// The first version of git that knows negative refspecs. An older one refuses to fetch with them.
const SINCE: (u32, u32) = (2, 29);

/// What there is to say of each refspec that lets a fetch take tinyci's refs away.
///
/// # Errors
///
/// [`Git`](crate::ErrorKind::Git) where git's configuration cannot be read.
pub(crate) fn warnings(repo: &Repo) -> Result<Vec<String>, Error> {
    let warning = |it: OverwritingRefspec| hinted(&danger(&it), "`tinyci install` protects them");
    Ok(repo.overwriting_refspecs()?.into_iter().map(warning).collect())
}

fn danger(taking: &OverwritingRefspec) -> String {
    let OverwritingRefspec { remote, refspec, .. } = taking;
    format!(
        "fetches from `{remote}` replace tinyci's refs, and delete them with `--prune` \
         (`remote.{remote}.fetch = {refspec}`)"
    )
}

/// Adds the negative refspecs that are missing, if git is known to be new enough. What was done, or
/// could not be, is a sentence each; with whether anything was.
pub(crate) fn protect(
    repo: &Repo,
    git: impl FnOnce() -> Option<(u32, u32)>,
) -> Result<(bool, Vec<String>), Error> {
    let taking = repo.overwriting_refspecs()?;
    if taking.is_empty() {
        return Ok((false, Vec::new()));
    }
    let git = git();
    if git.is_none_or(|version| version < SINCE) {
        return Ok((false, taking.iter().map(|it| unprotected(it, git)).collect()));
    }
    let mut notes = Vec::new();
    for OverwritingRefspec { remote, remedies, .. } in taking {
        let key = format!("remote.{remote}.fetch");
        for value in &remedies {
            remember(repo, &key, value)?;
            repo.config_add(&key, value)?;
        }
        notes.push(format!(
            "fetches from `{remote}` no longer change tinyci's refs (`{key} = {}`)",
            remedies.join(", ")
        ));
    }
    Ok((true, notes))
}

fn unprotected(taking: &OverwritingRefspec, git: Option<(u32, u32)>) -> String {
    let git = match git {
        Some((major, minor)) => format!("git {major}.{minor} is too old"),
        None => "the version of git is unknown".to_owned(),
    };
    let message = format!(
        "{}; tinyci cannot add `{}`, because that needs git 2.29 and {git}",
        danger(taking),
        taking.remedies.join("`, `")
    );
    hinted(&message, "fetch `+refs/heads/*:refs/heads/*` and `+refs/tags/*:refs/tags/*` instead")
}

/// Takes out what [`protect`] added and is still there, and says what that was.
pub(crate) fn unprotect(repo: &Repo) -> Result<Vec<String>, Error> {
    let path = memory(repo);
    let text = match fs::read_to_string(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(|source| Error::io("read", &path, source))?,
    };
    let mut notes = Vec::new();
    for (key, value) in text.lines().filter_map(|line| line.split_once('\t')) {
        if repo.config_unset(key, value)? {
            notes.push(format!("removed {key} = {value}"));
        }
    }
    fs::remove_file(&path).map_err(|source| Error::io("remove", &path, source))?;
    Ok(notes)
}

/// Notes a line before it is added: one that is not there is taken out of nothing.
fn remember(repo: &Repo, key: &str, value: &str) -> Result<(), Error> {
    let path = memory(repo);
    let mut text = fs::read_to_string(&path).unwrap_or_default();
    text.push_str(&format!("{key}\t{value}\n"));
    repo.write_state(MEMORY, text.as_bytes())
}

fn memory(repo: &Repo) -> PathBuf {
    repo.common_dir().join(state::DIR).join(MEMORY)
}
