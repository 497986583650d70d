//! [`tinyci_options`]: the options of an engine.
//!
//! They only contain data: the hooks, functions and handlers to register. A run turns them into
//! requests; see `run`.

use std::{path::PathBuf, time::Duration};

use super::{
    code::tinyci_code,
    error::{ErrorOut, Failure},
    guard,
    handle::{Sealed, handle},
    text::CText,
};
use crate::{
    Engine, EngineBuilder, Error, ErrorKind, Hook, Value,
    callback::{Effect, FunctionCall},
    pipeline::StepName,
};

/// The options of an engine: `git config tinyci.*` and more, for one engine.
///
/// You own it. `tinyci_engine_open` copies it: you may change, reuse or free it afterwards. A
/// setter that fails changes nothing. `tinyci_engine_open` reports the first failure, so you need
/// not check each setter.
pub struct tinyci_options(Sealed<Options>);

handle!(tinyci_options, Options, "options");

/// The effect of calling a function.
pub type EffectNumber = i32;

/// The function only computes or looks something up. A dry run that needs its result fails.
pub const TINYCI_EFFECT_PURE: EffectNumber = 1;
/// The function controls how the script continues. A dry run that needs its result fails.
pub const TINYCI_EFFECT_CONTROL: EffectNumber = 2;
/// The function changes something outside the script. A dry run lists the call and does not make
/// it.
pub const TINYCI_EFFECT_EXTERNAL: EffectNumber = 3;

/// The requests that your program answers, in addition to hooks and functions.
pub type HandlerFlags = u32;

/// Your program provides secrets.
pub const TINYCI_HANDLER_SECRET: HandlerFlags = 1;
/// Your program approves deployments.
pub const TINYCI_HANDLER_APPROVAL: HandlerFlags = 2;
/// Your program runs the commands, instead of the local machine.
pub const TINYCI_HANDLER_EXECUTOR: HandlerFlags = 4;

const ANSWERS: u32 = TINYCI_HANDLER_SECRET | TINYCI_HANDLER_APPROVAL | TINYCI_HANDLER_EXECUTOR;

/// The contents of a [`tinyci_options`].
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    refs: Vec<String>,
    jobs: Option<usize>,
    timeout: Option<Duration>,
    builds_dir: Option<PathBuf>,
    log_limit: Option<u64>,
    settings: Vec<(String, String)>,
    env: Vec<(String, Option<String>)>,
    vars: Vec<(String, String)>,
    by: Option<(String, String)>,
    /// The hooks that the host program answers, each once.
    pub(super) hooks: Vec<Hook>,
    /// The functions that the host program registers.
    pub(super) functions: Vec<Function>,
    /// The other requests that the host program answers: a sum of `TINYCI_HANDLER_*`.
    pub(super) answers: u32,
    /// The first failure of a setter.
    mistake: Option<(ErrorKind, String)>,
}

/// A function that scripts can call and the host program answers.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) args_min: usize,
    pub(super) args_max: usize,
    pub(super) effect: Effect,
    pub(super) doc: String,
}

impl Options {
    /// Returns a builder with these options, without callbacks.
    pub(super) fn builder(&self, path: impl Into<PathBuf>) -> EngineBuilder {
        let mut builder = Engine::builder(path);
        if !self.refs.is_empty() {
            builder = builder.refs(self.refs.iter());
        }
        if let Some(jobs) = self.jobs {
            builder = builder.jobs(jobs);
        }
        if let Some(timeout) = self.timeout {
            builder = builder.job_timeout(timeout);
        }
        if let Some(dir) = &self.builds_dir {
            builder = builder.builds_dir(dir);
        }
        if let Some(bytes) = self.log_limit {
            builder = builder.log_limit(bytes);
        }
        for (key, value) in &self.settings {
            builder = builder.setting(key, value);
        }
        for (name, value) in &self.env {
            builder = match value {
                Some(value) => builder.env(name, value),
                None => builder.env_remove(name),
            };
        }
        if let Some((name, address)) = &self.by {
            builder = builder.by(name, address);
        }
        self.vars.iter().fold(builder, |builder, (name, value)| builder.var(name, value))
    }

    /// Returns the first failure of a setter as an error.
    pub(super) fn mistake(&self) -> Result<(), Failure> {
        match &self.mistake {
            Some((kind, message)) => Err(Error::new(*kind, message).into()),
            None => Ok(()),
        }
    }
}

