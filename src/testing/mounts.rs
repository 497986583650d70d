//! File systems that only one test sees.

use std::{process::Command, thread};

use super::repository::succeed;

/// Runs a test on a thread whose mounts, and those of the programs that it starts, nobody else sees
/// and are gone with it. Only root may do so on a thread of its own; otherwise the test says that it
/// was left out.
pub(crate) fn with_own_mounts(test: impl FnOnce() + Send) {
    let own = || {
        // SAFETY: the call takes a number, and changes nothing but this thread.
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

/// Runs `mount`, which has to work.
pub(crate) fn mount(args: &[&str]) {
    let output = Command::new("mount").args(args).output().expect("mount is installed");
    succeed(&format!("mount {args:?}"), &output);
}
