//! `sh`, `try_sh` and `capture`: one road to the host, three ways to take how a command ended.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map, Position};

use super::{
    call::{Call, kind},
    host::{ScriptCommand, Shown},
    registry::COMMAND_OPTIONS,
    secret::{self, Secret},
    session::{Session, Stop, Thrown, throw},
    tags,
};
use crate::{
    error::{Error, ErrorKind},
    executor::{Output, Program, Stream},
    interpolate::is_safe,
    outcome::Exit,
};

/// How much of the end of a command's output an error holds.
const TAIL_BYTES_MAX: usize = 2 << 10;

/// How much output a script can be given.
const OUTPUT_BYTES_MAX: usize = 8 << 20;

/// The wait between attempts where nothing else is said.
pub(super) const BACKOFF: Duration = Duration::from_secs(1);

/// A command that failed: what `catch` gets.
#[derive(Clone, Debug)]
pub(super) struct CommandError {
    pub(super) command: String,
    exit: Exit,
    tail: String,
}

impl CommandError {
    pub(super) fn is_timeout(&self) -> bool {
        self.exit == Exit::TimedOut
    }

    fn code(&self) -> Dynamic {
        match self.exit {
            Exit::Code(code) => i64::from(code).into(),
            _ => Dynamic::UNIT,
        }
    }

    /// As a sentence.
    pub(super) fn message(&self) -> String {
        let ended = match self.exit {
            Exit::Code(code) => format!("exited with status {code}"),
            other => other.to_string(),
        };
        format!("command {ended}: {}", self.command)
    }
}

/// How a command ended: what `try_sh` gives back.
#[derive(Clone)]
struct CommandOutput {
    exit: Exit,
    ok: bool,
    stdout: String,
    stderr: String,
}

/// Registers what the functions give back and throw.
pub(super) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<CommandError>("command error")
        .register_get("command", |it: &mut CommandError| it.command.clone())
        .register_get("code", |it: &mut CommandError| it.code())
        .register_get("tail", |it: &mut CommandError| it.tail.clone())
        .register_get("timed_out", |it: &mut CommandError| it.is_timeout())
        .register_fn(rhai::FUNC_TO_STRING, |it: &mut CommandError| it.message())
        .register_fn(rhai::FUNC_TO_DEBUG, |it: &mut CommandError| it.message());
    engine
        .register_type_with_name::<CommandOutput>("command output")
        .register_get("ok", |it: &mut CommandOutput| it.ok)
        .register_get("code", |it: &mut CommandOutput| match it.exit {
            Exit::Code(code) => i64::from(code).into(),
            _ => Dynamic::UNIT,
        })
        .register_get("stdout", |it: &mut CommandOutput| it.stdout.clone())
        .register_get("stderr", |it: &mut CommandOutput| it.stderr.clone());
}

pub(super) fn sh(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let ended = run(call, arguments, false, Shown::All)?;
    ended.passed(call).map(|_| Dynamic::UNIT)
}

pub(super) fn try_sh(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let ended = run(call, arguments, true, Shown::All)?;
    let output = CommandOutput {
        ok: ended.ok(),
        exit: ended.exit,
        stdout: ended.text(&ended.stdout)?,
        stderr: ended.text(&ended.stderr)?,
    };
    Ok(Dynamic::from(output))
}

pub(super) fn capture(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let ended = run(call, arguments, true, Shown::Stderr)?.passed(call)?;
    Ok(ended.text(&ended.stdout)?.trim_end_matches(['\n', '\r']).to_owned().into())
}

/// A command that was run to its end, all attempts included.
struct Ended {
    command: String,
    exit: Exit,
    allowed: Vec<i64>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    tail: Vec<u8>,
}

impl Ended {
    fn ok(&self) -> bool {
        match self.exit {
            Exit::Code(code) => code == 0 || self.allowed.contains(&i64::from(code)),
            _ => false,
        }
    }

