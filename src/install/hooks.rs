//! The files of a hooks directory: a `post-receive` hook that starts a run. Existing hooks are
//! kept.
//!
//! A script keeps its lines around the block. A hook that is not a shell script stays unchanged,
//! and the error says what to add to it. Files are replaced atomically, because a push may be
//! reading them.

use std::{
    ffi::OsString,
    fs, io,
    io::Write,
    os::unix::fs::{MetadataExt, PermissionsExt, fchown},
    path::{Path, PathBuf},
};

use crate::util::state_file;
use crate::{
    install::block::{block, is_gem_hook, is_new_script, new_script, with_block, without_block},
    model::error::{Error, ErrorKind},
    util::{flush::Flush, sharing::Sharing, unfinished},
};

/// The file name under which the hook of TinyCI 0.5 is kept until an uninstall.
const GEM_HOOK_BACKUP: &str = "post-update.before-tinyci";

/// The options for installing the hook.
#[derive(Clone, Debug)]
pub(crate) struct HookOptions {
    /// The command of the hook: `tinyci`, found in the pusher's `PATH` on the server, or an
    /// absolute path.
    pub(crate) tinyci: OsString,
    /// The directories of the repository: its common git directory and its working tree.
    pub(crate) inside: Vec<PathBuf>,
    /// True to allow a hooks directory outside of them, which other repositories may use too.
    pub(crate) shared: bool,
    /// The permissions for other accounts, which may push here.
    pub(crate) sharing: Sharing,
}

/// The result of an install.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct InstalledHook {
    /// The path of the hook.
    pub(crate) path: PathBuf,
    /// The change to the hook.
    pub(crate) change: Change,
    /// More information, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// The change that an install made to the hook.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    /// The hook did not exist.
    Created,
    /// An existing script got the block.
    Added,
    /// The block existed with other contents.
    Updated,
    /// The hook was already up to date.
    Unchanged,
}

/// The result of an uninstall.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RemovedHooks {
    /// The hooks from which the block was removed, or that were deleted.
    pub(crate) removed: Vec<PathBuf>,
    /// More information, one sentence each.
    pub(crate) notes: Vec<String>,
}

/// Installs the hook in this directory, and creates the directory if needed.
///
/// Some servers have a hook that runs all hooks in `post-receive.d/`, and rewrite that hook. In
/// this case, tinyci's hook goes to that directory. The `post-update` hook of TinyCI 0.5 is
/// renamed, since it would start a second run.
///
/// # Errors
///
/// Returns [`Unsupported`](ErrorKind::Unsupported), without any change, if the directory is outside
/// the repository and the options do not allow that, or if an existing hook cannot take the block.
/// Returns [`Io`](ErrorKind::Io) if a file cannot be read or written.
pub(crate) fn install(hooks_dir: &Path, options: &HookOptions) -> Result<InstalledHook, Error> {
    check_inside(hooks_dir, options)?;
    let block = block(&options.tinyci);
    let path = hook_path(hooks_dir);
    let change = match Hook::read(&path)? {
        None => {
            let failed = |source| Error::io("create the hooks directory", hooks_dir, source);
            options.sharing.create_dir_all(hooks_dir).map_err(failed)?;
            write(&path, &new_script(&block), None)?;
            let failed = |source| Error::io("set the permissions of the hook", &path, source);
            options.sharing.adjust(&path).map_err(failed)?;
            Change::Created
        }
        Some(hook) => hook.add(&path, &block)?,
    };
    let notes = replace_gem_hook(hooks_dir)?.into_iter().collect();
    Ok(InstalledHook { path, change, notes })
}

/// Returns true if a hook of this directory calls tinyci. An unreadable hook does not count.
pub(super) fn is_installed(hooks_dir: &Path) -> bool {
    let script = state_file::read_foreign(&hooks_dir.join("post-receive")).unwrap_or_default();
    matches!(without_block(&script), Ok(Some(_)))
}

