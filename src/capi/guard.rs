//! The rules that apply to every function of the header.
//!
//! | a function that | goes through |
//! |---|---|
//! | does something | [`act`], or [`act_with_report`] if it also returns a report |
//! | creates something | [`make`], or [`make_alone`] without a handle |
//! | returns something that may not exist | [`find`] |
//! | sets something in a handle | [`set`] |
//! | returns the next of many | [`step`] |
//! | consumes its handle | [`consume`] |
//! | returns a value | [`peek`], or [`answer`] without a handle |
//! | creates an empty handle | [`fresh`] |
//! | frees a handle | [`free`] |
//!
//! The first five run in a thread with a big stack, because their work can be deep. The others only
//! move data, and need far less than 32 KiB.

use std::{
    any::Any,
    ffi::{CString, c_char},
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::atomic::Ordering,
};

use super::{
    code::{TINYCI_AGAIN, TINYCI_DONE, TINYCI_OK, tinyci_code},
    error::{ErrorOut, Failure},
    handle::{Handle, required},
};
use crate::{
    Error, ErrorKind,
    util::threads::{on_big_thread, panic_text},
};

/// An output parameter.
type Out<'call, P> = Option<&'call mut MaybeUninit<P>>;

/// Sets an output parameter to NULL.
fn cleared<P: NullValue>(out: Out<'_, P>) -> Result<&mut P, Failure> {
    let place = out.ok_or_else(|| Failure::null("out"))?;
    Ok(place.write(P::NULL))
}

/// The value that an accessor returns without a result: 0 or NULL.
pub(super) trait NullValue {
    const NULL: Self;
}

impl<T> NullValue for *const T {
    const NULL: Self = ptr::null();
}

impl<T> NullValue for *mut T {
    const NULL: Self = ptr::null_mut();
}

macro_rules! null_is_zero {
    ($($number:ty),*) => { $(impl NullValue for $number { const NULL: Self = 0 as $number; })* };
}
null_is_zero!(i32, i64, u32, u64, usize, f64);

/// A result that the caller owns.
pub(super) trait IntoOwned {
    type Pointer: NullValue;
    fn into_pointer(self) -> Self::Pointer;
}

impl<H: Handle> IntoOwned for H {
    type Pointer = *mut H;

    fn into_pointer(self) -> *mut H {
        Box::into_raw(Box::new(self))
    }
}

impl IntoOwned for CString {
    type Pointer = *mut c_char;

    fn into_pointer(self) -> *mut c_char {
        self.into_raw()
    }
}

/// The result of a function that returns the next of many.
pub(super) enum Step<P> {
    Item(P),
    Done,
    Again,
}

/// The result of [`act`]: done, or there was nothing to do.
pub(super) enum Completion {
    Done,
    NothingToDo,
}

/// Does something with a handle, on a big stack.
pub(super) fn act<H: Handle>(
    handle: Option<&H>,
    err: ErrorOut<'_>,
    work: impl FnOnce(&H::Value) -> Result<Completion, Failure> + Send,
) -> tinyci_code
where
    H::Value: Sync,
{
    let result = entered(handle, |value| deep(|| work(value)));
    err.store(result.map(|completion| match completion {
        Completion::Done => TINYCI_OK,
        Completion::NothingToDo => TINYCI_DONE,
    }))
}

/// Does something with a handle, on a big stack, and stores its report if the caller wants it.
pub(super) fn act_with_report<H: Handle>(
    handle: Option<&H>,
    out: Out<'_, *mut c_char>,
    err: ErrorOut<'_>,
    work: impl FnOnce(&H::Value) -> Result<CString, Failure> + Send,
) -> tinyci_code
where
    H::Value: Sync,
{
    let place = out.map(|place| place.write(ptr::null_mut()));
    let result = entered(handle, |value| deep(|| work(value)));
    err.store(result.map(|text| {
        if let Some(place) = place {
            *place = text.into_raw();
        }
        TINYCI_OK
    }))
}

/// Creates something from a handle, on a big stack.
pub(super) fn make<H: Handle, T: IntoOwned + Send>(
    handle: Option<&H>,
    out: Out<'_, T::Pointer>,
    err: ErrorOut<'_>,
    work: impl FnOnce(&H::Value) -> Result<T, Failure> + Send,
) -> tinyci_code
where
    H::Value: Sync,
{
    let result = cleared(out).and_then(|out| {
        *out = entered(handle, |value| deep(|| work(value)))?.into_pointer();
        Ok(TINYCI_OK)
    });
    err.store(result)
}

