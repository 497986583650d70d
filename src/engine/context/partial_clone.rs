//! Lets git fetch the results that a partial clone has not fetched yet.

use std::ffi::{OsStr, OsString};

use super::{shared::Shared, signatures::without_repository};
use crate::{process, repo::Repo};

/// Fetches the missing verdicts and records. Returns a warning if the fetch fails, because calls that
/// need no results still work.
pub(in crate::engine) fn fetch_results(shared: &Shared, repo: &Repo) -> Option<String> {
    let missing = repo.missing_notes().ok().flatten()?;
    let (count, remote) = (missing.blobs.len(), &missing.remote);
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
    let fault = match process::run_helper("git", &words, repo.root(), &env, wanted.as_bytes()) {
        Ok(answer) if answer.passed => return None,
        Ok(answer) => answer.complaint,
        Err(error) => error.report(),
    };
    Some(format!(
        "cannot fetch {count} results that this partial clone lacks from `{remote}`: {fault}"
    ))
}