/// Removes the block from the hooks in this directory. Deletes a hook that contained only the
/// block, and restores the hook of TinyCI 0.5.
///
/// # Errors
///
/// Returns [`Unsupported`](ErrorKind::Unsupported), without any change, if a block is damaged.
/// Returns [`Io`](ErrorKind::Io) if a file cannot be read or written.
pub(crate) fn uninstall(hooks_dir: &Path) -> Result<RemovedHooks, Error> {
    let mut removed = Vec::new();
    for path in [hooks_dir.join("post-receive"), hooks_dir.join("post-receive.d/tinyci")] {
        let Some(Hook::Script { text, metadata }) = Hook::read(&path)? else { continue };
        let rest = without_block(&text).map_err(|reason| refusal(&path, reason))?;
        match rest {
            None => continue,
            Some(rest) if is_new_script(&rest) => fs::remove_file(&path)
                .map_err(|source| Error::io("remove the hook", &path, source))?,
            Some(rest) => write(&path, &rest, Some(&metadata))?,
        }
        removed.push(path);
    }
    let notes = restore_gem_hook(hooks_dir)?.into_iter().collect();
    Ok(RemovedHooks { removed, notes })
}

/// An existing hook.
enum Hook {
    Script { text: Vec<u8>, metadata: fs::Metadata },
    Other(&'static str),
}

impl Hook {
    fn read(path: &Path) -> Result<Option<Hook>, Error> {
        let failed = |source| Error::io("read the hook", path, source);
        let metadata = match fs::symlink_metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            metadata => metadata.map_err(failed)?,
        };
        if metadata.is_symlink() {
            return Ok(Some(Hook::Other("is a symbolic link")));
        }
        if !metadata.is_file() {
            return Ok(Some(Hook::Other("is not a regular file")));
        }
        let text = state_file::read_foreign(path).map_err(failed)?;
        Ok(Some(Hook::Script { text, metadata }))
    }

    fn add(self, path: &Path, block: &[u8]) -> Result<Change, Error> {
        let (text, metadata) = match self {
            Hook::Script { text, metadata } => (text, metadata),
            Hook::Other(reason) => return Err(refusal(path, reason)),
        };
        let new = with_block(&text, block).map_err(|reason| refusal(path, reason))?;
        if metadata.permissions().mode() & 0o111 == 0 {
            let reason = "is not executable, so git ignores it";
            return Err(refusal(path, reason));
        }
        if new == text {
            return Ok(Change::Unchanged);
        }
        // `with_block` has already checked that the script can be parsed.
        let added = matches!(without_block(&text), Ok(None));
        write(path, &new, Some(&metadata))?;
        Ok(if added { Change::Added } else { Change::Updated })
    }
}

/// Creates an error that says why a hook stays unchanged, and what its owner can do.
fn refusal(path: &Path, reason: &str) -> Error {
    let message = format!("cannot change the hook: `{}` {reason}", path.display());
    let hint = "pass your own hook's standard input to `sh -c 'unset $(git rev-parse \
                --local-env-vars); exec tinyci run --hook'`";
    Error::new(ErrorKind::Unsupported, message).with_path(path).with_hint(hint)
}

/// Returns the path for the hook.
fn hook_path(hooks_dir: &Path) -> PathBuf {
    let (hook, hooks) = (hooks_dir.join("post-receive"), hooks_dir.join("post-receive.d"));
    let name = b"post-receive.d";
    let delegates = state_file::read_foreign(&hook)
        .is_ok_and(|text| text.windows(name.len()).any(|part| part == name));
    if hooks.is_dir() && delegates { hooks.join("tinyci") } else { hook }
}

/// Refuses a hooks directory that other repositories may share, unless the options allow it.
fn check_inside(hooks_dir: &Path, options: &HookOptions) -> Result<(), Error> {
    let real_dir = real_path(hooks_dir);
    if options.shared || options.inside.iter().any(|dir| real_dir.starts_with(real_path(dir))) {
        return Ok(());
    }
    let message = format!(
        "refusing to install a hook in `{}`: it is outside of the repository (`core.hooksPath`, or \
         a link), and other repositories may use it",
        hooks_dir.display()
    );
    Err(Error::new(ErrorKind::Unsupported, message)
        .with_path(hooks_dir)
        .with_hint("`tinyci install --shared-hooks` installs it anyway"))
}

