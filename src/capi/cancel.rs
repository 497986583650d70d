//! [`tinyci_cancel`]: stopping a run from any thread, and from a signal handler.

use super::{
    guard::{self, IntoOwned},
    handle::{Handle, Sealed, handle},
};
use crate::CancelToken;

/// A cancel token with a level: 0 does nothing. 1 ends the running command and still runs
/// `after_all`. 2 kills everything and stops. The level never decreases. You can pass one token to
/// several calls; it stops all of them.
///
/// You own it. Calls that use it keep their own reference, so you may free it at any time, even
/// while a run uses it.
pub struct tinyci_cancel(Sealed<CancelToken>);

handle!(tinyci_cancel, CancelToken, "cancel");

/// Creates a token at level 0.
///
/// @return The token; free it with `tinyci_cancel_free`. NULL only if out of memory.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_cancel_new() -> *mut tinyci_cancel {
    guard::fresh(CancelToken::new)
}

/// Creates a token that also follows another one: its level is the higher of the two. Triggering
/// the child does not change the parent. One parent token can stop all runs, and each child one
/// run.
///
/// @param parent  The other token, which you may free at any time; NULL for none.
/// @return The token; free it with `tinyci_cancel_free`. NULL only if out of memory, and in a
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

/// Raises the level by one, up to 2. Triggering a child token does not change its parent. In a
/// forked child, this does nothing.
///
/// @param cancel  The token, or NULL.
///
/// Any thread, and any signal handler: it is async-signal-safe. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_cancel_trigger(cancel: Option<&tinyci_cancel>) {
    // An atomic loop and getpid(): no locks, no allocation, no panic.
    if let Some(token) = cancel.and_then(|cancel| cancel.0.usable()) {
        token.cancel();
    }
}

/// Returns the current level.
///
/// @param cancel  The token, or NULL.
/// @return 0, 1 or 2; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_cancel_level(cancel: Option<&tinyci_cancel>) -> i32 {
    guard::peek(cancel, |token| i32::from(token.level()))
}

/// Frees a token. Runs that use it continue. A signal handler must not use it afterwards.
///
/// @param cancel  The token, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_cancel_free(cancel: Option<Box<tinyci_cancel>>) {
    guard::free(cancel);
}