    fn passed(self, call: &Call<'_>) -> Result<Self, Thrown> {
        if self.ok() {
            return Ok(self);
        }
        let tail = String::from_utf8_lossy(&self.tail).into_owned();
        let error = CommandError { command: self.command, exit: self.exit, tail };
        let position = call.context.call_position();
        Err(EvalAltResult::ErrorRuntime(Dynamic::from(error), position).into())
    }

    fn text(&self, bytes: &[u8]) -> Result<String, Thrown> {
        if bytes.len() > OUTPUT_BYTES_MAX {
            let message = format!(
                "`{}` wrote more than the {OUTPUT_BYTES_MAX} bytes that a script can be given; let \
                 it write to a file",
                self.command
            );
            return Err(throw(message));
        }
        Ok(String::from_utf8_lossy(bytes).into_owned())
    }

    fn take(&mut self, output: &Output, kept: bool) {
        let bytes = &output.bytes;
        self.tail.extend_from_slice(bytes);
        let over = self.tail.len().saturating_sub(TAIL_BYTES_MAX);
        self.tail.drain(..over);
        let stream = match output.stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        if kept && stream.len() <= OUTPUT_BYTES_MAX {
            stream.extend_from_slice(bytes);
        }
    }
}

/// What the options say, with what holds where they say nothing.
struct Options {
    command: ScriptCommand,
    timeout: Option<Duration>,
    retries: u32,
    backoff: Duration,
    allowed: Vec<i64>,
}

fn run(call: &Call<'_>, arguments: &[Dynamic], split: bool, shown: Shown) -> Result<Ended, Thrown> {
    let program = program(call, arguments.first().unwrap_or(&Dynamic::UNIT))?;
    let options = options(call, program, arguments.get(1), split, shown)?;
    let session = call.session;
    session.acted.store(true, Ordering::SeqCst);
    let mut attempt = 0;
    loop {
        let ended = run_once(session, &options)?;
        if ended.ok() || attempt >= options.retries {
            return Ok(ended);
        }
        attempt += 1;
        let wait = options.backoff;
        let message = format!(
            "{} {}; trying again in {wait:?} ({attempt} of {})\n",
            ended.command, ended.exit, options.retries
        );
        session.host.print(options.command.label.as_deref(), &message);
        session.wait(wait)?;
    }
}

fn run_once(session: &Arc<Session>, options: &Options) -> Result<Ended, Thrown> {
    session.check()?;
    let limit = options.timeout.and_then(|limit| Instant::now().checked_add(limit));
    let deadline = [limit, session.frame().deadline].into_iter().flatten().min();
    let command = ScriptCommand { deadline, ..options.command.clone() };
    let mut ended = Ended {
        command: shown_program(&command.program),
        exit: Exit::Canceled,
        allowed: options.allowed.clone(),
        stdout: Vec::new(),
        stderr: Vec::new(),
        tail: Vec::new(),
    };
    let exit = session.host.command(&command, &mut |output| ended.take(output, command.split));
    ended.exit = exit.map_err(refused)?;
    match ended.exit {
        Exit::Canceled => Err(Stop::Canceled.thrown()),
        // Whose limit it was decides whether a script may catch it.
        Exit::TimedOut if session.is_late() => Err(Stop::TimedOut.thrown()),
        _ => Ok(ended),
    }
}

/// A command that the host did not run: the script's fault, or the machinery's.
fn refused(error: Error) -> Thrown {
    match error.kind() {
        ErrorKind::HostAbort | ErrorKind::Config | ErrorKind::InvalidArg => throw(error.report()),
        _ => Stop::Fault(Arc::new(error)).thrown(),
    }
}

/// More of a command tells nobody more.
const SHOWN_CHARACTERS_MAX: usize = 1_000;