/// Resolves symbolic links in the existing part of a path.
fn real_path(path: &Path) -> PathBuf {
    let mut missing = PathBuf::new();
    for ancestor in path.ancestors() {
        if let Ok(real) = ancestor.canonicalize() {
            return real.join(missing);
        }
        missing = Path::new(ancestor.file_name().unwrap_or_default()).join(missing);
    }
    path.to_path_buf()
}

/// Replaces a hook atomically. It gets the permissions of the old file, or is executable as the
/// umask allows.
fn write(path: &Path, text: &[u8], before: Option<&fs::Metadata>) -> Result<(), Error> {
    let failed = |source| Error::io("write the hook", path, source);
    let dir = path.parent().unwrap_or(Path::new("."));
    unfinished::remove_abandoned(dir);
    let mut file = unfinished::create(dir, 0o777).map_err(failed)?;
    file.write_all(text).map_err(failed)?;
    if let Some(before) = before {
        // Only root can change the owner. For others, the owner is already right, or the change is
        // not needed.
        let _ = fchown(file.as_file(), Some(before.uid()), Some(before.gid()));
        file.as_file().set_permissions(before.permissions()).map_err(failed)?;
    }
    // Always flush: half a hook would fail every push, and hooks are written rarely.
    Flush::default().persist(file, path).map_err(failed)
}

/// Renames the `post-update` hook, if it is exactly that of TinyCI 0.5.
fn replace_gem_hook(hooks_dir: &Path) -> Result<Option<String>, Error> {
    let (path, kept) = (hooks_dir.join("post-update"), hooks_dir.join(GEM_HOOK_BACKUP));
    let Some(Hook::Script { text, .. }) = Hook::read(&path)? else { return Ok(None) };
    let can_rename = match Hook::read(&kept)? {
        None => true,
        Some(Hook::Script { text, .. }) => is_gem_hook(&text),
        Some(Hook::Other(_)) => false,
    };
    if is_gem_hook(&text) && can_rename {
        let failed = |source| Error::io("rename the hook", &path, source);
        fs::rename(&path, &kept).map_err(failed)?;
        return Ok(Some(format!(
            "renamed the hook of TinyCI 0.5 to `{GEM_HOOK_BACKUP}`: `{}` is no longer needed",
            path.display()
        )));
    }
    let name = b"tinyci";
    let calls = text.windows(name.len()).any(|part| part == name);
    Ok(calls.then(|| {
        format!(
            "`{}` mentions tinyci too and is unchanged: it may start a second run for each push",
            path.display()
        )
    }))
}