/// Creates something from a handle if it exists, on a big stack.
pub(super) fn find<H: Handle, T: IntoOwned + Send>(
    handle: Option<&H>,
    out: Out<'_, T::Pointer>,
    err: ErrorOut<'_>,
    work: impl FnOnce(&H::Value) -> Result<Option<T>, Failure> + Send,
) -> tinyci_code
where
    H::Value: Sync,
{
    let result = cleared(out).and_then(|out| {
        let Some(found) = entered(handle, |value| deep(|| work(value)))? else {
            return Ok(TINYCI_DONE);
        };
        *out = found.into_pointer();
        Ok(TINYCI_OK)
    });
    err.store(result)
}

/// Creates something without a handle, on a big stack.
pub(super) fn make_alone<T: IntoOwned + Send>(
    out: Out<'_, T::Pointer>,
    err: ErrorOut<'_>,
    work: impl FnOnce() -> Result<T, Failure> + Send,
) -> tinyci_code {
    let result = cleared(out).and_then(|out| {
        *out = caught(|| deep(work))?.into_pointer();
        Ok(TINYCI_OK)
    });
    err.store(result)
}

/// Changes the value behind a handle.
pub(super) fn set<H: Handle>(
    handle: Option<&mut H>,
    err: ErrorOut<'_>,
    work: impl FnOnce(&mut H::Value) -> Result<(), Failure>,
) -> tinyci_code {
    err.store(entered_mut(handle, work).map(|()| TINYCI_OK))
}

/// Returns the next of many, which belongs to the handle.
pub(super) fn step<H: Handle, P: NullValue>(
    handle: Option<&mut H>,
    out: Out<'_, P>,
    err: ErrorOut<'_>,
    work: impl FnOnce(&mut H::Value) -> Result<Step<P>, Failure>,
) -> tinyci_code {
    let result = cleared(out).and_then(|out| match entered_mut(handle, work)? {
        Step::Item(item) => {
            *out = item;
            Ok(TINYCI_OK)
        }
        Step::Done => Ok(TINYCI_DONE),
        Step::Again => Ok(TINYCI_AGAIN),
    });
    err.store(result)
}

/// Consumes a handle, also if the call fails.
pub(super) fn consume<H: Handle>(
    handle: Option<Box<H>>,
    err: ErrorOut<'_>,
    work: impl FnOnce(H::Value) -> Result<(), Failure>,
) -> tinyci_code {
    let value = handle.ok_or_else(|| Failure::null(H::NAME));
    let value = value.and_then(|handle| (*handle).into_sealed().take());
    err.store(value.and_then(|value| caught(|| work(value))).map(|()| TINYCI_OK))
}

/// Reads from a handle. The result is 0 or NULL if the handle is unusable.
pub(super) fn peek<H: Handle, R: NullValue>(
    handle: Option<&H>,
    look: impl FnOnce(&H::Value) -> R,
) -> R {
    entered(handle, |value| Ok(look(value))).unwrap_or(R::NULL)
}

/// Returns a value without a handle.
pub(super) fn answer<R: NullValue>(look: impl FnOnce() -> R) -> R {
    caught(|| Ok(look())).unwrap_or(R::NULL)
}

/// Creates a handle with an initial value.
pub(super) fn fresh<H: Handle>(make: impl FnOnce() -> H::Value) -> *mut H {
    caught(|| Ok(H::new(make()))).map_or(ptr::null_mut(), IntoOwned::into_pointer)
}

/// Frees a handle. Does nothing in a forked child: the threads, locks and commands behind the
/// handle are the parent's.
pub(super) fn free<H: Handle>(handle: Option<Box<H>>) {
    let Some(handle) = handle else { return };
    if handle.sealed().is_foreign() {
        std::mem::forget(handle);
        return;
    }
    // A panic of a destructor ends here, because this call returns no error.
    let _ = caught(|| {
        drop(handle);
        Ok(())
    });
}

fn entered<H: Handle, R>(
    handle: Option<&H>,
    work: impl FnOnce(&H::Value) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let value = required(handle)?;
    catch_unwind(AssertUnwindSafe(|| work(value))).unwrap_or_else(|panic| {
        handle.into_iter().for_each(|handle| handle.sealed().fail());
        Err(panicked(&*panic))
    })
}

fn entered_mut<H: Handle, R>(
    handle: Option<&mut H>,
    work: impl FnOnce(&mut H::Value) -> Result<R, Failure>,
) -> Result<R, Failure> {
    let handle = handle.ok_or_else(|| Failure::null(H::NAME))?;
    let (value, failed) = handle.sealed_mut().get_mut()?;
    catch_unwind(AssertUnwindSafe(|| work(value))).unwrap_or_else(|panic| {
        failed.store(true, Ordering::SeqCst);
        Err(panicked(&*panic))
    })
}

