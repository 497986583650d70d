//! [`tinyci_records`]: a list of records, of one run or from a query.

use std::mem::MaybeUninit;

use super::{
    code::tinyci_code,
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard::{self, Step},
    handle::{Handle, Sealed, handle, optional},
    outcome::{OutcomeNumber, outcome_of},
    record::tinyci_record,
    selection::tinyci_selection,
};
use crate::{Error, ErrorKind, Record, RecordFilter, Selection, selection::Selector};

/// A list of records, read one by one. You own it. Its records are valid as long as the list.
pub struct tinyci_records(Sealed<RecordListHandle>);

handle!(tinyci_records, RecordListHandle, "records");

/// The records, and the index of the next one.
pub struct RecordListHandle {
    records: Vec<tinyci_record>,
    next: usize,
}

impl tinyci_records {
    pub(super) fn of(records: Vec<Record>) -> Self {
        let records = records.into_iter().map(tinyci_record::of).collect();
        tinyci_records::new(RecordListHandle { records, next: 0 })
    }
}

/// Turns a selection into a filter of records.
fn filter(selection: &Selection) -> Result<RecordFilter, Error> {
    let mut filter = RecordFilter::new();
    for target in &selection.selectors {
        filter = match target {
            Selector::Revision(revision) => filter.revision(revision),
            Selector::Range(range) => filter.range(range),
            _ => {
                let message = "cannot query records by pushed refs: expected revisions or ranges";
                return Err(Error::new(ErrorKind::InvalidArg, message));
            }
        };
    }
    Ok(filter)
}

/// Reads the records of earlier jobs: for each commit the record of its verdict, newest commit
/// first.
///
/// @param engine     The engine.
/// @param selection  Revisions or ranges; NULL for all commits that are reachable from a selected
///                   ref.
/// @param outcome    Only records with this outcome, one of `TINYCI_OUTCOME_*`; 0 for all.
/// @param limit      The maximum number of records; 0 for all.
/// @param out        Where to store the records; free them with `tinyci_records_free`. NULL on an
///                   error.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK`, also if there are none; `TINYCI_NOT_FOUND` if there is no such commit;
///         `TINYCI_INVALID_ARG` for an unknown outcome, and for a selection of pushed refs.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_records_query(
    engine: Option<&tinyci_engine>,
    selection: Option<&tinyci_selection>,
    outcome: OutcomeNumber,
    limit: usize,
    out: Option<&mut MaybeUninit<*mut tinyci_records>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let mut filter = match optional(selection)? {
            Some(handle) => filter(&handle.selection)?,
            None => RecordFilter::new(),
        };
        if outcome != 0 {
            filter = filter.outcome(known_outcome(outcome)?);
        }
        if limit != 0 {
            filter = filter.limit(limit);
        }
        Ok(tinyci_records::of(opened.engine.records(&filter)?))
    })
}

fn known_outcome(number: i32) -> Result<crate::Outcome, Failure> {
    outcome_of(number).ok_or_else(|| {
        let message = format!("invalid `outcome` {number}: expected one of TINYCI_OUTCOME_*");
        Error::new(ErrorKind::InvalidArg, message).into()
    })
}

/// Returns the next record of a list.
///
/// @param records  The records.
/// @param out      Where to store the record. It belongs to `records`: do not free it. NULL if
///                 there is none.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_DONE` after the last record.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_records_next(
    records: Option<&mut tinyci_records>,
    out: Option<&mut MaybeUninit<*const tinyci_record>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::step(records, out, err, |list| {
        let Some(record) = list.records.get(list.next) else { return Ok(Step::Done) };
        list.next += 1;
        Ok(Step::Item(&raw const *record))
    })
}

/// Frees a list and its records.
///
/// @param records  The records, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_records_free(records: Option<Box<tinyci_records>>) {
    guard::free(records);
}
