//! [`tinyci_selection`]: which commits a host means.

use std::time::Duration;

use super::{
    error::{ErrorOut, Failure},
    guard,
    handle::{Sealed, handle, optional, required},
    pipeline::tinyci_pipeline,
    status::tinyci_code,
    text::CText,
};
use crate::{
    Error, ErrorKind, RecordFilter, Selection,
    selection::{RefUpdate, Selector, Wait},
};

/// Which commits to look at. Where a selection is asked for, NULL is all that is pending.
///
/// Owned by the host. What it is given to copies it.
pub struct tinyci_selection(Sealed<SelectionHandle>);

handle!(tinyci_selection, SelectionHandle, "selection");

/// What is behind it.
#[derive(Clone, Default)]
pub struct SelectionHandle {
    pub(super) selection: Selection,
    /// What plans take for the output of commands: globs over commands, and texts.
    pub(super) assumptions: Vec<(String, String)>,
}

/// The selection that a call is about: all that is pending without one.
pub(super) fn selection_of(selection: Option<&tinyci_selection>) -> Result<Selection, Failure> {
    let given = optional(selection)?.map(|it| it.selection.clone());
    Ok(given.unwrap_or_else(Selection::pending))
}

/// The records of what a selection names; of every commit where it names none.
pub(super) fn filter_of(selection: Option<&Selection>) -> RecordFilter {
    let targets = selection.map(|selection| selection.selectors.as_slice()).unwrap_or_default();
    targets.iter().fold(RecordFilter::new(), |filter, target| match target {
        Selector::Revision(revision) => filter.revision(revision),
        Selector::Range(range) => filter.range(range),
        Selector::RefUpdate(RefUpdate { old: Some(old), new: Some(new), .. }) => {
            filter.range(format!("{old}..{new}"))
        }
        Selector::RefUpdate(RefUpdate { new: Some(new), .. }) => filter.range(new.to_string()),
        Selector::RefUpdate(_) => filter,
    })
}

/// Makes a selection of all that is pending.
///
/// @return The selection, to be freed with `tinyci_selection_free`; NULL only where memory is short.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_new() -> *mut tinyci_selection {
    guard::fresh(SelectionHandle::default)
}

/// Adds one commit. What is named is due whatever refs and baseline say.
///
/// @param selection  The selection.
/// @param revision   The commit, in any of git's revision syntax: `HEAD`, `main~3`, a tag, a short
///                   id. Copied; looked up when the selection is used.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_add_revision(
    selection: Option<&mut tinyci_selection>,
    revision: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        let revision = revision.required("revision")?.to_owned();
        selection.selection.selectors.push(Selector::Revision(revision));
        Ok(())
    })
}

/// Adds the commits of a range.
///
/// @param selection  The selection.
/// @param range      The range in git's syntax, such as `v1.0..main`. Copied; looked up when the
///                   selection is used.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_add_range(
    selection: Option<&mut tinyci_selection>,
    range: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        selection.selection.selectors.push(Selector::Range(range.required("range")?.to_owned()));
        Ok(())
    })
}

/// Adds a ref that was pushed: one line of what git tells a `post-receive` hook, in three parts.
///
/// @param selection  The selection.
/// @param old_id     The full id that the ref had; forty zeros for a new ref.
/// @param new_id     The full id that it has now; forty zeros for a deleted one.
/// @param ref_name   The ref's full name, in any encoding.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_add_update(
    selection: Option<&mut tinyci_selection>,
    old_id: CText<'_>,
    new_id: CText<'_>,
    ref_name: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        let (old, new) = (old_id.required("old_id")?, new_id.required("new_id")?);
        let name = ref_name.bytes().ok_or_else(|| Failure::null("ref_name"))?;
        let line = [old.as_bytes(), new.as_bytes(), name].join(&b' ');
        if line.contains(&b'\n') {
            let message = "a ref's name and its ids hold no line break";
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        add_updates(&mut selection.selection, &line)
    })
}

/// Adds what a `post-receive` hook reads on its standard input: lines of `old new ref`. The pushed
/// refs say whose verdicts the caller waits for; the run covers all selected refs.
///
/// @param selection  The selection.
/// @param text       The lines. Copied.
/// @param len        Their length in bytes.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` with the number of the line that is not of that
///         form; nothing is added then.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_add_hook_lines(
    selection: Option<&mut tinyci_selection>,
    text: CText<'_>,
    len: usize,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        add_updates(&mut selection.selection, text.of_length(len, "text")?)
    })
}

