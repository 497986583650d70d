//! The objects that pointers in C point to. Each knows the process that created it, and whether a
//! call with it panicked.
//!
//! Every access checks both.

use std::{
    process,
    sync::atomic::{AtomicBool, Ordering},
};

use super::error::Failure;
use crate::{Error, ErrorKind};

/// The value behind a handle.
pub(super) struct Sealed<T> {
    value: T,
    pid: u32,
    failed: AtomicBool,
}

impl<T> Sealed<T> {
    pub(super) fn new(value: T) -> Self {
        Self { value, pid: process::id(), failed: AtomicBool::new(false) }
    }

    /// Returns the value, if it is usable in this process. Takes no lock and does not allocate.
    pub(super) fn usable(&self) -> Option<&T> {
        let usable = !self.is_foreign() && !self.failed.load(Ordering::SeqCst);
        usable.then_some(&self.value)
    }

    /// Returns the value, or the reason why it is not usable.
    pub(super) fn get(&self) -> Result<&T, Failure> {
        self.check()?;
        Ok(&self.value)
    }

    /// Returns the value for a call with exclusive access, or the reason why it is not usable.
    pub(super) fn get_mut(&mut self) -> Result<(&mut T, &AtomicBool), Failure> {
        self.check()?;
        Ok((&mut self.value, &self.failed))
    }

    /// Returns the value of a handle that the call consumes. A value that is not usable is leaked.
    pub(super) fn take(self) -> Result<T, Failure> {
        match self.check() {
            Ok(()) => Ok(self.value),
            Err(failure) => {
                std::mem::forget(self.value);
                Err(failure)
            }
        }
    }

    /// Makes the value unusable, because a call with it panicked.
    pub(super) fn fail(&self) {
        self.failed.store(true, Ordering::SeqCst);
    }

    /// Returns whether another process created the handle, from which this one was forked.
    pub(super) fn is_foreign(&self) -> bool {
        self.pid != process::id()
    }

    fn check(&self) -> Result<(), Failure> {
        if self.is_foreign() {
            let message = "cannot use an object of the parent process after a fork: open a new \
                           engine";
            return Err(Error::new(ErrorKind::WrongProcess, message).into());
        }
        if self.failed.load(Ordering::SeqCst) {
            let message = "an earlier call with this object panicked: it can only be freed";
            return Err(Error::new(ErrorKind::Panic, message).into());
        }
        Ok(())
    }
}

/// A type that C has pointers to.
pub(super) trait Handle: Sized {
    /// The value behind the handle.
    type Value;
    /// The name of the parameter in errors.
    const NAME: &'static str;

    fn new(value: Self::Value) -> Self;
    fn sealed(&self) -> &Sealed<Self::Value>;
    fn sealed_mut(&mut self) -> &mut Sealed<Self::Value>;
    fn into_sealed(self) -> Sealed<Self::Value>;
}

/// Implements [`Handle`] for a `struct tinyci_x(Sealed<X>)`.
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

/// Returns the value of a required handle.
pub(super) fn required<H: Handle>(handle: Option<&H>) -> Result<&H::Value, Failure> {
    handle.ok_or_else(|| Failure::null(H::NAME))?.sealed().get()
}

/// Returns the value of a handle that may be NULL.
pub(super) fn optional<H: Handle>(handle: Option<&H>) -> Result<Option<&H::Value>, Failure> {
    handle.map(|handle| handle.sealed().get()).transpose()
}
