//! [`tinyci_options`]: what a host sets before it opens an engine.
//!
//! They are data, and only data: which hooks, functions and answers a host wants to be asked for.
//! A run makes requests of them; see `run`.

use std::{path::PathBuf, time::Duration};

use super::{
    error::{ErrorOut, Failure},
    guard,
    handle::{Sealed, handle},
    status::tinyci_code,
    text::CText,
};
use crate::{
    Engine, EngineBuilder, Error, ErrorKind, Hook, Value,
    callback::{Effect, FunctionCall},
    pipeline::StepName,
};

/// What is set before an engine is opened: `git config tinyci.*` and more, for one engine.
///
/// Owned by the host. `tinyci_engine_open` copies it, so it can be changed, used again or freed
/// afterwards. A setter that fails leaves it as it is, and the first failure is remembered:
/// `tinyci_engine_open` reports it, so that nobody has to look at what each setter returns.
pub struct tinyci_options(Sealed<Options>);

handle!(tinyci_options, Options, "options");

/// What calling a function does to the world.
pub type EffectNumber = i32;

/// The function computes or looks something up: a plan calls it.
pub const TINYCI_EFFECT_PURE: EffectNumber = 1;
/// The function directs the script: a plan calls it.
pub const TINYCI_EFFECT_CONTROL: EffectNumber = 2;
/// The function acts: a plan lists the call and does not make it.
pub const TINYCI_EFFECT_EXTERNAL: EffectNumber = 3;

/// What the host handles beside hooks and functions.
pub type HandlerFlags = u32;

/// The host answers for secrets.
pub const TINYCI_HANDLER_SECRET: HandlerFlags = 1;
/// The host answers for approvals.
pub const TINYCI_HANDLER_APPROVAL: HandlerFlags = 2;
/// The host runs the commands, instead of the local machine.
pub const TINYCI_HANDLER_EXECUTOR: HandlerFlags = 4;

const ANSWERS: u32 = TINYCI_HANDLER_SECRET | TINYCI_HANDLER_APPROVAL | TINYCI_HANDLER_EXECUTOR;

/// Everything that was set.
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
    /// The points of a run at which the host is asked, each once.
    pub(super) hooks: Vec<Hook>,
    /// The functions that the host lends to scripts.
    pub(super) functions: Vec<Function>,
    /// What else the host is asked for: a sum of `TINYCI_HANDLER_*`.
    pub(super) answers: u32,
    /// The first thing that could not be set.
    mistake: Option<(ErrorKind, String)>,
}

/// A function that scripts can call and the host answers for.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) args_min: usize,
    pub(super) args_max: usize,
    pub(super) effect: Effect,
    pub(super) doc: String,
}

impl Options {
    /// A builder with all of this but what has to be asked for.
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

    /// What a setter could not set, once for all calls.
    pub(super) fn mistake(&self) -> Result<(), Failure> {
        match &self.mistake {
            Some((kind, message)) => Err(Error::new(*kind, message).into()),
            None => Ok(()),
        }
    }
}

/// Sets something that an engine's builder judges, or remembers that it could not be set.
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

/// Makes options that set nothing.
///
/// @return The options, to be freed with `tinyci_options_free`; NULL only where memory is short.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_new() -> *mut tinyci_options {
    guard::fresh(Options::default)
}

/// Adds a pattern of the refs whose commits are run. Without any, `tinyci.refs` holds, else all
/// branches.
///
/// @param options  The options.
/// @param glob     A full ref name; `*` stands for any letters, slashes included. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`. Whether the pattern can be used,
///         `tinyci_engine_open` tells.
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

/// Sets how many commits are worked on at once. Without it, `tinyci.jobs` holds, else 1.
///
/// @param options  The options.
/// @param jobs     The number, from 1.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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

/// Sets how long one commit may take, `after_all` not counted. Without it, `tinyci.jobTimeout` holds,
/// else there is no limit.
///
/// @param options     The options.
/// @param timeout_ms  The limit in milliseconds, above 0.
/// @param err         Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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
            invalid(format!("the time limit of a commit cannot be {timeout_ms} ms"))
        })?;
        options.timeout = Some(Duration::from_millis(limit));
        Ok(())
    })
}

/// Sets where build folders stand. Without it, `tinyci.buildsDir` holds, else `builds`.
///
/// @param options     The options.
/// @param builds_dir  The folder, below the repository's unless absolute. Copied.
/// @param err         Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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

/// Sets how many bytes of one build's output its log keeps, beside the last 64 KiB. Without it,
/// `tinyci.logLimit` holds, else 128 MiB.
///
/// @param options       The options.
/// @param log_limit  The number of bytes, above 0.
/// @param err           Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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

