//! The one way in: what holds for every function is done here, once.
//!
//! | a function that | goes through |
//! |---|---|
//! | does something | [`act`], or [`tell`] where there is something to be said of it |
//! | makes something | [`make`], or [`make_alone`] where it has no handle |
//! | makes something that may not exist | [`find`] |
//! | sets something in a handle | [`set`] |
//! | gives the next of many | [`step`] |
//! | takes its handle for good | [`consume`] |
//! | looks something up | [`peek`], or [`answer`] where it has no handle |
//! | makes an empty handle | [`fresh`] |
//! | frees a handle | [`free`] |
//!
//! The first five run on a thread with a big stack, if what they do can be deep; the others only
//! move data, and stay far below 32 KiB.

use std::{
    any::Any,
    ffi::{CString, c_char},
    mem::MaybeUninit,
    panic::{AssertUnwindSafe, catch_unwind},
    ptr,
    sync::atomic::Ordering,
};

use super::{
    error::{ErrorOut, Failure},
    handle::{Handle, required},
    status::{TINYCI_AGAIN, TINYCI_DONE, TINYCI_OK, tinyci_code},
};
use crate::{
    Error, ErrorKind,
    util::threads::{on_big_thread, panic_text},
};

/// Where the host wants what a function makes.
type Out<'call, P> = Option<&'call mut MaybeUninit<P>>;

/// The place, holding NULL for now.
fn cleared<P: Nothing>(out: Out<'_, P>) -> Result<&mut P, Failure> {
    let place = out.ok_or_else(|| Failure::null("out"))?;
    Ok(place.write(P::NOTHING))
}

/// What an accessor returns where there is nothing: 0 or NULL.
pub(super) trait Nothing {
    const NOTHING: Self;
}

impl<T> Nothing for *const T {
    const NOTHING: Self = ptr::null();
}

impl<T> Nothing for *mut T {
    const NOTHING: Self = ptr::null_mut();
}

macro_rules! nothing_is_zero {
    ($($number:ty),*) => { $(impl Nothing for $number { const NOTHING: Self = 0 as $number; })* };
}
nothing_is_zero!(i32, i64, u32, u64, usize, f64);

/// What a function makes and the host owns from then on.
pub(super) trait Made {
    type Pointer: Nothing;
    fn into_pointer(self) -> Self::Pointer;
}

impl<H: Handle> Made for H {
    type Pointer = *mut H;

    fn into_pointer(self) -> *mut H {
        Box::into_raw(Box::new(self))
    }
}

impl Made for CString {
    type Pointer = *mut c_char;

    fn into_pointer(self) -> *mut c_char {
        self.into_raw()
    }
}

/// What a function finds that gives the next of many.
pub(super) enum Step<P> {
    Item(P),
    Done,
    Again,
}

/// What an act comes to: it is done, or it found nothing to do.
pub(super) enum Act {
    Done,
    Nothing,
}

/// Does something with a handle, on a big stack.
pub(super) fn act<H: Handle>(
    handle: Option<&H>,
    err: ErrorOut<'_>,
    work: impl FnOnce(&H::Value) -> Result<Act, Failure> + Send,
) -> tinyci_code
where
    H::Value: Sync,
{
    let result = entered(handle, |value| deep(|| work(value)));
    err.store(result.map(|act| match act {
        Act::Done => TINYCI_OK,
        Act::Nothing => TINYCI_DONE,
    }))
}

