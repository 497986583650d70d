//! Threads with a large stack, which return the engine's error.

use crate::{
    model::error::{Error, ErrorKind},
    util::threads,
};

/// Runs the work on a thread with a large stack, and waits for it.
pub(in crate::engine) fn on_big_thread<T: Send>(
    name: &str,
    work: impl FnOnce() -> Result<T, Error> + Send,
) -> Result<T, Error> {
    threads::on_big_thread(name, work).map_err(|source| {
        let message = format!("cannot start the thread `{name}`");
        Error::new(ErrorKind::Spawn, message).with_source(source)
    })?
}
