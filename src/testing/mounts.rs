//! Mounts that only one test sees.

use std::{process::Command, thread};

use super::repository::succeed;

/// Runs a test on a thread with private mounts. Other processes do not see them, and they end with
/// the thread. This needs root; otherwise the test is skipped with a message.
pub(crate) fn with_own_mounts(test: impl FnOnce() + Send) {
    let own = || {
        // SAFETY: the call takes a number, and changes only this thread.
        if unsafe { libc::unshare(libc::CLONE_NEWNS) } != 0 {
            eprintln!("left out: {}", std::io::Error::last_os_error());
            return;
        }
        mount(&["--make-rprivate", "/"]);
        test();
    };
    thread::scope(|scope| match scope.spawn(own).join() {
        Ok(()) => {}
        Err(panic) => std::panic::resume_unwind(panic),
    });
}

/// Runs `mount`, which must succeed.
pub(crate) fn mount(args: &[&str]) {
    let output = Command::new("mount").args(args).output().expect("mount is installed");
    succeed(&format!("mount {args:?}"), &output);
}