/// Changes the options if the engine's builder accepts the change; otherwise remembers the failure.
fn set(
    options: Option<&mut tinyci_options>,
    err: ErrorOut<'_>,
    change: impl FnOnce(&mut Options) -> Result<(), Failure>,
) -> tinyci_code {
    guard::set(options, err, |options| {
        let mut changed = options.clone();
        let result = change(&mut changed).and_then(|()| judged(changed.builder("")));
        match &result {
            Ok(()) => *options = changed,
            Err(failure) => {
                let mistake = (failure.0.kind(), failure.0.to_string());
                options.mistake.get_or_insert(mistake);
            }
        }
        result
    })
}

fn judged(builder: EngineBuilder) -> Result<(), Failure> {
    match builder.mistake() {
        Some(mistake) => Err(Error::new(mistake.kind(), mistake.message()).into()),
        None => Ok(()),
    }
}

fn invalid(message: String) -> Failure {
    Error::new(ErrorKind::InvalidArg, message).into()
}

/// Creates options that set nothing.
///
/// @return The options; free them with `tinyci_options_free`. NULL only if out of memory.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_new() -> *mut tinyci_options {
    guard::fresh(Options::default)
}

/// Adds a pattern for the refs whose commits are tested. Default: the setting `tinyci.refs`, else
/// all branches.
///
/// @param options  The options.
/// @param glob     A full ref name; `*` matches any characters, including slashes. Copied.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`. `tinyci_engine_open` reports an invalid pattern.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_add_ref(
    options: Option<&mut tinyci_options>,
    glob: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        options.refs.push(glob.required("glob")?.to_owned());
        Ok(())
    })
}

/// Sets how many commits are tested at the same time. Default: the setting `tinyci.jobs`, else 1.
///
/// @param options  The options.
/// @param jobs     The number of jobs, at least 1.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_set_jobs(
    options: Option<&mut tinyci_options>,
    jobs: u32,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        options.jobs = Some(jobs as usize);
        Ok(())
    })
}

/// Sets the time limit of one job, not counting `after_all`. Default: the setting
/// `tinyci.jobTimeout`, else no limit.
///
/// @param options     The options.
/// @param timeout_ms  The limit in milliseconds, above 0.
/// @param err         Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_set_job_timeout_ms(
    options: Option<&mut tinyci_options>,
    timeout_ms: i64,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        let limit = u64::try_from(timeout_ms).map_err(|_| {
            invalid(format!("invalid `timeout_ms` {timeout_ms}: expected a number above 0"))
        })?;
        options.timeout = Some(Duration::from_millis(limit));
        Ok(())
    })
}

/// Sets the directory that contains the build directories. Default: the setting `tinyci.buildsDir`,
/// else `builds`.
///
/// @param options     The options.
/// @param builds_dir  The directory. A relative path is relative to the repository. Copied.
/// @param err         Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_set_builds_dir(
    options: Option<&mut tinyci_options>,
    builds_dir: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        options.builds_dir = Some(builds_dir.path("builds_dir")?.to_path_buf());
        Ok(())
    })
}

/// Sets how many bytes of output are kept per job, in addition to the last 64 KiB. Default: the
/// setting `tinyci.logLimit`, else 128 MiB.
///
/// @param options    The options.
/// @param log_limit  The number of bytes, above 0.
/// @param err        Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_set_log_limit(
    options: Option<&mut tinyci_options>,
    log_limit: u64,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        options.log_limit = Some(log_limit);
        Ok(())
    })
}

/// Sets a setting for this engine only, like `git config tinyci.<key> <value>`. If a key can have
/// several values, such as `refs`, each call adds one; the repository's own values are ignored.
///
/// @param options  The options.
/// @param key      The key in any case: `gracePeriod`, `commandTimeout`, `maxAttempts`, ...
/// @param value    The value, written as in git's configuration. Copied.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_set_setting(
    options: Option<&mut tinyci_options>,
    key: CText<'_>,
    value: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        let (key, value) = (key.required("key")?, value.required("value")?);
        options.settings.push((key.to_owned(), value.to_owned()));
        Ok(())
    })
}

/// Sets an environment variable for every command, or removes one.
///
/// When a run starts, tinyci reads the environment variables of your program. Commands inherit
/// `PATH`, `HOME`, `USER`, `LOGNAME`, `SHELL`, `TMPDIR`, `TZ`, `LANG`, `LANGUAGE` and `LC_*`. To
/// pass more, set the setting `passEnv` with `tinyci_options_set_setting`. `*` passes all variables
/// except `GIT_*`, `TINYCI_*` and output directories such as `CARGO_TARGET_DIR`. `+NAME` adds one
/// variable.
///
/// @param options  The options.
/// @param name     The name of the variable. Copied.
/// @param value    The value, which is copied; NULL removes the inherited variable.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_set_env(
    options: Option<&mut tinyci_options>,
    name: CText<'_>,
    value: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        let (name, value) = (name.required("name")?, value.optional("value")?);
        options.env.push((name.to_owned(), value.map(str::to_owned)));
        Ok(())
    })
}

