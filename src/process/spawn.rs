//! Starts a process with `posix_spawn`, which can do more than the standard library: give the
//! process its own session, and the default signals.
//!
//! All unsafe code for starting processes is in this file. Between fork and exec, only code of the
//! system runs. Unlike `fork`, it does not copy the page tables of a large host.

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

/// A constant that `libc` lacks for these systems.
#[cfg(target_vendor = "apple")]
const POSIX_SPAWN_SETSID: libc::c_short = 0x0400;
#[cfg(not(target_vendor = "apple"))]
use libc::POSIX_SPAWN_SETSID;

/// A process to start.
pub(super) struct Launch<'a> {
    pub(super) program: &'a Path,
    /// Its arguments, starting with its name.
    pub(super) arguments: Vec<&'a OsStr>,
    /// Its whole environment.
    pub(super) env: &'a BTreeMap<OsString, OsString>,
    /// Its working directory, absolute.
    pub(super) cwd: &'a Path,
    /// Its standard input, output and error.
    pub(super) streams: [BorrowedFd<'a>; 3],
}

impl Launch<'_> {
    /// Starts the process as the leader of a session without a terminal, and of a process group.
    ///
    /// It gets only these three descriptors, because all others are close-on-exec. No signal is
    /// blocked, and SIGPIPE has its default action. It ignores all other signals that the host
    /// ignores.
    ///
    /// # Errors
    ///
    /// Those of the system: `NotFound` for a missing directory or program; `InvalidInput` for a
    /// string with NUL.
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
        // SAFETY: all pointers are valid until after the call. Both arrays end with NULL and
        // contain pointers to strings that end with NUL. The call does not change them.
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

/// Converts the error number that these functions return.
fn checked(result: libc::c_int) -> io::Result<()> {
    if result == 0 { Ok(()) } else { Err(io::Error::from_raw_os_error(result)) }
}

/// An array of C strings that ends with NULL.
struct Texts {
    pointers: Vec<*mut libc::c_char>,
    /// The strings behind the pointers.
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

/// The actions of the new process before it executes the program.
struct Actions {
    inner: libc::posix_spawn_file_actions_t,
    /// Copies of descriptors, open until then.
    copies: Vec<OwnedFd>,
}

impl Actions {
    fn new() -> io::Result<Self> {
        let mut inner = MaybeUninit::uninit();
        // SAFETY: the buffer is large enough.
        checked(unsafe { libc::posix_spawn_file_actions_init(inner.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so it has initialized the value.
        Ok(Self { inner: unsafe { inner.assume_init() }, copies: Vec::new() })
    }

    fn change_dir(&mut self, dir: &Path) -> io::Result<()> {
        let dir = CString::new(dir.as_os_str().as_bytes())?;
        // SAFETY: the actions are initialized, and the call copies the string.
        checked(unsafe {
            libc::posix_spawn_file_actions_addchdir_np(&raw mut self.inner, dir.as_ptr())
        })
    }

    /// Makes `from` the descriptor with this number in the new process.
    fn redirect(&mut self, from: BorrowedFd<'_>, number: libc::c_int) -> io::Result<()> {
        let mut raw = from.as_raw_fd();
        // In a host without standard streams, `from` may itself have one of these three numbers. An
        // earlier action could then overwrite it.
        if raw <= libc::STDERR_FILENO {
            let copy = fcntl_dupfd_cloexec(from, libc::STDERR_FILENO + 1)?;
            raw = copy.as_raw_fd();
            self.copies.push(copy);
        }
        // SAFETY: the actions are initialized.
        checked(unsafe { libc::posix_spawn_file_actions_adddup2(&raw mut self.inner, raw, number) })
    }
}

impl Drop for Actions {
    fn drop(&mut self) {
        // SAFETY: the actions are initialized, and not used afterwards.
        unsafe { libc::posix_spawn_file_actions_destroy(&raw mut self.inner) };
    }
}

/// The attributes of the new process: leader of a session, with default signals.
struct Attributes(libc::posix_spawnattr_t);

impl Attributes {
    fn new() -> io::Result<Self> {
        let mut inner = MaybeUninit::uninit();
        // SAFETY: the buffer is large enough.
        checked(unsafe { libc::posix_spawnattr_init(inner.as_mut_ptr()) })?;
        // SAFETY: the call succeeded, so it has initialized the value.
        let mut attributes = Self(unsafe { inner.assume_init() });
        let flags = POSIX_SPAWN_SETSID as libc::c_int
            | libc::POSIX_SPAWN_SETSIGMASK as libc::c_int
            | libc::POSIX_SPAWN_SETSIGDEF as libc::c_int;
        let inner = &raw mut attributes.0;
        let (none, pipe) = (signals(None), signals(Some(libc::SIGPIPE)));
        // SAFETY: the attributes are initialized, and the sets are valid during the calls.
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
        // SAFETY: the attributes are initialized, and not used afterwards.
        unsafe { libc::posix_spawnattr_destroy(&raw mut self.0) };
    }
}

/// Returns a set with this signal, or an empty set.
fn signals(signal: Option<libc::c_int>) -> libc::sigset_t {
    let mut set = MaybeUninit::uninit();
    // SAFETY: the buffer is large enough, and the first call initializes all of it.
    unsafe {
        libc::sigemptyset(set.as_mut_ptr());
        if let Some(signal) = signal {
            libc::sigaddset(set.as_mut_ptr(), signal);
        }
        set.assume_init()
    }
}
