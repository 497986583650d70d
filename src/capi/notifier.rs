//! [`Notifier`]: a file descriptor that is readable while the queue of a run is not empty.
//!
//! It is one end of a socket pair. Unlike a pipe, it raises no SIGPIPE if the host program closes
//! its end, and its end of file arrives even if a forked child has a copy of our end.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, recv, send, shutdown,
    socketpair,
};

use crate::{Error, ErrorKind};

/// Sends one byte to notify.
pub(super) struct Notifier {
    own_end: OwnedFd,
    host_end: OwnedFd,
}

impl Notifier {
    pub(super) fn new() -> Result<Self, Error> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let (own_end, host_end) = pair.map_err(|source| {
            Error::new(ErrorKind::Io, "cannot create the file descriptor of a run")
                .with_source(source)
        })?;
        Ok(Self { own_end, host_end })
    }

    /// Returns the descriptor that the host program may poll and read.
    pub(super) fn fd(&self) -> i32 {
        self.host_end.as_raw_fd()
    }

    /// Makes the descriptor readable: the queue is no longer empty.
    pub(super) fn notify(&self) {
        // An error means that the host program closed its end, or that it is readable already.
        let _ = send(&self.own_end, b"!", SendFlags::NOSIGNAL);
    }

    /// Makes the descriptor unreadable: the queue is empty. The host program may have read the
    /// byte.
    pub(super) fn clear(&self) {
        let mut bytes = [0; 16];
        while recv(&self.host_end, &mut bytes, RecvFlags::DONTWAIT).is_ok_and(|(_, read)| read > 0)
        {
        }
    }

    /// Makes the descriptor readable from now on: the run has ended.
    pub(super) fn end(&self) {
        let _ = shutdown(&self.own_end, Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(notifier: &Notifier) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&notifier.host_end, PollFlags::IN)], Some(&now)).unwrap() > 0
    }

    #[test]
    fn it_is_readable_from_ring_to_silence_and_from_the_end_on() {
        let notifier = Notifier::new().unwrap();
        assert!(!is_readable(&notifier));
        notifier.notify();
        assert!(is_readable(&notifier));
        notifier.clear();
        assert!(!is_readable(&notifier));
        notifier.end();
        notifier.clear();
        assert!(is_readable(&notifier));
    }

    #[test]
    fn a_host_may_read_the_byte_itself() {
        let notifier = Notifier::new().unwrap();
        notifier.notify();
        let mut byte = [0; 1];
        assert_eq!(rustix::io::read(&notifier.host_end, &mut byte).unwrap(), 1);
        notifier.clear();
        notifier.notify();
        assert!(is_readable(&notifier));
    }
}
