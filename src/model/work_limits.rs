//! Limits work of tinyci whose length depends on input: by cancellation, and by a deadline.
//!
//! Loops over data from a repository, a config or a person call [`WorkLimits::check`] in each round, so
//! that every call ends in time.

use std::{fmt, time::Instant};

use super::{
    cancel::CancelView,
    error::{Error, ErrorKind},
};

/// The cancellation and the deadline of some work.
#[derive(Clone, Debug)]
pub(crate) struct WorkLimits {
    cancel: CancelView,
    deadline: Option<Instant>,
}

impl WorkLimits {
    /// Creates limits with this cancellation, and with this deadline if there is one.
    pub(crate) fn new(cancel: &CancelView, deadline: Option<Instant>) -> Self {
        Self { cancel: cancel.clone(), deadline }
    }

    /// Returns an error if the work must end now. `what` is the subject of the message.
    ///
    /// # Errors
    ///
    /// [`Canceled`](ErrorKind::Canceled) in both cases. [`is_late`](Self::is_late) distinguishes them.
    pub(crate) fn check(&self, what: impl FnOnce() -> String) -> Result<(), Error> {
        let ended: fmt::Arguments<'_> = if self.cancel.is_canceled() {
            format_args!("was canceled")
        } else if self.is_late() {
            format_args!("took longer than the time limit of the job")
        } else {
            return Ok(());
        };
        Err(Error::new(ErrorKind::Canceled, format!("{} {ended}", what())))
    }

    /// Returns true if the deadline has passed and the work was not canceled.
    pub(crate) fn is_late(&self) -> bool {
        !self.cancel.is_canceled() && self.deadline.is_some_and(|it| Instant::now() >= it)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::cancel::CancelToken;

    #[test]
    fn a_cancel_comes_before_a_deadline() {
        let token = CancelToken::new();
        let cancel = CancelView::new(&token, 1);
        let said = |limits: &WorkLimits| {
            limits.check(|| "the work".to_owned()).map_err(|error| error.message().to_owned())
        };
        let (free, late) =
            (WorkLimits::new(&cancel, None), WorkLimits::new(&cancel, Some(Instant::now())));
        assert_eq!(said(&free), Ok(()));
        assert_eq!(said(&late).unwrap_err(), "the work took longer than the time limit of the job");
        assert!(late.is_late());
        token.cancel();
        for limits in [free, late] {
            assert_eq!(said(&limits).unwrap_err(), "the work was canceled");
            assert!(!limits.is_late());
        }
    }
}
