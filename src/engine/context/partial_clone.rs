//! Results that a partial clone has not fetched: git gets them, all at once.

use std::ffi::{OsStr, OsString};

use super::{shared::Shared, signatures::without_repository};
use crate::{process, repo::Repo};

/// Fetches the verdicts and records that are missing. Returns a sentence if they could not be had:
/// what needs none of them works without.
pub(in crate::engine) fn fetch_results(shared: &Shared, repo: &Repo) -> Option<String> {
    let missing = repo.missing_notes().ok().flatten()?;
    let (count, remote) = (missing.blobs.len(), &missing.remote);
    let mut env = without_repository(&shared.process_variables());
    // Nobody may be there to be asked.
    env.entry("GIT_TERMINAL_PROMPT".into()).or_insert_with(|| "0".into());
    let mut git_dir = OsString::from("--git-dir=");
    git_dir.push(repo.common_dir());
    // As git itself fetches what a partial clone lacks.
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
    let fault = match process::ask("git", &words, repo.root(), &env, wanted.as_bytes()) {
        Ok(answer) if answer.passed => return None,
        Ok(answer) => answer.complaint,
        Err(error) => error.report(),
    };
    Some(format!(
        "cannot fetch {count} results that this partial clone has left with `{remote}`: {fault}"
    ))
}
