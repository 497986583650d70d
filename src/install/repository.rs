//! Installing in a repository: the hook, and the refs that only the server may write.

use std::path::PathBuf;

use super::{
    hooks::{self, Change, HookOptions},
    push_options, refspecs,
};
use crate::model::stored_names::refs;
use crate::{model::error::Error, repo::Repo, util::suggestion::hinted};

/// The refs that clones fetch but never push: verdicts, records, the baseline and deployments.
const SERVER_REFS: [&str; 4] =
    [refs::VERDICTS, refs::RECORDS, refs::BASELINE, "refs/tinyci/deployments"];

const HIDE_REFS: &str = "receive.hideRefs";

/// Returns the warning for a server that does not hide these refs.
pub(crate) fn forgeable() -> String {
    let hint = "`tinyci install --hide-refs` refuses such pushes (`receive.hideRefs`)";
    hinted("anyone who can push can forge verdicts", hint)
}

/// The options of [`Engine::install`](crate::Engine::install).
///
/// ```
/// use tinyci::install::InstallOptions;
/// let options = InstallOptions::new().command("/usr/local/bin/tinyci").hide_refs(true);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InstallOptions {
    /// The command of the hook: a name to find in `PATH` on the server, or an absolute path.
    pub command: PathBuf,
    /// True to refuse pushes to tinyci's refs (`receive.hideRefs`).
    pub hide_refs: bool,
    /// True to allow a hooks directory that other repositories use too (`core.hooksPath`).
    pub shared_hooks: bool,
    /// True to take over the builds directory of a repository that no longer exists.
    pub adopt_builds: bool,
}

impl Default for InstallOptions {
    fn default() -> Self {
        Self {
            command: PathBuf::from("tinyci"),
            hide_refs: false,
            shared_hooks: false,
            adopt_builds: false,
        }
    }
}

impl InstallOptions {
    /// Creates options for a hook that runs `tinyci` from the `PATH`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the command of the hook.
    #[must_use]
    pub fn command(mut self, command: impl Into<PathBuf>) -> Self {
        self.command = command.into();
        self
    }

    /// Refuses pushes to tinyci's refs.
    #[must_use]
    pub fn hide_refs(mut self, hide_refs: bool) -> Self {
        self.hide_refs = hide_refs;
        self
    }

    /// Allows a hooks directory outside the repository.
    #[must_use]
    pub fn shared_hooks(mut self, shared_hooks: bool) -> Self {
        self.shared_hooks = shared_hooks;
        self
    }

    /// Takes over the builds directory of a repository that no longer exists.
    #[must_use]
    pub fn adopt_builds(mut self, adopt_builds: bool) -> Self {
        self.adopt_builds = adopt_builds;
        self
    }
}

/// The result of an install or uninstall.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstallReport {
    /// The path of the hook.
    pub hook: PathBuf,
    /// True if something changed.
    pub changed: bool,
    /// More information, one sentence each.
    pub notes: Vec<String>,
}

/// Installs the hook, enables push options, and hides the server's refs if requested.
pub(crate) fn install(repo: &Repo, options: &InstallOptions) -> Result<InstallReport, Error> {
    let hook_options = HookOptions {
        tinyci: options.command.clone().into_os_string(),
        inside: vec![repo.common_dir().to_path_buf(), repo.root().to_path_buf()],
        shared: options.shared_hooks,
        sharing: repo.sharing()?,
    };
    let done = hooks::install(&repo.hooks_dir()?, &hook_options)?;
    let mut installed = InstallReport {
        hook: done.path,
        changed: done.change != Change::Unchanged,
        notes: done.notes,
    };
    if done.change == Change::Added {
        let hook = installed.hook.display();
        installed.notes.push(format!("`{hook}` already existed and keeps its own lines"));
    }
    let (advertised, note) = push_options::advertise(repo)?;
    installed.changed |= advertised;
    installed.notes.extend(note.map(str::to_owned));
    if options.hide_refs {
        if hide(repo)? {
            installed.changed = true;
            installed.notes.push(
                "git now refuses pushes to the refs that contain verdicts (`receive.hideRefs`)"
                    .to_owned(),
            );
        }
    } else if !hides_refs(repo)? {
        installed.notes.push(forgeable());
    }
    Ok(installed)
}

/// Undoes [`install`].
pub(crate) fn uninstall(repo: &Repo) -> Result<InstallReport, Error> {
    let hooks_dir = repo.hooks_dir()?;
    let done = hooks::uninstall(&hooks_dir)?;
    let mut changed = !done.removed.is_empty();
    for name in SERVER_REFS {
        changed |= repo.config_unset(HIDE_REFS, name)?;
    }
    changed |= push_options::withdraw(repo)?;
    let hook = done.removed.into_iter().next().unwrap_or_else(|| hooks_dir.join("post-receive"));
    let removed = refspecs::unprotect(repo)?;
    changed |= !removed.is_empty();
    let notes = done.notes.into_iter().chain(removed).collect();
    Ok(InstallReport { hook, changed, notes })
}

fn hide(repo: &Repo) -> Result<bool, Error> {
    let mut changed = false;
    for name in SERVER_REFS {
        changed |= repo.config_add(HIDE_REFS, name)?;
    }
    Ok(changed)
}

/// Returns true if the hook is installed.
pub(crate) fn is_installed(repo: &Repo) -> Result<bool, Error> {
    Ok(hooks::is_installed(&repo.hooks_dir()?))
}

/// Returns true if pushes to all of tinyci's refs are refused.
pub(crate) fn hides_refs(repo: &Repo) -> Result<bool, Error> {
    let values = repo.config_values(HIDE_REFS)?;
    Ok(SERVER_REFS.iter().all(|name| values.iter().any(|value| value == name)))
}
