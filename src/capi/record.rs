//! [`tinyci_record`]: what remains of one attempt at one commit.

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

/// What remains of one attempt at one commit. It belongs to the records, or to the event, that it
/// was taken from, and lives as long as they do, with all pointers taken from it.
pub struct tinyci_record(Sealed<RecordHandle>);

handle!(tinyci_record, RecordHandle, "record");

/// What is behind it. JSON is made when it is asked for.
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

/// How the last command of a step ended: where one failed it is that one, also if others ran beside it.
fn exit_code(step: &StepRecord) -> i32 {
    let failed = step.failures.iter().find_map(|failure| failure.exit);
    match failed.or_else(|| step.commands.last().and_then(|command| command.exit)) {
        Some(Exit::Code(code)) => code,
        Some(Exit::Signal(signal)) => 128 + signal,
        Some(Exit::TimedOut | Exit::Canceled) | None => -1,
    }
}

/// The commit.
///
/// @param record  The record, or NULL.
/// @return The full id in hexadecimal digits, which lives as long as the record; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_commit(record: Option<&tinyci_record>) -> *const c_char {
    guard::peek(record, |kept| borrowed(Some(&kept.commit)))
}

/// The branch that the commit was judged for. What is not UTF-8 in it comes as U+FFFD.
///
/// @param record  The record, or NULL.
/// @return The branch's short name, which lives as long as the record; NULL where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_branch(record: Option<&tinyci_record>) -> *const c_char {
    guard::peek(record, |kept| borrowed(kept.branch.as_ref()))
}

/// The branch's own bytes.
///
/// @param record  The record, or NULL.
/// @param length  Where the number of bytes is stored, or NULL.
/// @return The bytes, which live as long as the record; NULL, and length 0, where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_branch_bytes(
    record: Option<&tinyci_record>,
    length: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    let kept = record.and_then(|record| record.sealed().get().ok());
    let branch = kept.and_then(|kept| kept.record.branch.as_ref());
    bytes_out(branch.map(|branch| branch.as_bytes()), length)
}

/// What became of the commit.
///
/// @param record  The record, or NULL.
/// @return One of `TINYCI_OUTCOME_*`, or a number that a later version knows; 0 for NULL. To tell
///         green from everything else use `tinyci_record_passed`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_outcome(record: Option<&tinyci_record>) -> OutcomeNumber {
    guard::peek(record, |kept| number_of(kept.record.outcome))
}

/// Whether the commit is green: the one test for it.
///
/// @param record  The record, or NULL.
/// @return 1 if it is, 0 for everything else and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_passed(record: Option<&tinyci_record>) -> i32 {
    guard::peek(record, |kept| i32::from(kept.record.passed()))
}

/// Why, where the steps do not say it: an invalid config, a broken executor, a cancel.
///
/// @param record  The record, or NULL.
/// @return The text, which lives as long as the record; NULL where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_reason(record: Option<&tinyci_record>) -> *const c_char {
    guard::peek(record, |kept| borrowed(kept.reason.as_ref()))
}

/// When the attempt began.
///
/// @param record  The record, or NULL.
/// @return Milliseconds since 1970-01-01 00:00 UTC; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_started_ms(record: Option<&tinyci_record>) -> i64 {
    guard::peek(record, |kept| i64::try_from(unix_ms(kept.record.started)).unwrap_or(i64::MAX))
}

/// How long the attempt took.
///
/// @param record  The record, or NULL.
/// @return Milliseconds on a clock that is never set back; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_duration_ms(record: Option<&tinyci_record>) -> u64 {
    guard::peek(record, |kept| u64::try_from(kept.record.duration.as_millis()).unwrap_or(u64::MAX))
}

/// All of it, as the line of JSON that `refs/notes/runs/tinyci` keeps.
///
/// It alone has everything that failed: `steps` have `failures`, each with its `message` and, if they
/// are known, its `label`, its `place` in the script, its `command` and how that ended.
///
/// @param record  The record, or NULL.
/// @return The JSON, which lives as long as the record; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_json(record: Option<&tinyci_record>) -> *const c_char {
    guard::peek(record, |kept| {
        borrowed(Some(kept.json.get_or_init(|| c_text(&kept.record.to_json()))))
    })
}

/// How many phases and hooks ran, or were skipped.
///
/// @param record  The record, or NULL.
/// @return Their number; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_step_count(record: Option<&tinyci_record>) -> usize {
    guard::peek(record, |kept| kept.steps.len())
}

/// The name of a step.
///
/// @param record  The record, or NULL.
/// @param index   Which step, from 0, in the order in which they ran.
/// @return Its name, such as `build`, which lives as long as the record; NULL where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_step_name(
    record: Option<&tinyci_record>,
    index: usize,
) -> *const c_char {
    guard::peek(record, |kept| borrowed(kept.step(index).map(|(_, texts)| &texts.name)))
}

/// What became of a step.
///
/// @param record  The record, or NULL.
/// @param index   Which step, from 0.
/// @return One of `TINYCI_OUTCOME_*`; 0 where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_step_outcome(
    record: Option<&tinyci_record>,
    index: usize,
) -> OutcomeNumber {
    guard::peek(record, |kept| kept.step(index).map_or(0, |(step, _)| number_of(step.outcome)))
}

/// How the last command of a step ended, which is the one that failed if one did.
///
/// @param record  The record, or NULL.
/// @param index   Which step, from 0.
/// @return The exit code; 128 and the signal's number where a signal ended it, as a shell has it; -1
///         where no command ended by itself. 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_step_exit_code(
    record: Option<&tinyci_record>,
    index: usize,
) -> i32 {
    guard::peek(record, |kept| kept.step(index).map_or(-1, |(step, _)| exit_code(step)))
}

/// Why a step failed or was skipped, where no command says it: a host's refusal, a tag that could
/// not be filled in, the error of a script. Of a step that was skipped it begins with `skipped: `.
///
/// @param record  The record, or NULL.
/// @param index   Which step, from 0.
/// @return The text, which lives as long as the record; NULL where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_record_step_error(
    record: Option<&tinyci_record>,
    index: usize,
) -> *const c_char {
    guard::peek(record, |kept| {
        borrowed(kept.step(index).and_then(|(_, texts)| texts.error.as_ref()))
    })
}
