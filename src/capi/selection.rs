//! [`tinyci_selection`]: the commits that a call is about.

use std::time::Duration;

use super::{
    code::tinyci_code,
    error::{ErrorOut, Failure},
    guard,
    handle::{Sealed, handle, optional, required},
    pipeline::tinyci_pipeline,
    text::CText,
};
use crate::{
    Error, ErrorKind, RecordFilter, Selection,
    selection::{RefUpdate, Selector, Wait},
};

/// The commits that a call is about. If you pass NULL for a selection, that is all pending commits.
///
/// You own it. Calls that use it copy it.
pub struct tinyci_selection(Sealed<SelectionHandle>);

handle!(tinyci_selection, SelectionHandle, "selection");

/// The contents of a [`tinyci_selection`].
#[derive(Clone, Default)]
pub struct SelectionHandle {
    pub(super) selection: Selection,
    /// The assumed output of commands in plans: pairs of a glob and the output.
    pub(super) assumptions: Vec<(String, String)>,
}

/// Returns the selection of a call; all pending commits for NULL.
pub(super) fn selection_of(selection: Option<&tinyci_selection>) -> Result<Selection, Failure> {
    let given = optional(selection)?.map(|it| it.selection.clone());
    Ok(given.unwrap_or_else(Selection::pending))
}

/// Returns a filter for the records of the named commits; of all commits if none is named.
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

/// Creates a selection of all pending commits.
///
/// @return The selection; free it with `tinyci_selection_free`. NULL only if out of memory.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_new() -> *mut tinyci_selection {
    guard::fresh(SelectionHandle::default)
}

/// Adds one commit. A commit that you name is tested even if it is below the baseline or no
/// selected ref reaches it.
///
/// @param selection  The selection.
/// @param revision   The commit, in any git revision syntax: `HEAD`, `main~3`, a tag, a short id.
///                   Copied, and resolved when the selection is used.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
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
/// @param range      The range in git's syntax, such as `v1.0..main`. Copied, and resolved when the
///                   selection is used.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
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

/// Adds a ref that was pushed: the three parts of one line that git passes to a `post-receive`
/// hook.
///
/// @param selection  The selection.
/// @param old_id     The full id before the push; forty zeros for a new ref.
/// @param new_id     The full id after the push; forty zeros for a deleted ref.
/// @param ref_name   The full name of the ref, in any encoding.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
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
            let message = "invalid ref update: a line break in an id or in the ref name";
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        add_updates(&mut selection.selection, &line)
    })
}

/// Adds the standard input of a `post-receive` hook: lines of `old new ref`. The pushed refs
/// determine whose verdicts the caller waits for. The run itself tests the pending commits of all
/// selected refs.
///
/// @param selection  The selection.
/// @param text       The lines. Copied.
/// @param length     The length of `text` in bytes.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` with the number of the first invalid line. On an
///         error, nothing is added.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_add_hook_lines(
    selection: Option<&mut tinyci_selection>,
    text: CText<'_>,
    length: usize,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(selection, err, |selection| {
        add_updates(&mut selection.selection, text.of_length(length, "text")?)
    })
}

/// Adds a push option: `git push -o OPTION`. git passes push options to a `post-receive` hook in
/// `GIT_PUSH_OPTION_*`.
///
/// With `ci.skip`, the pushed commits get the verdict `skipped`, unless they already have a verdict
/// or a job of theirs has begun.
///
/// @param selection  The selection.
/// @param option     The option. Unknown options are ignored. Copied.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
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

/// Sets what a call does if another run is active in the same repository.
///
/// @param selection  The selection.
/// @param wait_ms    0, the default: return `TINYCI_BUSY` at once; the other run checks for new
///                   commits before it ends, so none is missed. Above 0: follow the other run for
///                   at most this many milliseconds, or until the selected commits have a verdict.
///                   -1: follow it without a time limit.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` for a number below -1.
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

/// Converts a number of milliseconds; -1 waits without a limit.
pub(super) fn wait_of(wait_ms: i64) -> Result<Wait, Failure> {
    match wait_ms {
        -1 => Ok(Wait::Forever),
        0 => Ok(Wait::Never),
        _ => {
            let invalid = |_| {
                let message = format!("invalid `wait_ms` {wait_ms}: expected -1 or more");
                Error::new(ErrorKind::InvalidArg, message)
            };
            Ok(Wait::AtMost(Duration::from_millis(u64::try_from(wait_ms).map_err(invalid)?)))
        }
    }
}

/// Sets whether to test named commits again that have a verdict, and all commits that are out of
/// attempts.
///
/// @param selection  The selection.
/// @param retry      0 for no, the default; any other number for yes.
/// @param err        Where to store the error, or NULL.
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

/// Sets whether a retry may replace the build of a commit that is deployed. Without it, tinyci
/// refuses such a retry.
///
/// @param selection     The selection.
/// @param replace_live  0 for no, the default; any other number for yes.
/// @param err           Where to store the error, or NULL.
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

/// Sets whether to include commits below the baseline: history from before tinyci was installed.
///
/// @param selection    The selection.
/// @param all_history  0 for no, the default; any other number for yes.
/// @param err          Where to store the error, or NULL.
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

/// Tests every selected commit with this pipeline instead of its own config. The verdict is
/// recorded like any other.
///
/// @param selection  The selection.
/// @param pipeline   The pipeline. Copied.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`, also for a null pointer. This keeps commits from
///         being tested with the wrong pipeline if a pipeline could not be read.
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

/// Assumes the output of a command. Plans run no commands: if a script of a named commit asks for
/// the output of one, the plan uses the assumed output. Only `tinyci_plan_json` uses assumptions.
///
/// @param selection  The selection.
/// @param command    A glob that matches the command as one line, such as `git describe*`. The
///                   first match applies. Copied.
/// @param output     The output of the command. Copied.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
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

/// Returns the assumed output of a command.
pub(super) fn assumption(
    command: CText<'_>,
    output: CText<'_>,
) -> Result<(String, String), Failure> {
    Ok((command.required("command")?.to_owned(), output.required("output")?.to_owned()))
}

/// Frees a selection.
///
/// @param selection  The selection, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_selection_free(selection: Option<Box<tinyci_selection>>) {
    guard::free(selection);
}
