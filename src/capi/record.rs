//! [`tinyci_record`]: the record of one job.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    sync::OnceLock,
};

use super::{
    guard,
    handle::{Handle, Sealed, handle},
    outcome::{OutcomeNumber, number_of},
    text::{borrowed, bytes_out, c_text, c_text_lossy},
    time::unix_ms,
};
use crate::{Record, executor::Exit, record::StepRecord};

/// The record of one job. It belongs to the records or to the event that it was taken from. It is
/// valid, with all pointers taken from it, as long as they are.
pub struct tinyci_record(Sealed<RecordHandle>);

handle!(tinyci_record, RecordHandle, "record");

/// The contents of a [`tinyci_record`]. JSON is created on first use.
pub struct RecordHandle {
    record: Record,
    commit: CString,
    branch: Option<CString>,
    reason: Option<CString>,
    steps: Vec<KeptStep>,
    json: OnceLock<CString>,
}

struct KeptStep {
    name: CString,
    error: Option<CString>,
}

impl tinyci_record {
    pub(super) fn of(record: Record) -> Self {
        let step = |step: &StepRecord| KeptStep {
            name: c_text(step.name.as_str()),
            error: step.error.as_deref().map(c_text),
        };
        tinyci_record::new(RecordHandle {
            commit: c_text(&record.commit.to_string()),
            branch: record.branch.as_ref().map(|branch| c_text_lossy(branch.as_bytes())),
            reason: record.reason.as_deref().map(c_text),
            steps: record.steps.iter().map(step).collect(),
            json: OnceLock::new(),
            record,
        })
    }
}

impl RecordHandle {
    fn step(&self, index: usize) -> Option<(&StepRecord, &KeptStep)> {
        self.record.steps.get(index).zip(self.steps.get(index))
    }
}

/// Returns the exit code of a step: that of the first command that failed, else that of the last
/// command.
fn exit_code(step: &StepRecord) -> i32 {
    let failed = step.failures.iter().find_map(|failure| failure.exit);
    match failed.or_else(|| step.commands.last().and_then(|command| command.exit)) {
        Some(Exit::Code(code)) => code,
        Some(Exit::Signal(signal)) => 128 + signal,
        Some(Exit::TimedOut | Exit::Canceled) | None => -1,
    }
}

/// Returns the commit of a record.
///
/// @param record  The record, or NULL.
/// @return The full id in hexadecimal digits, valid as long as the record; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_commit(record: Option<&tinyci_record>) -> *const c_char {
    guard::peek(record, |handle| borrowed(Some(&handle.commit)))
}

/// Returns the branch that the commit was tested for, without `refs/heads/`.
///
/// @param record  The record, or NULL.
/// @return The branch, valid as long as the record; U+FFFD replaces what is not UTF-8. NULL if
///         there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_branch(record: Option<&tinyci_record>) -> *const c_char {
    guard::peek(record, |handle| borrowed(handle.branch.as_ref()))
}

/// Returns the branch as git stores it, in any encoding.
///
/// @param record  The record, or NULL.
/// @param length  Where to store the number of bytes, or NULL.
/// @return The bytes without a final NUL, valid as long as the record; NULL, and length 0, if there
///         is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_branch_bytes(
    record: Option<&tinyci_record>,
    length: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    let handle = record.and_then(|record| record.sealed().get().ok());
    let branch = handle.and_then(|handle| handle.record.branch.as_ref());
    bytes_out(branch.map(|branch| branch.as_bytes()), length)
}

/// Returns the outcome of a job. To check for green, use `tinyci_record_passed`.
///
/// @param record  The record, or NULL.
/// @return One of `TINYCI_OUTCOME_*`, or a number that a later version adds; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_outcome(record: Option<&tinyci_record>) -> OutcomeNumber {
    guard::peek(record, |handle| number_of(handle.record.outcome))
}