/// Sets the value of a placeholder for every command: `<%= name %>`.
///
/// @param options  The options.
/// @param name     The name: `a`-`z`, digits and `_`. Names that tinyci uses itself are refused.
///                 Copied.
/// @param value    The value: any string. Copied.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_set_var(
    options: Option<&mut tinyci_options>,
    name: CText<'_>,
    value: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        let (name, value) = (name.required("name")?, value.required("value")?);
        options.vars.push((name.to_owned(), value.to_owned()));
        Ok(())
    })
}

/// Sets the person who acts through the engine: who deploys, approves, unlocks, cancels and skips.
/// Default: the person in git's configuration. `tinyci_deploy_request_set_by` sets the person for
/// one deployment.
///
/// tinyci does not verify the person. Records also contain the account that your program runs as.
///
/// @param options  The options.
/// @param name     The person's name. Copied.
/// @param address  The person's email address. Copied.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_set_by(
    options: Option<&mut tinyci_options>,
    name: CText<'_>,
    address: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        let (name, address) = (name.required("name")?, address.required("address")?);
        options.by = Some((name.to_owned(), address.to_owned()));
        Ok(())
    })
}

/// Registers a hook. When a job reaches this point, the run sends an event of kind
/// `TINYCI_EVENT_HOOK`, which your program answers. The config's own hook of that name runs
/// afterwards.
///
/// @param options  The options.
/// @param point    `before_build`, `after_build_success`, `after_build_failure`, `after_build`,
///                 `before_test`, `after_test_success`, `after_test_failure`, `after_test` or
///                 `after_all`.
/// @param err      Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_add_hook(
    options: Option<&mut tinyci_options>,
    point: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        let point = point.required("point")?;
        let Ok(StepName::Hook(hook)) = point.parse() else {
            return Err(invalid(format!("unknown hook `{point}`")));
        };
        if !options.hooks.contains(&hook) {
            options.hooks.push(hook);
        }
        Ok(())
    })
}

/// Registers a function that scripts can call. Each call is an event of kind
/// `TINYCI_EVENT_FUNCTION`, which your program answers.
///
/// @param options   The options.
/// @param name      `name` or `module::name`, of `a`-`z`, digits and `_`. Copied.
/// @param min_args  The minimum number of arguments.
/// @param max_args  The maximum number of arguments, at most 8.
/// @param effect    One of `TINYCI_EFFECT_*`.
/// @param doc       A sentence for the script API reference; NULL for none. Copied.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`. `tinyci_engine_open` reports a name that is already
///         in use.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_add_function(
    options: Option<&mut tinyci_options>,
    name: CText<'_>,
    min_args: u32,
    max_args: u32,
    effect: EffectNumber,
    doc: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        let effect = match effect {
            TINYCI_EFFECT_PURE => Effect::Pure,
            TINYCI_EFFECT_CONTROL => Effect::Control,
            TINYCI_EFFECT_EXTERNAL => Effect::External,
            _ => {
                return Err(invalid(format!(
                    "invalid `effect` {effect}: expected one of TINYCI_EFFECT_*"
                )));
            }
        };
        let (name, doc) = (name.required("name")?, doc.optional("doc")?.unwrap_or_default());
        let (args_min, args_max) = (min_args as usize, max_args as usize);
        judged(Engine::builder("").function(name, args_min..=args_max, effect, doc, no_answer))?;
        let (name, doc) = (name.to_owned(), doc.to_owned());
        options.functions.push(Function { name, args_min, args_max, effect, doc });
        Ok(())
    })
}

/// Returns the error of a function that is called outside a run, where there is no queue.
pub(super) fn no_answer(_: &FunctionCall<'_>) -> Result<Value, crate::callback::HookError> {
    Err("the host program answers calls of this function only during a run".into())
}

/// Sets which other requests your program answers. Default: none. Secrets then come from files,
/// approvals from the repository, and commands run on this machine.
///
/// @param options   The options.
/// @param handlers  A sum of `TINYCI_HANDLER_*`. It replaces an earlier one.
/// @param err       Where to store the error, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` for an unknown flag.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_set_handlers(
    options: Option<&mut tinyci_options>,
    handlers: HandlerFlags,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        if handlers & !ANSWERS != 0 {
            return Err(invalid(format!(
                "invalid `handlers` {handlers}: expected a sum of TINYCI_HANDLER_*"
            )));
        }
        options.answers = handlers;
        Ok(())
    })
}

/// Frees options. Engines that were opened with them have a copy.
///
/// @param options  The options, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_free(options: Option<Box<tinyci_options>>) {
    guard::free(options);
}