/// Restores the `post-update` hook of TinyCI 0.5.
fn restore_gem_hook(hooks_dir: &Path) -> Result<Option<String>, Error> {
    let (path, kept) = (hooks_dir.join("post-update"), hooks_dir.join(GEM_HOOK_BACKUP));
    match Hook::read(&kept)? {
        Some(Hook::Script { text, .. }) if is_gem_hook(&text) => {}
        _ => return Ok(None),
    }
    if Hook::read(&path)?.is_some() {
        let (path, kept) = (path.display(), kept.display());
        return Ok(Some(format!("`{kept}` stays: `{path}` was added after the install")));
    }
    let failed = |source| Error::io("restore the hook", &path, source);
    fs::rename(&kept, &path).map_err(failed)?;
    Ok(Some(format!("restored the hook of TinyCI 0.5: `{}`", path.display())))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{BufRead, BufReader},
        os::unix::{fs::symlink, process::CommandExt},
        process::{Command, Stdio},
        thread,
        time::{Duration, Instant},
    };

    use super::*;
    use crate::testing::{TestRepo, succeed};

    /// A server, a client, and a fake program `tinyci` that records its call.
    struct Push {
        server: TestRepo,
        client: TestRepo,
        bin: PathBuf,
    }

    impl Push {
        fn new(server: TestRepo) -> Push {
            let client = TestRepo::new();
            client.commit("first");
            let bin = server.outside().join("bin");
            fs::create_dir(&bin).unwrap();
            let push = Push { server, client, bin };
            push.write_program("echo live from tinyci");
            push
        }

        fn record(&self) -> PathBuf {
            self.server.outside().join("record")
        }

        /// Writes the fake program. It records its call, runs these commands, and records its end.
        fn write_program(&self, then: &str) {
            let record = self.record();
            let record = record.display();
            let script = format!(
                "#!/bin/sh\n{{ echo \"$*\"; pwd -P; echo ${{GIT_DIR-unset}}; cat; }} >'{record}'\n\
                 {then}\necho end >>'{record}'\n"
            );
            write(&self.bin.join("tinyci"), script.as_bytes(), None).unwrap();
        }

        fn hooks_dir(&self) -> PathBuf {
            let git = self.server.git(&["rev-parse", "--git-common-dir"]);
            self.server.path().join(git).join("hooks")
        }

        fn hook(&self, name: &str, text: &str) -> PathBuf {
            let path = self.hooks_dir().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            write(&path, text.as_bytes(), None).unwrap();
            path
        }

        fn options(&self) -> HookOptions {
            let inside = vec![self.server.path().to_path_buf()];
            HookOptions {
                tinyci: "tinyci".into(),
                inside,
                shared: false,
                sharing: Sharing::default(),
            }
        }

        fn install(&self) -> Result<InstalledHook, Error> {
            install(&self.hooks_dir(), &self.options())
        }

        fn command(&self, refs: &[&str]) -> Command {
            self.command_to(self.server.path(), refs)
        }

        fn command_to(&self, server: &Path, refs: &[&str]) -> Command {
            let mut command = self.client.command();
            let path = format!("{}:{}", self.bin.display(), std::env::var("PATH").unwrap());
            command.arg("push").arg(server).args(refs).env("PATH", path);
            command
        }

        /// Pushes. Returns the output of the push, and the lines that the hook must receive.
        fn push(&self, refs: &[&str]) -> (String, String) {
            let output = self.command(refs).output().unwrap();
            succeed("git push", &output);
            let (zero, id) = ("0".repeat(40), self.client.git(&["rev-parse", "HEAD"]));
            let lines = refs.iter().map(|name| {
                let name = name.split(':').next_back().unwrap();
                format!("{zero} {id} {name}\n")
            });
            (String::from_utf8(output.stderr).unwrap(), lines.collect())
        }

        fn called(&self, lines: &str) -> String {
            let git = self.hooks_dir().parent().unwrap().canonicalize().unwrap();
            format!("run --hook\n{}\nunset\n{lines}end\n", git.display())
        }
    }

    fn state(path: &Path) -> (Vec<u8>, u32) {
        (fs::read(path).unwrap(), fs::metadata(path).unwrap().permissions().mode())
    }

    #[test]
    fn a_push_runs_tinyci_live_in_the_repository() {
        for server in [TestRepo::bare(), TestRepo::new()] {
            let push = Push::new(server);
            let installed = push.install().unwrap();
            assert_eq!((installed.change, installed.notes.len()), (Change::Created, 0));
            let (seen, lines) = push.push(&["HEAD:refs/heads/a$(b)'c", "HEAD:refs/tags/v1"]);
            assert!(seen.contains("remote: live from tinyci"), "{seen}");
            assert_eq!(fs::read_to_string(push.record()).unwrap(), push.called(&lines));

            assert_eq!(push.install().unwrap().change, Change::Unchanged);
            assert_eq!(
                uninstall(&push.hooks_dir()).unwrap().removed,
                std::slice::from_ref(&installed.path)
            );
            assert!(!installed.path.exists());
            assert!(uninstall(&push.hooks_dir()).unwrap().removed.is_empty());
        }
    }

    #[test]
    fn a_linked_worktree_counts_as_its_repository() {
        let server = TestRepo::new();
        server.commit("first");
        server.git(&["worktree", "add", "-q", "--detach", "../linked"]);
        let push = Push::new(server);
        push.install().unwrap();
        let linked = push.server.outside().join("linked");
        let mut command = push.command_to(&linked, &["HEAD:refs/heads/other"]);
        let output = command.output().unwrap();
        succeed("git push", &output);
        let (zero, id) = ("0".repeat(40), push.client.git(&["rev-parse", "HEAD"]));
        let lines = format!("{zero} {id} refs/heads/other\n");
        assert_eq!(fs::read_to_string(push.record()).unwrap(), push.called(&lines));
    }

    #[test]
    fn an_existing_script_runs_unchanged_however_it_ends() {
        for (number, (shell, end)) in [
            ("#!/bin/sh", "exec cat"),
            ("#!/bin/sh -eu", "cat; false; echo not reached"),
            ("#!/usr/bin/env bash", "while read -r line; do echo \"$line\"; done; exit 3"),
            ("#!/bin/bash -e", "cat; wait"),
        ]
        .into_iter()
        .enumerate()
        {
            let push = Push::new(TestRepo::bare());
            let old = push.server.outside().join("old");
            let text = format!("{shell}\nexec >'{}'\n{end}\n", old.display());
            let hook = push.hook("post-receive", &text);
            fs::set_permissions(&hook, fs::Permissions::from_mode(0o751)).unwrap();
            let before = state(&hook);
            assert_eq!(push.install().unwrap().change, Change::Added);
            let (_, lines) = push.push(&[&format!("HEAD:refs/heads/b{number}")]);
            assert_eq!(fs::read_to_string(old).unwrap(), lines, "{text}");
            assert_eq!(fs::read_to_string(push.record()).unwrap(), push.called(&lines));

            assert_eq!(state(&hook).1, before.1);
            assert_eq!(push.install().unwrap().change, Change::Unchanged);
            uninstall(&push.hooks_dir()).unwrap();
            assert_eq!(state(&hook), before);
        }
    }

    #[test]
    fn a_push_of_many_refs_reaches_both() {
        let push = Push::new(TestRepo::bare());
        let old = push.server.outside().join("old");
        push.hook("post-receive", &format!("#!/bin/sh\ncat >'{}'\n", old.display()));
        push.install().unwrap();
        let name = "a-branch-with-a-long-name".repeat(4);
        let refs: Vec<_> = (0..800).map(|n| format!("HEAD:refs/heads/{name}{n:03}")).collect();
        let refs: Vec<_> = refs.iter().map(String::as_str).collect();
        let (_, lines) = push.push(&refs);
        assert!(lines.len() > 128 << 10, "more than a pipe or an argument holds");
        assert!(fs::read_to_string(old).unwrap() == lines);
        assert!(fs::read_to_string(push.record()).unwrap() == push.called(&lines));
    }

    #[test]
    fn the_run_continues_if_the_pusher_disconnects() {
        let push = Push::new(TestRepo::bare());
        push.install().unwrap();
        let gate = push.server.outside().join("gate");
        succeed("mkfifo", &Command::new("mkfifo").arg(&gate).output().unwrap());
        push.write_program(&format!("echo started; read -r line <'{}'", gate.display()));
        let mut client = push
            .command(&["HEAD:refs/heads/main"])
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(client.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("started")));
        // Like Ctrl-C: the signal reaches the client and, since the server is a local path, the
        // server's processes.
        let group = rustix::process::Pid::from_child(&client);
        rustix::process::kill_process_group(group, rustix::process::Signal::INT).unwrap();
        assert!(!client.wait().unwrap().success());

        // Opening for reading too avoids waiting for a reader that may have died.
        let mut open = File::options().read(true).write(true).open(&gate).unwrap();
        open.write_all(b"go on\n").unwrap();
        let limit = Instant::now() + Duration::from_secs(60);
        while !fs::read_to_string(push.record()).unwrap().ends_with("end\n") {
            assert!(Instant::now() < limit, "the run did not go on");
            thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn hooks_that_cannot_take_the_block_stay_unchanged() {
        for text in ["#!/usr/bin/python3\npass\n", "#!/bin/sh\r\ntrue\r\n", "\u{7f}ELF", ""] {
            let push = Push::new(TestRepo::bare());
            let before = state(&push.hook("post-receive", text));
            let error = push.install().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported);
            let message = error.report();
            assert!(message.contains("hooks/post-receive") && message.contains("run --hook"));
            assert_eq!(state(&push.hooks_dir().join("post-receive")), before);
        }

        let push = Push::new(TestRepo::bare());
        let hook = push.hook("elsewhere", "#!/bin/sh\n");
        symlink(&hook, push.hooks_dir().join("post-receive")).unwrap();
        assert!(push.install().unwrap_err().to_string().contains("symbolic link"));
        fs::remove_file(push.hooks_dir().join("post-receive")).unwrap();
        let off = push.hook("post-receive", "#!/bin/sh\nrm -rf important\n");
        fs::set_permissions(&off, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(push.install().unwrap_err().to_string().contains("not executable"));
        assert_eq!(fs::read(&hook).unwrap(), b"#!/bin/sh\n");
    }

    #[test]
    fn a_hooks_directory_outside_the_repository_must_be_allowed() {
        let push = Push::new(TestRepo::bare());
        let outside = push.server.outside().join("hooks/not/there/yet");
        let error = install(&outside, &push.options()).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("core.hooksPath") && !outside.exists());
        let options = HookOptions { shared: true, ..push.options() };
        assert_eq!(install(&outside, &options).unwrap().change, Change::Created);
        push.server.git(&["config", "core.hooksPath", outside.to_str().unwrap()]);
        let (_, lines) = push.push(&["HEAD:refs/heads/main"]);
        assert_eq!(fs::read_to_string(push.record()).unwrap(), push.called(&lines));

        fs::remove_dir_all(push.hooks_dir()).unwrap();
        symlink(&outside, push.hooks_dir()).unwrap();
        assert!(push.install().is_err(), "a link leads outside too");
    }

    #[test]
    fn a_server_that_runs_a_directory_of_hooks_gets_the_hook_there() {
        let push = Push::new(TestRepo::bare());
        let delegate = "#!/usr/bin/env bash\ndata=$(cat)\n\
            for hook in hooks/post-receive.d/*; do echo \"$data\" | \"$hook\"; done\n";
        push.hook("post-receive", delegate);
        push.hook("post-receive.d/other", "#!/bin/sh\ncat >/dev/null\n");
        let installed = push.install().unwrap();
        assert!(installed.path.ends_with("post-receive.d/tinyci"));
        let (_, lines) = push.push(&["HEAD:refs/heads/main"]);
        assert_eq!(fs::read_to_string(push.record()).unwrap(), push.called(&lines));
        assert_eq!(uninstall(&push.hooks_dir()).unwrap().removed, [installed.path]);
        assert_eq!(fs::read(push.hooks_dir().join("post-receive")).unwrap(), delegate.as_bytes());
    }

    #[test]
    fn an_absolute_path_may_contain_anything() {
        let push = Push::new(TestRepo::bare());
        let odd = push.server.outside().join("it's a \"$HOME\"");
        fs::create_dir(&odd).unwrap();
        fs::rename(push.bin.join("tinyci"), odd.join("tinyci")).unwrap();
        assert_eq!(push.install().unwrap().change, Change::Created);
        let options = HookOptions { tinyci: odd.join("tinyci").into(), ..push.options() };
        let installed = install(&push.hooks_dir(), &options).unwrap();
        assert_eq!(installed.change, Change::Updated);
        let (_, lines) = push.push(&["HEAD:refs/heads/main"]);
        assert_eq!(fs::read_to_string(push.record()).unwrap(), push.called(&lines));
    }

    #[test]
    fn the_hook_of_the_gem_is_renamed_and_restored() {
        let push = Push::new(TestRepo::bare());
        let text = "#!/bin/sh\nunset GIT_DIR\n\ntinyci run --all\n";
        let hook = push.hook("post-update", text);
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o744)).unwrap();
        let before = state(&hook);
        let installed = push.install().unwrap();
        assert!(installed.notes[0].contains(GEM_HOOK_BACKUP), "{:?}", installed.notes);
        let (_, lines) = push.push(&["HEAD:refs/heads/main"]);
        assert_eq!(fs::read_to_string(push.record()).unwrap(), push.called(&lines), "once");
        let removed = uninstall(&push.hooks_dir()).unwrap();
        assert_eq!((state(&hook), removed.notes.len()), (before, 1));
        assert!(!push.hooks_dir().join(GEM_HOOK_BACKUP).exists());

        let other = push.hook("post-update", &text.replace("--all", "--all || true"));
        let before = state(&other);
        let installed = push.install().unwrap();
        assert!(installed.notes[0].contains("is unchanged"), "{:?}", installed.notes);
        uninstall(&push.hooks_dir()).unwrap();
        assert_eq!(state(&other), before);
    }
}