/// A command in one line of bearable length.
pub(crate) fn shown_program(program: &Program) -> String {
    let text = match program {
        Program::Shell(text) => text.clone(),
        Program::Argv(words) => words.join(" "),
    };
    let mut lines = text.trim().lines();
    let first = lines.next().unwrap_or_default();
    let shown: String = first.chars().take(SHOWN_CHARACTERS_MAX).collect();
    let is_all = shown.len() == first.len() && lines.next().is_none();
    if is_all { shown } else { format!("{shown} …") }
}

/// A text for the shell, or a list of a program and its arguments.
fn program(call: &Call<'_>, command: &Dynamic) -> Result<Program, Thrown> {
    secret::refuse(call.session, command)?;
    let takes = "a text for the shell, or a list of a program and its arguments,";
    if let Some(list) = command.read_lock::<Array>() {
        let words: Result<Vec<String>, Thrown> =
            list.iter().map(|word| element(call, word)).collect();
        return match words? {
            words if words.first().is_none_or(String::is_empty) => {
                Err(throw(format!("`{}` has no program to run: its list is empty", call.name)))
            }
            words => Ok(Program::Argv(words)),
        };
    }
    let text = command.clone().into_immutable_string();
    let text = text.map_err(|_| call.mistake("command", takes, command))?;
    if text.trim().is_empty() {
        return Err(throw(format!("`{}` has no command to run: its text is empty", call.name)));
    }
    refuse_untrusted(call.session, &text)?;
    without_nul(&text)?;
    Ok(Program::Shell(tags::fill(call.engine(), call.session, &text)?))
}

/// One argument of a program.
fn element(call: &Call<'_>, word: &Dynamic) -> Result<String, Thrown> {
    let text = plain_text(word).ok_or_else(|| {
        let message = format!(
            "`{}` takes texts and numbers as a program's arguments, not {}",
            call.name,
            kind(word)
        );
        throw(message)
    })?;
    without_nul(&text)?;
    Ok(text)
}

/// The text of a value that has one which nobody needs to guess at.
pub(super) fn plain_text(value: &Dynamic) -> Option<String> {
    let plain = value.is_string() || value.is_int() || value.is_bool() || value.is_char();
    (plain || value.is_float()).then(|| value.to_string())
}

fn without_nul(text: &str) -> Result<(), Thrown> {
    if text.contains('\0') {
        Err(throw("a command cannot hold the character U+0000"))
    } else {
        Ok(())
    }
}

/// Refuses a shell text that holds, as it is, what a pusher chose and a shell might run. A lint
/// that stops, not a promise: a script can take a value apart and put it together again.
fn refuse_untrusted(session: &Session, text: &str) -> Result<(), Thrown> {
    for (name, value) in session.facts.untrusted() {
        let harmless = value.chars().nth(1).is_none() || is_safe(value);
        // What `q` quoted is one word to the shell.
        if harmless || !text.replace(&quoted(value), "").contains(value) {
            continue;
        }
        let variable = if name == "tags" {
            String::new()
        } else {
            format!(", or let the shell read \"$TINYCI_{}\"", name.to_uppercase())
        };
        let message = format!(
            "this text holds `ctx.{name}` as it is, and the shell would run what stands in it; \
             pass it as an element of a list, `sh([\"program\", ctx.{name}])`{variable}"
        );
        return Err(throw(message));
    }
    Ok(())
}

/// `q(text)`: one word to a shell.
pub(super) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