/// Does something with a handle, on a big stack, and tells of it where somebody listens.
pub(super) fn tell<H: Handle>(
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

/// Makes something of a handle, on a big stack.
pub(super) fn make<H: Handle, T: Made + Send>(
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

/// Makes something of a handle if it exists, on a big stack.
pub(super) fn find<H: Handle, T: Made + Send>(
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

/// Makes something without a handle, on a big stack.
pub(super) fn make_alone<T: Made + Send>(
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

/// Changes what a handle holds.
pub(super) fn set<H: Handle>(
    handle: Option<&mut H>,
    err: ErrorOut<'_>,
    work: impl FnOnce(&mut H::Value) -> Result<(), Failure>,
) -> tinyci_code {
    err.store(entered_mut(handle, work).map(|()| TINYCI_OK))
}

/// Gives the next of many, which the handle keeps.
pub(super) fn step<H: Handle, P: Nothing>(
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

/// Takes a handle for good, whatever comes of it.
pub(super) fn consume<H: Handle>(
    handle: Option<Box<H>>,
    err: ErrorOut<'_>,
    work: impl FnOnce(H::Value) -> Result<(), Failure>,
) -> tinyci_code {
    let value = handle.ok_or_else(|| Failure::null(H::NAME));
    let value = value.and_then(|handle| (*handle).into_sealed().take());
    err.store(value.and_then(|value| caught(|| work(value))).map(|()| TINYCI_OK))
}

/// Looks something up. A handle that cannot be used has nothing.
pub(super) fn peek<H: Handle, R: Nothing>(
    handle: Option<&H>,
    look: impl FnOnce(&H::Value) -> R,
) -> R {
    entered(handle, |value| Ok(look(value))).unwrap_or(R::NOTHING)
}

/// Answers a question that is about no handle.
pub(super) fn answer<R: Nothing>(look: impl FnOnce() -> R) -> R {
    caught(|| Ok(look())).unwrap_or(R::NOTHING)
}

/// Makes a handle that needs nothing to be made.
pub(super) fn fresh<H: Handle>(make: impl FnOnce() -> H::Value) -> *mut H {
    caught(|| Ok(H::new(make()))).map_or(ptr::null_mut(), Made::into_pointer)
}

/// Frees a handle. In a forked child it is left alone: what it holds, threads, locks and children,
/// is the parent's.
pub(super) fn free<H: Handle>(handle: Option<Box<H>>) {
    let Some(handle) = handle else { return };
    if handle.sealed().is_foreign() {
        std::mem::forget(handle);
        return;
    }
    // A panic of a destructor ends here; there is nobody to tell.
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

/// Does the work on a thread of ours, and waits for it.
fn deep<R: Send>(work: impl FnOnce() -> Result<R, Failure> + Send) -> Result<R, Failure> {
    on_big_thread("tinyci", work).map_err(|source| {
        let message = "cannot start a thread for the call";
        Error::new(ErrorKind::Spawn, message).with_source(source)
    })?
}

pub(super) fn panicked(panic: &(dyn Any + Send)) -> Failure {
    let message = format!("tinyci panicked, which is a fault of its own: {}", panic_text(panic));
    Error::new(ErrorKind::Panic, message).into()
}

#[cfg(test)]
mod tests {
    use std::mem::MaybeUninit;

    use super::*;
    use crate::capi::{
        handle::{Sealed, handle},
        status::{TINYCI_INVALID_ARG, TINYCI_PANIC, status_of},
        text::c_text,
    };

    struct Thing(Sealed<Vec<i32>>);
    handle!(Thing, Vec<i32>, "thing");

    /// What a call returned, and the error that it stored.
    fn outcome(call: impl FnOnce(ErrorOut<'_>) -> tinyci_code) -> (tinyci_code, String) {
        let mut place = MaybeUninit::new(ptr::dangling_mut());
        let status = call(ErrorOut::at(&mut place));
        (status, ErrorOut::taken(place).unwrap_or_default())
    }

    #[test]
    fn a_panic_is_an_error_and_the_handle_stays_failed() {
        let thing = Thing::new(vec![1]);
        let (status, text) = outcome(|err| act(Some(&thing), err, |_| panic!("at the disco")));
        assert_eq!(status, TINYCI_PANIC);
        assert!(text.contains("at the disco"), "{text}");
        let (status, text) = outcome(|err| act(Some(&thing), err, |_| Ok(Act::Done)));
        assert_eq!(status, TINYCI_PANIC);
        assert!(text.contains("can only be freed"), "{text}");
        assert_eq!(peek(Some(&thing), |numbers| numbers.len()), 0);
    }

    #[test]
    fn a_panic_of_a_setter_or_an_accessor_fails_the_handle_too() {
        let mut thing = Thing::new(Vec::new());
        let (status, _) = outcome(|err| set(Some(&mut thing), err, |_| panic!("no")));
        assert_eq!(status, TINYCI_PANIC);
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
        let (status, text) = outcome(|err| make_alone::<CString>(Some(&mut out), err, failing));
        assert_eq!((status, text.as_str()), (status_of(ErrorKind::Busy), "busy"));
        // SAFETY: every call stores something.
        assert!(unsafe { out.assume_init() }.is_null());
        let (status, text) = outcome(|err| make_alone(None, err, || Ok(c_text("x"))));
        assert_eq!((status, text.as_str()), (TINYCI_INVALID_ARG, "`out` is NULL"));
        let thing = Thing::new(Vec::new());
        assert_eq!(outcome(|err| act(Some(&thing), err, |_| Ok(Act::Done))), (0, String::new()));
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
                    Ok(Act::Done)
                })
            })
        });
        assert!(small.is_ok_and(|thread| thread.join().is_ok_and(|(status, _)| status == 0)));
        let taken = Box::new(Thing::new(vec![1, 2]));
        let (status, _) = outcome(|err| {
            consume(Some(taken), err, |numbers| {
                assert_eq!(numbers, [1, 2]);
                Ok(())
            })
        });
        assert_eq!(status, TINYCI_OK);
    }
}
