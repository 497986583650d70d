//! Threads with a large stack, and the text of a panic.

use std::{any::Any, io, panic::resume_unwind, thread};

/// Stack size, in bytes, of threads that run scripts or read git trees and configs. Those can be
/// deeply nested, and the caller's thread may have a small stack. The system reserves this memory
/// but uses it only if needed.
const STACK_BYTES: usize = 32 << 20;

/// Returns a builder for a thread with a large stack.
pub(crate) fn big_thread(name: &str) -> thread::Builder {
    thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES)
}

/// Runs the work on a thread with a large stack, and waits for it. A panic of the work continues in
/// the caller. Fails if the thread cannot be started.
pub(crate) fn on_big_thread<T: Send>(name: &str, work: impl FnOnce() -> T + Send) -> io::Result<T> {
    thread::scope(|scope| {
        let worker = big_thread(name).spawn_scoped(scope, work)?;
        Ok(worker.join().unwrap_or_else(|panic| resume_unwind(panic)))
    })
}

/// Returns the message of a panic.
pub(crate) fn panic_text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("(no text)")
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn work_has_a_large_stack_and_its_panic_reaches_the_caller() {
        let fits = on_big_thread("tinyci test", || {
            let deep = [0_u8; 8 << 20];
            std::hint::black_box(&deep).len()
        });
        assert_eq!(fits.unwrap(), 8 << 20);
        for (panic, text) in [("a bug", "a bug"), ("", "")] {
            let work = || on_big_thread("tinyci test", || -> () { panic!("{panic}") });
            let caught = catch_unwind(AssertUnwindSafe(work)).unwrap_err();
            assert_eq!(panic_text(&*caught), text);
        }
        assert_eq!(panic_text(&7), "(no text)");
    }
}
