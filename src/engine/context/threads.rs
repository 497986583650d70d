//! Threads that scripts and deep trees fit on.

use crate::model::error::{Error, ErrorKind};
use std::thread;

/// Scripts run right on the threads that run jobs, and recurse deeper than commands do.
const STACK_BYTES: usize = 32 << 20;

/// A thread that scripts and deep trees fit on.
pub(in crate::engine) fn big_thread(name: &str) -> thread::Builder {
    thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES)
}

/// Does the work on such a thread, whatever stack the caller has, and waits for it.
pub(in crate::engine) fn on_big_thread<T: Send>(
    name: &str,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    thread::scope(|scope| {
        let worker = big_thread(name).spawn_scoped(scope, work).map_err(|source| {
            let message = format!("cannot start the thread `{name}`");
            Error::new(ErrorKind::Spawn, message).with_source(source)
        })?;
        worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}