fn options(
    call: &Call<'_>,
    program: Program,
    given: Option<&Dynamic>,
    split: bool,
    shown: Shown,
) -> Result<Options, Thrown> {
    let known = COMMAND_OPTIONS.map(|(name, _)| name);
    let given = call.options(given, &known)?;
    let session = call.session;
    let mut options = Options {
        command: ScriptCommand {
            program,
            cwd: None,
            env: Vec::new(),
            input: None,
            deadline: None,
            split,
            captured: shown == Shown::Stderr,
            label: session.frame().label,
            shown,
            cleanup: session.is_cleaning(),
        },
        timeout: None,
        retries: 0,
        backoff: BACKOFF,
        allowed: Vec::new(),
    };
    for (name, value) in &given {
        let value = value.flatten_clone();
        if !matches!(name.as_str(), "env" | "input") {
            secret::refuse(session, &value)?;
        }
        let argument = format!("option `{name}`");
        match name.as_str() {
            "env" => options.command.env = env(call, &value)?,
            "cwd" => options.command.cwd = Some(call.text(&argument, &value)?),
            "input" => options.command.input = Some(input(call, &value)?),
            "timeout" => options.timeout = Some(call.time(&argument, &value)?),
            "retries" => options.retries = call.count(&argument, &value)?,
            "backoff" => options.backoff = call.time(&argument, &value)?,
            "label" => options.command.label = Some(call.text(&argument, &value)?),
            "quiet" if truth(call, &argument, &value)? => options.command.shown = Shown::Nothing,
            "allow" => options.allowed = codes(call, &value)?,
            _ => {}
        }
    }
    Ok(options)
}

fn truth(call: &Call<'_>, argument: &str, value: &Dynamic) -> Result<bool, Thrown> {
    value.as_bool().map_err(|_| call.mistake(argument, "`true` or `false`", value))
}

fn codes(call: &Call<'_>, value: &Dynamic) -> Result<Vec<i64>, Thrown> {
    let list = value.read_lock::<Array>().map(|list| list.to_vec());
    let codes = list.unwrap_or_else(|| vec![value.clone()]);
    let codes: Option<Vec<i64>> =
        codes.iter().map(|code| code.flatten_clone().as_int().ok()).collect();
    codes.ok_or_else(|| call.mistake("option `allow`", "an exit code or a list of them", value))
}

fn env(call: &Call<'_>, value: &Dynamic) -> Result<Vec<(String, Option<String>)>, Thrown> {
    let map = value.read_lock::<Map>();
    let map = map.ok_or_else(|| call.mistake("option `env`", "a map of variables", value))?;
    let mut env = Vec::new();
    for (name, value) in map.iter() {
        let value = value.flatten_clone();
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(throw(format!("`{name}` cannot be the name of a variable")));
        }
        let text = if value.is_unit() { None } else { Some(env_text(call, name, &value)?) };
        env.push((name.to_string(), text));
    }
    Ok(env)
}

fn env_text(call: &Call<'_>, name: &str, value: &Dynamic) -> Result<String, Thrown> {
    if let Some(secret) = value.read_lock::<Secret>() {
        let text = String::from_utf8(secret.value.to_vec()).ok().filter(|it| !it.contains('\0'));
        let message = || {
            format!(
                "the secret `{}` is not text and cannot be a variable; give it to `input`",
                secret.name
            )
        };
        return text.ok_or_else(|| throw(message()));
    }
    secret::refuse(call.session, value)?;
    let text = plain_text(value).ok_or_else(|| {
        let takes = format!("a text, a number, a secret or `()` for `{name}`");
        call.mistake("option `env`", &takes, value)
    })?;
    without_nul(&text)?;
    Ok(text)
}

fn input(call: &Call<'_>, value: &Dynamic) -> Result<Vec<u8>, Thrown> {
    if let Some(secret) = value.read_lock::<Secret>() {
        return Ok(secret.value.to_vec());
    }
    if let Some(blob) = value.read_lock::<rhai::Blob>() {
        return Ok(blob.to_vec());
    }
    secret::refuse(call.session, value)?;
    Ok(call.text("option `input`", value)?.into_bytes())
}

/// What a script threw, if it is a command that failed.
pub(super) fn command_error(error: &EvalAltResult) -> Option<CommandError> {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => value.clone().try_cast(),
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _)
        | EvalAltResult::ErrorInModule(_, inner, _) => command_error(inner),
        _ => None,
    }
}

/// An error without a place is at the place of the call.
pub(super) fn placed(mut error: Thrown, position: Position) -> Thrown {
    if error.position().is_none() {
        error.set_position(position);
    }
    error
}
