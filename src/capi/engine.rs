//! [`tinyci_engine`]: one repository, opened.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    error::{ErrorOut, Failure},
    guard,
    handle::{Handle, Sealed, handle, optional},
    options::{Options, no_answer, tinyci_options},
    status::tinyci_code,
    text::{CText, borrowed, c_path, c_text, lines},
};
use crate::{Engine, EngineBuilder, Error, check::Checker};

/// One repository's continuous integration: finds the commits without a verdict, runs them, and
/// keeps what became of them in git notes.
///
/// Owned by the host. Runs and whatever else is made of it hold a reference of their own, so that
/// it can be freed at any time. It holds no lock and no open file between calls.
pub struct tinyci_engine(Sealed<Arc<Opened>>);

handle!(tinyci_engine, Arc<Opened>, "engine");

/// An engine with what is needed to make another one like it, whose hooks belong to one run.
pub(super) struct Opened {
    /// For everything that asks the host nothing.
    pub(super) engine: Engine,
    pub(super) options: Options,
    /// As it was given, but absolute: where the scripts that it checks import from.
    pub(super) path: PathBuf,
    c_path: CString,
}

impl Opened {
    fn new(
        path: &Path,
        options: Options,
        open: fn(EngineBuilder) -> Result<Engine, Error>,
    ) -> Result<Self, Failure> {
        options.mistake()?;
        let mut builder = with_functions(options.builder(path), &options);
        let path = builder.path().to_path_buf();
        // Plans tell of them.
        for hook in &options.hooks {
            builder = builder.hook(*hook, |_| Err("no run asks for this hook".into()));
        }
        let engine = open(builder)?;
        let c_path = c_path(engine.path());
        Ok(Self { engine, options, path, c_path })
    }

    /// A builder of the same engine, without what has to be asked for.
    pub(super) fn builder(&self) -> EngineBuilder {
        self.options.builder(&self.path)
    }

    /// A checker that knows which functions scripts can call.
    pub(super) fn checker(&self) -> Checker {
        self.engine.checker(&self.path)
    }
}

fn with_functions(builder: EngineBuilder, options: &Options) -> EngineBuilder {
    options.functions.iter().fold(builder, |builder, it| {
        builder.function(&it.name, it.args_min..=it.args_max, it.effect, &it.doc, no_answer)
    })
}

/// Opens exactly this repository: a bare one, the top of a work tree, or a `.git` folder.
///
/// @param path     The repository's path. A relative one is made absolute by this call: the engine
///                 stays that repository's wherever the process goes, and all that is made of it.
///                 The repository's settings are read now, and hold for this engine from here on.
/// @param options  What to set, which is copied; NULL for nothing.
/// @param out      Where the engine is stored, to be freed with `tinyci_engine_free`; NULL on an
///                 error.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_A_REPO`; `TINYCI_UNSUPPORTED` for SHA-256 and reftable
///         repositories; `TINYCI_INVALID_ARG` for the first mistake made in the options, or one in
///         the repository's own settings.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_engine_open(
    path: CText<'_>,
    options: Option<&tinyci_options>,
    out: Option<&mut MaybeUninit<*mut tinyci_engine>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make_alone(out, err, || {
        let options = optional(options)?.cloned().unwrap_or_default();
        let opened = Opened::new(path.path("path")?, options, EngineBuilder::open)?;
        Ok(tinyci_engine::new(Arc::new(opened)))
    })
}

/// Opens the repository that a directory is in: the nearest one at the directory or above it.
///
/// @param path     The directory. A relative path is made absolute by this call. Scripts that are
///                 not committed import from this directory.
/// @param options  What to set, which is copied; NULL for nothing.
/// @param out      Where the engine is stored, to be freed with `tinyci_engine_free`; NULL on an
///                 error.
/// @param err      Where the error is to be stored, or NULL.
/// @return As `tinyci_engine_open`; `TINYCI_NOT_A_REPO` if neither the directory nor one above it is
///         a repository.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_engine_discover(
    path: CText<'_>,
    options: Option<&tinyci_options>,
    out: Option<&mut MaybeUninit<*mut tinyci_engine>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make_alone(out, err, || {
        let options = optional(options)?.cloned().unwrap_or_default();
        let opened = Opened::new(path.path("path")?, options, EngineBuilder::discover)?;
        Ok(tinyci_engine::new(Arc::new(opened)))
    })
}

/// The folder that holds `builds/`: the bare repository, or the top of the main work tree.
///
/// @param engine  The engine, or NULL.
/// @return The path, which lives as long as the engine; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_engine_path(engine: Option<&tinyci_engine>) -> *const c_char {
    guard::peek(engine, |engine| borrowed(Some(&engine.c_path)))
}

/// Returns whether the repository is bare: one without a working tree.
///
/// @param engine  The engine, or NULL.
/// @return 1 if it is bare, 0 if it is not and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_engine_is_bare(engine: Option<&tinyci_engine>) -> i32 {
    guard::peek(engine, |opened| i32::from(opened.engine.is_bare()))
}

/// Gives the warnings about a repository, for a person to read: settings that tinyci does not know,
/// a repository that was moved, a path that placeholders cannot put into a command, and a directory
/// of builds that belongs to another repository.
///
/// @param engine  The engine.
/// @param out     Where the warnings are stored, each a line with its end, to be freed with
///                `tinyci_string_free`; the text is empty without warnings, NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, with and without warnings.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_engine_warnings(
    engine: Option<&tinyci_engine>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let engine = &opened.engine;
        let of_paths = [engine.path_warning(), engine.builds_warning()];
        let warnings = engine.warnings().iter().cloned().chain(of_paths.into_iter().flatten());
        Ok(lines(&warnings.collect::<Vec<_>>()))
    })
}

/// Returns the URL that pushes to a remote go to, as git's configuration has it.
///
/// @param engine  The engine.
/// @param remote  The remote's name; NULL for `origin`.
/// @param out     Where the URL is stored, to be freed with `tinyci_string_free`; NULL on an error.
/// @param err     Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_FOUND` if the repository has no such remote.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_remote_url(
    engine: Option<&tinyci_engine>,
    remote: CText<'_>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make(engine, out, err, |opened| {
        let remote = remote.optional("remote")?.unwrap_or("origin");
        Ok(c_text(&opened.engine.remote_url(remote)?))
    })
}

/// Frees an engine. What was made of it goes on.
///
/// @param engine  The engine, which is gone then, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_engine_free(engine: Option<Box<tinyci_engine>>) {
    guard::free(engine);
}
