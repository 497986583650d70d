//! What every pointer that C holds points to: a value that knows its process, and whether a panic
//! has left it in pieces.
//!
//! The value cannot be had without asking both.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use super::error::Failure;
use crate::{Error, ErrorKind};

/// A value behind a handle.
pub(super) struct Sealed<T> {
    value: T,
    pid: u32,
    failed: AtomicBool,
}

impl<T> Sealed<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value, pid: process::id(), failed: AtomicBool::new(false) }
    }

    /// The value, if it can be used here and now. Takes no lock and asks for no memory.
    pub(super) fn usable(&self) -> Option<&T> {
        let usable = !self.is_foreign() && !self.failed.load(Ordering::SeqCst);
        usable.then_some(&self.value)
    }

    /// The same, with the reason why it cannot be used.
    pub(super) fn get(&self) -> Result<&T, Failure> {
        self.check()?;
        Ok(&self.value)
    }

    /// The same for a call that has the handle to itself.
    pub(super) fn get_mut(&mut self) -> Result<(&mut T, &AtomicBool), Failure> {
        self.check()?;
        Ok((&mut self.value, &self.failed))
    }

    /// The value of a handle that the call takes for good. One that cannot be used is leaked.
    pub(super) fn take(self) -> Result<T, Failure> {
        match self.check() {
            Ok(()) => Ok(self.value),
            Err(failure) => {
                std::mem::forget(self.value);
                Err(failure)
            }
        }
    }

    /// Ends the use of the value: its last call panicked.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::SeqCst);
    }

    /// Whether this process was forked from the one that made the handle.
    pub(super) fn is_foreign(&self) -> bool {
        self.pid != process::id()
    }

    fn check(&self) -> Result<(), Failure> {
        if self.is_foreign() {
            let message = "this handle was made by another process, from which this one was \
                           forked: open an engine of its own";
            return Err(Error::new(ErrorKind::WrongProcess, message).into());
        }
        if self.failed.load(Ordering::SeqCst) {
            let message = "an earlier call on this handle panicked: it can only be freed";
            return Err(Error::new(ErrorKind::Panic, message).into());
        }
        Ok(())
    }
}

/// A type that C holds pointers to.
pub(super) trait Handle: Sized {
    /// What is behind it.
    type Value;
    /// What it is called in errors.
    const NAME: &'static str;

    fn new(value: Self::Value) -> Self;
    fn sealed(&self) -> &Sealed<Self::Value>;
    fn sealed_mut(&mut self) -> &mut Sealed<Self::Value>;
    fn into_sealed(self) -> Sealed<Self::Value>;
}

/// Makes a handle of a `struct tinyci_x(Sealed<X>)`.
macro_rules! handle {
    ($handle:ty, $value:ty, $name:literal) => {
        impl $crate::capi::handle::Handle for $handle {
            type Value = $value;
            const NAME: &'static str = $name;

            fn new(value: $value) -> Self {
                Self($crate::capi::handle::Sealed::new(value))
            }

            fn sealed(&self) -> &$crate::capi::handle::Sealed<$value> {
                &self.0
            }

            fn sealed_mut(&mut self) -> &mut $crate::capi::handle::Sealed<$value> {
                &mut self.0
            }

            fn into_sealed(self) -> $crate::capi::handle::Sealed<$value> {
                self.0
            }
        }
    };
}
pub(super) use handle;

/// The value of a handle that must be there.
pub(super) fn required<H: Handle>(handle: Option<&H>) -> Result<&H::Value, Failure> {
    handle.ok_or_else(|| Failure::null(H::NAME))?.sealed().get()
}

/// The value of a handle that may be NULL.
pub(super) fn optional<H: Handle>(handle: Option<&H>) -> Result<Option<&H::Value>, Failure> {
    handle.map(|handle| handle.sealed().get()).transpose()
}
