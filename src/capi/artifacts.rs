//! Artifacts: listing the files that jobs kept, and copying them to a directory.

use std::{ffi::c_char, mem::MaybeUninit};

use super::{
    cancel::tinyci_cancel,
    code::tinyci_code,
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard,
    handle::optional,
    text::{CText, c_text},
};
use crate::{
    CancelToken, Error, ErrorKind,
    artifact::{ArtifactOptions, ArtifactWriter},
};

/// How `tinyci_artifacts_copy` writes files.
pub type ArtifactsFlags = u32;

/// Replace existing files.
pub const TINYCI_ARTIFACTS_FORCE: ArtifactsFlags = 1;

/// Lists the files that a job kept with `artifact`: the output of `tinyci artifacts --json`. If the
/// build was removed, the record still lists its files, and `place` says that they no longer exist.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax.
/// @param job_id    The job id; NULL for the newest job of the commit that kept files.
/// @param paths     Paths of files or directories, and globs, one per line; NULL for all files.
/// @param out       Where to store the JSON, one line without a newline; free it with
///                  `tinyci_string_free`. NULL on an error.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit, the commit or job kept no
///         files, or a path matches none; `TINYCI_INVALID_ARG` for an invalid path; `TINYCI_GIT` if
///         the records cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_artifacts_json(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    job_id: CText<'_>,
    paths: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let options = options(revision, job_id, paths)?;
        Ok(c_text(&opened.engine.artifacts(&options)?.to_json()))
    })
}

/// Copies files that a job kept to a directory, also from a packed build. Each file is checked
/// against the record, and written completely or not at all. Nothing is written outside the
/// directory.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax.
/// @param job_id    The job id; NULL for the newest job of the commit that kept files.
/// @param paths     Paths of files or directories, and globs, one per line; NULL for all files.
/// @param dir       The directory, which is created if it does not exist.
/// @param flags     0 or `TINYCI_ARTIFACTS_FORCE`.
/// @param cancel    A token that stops the call from another thread; NULL for none.
/// @param report    Where to store the list of copied files, as in `tinyci_artifacts_json`, or
///                  NULL; free it with `tinyci_string_free`.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; the errors of `tinyci_artifacts_json`; `TINYCI_NOT_FOUND` if the build was
///         removed; `TINYCI_INVALID_ARG` for a file that exists, and for a record with a path
///         outside the directory, and then nothing is written; `TINYCI_IO` for a file that cannot
///         be read or written, or that differs from what the job kept; `TINYCI_CANCELED`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_artifacts_copy(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    job_id: CText<'_>,
    paths: CText<'_>,
    dir: CText<'_>,
    flags: ArtifactsFlags,
    cancel: Option<&tinyci_cancel>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::act_with_report(engine, report, err, |opened| {
        if flags & !TINYCI_ARTIFACTS_FORCE != 0 {
            let message = format!("invalid `flags` {flags}: expected 0 or TINYCI_ARTIFACTS_FORCE");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let never = CancelToken::new();
        let cancel = optional(cancel)?.unwrap_or(&never);
        let writer = ArtifactWriter::new(dir.path("dir")?);
        let writer = writer.force(flags & TINYCI_ARTIFACTS_FORCE != 0);
        let options = options(revision, job_id, paths)?;
        let list = opened.engine.copy_artifacts(&options, &writer, cancel)?;
        Ok(c_text(&list.to_json()))
    })
}

fn options(
    revision: CText<'_>,
    job_id: CText<'_>,
    paths: CText<'_>,
) -> Result<ArtifactOptions, Failure> {
    let mut options = ArtifactOptions::new(revision.required("revision")?);
    options.job_id = job_id.optional("job_id")?.map(str::to_owned);
    let paths = paths.optional("paths")?.unwrap_or_default().lines();
    options.paths = paths.filter(|path| !path.is_empty()).map(str::to_owned).collect();
    Ok(options)
}
