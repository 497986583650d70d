//! Negative refspecs that prevent fetches from changing tinyci's refs.
//!
//! The state directory records what an install added, so that an uninstall does not remove other
//! lines.

use std::{fs, io, path::PathBuf};

use crate::model::stored_names::state;
use crate::util::state_file;
use crate::{
    model::error::Error,
    repo::{OverwritingRefspec, Repo},
    util::suggestion::hinted,
};

/// The state file with the lines that an install added to git's configuration.
const STATE_FILE: &str = state::REFSPECS;

/// The first version of git with negative refspecs. Older versions cannot fetch with them.
const GIT_VERSION_MIN: (u32, u32) = (2, 29);

/// Returns a warning for each refspec that lets a fetch replace tinyci's refs.
///
/// # Errors
///
/// Returns [`Git`](crate::ErrorKind::Git) if git's configuration cannot be read.
pub(crate) fn warnings(repo: &Repo) -> Result<Vec<String>, Error> {
    let warning = |it: OverwritingRefspec| hinted(&problem(&it), "`tinyci install` protects them");
    Ok(repo.overwriting_refspecs()?.into_iter().map(warning).collect())
}

fn problem(overwriting: &OverwritingRefspec) -> String {
    let OverwritingRefspec { remote, refspec, .. } = overwriting;
    format!(
        "fetches from `{remote}` replace tinyci's refs, and delete them with `--prune` \
         (`remote.{remote}.fetch = {refspec}`)"
    )
}

/// Adds the missing negative refspecs, if git is known to be new enough. Returns true if it added
/// any, and notes, one sentence each.
pub(crate) fn protect(
    repo: &Repo,
    git: impl FnOnce() -> Option<(u32, u32)>,
) -> Result<(bool, Vec<String>), Error> {
    let overwriting = repo.overwriting_refspecs()?;
    if overwriting.is_empty() {
        return Ok((false, Vec::new()));
    }
    let git = git();
    if git.is_none_or(|version| version < GIT_VERSION_MIN) {
        return Ok((false, overwriting.iter().map(|it| unprotected(it, git)).collect()));
    }
    let mut notes = Vec::new();
    for OverwritingRefspec { remote, remedies, .. } in overwriting {
        let key = format!("remote.{remote}.fetch");
        for value in &remedies {
            record_line(repo, &key, value)?;
            repo.config_add(&key, value)?;
        }
        notes.push(format!(
            "fetches from `{remote}` no longer change tinyci's refs (`{key} = {}`)",
            remedies.join(", ")
        ));
    }
    Ok((true, notes))
}

fn unprotected(overwriting: &OverwritingRefspec, git: Option<(u32, u32)>) -> String {
    let git = match git {
        Some((major, minor)) => format!("git {major}.{minor} is too old"),
        None => "the version of git is unknown".to_owned(),
    };
    let message = format!(
        "{}; tinyci cannot add `{}`, because that needs git 2.29 and {git}",
        problem(overwriting),
        overwriting.remedies.join("`, `")
    );
    hinted(&message, "fetch `+refs/heads/*:refs/heads/*` and `+refs/tags/*:refs/tags/*` instead")
}

/// Removes the lines that [`protect`] added. Returns a note for each.
pub(crate) fn unprotect(repo: &Repo) -> Result<Vec<String>, Error> {
    let path = state_path(repo);
    let text = match state_file::read_text(&path) {
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

/// Records a line before it is added. If the process dies between the two, an uninstall finds no
/// line and ignores the record.
fn record_line(repo: &Repo, key: &str, value: &str) -> Result<(), Error> {
    let path = state_path(repo);
    let mut text = state_file::read_text(&path).unwrap_or_default();
    text.push_str(&format!("{key}\t{value}\n"));
    repo.write_state(STATE_FILE, text.as_bytes())
}

fn state_path(repo: &Repo) -> PathBuf {
    repo.common_dir().join(state::DIR).join(STATE_FILE)
}
