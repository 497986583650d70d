//! [`tinyci_pipeline`]: what a config says.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
};

use super::{
    engine::tinyci_engine,
    error::{ErrorOut, Failure},
    guard,
    handle::{Handle, Sealed, handle, optional},
    status::tinyci_code,
    text::{CText, borrowed, c_text},
};
use crate::{Error, ErrorKind, Format, Pipeline};

/// What one config says: phases and hooks, in the order of a run. Owned by the host; it belongs to
/// no other object.
pub struct tinyci_pipeline(Sealed<PipelineText>);

handle!(tinyci_pipeline, PipelineText, "pipeline");

/// A pipeline, and its texts as C reads them.
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

/// The language that a number stands for.
pub(super) fn format_of(number: i32) -> Result<Format, Failure> {
    match number {
        TINYCI_FORMAT_YAML => Ok(Format::Yaml),
        TINYCI_FORMAT_RHAI => Ok(Format::Rhai),
        _ => {
            let message = format!("{number} is not one of TINYCI_FORMAT_*");
            Err(Error::new(ErrorKind::InvalidArg, message).into())
        }
    }
}

/// Reads the pipeline that a commit's config asks for.
///
/// @param engine  The engine.
/// @param rev     The commit, in any of git's revision syntax.
/// @param out     Where the pipeline is stored, to be freed with `tinyci_pipeline_free`; NULL on an
///                error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` for a revision that names no commit, and where the
///         commit has no config; `TINYCI_CONFIG` or `TINYCI_SCRIPT` where it is not valid, with
///         file, line and column.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_load(
    engine: Option<&tinyci_engine>,
    rev: CText<'_>,
    out: Option<&mut MaybeUninit<*mut tinyci_pipeline>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let pipeline = opened.engine.pipeline(rev.required("rev")?)?;
        Ok(tinyci_pipeline::new(PipelineText::new(pipeline)))
    })
}

/// Reads a pipeline from a text that stands in no commit.
///
/// @param engine  Where a script imports from, and which functions it can call: the engine's path
///                as it was opened, and the functions of its options. NULL for nowhere and none;
///                YAML needs neither.
/// @param text    The text, in UTF-8.
/// @param len     Its length in bytes.
/// @param format  One of `TINYCI_FORMAT_*`.
/// @param name    What errors call it, such as `nightly.yml`.
/// @param out     Where the pipeline is stored, to be freed with `tinyci_pipeline_free`; NULL on an
///                error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_CONFIG` or `TINYCI_SCRIPT` where the text is not valid, with file,
///         line and column; `TINYCI_UNSUPPORTED` for scripts where the library was built without;
///         `TINYCI_INVALID_ARG`.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_parse(
    engine: Option<&tinyci_engine>,
    text: CText<'_>,
    len: usize,
    format: FormatNumber,
    name: CText<'_>,
    out: Option<&mut MaybeUninit<*mut tinyci_pipeline>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make_alone(out, err, || {
        let (format, name) = (format_of(format)?, name.required("name")?);
        let text = text.of_length(len, "text")?;
        let pipeline = match optional(engine)? {
            Some(opened) => opened.checker().parse(text, format, name)?,
            None => Pipeline::parse(text, format, name)?,
        };
        Ok(tinyci_pipeline::new(PipelineText::new(pipeline)))
    })
}

/// How many phases and hooks the pipeline has.
///
/// @param pipeline  The pipeline, or NULL.
/// @return The number; 0 for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_step_count(pipeline: Option<&tinyci_pipeline>) -> usize {
    guard::peek(pipeline, |pipeline| pipeline.step_names.len())
}

/// The name of one of the phases and hooks, such as `before_build` or `build`.
///
/// @param pipeline  The pipeline, or NULL.
/// @param index     Which one, from 0, in the order of a run.
/// @return The name, which lives as long as the pipeline; NULL where there is none.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_step_name(
    pipeline: Option<&tinyci_pipeline>,
    index: usize,
) -> *const c_char {
    guard::peek(pipeline, |pipeline| borrowed(pipeline.step_names.get(index)))
}

/// Writes a pipeline as a script that does the same: what `tinyci convert` prints.
///
/// @param pipeline  The pipeline, which was read from YAML.
/// @param out       Where the script is stored, to be freed with `tinyci_string_free`; NULL on an
///                  error.
/// @param err       Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_CONFIG`, with line and column, for a placeholder or a pattern that a
///         script cannot have; `TINYCI_INVALID_ARG` for a pipeline that is a script.
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
/// @param pipeline  The pipeline, which is gone then, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_pipeline_free(pipeline: Option<Box<tinyci_pipeline>>) {
    guard::free(pipeline);
}