fn caught<R>(work: impl FnOnce() -> Result<R, Failure>) -> Result<R, Failure> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|panic| Err(panicked(&*panic)))
}

/// Does the work in a thread with a big stack, and waits for it.
fn deep<R: Send>(work: impl FnOnce() -> Result<R, Failure> + Send) -> Result<R, Failure> {
    on_big_thread("tinyci", work).map_err(|source| {
        let message = "cannot start a thread for the call";
        Error::new(ErrorKind::Spawn, message).with_source(source)
    })?
}

pub(super) fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let message = format!("tinyci has a bug and panicked: {}", panic_text(panic));
    Error::new(ErrorKind::Panic, message).into()
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::*;
    use crate::capi::{
        code::{TINYCI_INVALID_ARG, TINYCI_PANIC, code_of},
        handle::{Sealed, handle},
        text::c_text,
    };

    struct Thing(Sealed<Vec<i32>>);
    handle!(Thing, Vec<i32>, "thing");

    /// Returns the code that a call returned, and the message of its error.
    fn outcome(call: impl FnOnce(ErrorOut<'_>) -> tinyci_code) -> (tinyci_code, String) {
        let mut place = MaybeUninit::new(ptr::dangling_mut());
        let code = call(ErrorOut::at(&mut place));
        (code, ErrorOut::taken(place).unwrap_or_default())
    }

    #[test]
    fn a_panic_is_an_error_and_the_handle_stays_failed() {
        let thing = Thing::new(vec![1]);
        let (code, text) = outcome(|err| act(Some(&thing), err, |_| panic!("at the disco")));
        assert_eq!(code, TINYCI_PANIC);
        assert!(text.contains("at the disco"), "{text}");
        let (code, text) = outcome(|err| act(Some(&thing), err, |_| Ok(Completion::Done)));
        assert_eq!(code, TINYCI_PANIC);
        assert!(text.contains("can only be freed"), "{text}");
        assert_eq!(peek(Some(&thing), |numbers| numbers.len()), 0);
    }

    #[test]
    fn a_panic_of_a_setter_or_an_accessor_fails_the_handle_too() {
        let mut thing = Thing::new(Vec::new());
        let (code, _) = outcome(|err| set(Some(&mut thing), err, |_| panic!("no")));
        assert_eq!(code, TINYCI_PANIC);
        assert_eq!(outcome(|err| set(Some(&mut thing), err, |_| Ok(()))).0, TINYCI_PANIC);
        let thing = Thing::new(vec![7]);
        assert_eq!(peek(Some(&thing), |numbers| numbers[0]), 7);
        assert_eq!(peek(Some(&thing), |numbers| numbers[1]), 0);
        assert_eq!(peek(Some(&thing), |numbers| numbers[0]), 0, "it is failed");
    }

    #[test]
    fn outputs_are_cleared_and_success_clears_the_error() {
        let mut out = MaybeUninit::new(ptr::dangling_mut());
        let failing = || Err(Error::new(ErrorKind::Busy, "busy").into());
        let (code, text) = outcome(|err| make_alone::<CString>(Some(&mut out), err, failing));
        assert_eq!((code, text.as_str()), (code_of(ErrorKind::Busy), "busy"));
        // SAFETY: every call stores something.
        assert!(unsafe { out.assume_init() }.is_null());
        let (code, text) = outcome(|err| make_alone(None, err, || Ok(c_text("x"))));
        assert_eq!((code, text.as_str()), (TINYCI_INVALID_ARG, "`out` is NULL"));
        let thing = Thing::new(Vec::new());
        assert_eq!(
            outcome(|err| act(Some(&thing), err, |_| Ok(Completion::Done))),
            (0, String::new())
        );
    }

    #[test]
    fn deep_work_has_room_and_a_handle_that_is_taken_is_gone() {
        fn depth(number: u32) -> u32 {
            let room = std::hint::black_box([number; 256]);
            if number == 0 { room[0] } else { depth(number - 1) + 1 }
        }
        let thing = Thing::new(Vec::new());
        let small = std::thread::Builder::new().stack_size(64 << 10).spawn(move || {
            outcome(|err| {
                act(Some(&thing), err, |_| {
                    assert_eq!(depth(10_000), 10_000);
                    Ok(Completion::Done)
                })
            })
        });
        assert!(small.is_ok_and(|thread| thread.join().is_ok_and(|(code, _)| code == 0)));
        let taken = Box::new(Thing::new(vec![1, 2]));
        let (code, _) = outcome(|err| {
            consume(Some(taken), err, |numbers| {
                assert_eq!(numbers, [1, 2]);
                Ok(())
            })
        });
        assert_eq!(code, TINYCI_OK);
    }
}
