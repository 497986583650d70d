//! [`tinyci_pipeline`]: the steps of a config.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
};

use super::{
    code::tinyci_code,
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard,
    handle::{Handle, Sealed, handle, optional},
    text::{CText, borrowed, c_text},
};
use crate::{Error, ErrorKind, Format, Pipeline};

/// A pipeline: the steps that one config defines, in the order in which they run. You own it. It
/// depends on no other object.
pub struct tinyci_pipeline(Sealed<PipelineText>);

handle!(tinyci_pipeline, PipelineText, "pipeline");

/// A pipeline, and its strings for C.
pub(super) struct PipelineText {
    pub(super) pipeline: Pipeline,
    step_names: Vec<CString>,
}

impl PipelineText {
    fn new(pipeline: Pipeline) -> Self {
        let step_names = pipeline.steps().map(|step| c_text(step.name.as_str())).collect();
        Self { pipeline, step_names }
    }
}

/// The language of a config.
pub type FormatNumber = i32;

/// The config is YAML, as in `.tinyci.yml`.
pub const TINYCI_FORMAT_YAML: FormatNumber = 1;
/// The config is a script, as in `.tinyci.rhai`.
pub const TINYCI_FORMAT_RHAI: FormatNumber = 2;

/// Returns the format that has this number.
pub(super) fn format_of(number: i32) -> Result<Format, Failure> {
    match number {
        TINYCI_FORMAT_YAML => Ok(Format::Yaml),
        TINYCI_FORMAT_RHAI => Ok(Format::Rhai),
        _ => {
            let message = format!("invalid `format` {number}: expected one of TINYCI_FORMAT_*");
            Err(Error::new(ErrorKind::InvalidArg, message).into())
        }
    }
}

/// Reads the pipeline from the config of a commit.
///
/// @param engine    The engine.
/// @param revision  The commit, in any git revision syntax.
/// @param out       Where to store the pipeline; free it with `tinyci_pipeline_free`. NULL on an
///                  error.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if there is no such commit or it has no config;
///         `TINYCI_CONFIG` or `TINYCI_SCRIPT` with file, line and column if the config is not
///         valid.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_load(
    engine: Option<&tinyci_engine>,
    revision: CText<'_>,
    out: Option<&mut MaybeUninit<*mut tinyci_pipeline>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let pipeline = opened.engine.pipeline(revision.required("revision")?)?;
        Ok(tinyci_pipeline::new(PipelineText::new(pipeline)))
    })
}

/// Reads a pipeline from a string instead of a commit.
///
/// @param engine  The engine whose functions a script can call. Its imports are relative to the
///                path that the engine was opened with. NULL for no functions and no imports; YAML
///                needs neither.
/// @param text    The config, in UTF-8.
/// @param length  The length of `text` in bytes.
/// @param format  One of `TINYCI_FORMAT_*`.
/// @param name    The file name that errors show, such as `nightly.yml`.
/// @param out     Where to store the pipeline; free it with `tinyci_pipeline_free`. NULL on an
///                error.
/// @param err     Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_CONFIG` or `TINYCI_SCRIPT` with file, line and column if the config
///         is not valid; `TINYCI_UNSUPPORTED` for a script if the library was built without
///         scripts; `TINYCI_INVALID_ARG`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_parse(
    engine: Option<&tinyci_engine>,
    text: CText<'_>,
    length: usize,
    format: FormatNumber,
    name: CText<'_>,
    out: Option<&mut MaybeUninit<*mut tinyci_pipeline>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make_alone(out, err, || {
        let (format, name) = (format_of(format)?, name.required("name")?);
        let text = text.of_length(length, "text")?;
        let pipeline = match optional(engine)? {
            Some(opened) => opened.checker().parse(text, format, name)?,
            None => Pipeline::parse(text, format, name)?,
        };
        Ok(tinyci_pipeline::new(PipelineText::new(pipeline)))
    })
}

/// Returns how many steps a pipeline has.
///
/// @param pipeline  The pipeline, or NULL.
/// @return The number; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_step_count(pipeline: Option<&tinyci_pipeline>) -> usize {
    guard::peek(pipeline, |pipeline| pipeline.step_names.len())
}

/// Returns the name of a step, such as `before_build` or `build`.
///
/// @param pipeline  The pipeline, or NULL.
/// @param index     The index of the step, from 0, in the order in which they run.
/// @return The name, valid as long as the pipeline; NULL if there is no such step.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_step_name(
    pipeline: Option<&tinyci_pipeline>,
    index: usize,
) -> *const c_char {
    guard::peek(pipeline, |pipeline| borrowed(pipeline.step_names.get(index)))
}

/// Converts a pipeline to an equivalent script: the output of `tinyci convert`.
///
/// @param pipeline  The pipeline, which must be YAML.
/// @param out       Where to store the script; free it with `tinyci_string_free`. NULL on an error.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_CONFIG` with line and column for a placeholder or a pattern that
///         scripts do not support; `TINYCI_INVALID_ARG` for a pipeline that is already a script.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_to_rhai(
    pipeline: Option<&tinyci_pipeline>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(pipeline, out, err, |pipeline| Ok(c_text(&pipeline.pipeline.to_rhai()?)))
}

/// Frees a pipeline.
///
/// @param pipeline  The pipeline, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_free(pipeline: Option<Box<tinyci_pipeline>>) {
    guard::free(pipeline);
}
