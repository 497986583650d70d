//! Checks how this process treats the exit statuses of its children.

/// Returns true if the kernel discards them, because SIGCHLD is ignored or `SA_NOCLDWAIT` is set.
/// The exit status of a command would then be unknown.
pub(crate) fn sigchld_is_ignored() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: the call changes nothing, and the buffer is large enough.
    let result = unsafe { libc::sigaction(libc::SIGCHLD, std::ptr::null(), action.as_mut_ptr()) };
    if result != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it has initialized the value.
    let action = unsafe { action.assume_init() };
    action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0
}
