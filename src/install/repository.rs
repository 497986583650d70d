//! An install in a repository: its hook, and the refs that only the server may write.

use std::path::PathBuf;

use super::{
    hidden_refs,
    hooks::{self, Change, HookOptions},
    push_options, refspecs,
};
use crate::{model::error::Error, repo::Repo};

/// How [`Engine::install`](crate::Engine::install) goes about it.
///
/// ```
/// use tinyci::install::InstallOptions;
/// let options = InstallOptions::new().command("/usr/local/bin/tinyci").hide_refs(true);
/// # let _ = options;
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct InstallOptions {
    /// What the hook runs: a name to be found in `PATH` on the server, or an absolute path.
    pub command: PathBuf,
    /// Whether pushes to tinyci's own refs are refused from now on (`receive.hideRefs`).
    pub hide_refs: bool,
    /// Refs that pushes may still write, with all below them, although `hide_refs` would hide them:
    /// notes of other programs. Those that exist at the install need not be named.
    pub unhide: Vec<String>,
    /// Whether the hook may go into a folder that other repositories use too (`core.hooksPath`).
    pub shared_hooks: bool,
    /// Whether the folder of builds is taken over from a repository that is gone.
    pub adopt_builds: bool,
}

impl Default for InstallOptions {
    fn default() -> Self {
        Self {
            command: PathBuf::from("tinyci"),
            hide_refs: false,
            unhide: Vec::new(),
            shared_hooks: false,
            adopt_builds: false,
        }
    }
}

impl InstallOptions {
    /// A hook that runs `tinyci` from the `PATH`.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets what the hook runs.
    #[must_use]
    pub fn command(mut self, command: impl Into<PathBuf>) -> Self {
        self.command = command.into();
        self
    }

    /// Has pushes to tinyci's own refs refused.
    #[must_use]
    pub fn hide_refs(mut self, hide_refs: bool) -> Self {
        self.hide_refs = hide_refs;
        self
    }

    /// Lets pushes still write this ref, and those below it.
    #[must_use]
    pub fn unhide(mut self, reference: impl Into<String>) -> Self {
        self.unhide.push(reference.into());
        self
    }

    /// Allows a hooks folder outside the repository.
    #[must_use]
    pub fn shared_hooks(mut self, shared_hooks: bool) -> Self {
        self.shared_hooks = shared_hooks;
        self
    }

    /// Takes the folder of builds over from a repository that is gone.
    #[must_use]
    pub fn adopt_builds(mut self, adopt_builds: bool) -> Self {
        self.adopt_builds = adopt_builds;
        self
    }
}

/// What an install or an uninstall did.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InstallReport {
    /// The hook.
    pub hook: PathBuf,
    /// Whether anything is different now.
    pub changed: bool,
    /// What else there is to know, a sentence each.
    pub notes: Vec<String>,
}

/// Installs the hook, lets pushes say `-o ci.skip`, and hides the server's refs if that is wanted.
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
    let (advertised, said) = push_options::advertise(repo)?;
    installed.changed |= advertised;
    installed.notes.extend(said.map(str::to_owned));
    if options.hide_refs {
        let (hidden, said) = hidden_refs::hide(repo, &options.unhide)?;
        installed.changed |= hidden;
        installed.notes.extend(said);
    } else if !hidden_refs::hides_refs(repo)? {
        installed.notes.push(hidden_refs::forgeable());
    }
    Ok(installed)
}

/// Takes out what [`install`] put in.
pub(crate) fn uninstall(repo: &Repo) -> Result<InstallReport, Error> {
    let hooks_dir = repo.hooks_dir()?;
    let done = hooks::uninstall(&hooks_dir)?;
    let mut changed = !done.removed.is_empty();
    changed |= hidden_refs::show(repo)?;
    changed |= push_options::withdraw(repo)?;
    let hook = done.removed.into_iter().next().unwrap_or_else(|| hooks_dir.join("post-receive"));
    let removed = refspecs::unprotect(repo)?;
    changed |= !removed.is_empty();
    let notes = done.notes.into_iter().chain(removed).collect();
    Ok(InstallReport { hook, changed, notes })
}

/// Whether the hook is installed.
pub(crate) fn is_installed(repo: &Repo) -> Result<bool, Error> {
    Ok(hooks::is_installed(&repo.hooks_dir()?))
}
