//! A clone that knows what its server found: lines in the clone's own git configuration.

use serde::Serialize;

use crate::{
    model::{
        error::Error,
        stored_names::{
            families::{RECORD_LIKE, VERDICT_LIKE},
            refs::{DEPLOYS, FETCHED_DEPLOYS, FETCHED_NOTES},
        },
    },
    repo::Repo,
    wire,
};

/// What [`Engine::setup_remote`](crate::Engine::setup_remote) changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RemoteSetup {
    /// The lines of git's configuration that came, or went: `key = value`. None where nothing was
    /// to be done.
    pub changes: Vec<String>,
}

impl RemoteSetup {
    /// As one line of JSON: `changes`.
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

/// The lines, as keys and values. Globs, because git refuses to fetch a ref by name that the server
/// does not have yet.
fn lines(remote: &str) -> [(String, String); 4] {
    let fetch = format!("remote.{remote}.fetch");
    [
        (fetch.clone(), format!("+{VERDICT_LIKE}*:{FETCHED_NOTES}{remote}/tinyci*")),
        (fetch.clone(), format!("+{RECORD_LIKE}*:{FETCHED_NOTES}{remote}/runs/*")),
        (fetch, format!("+{DEPLOYS}*:{FETCHED_DEPLOYS}{remote}/deployments/*")),
        ("notes.displayRef".to_owned(), format!("{FETCHED_NOTES}{remote}/tinyci-result")),
    ]
}

/// Puts the lines in that are not there.
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

/// Takes the lines out that are there.
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
