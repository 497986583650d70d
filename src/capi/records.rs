//! [`tinyci_records`]: a list of records, of one run or asked for.

use std::mem::MaybeUninit;

use super::{
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard::{self, Step},
    handle::{Handle, Sealed, handle, optional},
    outcome::{OutcomeNumber, outcome_of},
    record::tinyci_record,
    selection::tinyci_selection,
    status::tinyci_code,
};
use crate::{Error, ErrorKind, Record, RecordFilter, Selection, selection::Selector};

/// A list of records. Owned by the host; its records live as long as it does.
pub struct tinyci_records(Sealed<RecordListHandle>);

handle!(tinyci_records, RecordListHandle, "records");

/// The records, and how many were given out.
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

/// What a selection means where records are asked for.
fn filter(selection: &Selection) -> Result<RecordFilter, Error> {
    let mut filter = RecordFilter::new();
    for target in &selection.selectors {
        filter = match target {
            Selector::Revision(revision) => filter.revision(revision),
            Selector::Range(range) => filter.range(range),
            _ => {
                let message = "records are asked for by revisions and ranges, not by pushed refs";
                return Err(Error::new(ErrorKind::InvalidArg, message));
            }
        };
    }
    Ok(filter)
}

/// Asks for what is kept of earlier runs: of each commit the record that its verdict rests on, the
/// newest commit first.
///
/// @param engine     The engine.
/// @param selection  Revisions or ranges; NULL for every commit that the selected refs reach.
/// @param outcome    Only records of this outcome, one of `TINYCI_OUTCOME_*`; 0 for all.
/// @param limit      At most so many records; 0 for all.
/// @param out        Where the list is stored, to be freed with `tinyci_records_free`; NULL on an
///                   error.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, also where there is none; `TINYCI_NOT_FOUND` for a revision that names no
///         commit; `TINYCI_INVALID_ARG` for an unknown outcome, or a selection of pushed refs.
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
        let message = format!("`outcome` is {number}, which is none of TINYCI_OUTCOME_*");
        Error::new(ErrorKind::InvalidArg, message).into()
    })
}

/// Gives the next record of a list.
///
/// @param records  The list.
/// @param out      Where the record is stored, which belongs to the list: do not free it; NULL where
///                 there is none.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_DONE` after the last.
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
/// @param records  The list, which is gone then, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_records_free(records: Option<Box<tinyci_records>>) {
    guard::free(records);
}
