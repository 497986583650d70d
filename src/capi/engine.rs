//! [`tinyci_engine`]: an open repository.

use std::{
    ffi::{CString, c_char},
    mem::MaybeUninit,
    path::{Path, PathBuf},
    sync::Arc,
};

use super::{
    code::tinyci_code,
    error::{ErrorOut, Failure},
    guard,
    handle::{Handle, Sealed, handle, optional},
    options::{Options, no_answer, tinyci_options},
    text::{CText, borrowed, c_path, c_text, lines},
};
use crate::{Engine, EngineBuilder, Error, check::Checker};

/// An engine for one repository: it finds the commits without a verdict, tests them, and stores the
/// results in git notes.
///
/// You own it. Runs and other objects that you create from it keep it alive, so you may free it at
/// any time. Between calls, it holds no lock and no open file.
pub struct tinyci_engine(Sealed<Arc<Opened>>);

handle!(tinyci_engine, Arc<Opened>, "engine");

/// An engine, and what is needed to create another one whose callbacks belong to one run.
pub(super) struct Opened {
    /// Used by calls that do not send requests.
    pub(super) engine: Engine,
    pub(super) options: Options,
    /// The path that was passed, made absolute. Scripts that are not committed import from it.
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
        // Plans list them.
        for hook in &options.hooks {
            builder = builder.hook(*hook, |_| {
                Err("the host program answers this hook only during a run".into())
            });
        }
        let engine = open(builder)?;
        let c_path = c_path(engine.path());
        Ok(Self { engine, options, path, c_path })
    }

    /// Returns a builder of the same engine, without callbacks.
    pub(super) fn builder(&self) -> EngineBuilder {
        self.options.builder(&self.path)
    }

    /// Returns a checker that knows the registered functions.
    pub(super) fn checker(&self) -> Checker {
        self.engine.checker(&self.path)
    }
}

fn with_functions(builder: EngineBuilder, options: &Options) -> EngineBuilder {
    options.functions.iter().fold(builder, |builder, it| {
        builder.function(&it.name, it.args_min..=it.args_max, it.effect, &it.doc, no_answer)
    })
}

/// Opens the repository at a path: a bare repository, the top of a working tree, or a `.git`
/// directory. It does not search parent directories; `tinyci_engine_discover` does.
///
/// The call reads the repository's settings. Later changes of the settings do not affect this
/// engine.
///
/// @param path     The path of the repository. A relative path is made absolute by this call, so
///                 you may change the working directory later.
/// @param options  The options, which are copied; NULL for the defaults.
/// @param out      Where to store the engine; free it with `tinyci_engine_free`. NULL on an error.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_NOT_A_REPO`; `TINYCI_UNSUPPORTED` for SHA-256 and reftable
///         repositories; `TINYCI_INVALID_ARG` for the first mistake in the options or in the
///         repository's settings.
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

/// Opens the repository that contains a directory: the nearest one at the directory or above it.
///
/// @param path     The directory. A relative path is made absolute by this call. Scripts that are
///                 not committed import from this directory.
/// @param options  The options, which are copied; NULL for the defaults.
/// @param out      Where to store the engine; free it with `tinyci_engine_free`. NULL on an error.
/// @param err      Where to store the error, or NULL.
/// @return As for `tinyci_engine_open`. `TINYCI_NOT_A_REPO` if neither the directory nor one above
///         it is a repository.
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

/// Returns the directory that contains `builds/` by default: the bare repository, or the top of the
/// main working tree.
///
/// @param engine  The engine, or NULL.
/// @return The path, valid as long as the engine; NULL for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_engine_path(engine: Option<&tinyci_engine>) -> *const c_char {
    guard::peek(engine, |engine| borrowed(Some(&engine.c_path)))
}

/// Returns whether the repository is bare: one without a working tree.
///
/// @param engine  The engine, or NULL.
/// @return 1 if it is bare; 0 if it is not, and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_engine_is_bare(engine: Option<&tinyci_engine>) -> i32 {
    guard::peek(engine, |opened| i32::from(opened.engine.is_bare()))
}

/// Returns warnings about a repository, for a person to read. They are about unknown settings and a
/// repository that was moved. They are also about a path that placeholders cannot put into a
/// command, and a builds directory of another repository.
///
/// @param engine  The engine.
/// @param out     Where to store the warnings, each a line that ends with a newline; free them with
///                `tinyci_string_free`. A line that begins with `hint: ` belongs to the warning
///                above it. Empty if there are no warnings; NULL on an error.
/// @param err     Where to store the error, or NULL.
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

/// Returns the URL that git pushes to for a remote, from git's configuration.
///
/// @param engine  The engine.
/// @param remote  The name of the remote; NULL for `origin`.
/// @param out     Where to store the URL; free it with `tinyci_string_free`. NULL on an error.
/// @param err     Where to store the error, or NULL.
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

/// Frees an engine. Objects created from it stay usable.
///
/// @param engine  The engine, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_engine_free(engine: Option<Box<tinyci_engine>>) {
    guard::free(engine);
}
