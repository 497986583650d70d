//! [`tinyci_cancel`]: stopping a run from any thread, and from a signal handler.

use super::{
    guard::{self, Made},
    handle::{Handle, Sealed, handle},
};
use crate::CancelToken;

/// A level that stops what it was given to: 1 ends the running command and still runs `after_all`,
/// 2 kills and stops. It never falls, so one token serves any number of calls, each of which stops.
///
/// Owned by the host. Whatever it was given to holds a reference of its own, so that it can be
/// freed at any time, even before a run that it was given to.
pub struct tinyci_cancel(Sealed<CancelToken>);

handle!(tinyci_cancel, CancelToken, "cancel");

/// Makes a token at level 0.
///
/// @return The token, to be freed with `tinyci_cancel_free`; NULL only where memory is short.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_cancel_new() -> *mut tinyci_cancel {
    guard::fresh(CancelToken::new)
}

/// Makes a token that is canceled when another one is, or on its own: its level is the higher of the
/// two. Triggering it leaves the other one as it is, so that one token can stop all of a host's runs,
/// and each run can still be stopped alone.
///
/// @param parent  The other token, which can be freed at any time; NULL for none.
/// @return The token, to be freed with `tinyci_cancel_free`; NULL only where memory is short, and in a
///         forked child.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_cancel_child(parent: Option<&tinyci_cancel>) -> *mut tinyci_cancel {
    match parent {
        Some(_) => guard::peek(parent, |token| tinyci_cancel::new(token.child()).into_pointer()),
        None => tinyci_cancel_new(),
    }
}

/// Raises the level by one, up to 2. A token that was made of another one keeps that as it is.
///
/// @param cancel  The token, or NULL. In a forked child nothing happens.
///
/// Any thread, and any signal handler: it is async-signal-safe. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_cancel_trigger(cancel: Option<&tinyci_cancel>) {
    // An atomic loop and getpid(): nothing here takes a lock or asks for memory, and nothing
    // panics.
    if let Some(token) = cancel.and_then(|cancel| cancel.0.usable()) {
        token.cancel();
    }
}

/// The level now.
///
/// @param cancel  The token, or NULL.
/// @return 0, 1 or 2; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_cancel_level(cancel: Option<&tinyci_cancel>) -> i32 {
    guard::peek(cancel, |token| i32::from(token.level()))
}

/// Frees a token. What it was given to goes on.
///
/// @param cancel  The token, which is gone then, or NULL. No signal handler may use it any more.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_cancel_free(cancel: Option<Box<tinyci_cancel>>) {
    guard::free(cancel);
}