/// Returns whether the commit is green. Use this to check whether it passed.
///
/// @param record  The record, or NULL.
/// @return 1 if it is green; 0 if not, and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_passed(record: Option<&tinyci_record>) -> i32 {
    guard::peek(record, |handle| i32::from(handle.record.passed()))
}

/// Returns the reason for the outcome if the steps do not contain it: an invalid config, a broken
/// executor, a cancellation.
///
/// @param record  The record, or NULL.
/// @return The reason, valid as long as the record; NULL if there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_reason(record: Option<&tinyci_record>) -> *const c_char {
    guard::peek(record, |handle| borrowed(handle.reason.as_ref()))
}

/// Returns when the job started.
///
/// @param record  The record, or NULL.
/// @return Milliseconds since 1970-01-01 00:00 UTC; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_started_ms(record: Option<&tinyci_record>) -> i64 {
    guard::peek(record, |handle| i64::try_from(unix_ms(handle.record.started)).unwrap_or(i64::MAX))
}

/// Returns how long the job took.
///
/// @param record  The record, or NULL.
/// @return Milliseconds on a monotonic clock; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_duration_ms(record: Option<&tinyci_record>) -> u64 {
    guard::peek(record, |handle| {
        u64::try_from(handle.record.duration.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Returns a record as the line of JSON that is stored in `refs/notes/runs/tinyci`.
///
/// Only the JSON contains every failure of a step. Each entry of `failures` has a `message` and, if
/// known, a `label`, its `place` in the script, the `command`, and how that ended.
///
/// @param record  The record, or NULL.
/// @return The JSON, valid as long as the record; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_json(record: Option<&tinyci_record>) -> *const c_char {
    guard::peek(record, |handle| {
        borrowed(Some(handle.json.get_or_init(|| c_text(&handle.record.to_json()))))
    })
}

/// Returns how many steps ran or were skipped.
///
/// @param record  The record, or NULL.
/// @return The number; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_step_count(record: Option<&tinyci_record>) -> usize {
    guard::peek(record, |handle| handle.steps.len())
}

/// Returns the name of a step.
///
/// @param record  The record, or NULL.
/// @param index   The index of the step, from 0, in the order in which they ran.
/// @return The name, such as `build`, valid as long as the record; NULL if there is no such step.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_step_name(
    record: Option<&tinyci_record>,
    index: usize,
) -> *const c_char {
    guard::peek(record, |handle| borrowed(handle.step(index).map(|(_, texts)| &texts.name)))
}

/// Returns the outcome of a step.
///
/// @param record  The record, or NULL.
/// @param index   The index of the step, from 0.
/// @return One of `TINYCI_OUTCOME_*`; 0 if there is no such step.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_step_outcome(
    record: Option<&tinyci_record>,
    index: usize,
) -> OutcomeNumber {
    guard::peek(record, |handle| handle.step(index).map_or(0, |(step, _)| number_of(step.outcome)))
}

/// Returns the exit code of a step: that of the command that failed, else that of the last command.
///
/// @param record  The record, or NULL.
/// @param index   The index of the step, from 0.
/// @return The exit code; 128 plus the signal number if a signal ended the command; -1 if there is
///         no such step or no command ended by itself. 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_step_exit_code(
    record: Option<&tinyci_record>,
    index: usize,
) -> i32 {
    guard::peek(record, |handle| handle.step(index).map_or(-1, |(step, _)| exit_code(step)))
}

/// Returns why a step failed or was skipped, if its commands do not show it: a refusal, a
/// placeholder that could not be replaced, an error in a script. For a skipped step, it begins with
/// `skipped: `.
///
/// @param record  The record, or NULL.
/// @param index   The index of the step, from 0.
/// @return The reason, valid as long as the record; NULL if there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_step_error(
    record: Option<&tinyci_record>,
    index: usize,
) -> *const c_char {
    guard::peek(record, |handle| {
        borrowed(handle.step(index).and_then(|(_, texts)| texts.error.as_ref()))
    })
}
