//! Starting a process through `posix_spawn`, with what the standard library cannot ask it for: a
//! session of its own, and the signals as a fresh process has them.
//!
//! All unsafe code of starting stands here. Nothing runs between fork and exec but the system's own
//! code, which does not copy the page tables of a large host as `fork` would.

use std::{
    collections::BTreeMap,
    ffi::{CString, OsStr, OsString},
    io,
    mem::MaybeUninit,
    os::{
        fd::{AsRawFd, BorrowedFd, OwnedFd},
        unix::ffi::OsStrExt,
    },
    path::Path,
    ptr,
};

use rustix::{io::fcntl_dupfd_cloexec, process::Pid};

use super::orphans;

/// What `libc` does not have for these systems.
#[cfg(target_vendor = "apple")]
const POSIX_SPAWN_SETSID: libc::c_short = 0x0400;
#[cfg(not(target_vendor = "apple"))]
use libc::POSIX_SPAWN_SETSID;

/// A process to be.
pub(super) struct Launch<'a> {
    pub(super) program: &'a Path,
    /// Its arguments, with the name that it is called by in front.
    pub(super) arguments: Vec<&'a OsStr>,
    /// Its whole environment.
    pub(super) env: &'a BTreeMap<OsString, OsString>,
    /// Where it starts, absolute.
    pub(super) cwd: &'a Path,
    /// What it has as standard input, output and error.
    pub(super) streams: [BorrowedFd<'a>; 3],
}

impl Launch<'_> {
    /// Starts it, as the leader of a session, which has no terminal, and of a process group.
    ///
    /// It gets no descriptor of ours but the three: all others are closed when it is executed. No
    /// signal is blocked, and SIGPIPE has its default action; what else the host ignores, it does.
    ///
    /// # Errors
    ///
    /// What the system says: `NotFound` for a missing directory as for a missing program;
    /// `InvalidInput` for a NUL in a text.
    pub(super) fn spawn(&self) -> io::Result<Pid> {
        let program = CString::new(self.program.as_os_str().as_bytes())?;
        let arguments = Texts::new(self.arguments.iter().map(|text| text.as_bytes().to_vec()))?;
        let variables =
            self.env.iter().map(|(name, value)| [name.as_bytes(), b"=", value.as_bytes()].concat());
        let env = Texts::new(variables)?;
        let mut actions = Actions::new()?;
        actions.change_dir(self.cwd)?;
        for (stream, number) in self.streams.into_iter().zip(0..) {
            actions.redirect(stream, number)?;
        }
        let attributes = Attributes::new()?;
        let mut pid = 0;
        let starting = orphans::starting();
        // SAFETY: all pointers are to what lives until after the call; both lists end with NULL, and
        // hold pointers to texts that end with NUL, which the call does not change.
        checked(unsafe {
            libc::posix_spawn(
                &raw mut pid,
                program.as_ptr(),
                &raw const actions.inner,
                &raw const attributes.0,
                arguments.pointers.as_ptr(),
                env.pointers.as_ptr(),
            )
        })?;
        let no_number = || io::Error::other("the new process has no process id");
        let pid = Pid::from_raw(pid).ok_or_else(no_number)?;
        starting.register(pid);
        Ok(pid)
    }
}

/// Turns what these functions return, which is the number of an error, into one.
fn checked(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

/// Texts as C has them in a list that ends with NULL.
struct Texts {
    pointers: Vec<*mut libc::c_char>,
    /// What the pointers lead to.
    _texts: Vec<CString>,
}

impl Texts {
    fn new(texts: impl Iterator<Item = Vec<u8>>) -> io::Result<Self> {
        let texts = texts.map(CString::new).collect::<Result<Vec<_>, _>>()?;
        let pointers = texts.iter().map(|text| text.as_ptr().cast_mut());
        let pointers = pointers.chain([ptr::null_mut()]).collect();
        Ok(Self { pointers, _texts: texts })
    }
}

/// What the new process does before it executes the program.
struct Actions {
    inner: libc::posix_spawn_file_actions_t,
    /// Copies of what is given to it, open until then.
    copies: Vec<OwnedFd>,
}

impl Actions {
    fn new() -> io::Result<Self> {
        let mut inner = MaybeUninit::uninit();
        // SAFETY: the place is large enough.
        checked(unsafe { libc::posix_spawn_file_actions_init(inner.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so it was written.
        Ok(Self { inner: unsafe { inner.assume_init() }, copies: Vec::new() })
    }

    fn change_dir(&mut self, dir: &Path) -> io::Result<()> {
        let dir = CString::new(dir.as_os_str().as_bytes())?;
        // SAFETY: the actions were initialized, and the call copies the text.
        checked(unsafe {
            libc::posix_spawn_file_actions_addchdir_np(&raw mut self.inner, dir.as_ptr())
        })
    }

    /// Makes this its descriptor of that number.
    fn redirect(&mut self, from: BorrowedFd<'_>, number: libc::c_int) -> io::Result<()> {
        let mut raw = from.as_raw_fd();
        // In a host without standard streams it may have the number of one of the three itself, and
        // be overwritten before its turn.
        if raw <= libc::STDERR_FILENO {
            let copy = fcntl_dupfd_cloexec(from, libc::STDERR_FILENO + 1)?;
            raw = copy.as_raw_fd();
            self.copies.push(copy);
        }
        // SAFETY: the actions were initialized.
        checked(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.inner, raw, number) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: they were initialized, and are not used any more.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.inner) };
    }
}

/// What the new process is: a session's leader, with the signals of a fresh process.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut inner = MaybeUninit::uninit();
        // SAFETY: the place is large enough.
        checked(unsafe { libc::posix_spawnattr_init(inner.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so it was written.
        let mut attributes = Self(unsafe { inner.assume_init() });
        let flags = POSIX_SPAWN_SETSID as libc::c_int
            | libc::POSIX_SPAWN_SETSIGMASK as libc::c_int
            | libc::POSIX_SPAWN_SETSIGDEF as libc::c_int;
        let inner = &raw mut attributes.0;
        let (none, pipe) = (signals(None), signals(Some(libc::SIGPIPE)));
        // SAFETY: the attributes were initialized; the sets are read during the calls.
        unsafe {
            checked(libc::posix_spawnattr_setflags(inner, flags as libc::c_short))?;
            checked(libc::posix_spawnattr_setsigmask(inner, &raw const none))?;
            checked(libc::posix_spawnattr_setsigdefault(inner, &raw const pipe))?;
        }
        Ok(attributes)
    }
}

impl Drop for Attributes {
    fn drop(&mut self) {
        // SAFETY: they were initialized, and are not used any more.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

/// The set of this signal, or of none.
fn signals(signal: Option<libc::c_int>) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the place is large enough, and the first call writes to all of it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        if let Some(signal) = signal {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}