/// Adds what was said with the push: `git push -o OPTION`, which git tells a `post-receive` hook in
/// `GIT_PUSH_OPTION_*`. `ci.skip` gives the commits that the push brought the verdict `skipped`, as
/// far as they have none and no job of theirs has begun.
///
/// @param selection  The selection.
/// @param option     The option. Copied. One that tinyci does not know means nothing.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_add_push_option(
    selection: Option<&mut tinyci_selection>,
    option: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        selection.selection.push_options.push(option.required("option")?.to_owned());
        Ok(())
    })
}

fn add_updates(selection: &mut Selection, lines: &[u8]) -> Result<(), Failure> {
    selection.selectors.extend(Selection::hook_lines(lines)?.selectors);
    Ok(())
}

/// Sets what a call does that meets another run in the same repository.
///
/// @param selection  The selection.
/// @param wait_ms    0 gives `TINYCI_BUSY` at once, which is how a selection begins; the other run
///                   looks again before it ends, so nothing is missed. Above 0, the call follows
///                   the other run for so many milliseconds at most, or until the selected commits
///                   have a verdict; -1 for as long as that takes.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` below -1.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_set_wait_ms(
    selection: Option<&mut tinyci_selection>,
    wait_ms: i64,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        selection.selection.wait = wait_of(wait_ms)?;
        Ok(())
    })
}

/// How long to wait: -1 for as long as it takes.
pub(super) fn wait_of(wait_ms: i64) -> Result<Wait, Failure> {
    match wait_ms {
        -1 => Ok(Wait::Forever),
        0 => Ok(Wait::Never),
        _ => {
            let invalid = |_| {
                let message = format!("`wait_ms` is {wait_ms}: it is -1, 0 or more");
                Error::new(ErrorKind::InvalidArg, message)
            };
            Ok(Wait::AtMost(Duration::from_millis(u64::try_from(wait_ms).map_err(invalid)?)))
        }
    }
}

/// Says whether commits that are named run again though they have a verdict, and any that are out
/// of attempts.
///
/// @param selection  The selection.
/// @param retry      0 for no, which is how a selection begins; anything else for yes.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_set_retry(
    selection: Option<&mut tinyci_selection>,
    retry: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        selection.selection.retry = retry != 0;
        Ok(())
    })
}

/// Lets a retry make the build anew of a commit that is deployed, in the place of what an environment
/// runs. Without it such a retry is refused.
///
/// @param selection     The selection.
/// @param replace_live  0 for no, which is how a selection begins; anything else for yes.
/// @param err           Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_set_replace_live(
    selection: Option<&mut tinyci_selection>,
    replace_live: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        selection.selection.replace_live = replace_live != 0;
        Ok(())
    })
}

/// Says whether to look under the baseline too, which holds what was there before tinyci.
///
/// @param selection    The selection.
/// @param all_history  0 for no, which is how a selection begins; anything else for yes.
/// @param err          Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_set_all_history(
    selection: Option<&mut tinyci_selection>,
    all_history: i32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        selection.selection.all_history = all_history != 0;
        Ok(())
    })
}

/// Judges every selected commit by this pipeline instead of its own config. What becomes of a
/// commit is its verdict as any other is.
///
/// @param selection  The selection.
/// @param pipeline   The pipeline. Copied.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`, for NULL too: nothing is to be run by the wrong
///         pipeline because another one could not be read.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_set_pipeline(
    selection: Option<&mut tinyci_selection>,
    pipeline: Option<&tinyci_pipeline>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        selection.selection.pipeline = Some(required(pipeline)?.pipeline.clone());
        Ok(())
    })
}

/// Assumes the output of a command: plans of named commits use it if a script asks for the output of
/// a command, since plans run nothing. Only `tinyci_plan_json` reads it.
///
/// @param selection  The selection.
/// @param command    A glob over the command, as one line, such as `git describe*`; the first that
///                   matches applies. Copied.
/// @param output     The output that the command is assumed to write. Copied.
/// @param err        Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_add_assumption(
    selection: Option<&mut tinyci_selection>,
    command: CText<'_>,
    output: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        selection.assumptions.push(assumption(command, output)?);
        Ok(())
    })
}

/// What a plan takes for the output of a command.
pub(super) fn assumption(
    command: CText<'_>,
    output: CText<'_>,
) -> Result<(String, String), Failure> {
    Ok((command.required("command")?.to_owned(), output.required("output")?.to_owned()))
}

/// Frees a selection.
///
/// @param selection  The selection, which is gone then, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_free(selection: Option<Box<tinyci_selection>>) {
    guard::free(selection);
}
