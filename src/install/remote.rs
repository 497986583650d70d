//! Setting up a clone to fetch the server's verdicts: lines in the clone's git configuration.

use serde::Serialize;

use crate::{model::error::Error, repo::Repo, wire};

/// The result of [`Engine::setup_remote`](crate::Engine::setup_remote).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteSetup {
    /// The lines that were added to git's configuration, or removed: `key = value`. Empty if
    /// nothing changed.
    pub changes: Vec<String>,
}

impl RemoteSetup {
    /// Returns one line of JSON: `changes`.
    ///
    /// ```
    /// assert_eq!(tinyci::install::RemoteSetup::default().to_json(), r#"{"v":1,"changes":[]}"#);
    /// ```
    pub fn to_json(&self) -> String {
        wire::json(&SetupJson { v: wire::VERSION, changes: &self.changes })
    }
}

#[derive(Serialize)]
struct SetupJson<'a> {
    v: u32,
    changes: &'a [String],
}

/// Returns the lines, as keys and values. They use globs, because git fails to fetch a named ref
/// that does not exist on the server yet.
fn lines(remote: &str) -> [(String, String); 4] {
    let fetch = format!("remote.{remote}.fetch");
    [
        (fetch.clone(), format!("+refs/notes/tinyci*:refs/notes/remotes/{remote}/tinyci*")),
        (fetch.clone(), format!("+refs/notes/runs/*:refs/notes/remotes/{remote}/runs/*")),
        (fetch, format!("+refs/tinyci/deployments/*:refs/tinyci/remotes/{remote}/deployments/*")),
        ("notes.displayRef".to_owned(), format!("refs/notes/remotes/{remote}/tinyci-result")),
    ]
}

/// Adds the missing lines.
pub(crate) fn setup_remote(repo: &Repo, remote: &str) -> Result<RemoteSetup, Error> {
    repo.remote_url(remote)?;
    let mut setup = RemoteSetup::default();
    for (key, value) in lines(remote) {
        if repo.config_add(&key, &value)? {
            setup.changes.push(format!("{key} = {value}"));
        }
    }
    Ok(setup)
}

/// Removes the lines.
pub(crate) fn undo_setup_remote(repo: &Repo, remote: &str) -> Result<RemoteSetup, Error> {
    let mut setup = RemoteSetup::default();
    for (key, value) in lines(remote) {
        if repo.config_unset(&key, &value)? {
            setup.changes.push(format!("{key} = {value}"));
        }
    }
    if setup.changes.is_empty() {
        repo.remote_url(remote)?;
    }
    Ok(setup)
}
