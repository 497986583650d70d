//! [`Notifier`]: a descriptor that is readable whenever something waits to be pulled.
//!
//! It is one end of a pair of sockets: unlike a pipe, it raises no SIGPIPE if a host closes its
//! end, and its end of file comes through even where a forked child holds a copy of ours.

use std::os::fd::{AsRawFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, Shutdown, SocketFlags, SocketType, recv, send, shutdown,
    socketpair,
};

use crate::{Error, ErrorKind};

/// Rings with one byte.
pub(super) struct Notifier {
    ours: OwnedFd,
    hosts: OwnedFd,
}

impl Notifier {
    pub(super) fn new() -> Result<Self, Error> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let pair = socketpair(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let (ours, hosts) = pair.map_err(|source| {
            Error::new(ErrorKind::Io, "cannot make the descriptor of a run").with_source(source)
        })?;
        Ok(Self { ours, hosts })
    }

    /// What the host may poll, and read from.
    pub(super) fn fd(&self) -> i32 {
        self.hosts.as_raw_fd()
    }

    /// There is something now, where there was nothing.
    pub(super) fn ring(&self) {
        // An error means that the host closed its end, or never took what was sent: it knows.
        let _ = send(&self.ours, b"!", SendFlags::NOSIGNAL);
    }

    /// There is nothing any more. A host may have read the byte itself.
    pub(super) fn silence(&self) {
        let mut bytes = [0; 16];
        while recv(&self.hosts, &mut bytes, RecvFlags::DONTWAIT).is_ok_and(|(_, read)| read > 0) {}
    }

    /// Nothing will ever come again: readable for good.
    pub(super) fn end(&self) {
        let _ = shutdown(&self.ours, Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    use super::*;

    fn is_readable(bell: &Notifier) -> bool {
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut [PollFd::new(&bell.hosts, PollFlags::IN)], Some(&now)).unwrap() > 0
    }

    #[test]
    fn it_is_readable_from_ring_to_silence_and_from_the_end_on() {
        let bell = Notifier::new().unwrap();
        assert!(!is_readable(&bell));
        bell.ring();
        assert!(is_readable(&bell));
        bell.silence();
        assert!(!is_readable(&bell));
        bell.end();
        bell.silence();
        assert!(is_readable(&bell));
    }

    #[test]
    fn a_host_may_read_the_byte_itself() {
        let bell = Notifier::new().unwrap();
        bell.ring();
        let mut byte = [0; 1];
        assert_eq!(rustix::io::read(&bell.hosts, &mut byte).unwrap(), 1);
        bell.silence();
        bell.ring();
        assert!(is_readable(&bell));
    }
}