/// Sets what `git config tinyci.<key> <value>` would, for this engine only. Of a key with many
/// values, such as `refs`, each call adds one, and those of the repository do not hold.
///
/// @param options  The options.
/// @param key      Any of the keys, in any case: `grace`, `commandTimeout`, `attempts`, ...
/// @param value    The value, as it would stand in git's configuration. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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

/// Sets a variable in the environment of every command, or takes one out of it.
///
/// Of the host's own environment, as it was when the run was started, commands get `PATH`, `HOME`,
/// `USER`, `LOGNAME`, `SHELL`, `TMPDIR`, `TZ`, `LANG`, `LANGUAGE` and `LC_*`, and more where the
/// setting `env` says so: `tinyci_options_set_setting` with `env` and `*` passes all but `GIT_*`,
/// `TINYCI_*` and output directories such as `CARGO_TARGET_DIR`, with `+NAME` one more.
///
/// @param options  The options.
/// @param name     The variable's name. Copied.
/// @param value    Its value, which is copied; NULL takes the host's own out.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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

/// Sets a variable that every command can use in a tag.
///
/// @param options  The options.
/// @param name     Its name: `a`-`z`, digits and `_`, and none of tinyci's own. Copied.
/// @param value    Its value: any text. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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

/// Says who acts through the engine: who deploys, approves, unlocks, cancels and skips. Without it,
/// that is whom git's configuration names; `tinyci_deploy_request_set_by` says it of one deployment.
///
/// It is the host's word: records keep it beside the account that the host runs as.
///
/// @param options  The options.
/// @param name     The person's name. Copied.
/// @param address  The person's mail address. Copied.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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

/// Asks for a request at a point of every run, before the config's own hook of that name: an event
/// of kind `TINYCI_EVENT_HOOK`, which the host answers.
///
/// @param options  The options.
/// @param point    `before_build`, `after_build_success`, `after_build_failure`, `after_build`,
///                 `before_test`, `after_test_success`, `after_test_failure`, `after_test` or
///                 `after_all`.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
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
            return Err(invalid(format!("`{point}` is not a hook")));
        };
        if !options.hooks.contains(&hook) {
            options.hooks.push(hook);
        }
        Ok(())
    })
}

/// Lends a function to scripts: a call of it is an event of kind `TINYCI_EVENT_FUNCTION`, which the
/// host answers.
///
/// @param options   The options.
/// @param name      `name` or `module::name`, of `a`-`z`, digits and `_`. Copied.
/// @param min_args  How many arguments it takes at least.
/// @param max_args  How many it takes at most: 8 or fewer.
/// @param effect    One of `TINYCI_EFFECT_*`: what calling it does to the world.
/// @param doc       A sentence for the reference of the script language; NULL for none. Copied.
/// @param err       Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`. Whether the name is one that scripts have already,
///         `tinyci_engine_open` tells.
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
            _ => return Err(invalid(format!("{effect} is not one of TINYCI_EFFECT_*"))),
        };
        let (name, doc) = (name.required("name")?, doc.optional("doc")?.unwrap_or_default());
        let (args_min, args_max) = (min_args as usize, max_args as usize);
        judged(Engine::builder("").function(name, args_min..=args_max, effect, doc, no_answer))?;
        let (name, doc) = (name.to_owned(), doc.to_owned());
        options.functions.push(Function { name, args_min, args_max, effect, doc });
        Ok(())
    })
}

/// What a function says where nobody is there to answer: outside a run.
pub(super) fn no_answer(_: &FunctionCall<'_>) -> Result<Value, crate::callback::HookError> {
    Err("the host answers for this function only while it reads the events of a run".into())
}

/// Says what else the host answers for. Without it, nothing: secrets come from files, approvals
/// from the repository, and commands run on this machine.
///
/// @param options  The options.
/// @param mask     A sum of `TINYCI_HANDLER_*`, in the place of an earlier one.
/// @param err      Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG` for a bit that means nothing.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_set_handlers(
    options: Option<&mut tinyci_options>,
    mask: HandlerFlags,
    err: ErrorOut<'_>,
) -> tinyci_code {
    set(options, err, |options| {
        if mask & !ANSWERS != 0 {
            return Err(invalid(format!("{mask} is not a sum of TINYCI_HANDLER_*")));
        }
        options.answers = mask;
        Ok(())
    })
}

/// Frees options. Engines that were opened with them keep what they copied.
///
/// @param options  The options, which are gone then, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_options_free(options: Option<Box<tinyci_options>>) {
    guard::free(options);
}
