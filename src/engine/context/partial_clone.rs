//! Lets git fetch the results that a partial clone has not fetched yet.

use std::ffi::{OsStr, OsString};

use super::{shared::Shared, signatures::without_repository};
use crate::{
    process,
    repo::{MissingNotes, REFETCH_ALL, Repo},
    util::suggestion::hinted,
};

/// Fetches the missing verdicts and records from the first remote that has them. Returns a warning if
/// no remote sends them, because calls that need no results still work.
pub(in crate::engine) fn fetch_results(shared: &Shared, repo: &Repo) -> Option<String> {
    let missing = repo.missing_notes().ok().flatten()?;
    let mut faults = Vec::new();
    for remote in &missing.remotes {
        faults.push(format!("from `{remote}`: {}", fetch(shared, repo, &missing, remote)?));
    }
    let message = format!(
        "cannot fetch {} results that this partial clone lacks {}",
        missing.blobs.len(),
        faults.join("; ")
    );
    // A server may refuse to send objects by id. A complete fetch gets those too.
    Some(hinted(&message, REFETCH_ALL))
}

/// Fetches the missing results from one remote. Returns the reason if that fails.
fn fetch(shared: &Shared, repo: &Repo, missing: &MissingNotes, remote: &str) -> Option<String> {
    let mut env = without_repository(&shared.process_variables());
    // There may be no person at the terminal.
    env.entry("GIT_TERMINAL_PROMPT".into()).or_insert_with(|| "0".into());
    let mut git_dir = OsString::from("--git-dir=");
    git_dir.push(repo.common_dir());
    // git uses the same options when it fetches missing objects.
    let words = [
        "-c",
        "fetch.negotiationAlgorithm=noop",
        "fetch",
        "--quiet",
        "--no-tags",
        "--no-write-fetch-head",
        "--recurse-submodules=no",
        "--filter=blob:none",
        "--stdin",
        remote,
    ];
    let words: Vec<&OsStr> = [&*git_dir].into_iter().chain(words.map(OsStr::new)).collect();
    let wanted = missing.blobs.join("\n") + "\n";
    match process::run_helper("git", &words, repo.root(), &env, wanted.as_bytes()) {
        Ok(answer) if answer.passed => None,
        Ok(answer) => Some(answer.complaint),
        Err(error) => Some(error.report()),
    }
}
