//! What jobs kept: listed, and copied to a directory.

use std::{ffi::c_char, mem::MaybeUninit};

use super::{
    cancel::tinyci_cancel,
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard,
    handle::optional,
    status::tinyci_code,
    text::{CText, c_text},
};
use crate::{
    CancelToken, Error, ErrorKind,
    artifact::{ArtifactOptions, ArtifactWriter},
};

/// How `tinyci_artifacts_copy` writes files.
pub type ArtifactsFlags = u32;

/// Replace files that exist.
pub const TINYCI_ARTIFACTS_FORCE: ArtifactsFlags = 1;

/// Lists the files that a job kept with `artifact`: what `tinyci artifacts --json` prints. A build
/// that was removed has no files anymore, which `place` says; its record still lists them.
///
/// @param engine  The engine.
/// @param rev     The commit, in any of git's revision syntax.
/// @param job     The job's id; NULL for the newest job of the commit that kept anything.
/// @param paths   Paths of files or directories and globs, one a line; NULL for everything.
/// @param out     Where the JSON is stored, one line without its end, to be freed with
///                `tinyci_string_free`; NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit, a commit or job that
///         kept nothing, and a path that matches nothing; `TINYCI_INVALID_ARG` for a path that is not
///         valid; `TINYCI_GIT` if the records cannot be read.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_artifacts_json(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    job: CText<'_>,
    paths: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let options = options(rev, job, paths)?;
        Ok(c_text(&opened.engine.artifacts(&options)?.to_json()))
    })
}

/// Copies files that a job kept to a directory, also from a packed build. Each file is checked
/// against the record, and written whole or not at all; nothing is written outside the directory.
///
/// @param engine  The engine.
/// @param rev     The commit, in any of git's revision syntax.
/// @param job     The job's id; NULL for the newest job of the commit that kept anything.
/// @param paths   Paths of files or directories and globs, one a line; NULL for everything.
/// @param dir     The directory, which is made if it does not exist.
/// @param flags   0 or `TINYCI_ARTIFACTS_FORCE`.
/// @param cancel  What can stop it from another thread; NULL for nothing.
/// @param report  Where the list of the copied files is stored, as `tinyci_artifacts_json` has it, to
///                be freed with `tinyci_string_free`, or NULL.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; as `tinyci_artifacts_json`, and `TINYCI_NOT_FOUND` if the build was removed;
///         `TINYCI_INVALID_ARG` for a file that exists, and for a record whose paths lead elsewhere:
///         then nothing is written; `TINYCI_IO` for a file that cannot be read or written, or is not
///         what the job kept; `TINYCI_CANCELED`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_artifacts_copy(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    job: CText<'_>,
    paths: CText<'_>,
    dir: CText<'_>,
    flags: ArtifactsFlags,
    cancel: Option<&tinyci_cancel>,
    report: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::tell(engine, report, err, |opened| {
        if flags & !TINYCI_ARTIFACTS_FORCE != 0 {
            let message = format!("{flags} is neither 0 nor TINYCI_ARTIFACTS_FORCE");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        let never = CancelToken::new();
        let cancel = optional(cancel)?.unwrap_or(&never);
        let writer = ArtifactWriter::new(dir.path("dir")?);
        let writer = writer.force(flags & TINYCI_ARTIFACTS_FORCE != 0);
        let options = options(rev, job, paths)?;
        let list = opened.engine.copy_artifacts(&options, &writer, cancel)?;
        Ok(c_text(&list.to_json()))
    })
}

fn options(rev: CText<'_>, job: CText<'_>, paths: CText<'_>) -> Result<ArtifactOptions, Failure> {
    let mut options = ArtifactOptions::new(rev.required("rev")?);
    options.job_id = job.optional("job")?.map(str::to_owned);
    let paths = paths.optional("paths")?.unwrap_or_default().lines();
    options.paths = paths.filter(|path| !path.is_empty()).map(str::to_owned).collect();
    Ok(options)
}
