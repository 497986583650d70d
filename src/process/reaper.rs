//! What this process does with its children's exit statuses.

/// Whether the kernel throws them away: SIGCHLD is ignored, or asked not to make zombies. Then no
/// command's end could ever be known.
pub(crate) fn sigchld_is_ignored() -> bool {
    let mut action = std::mem::MaybeUninit::<libc::sigaction>::uninit();
    // SAFETY: nothing is set, and the place that is written to is large enough.
    let asked = unsafe { libc::sigaction(libc::SIGCHLD, std::ptr::null(), action.as_mut_ptr()) };
    if asked != 0 {
        return false;
    }
    // SAFETY: the call succeeded, so it was written.
    let action = unsafe { action.assume_init() };
    action.sa_sigaction == libc::SIG_IGN || action.sa_flags & libc::SA_NOCLDWAIT != 0
}
