//! `sh`, `try_sh` and `capture`: one way to run a command, and three ways to return its result.

use rhai::{Array, Dynamic, Engine, EvalAltResult, Map};

use super::{
    call::{Call, first},
    placeholders, shell_check,
};
use crate::{
    model::{
        executor::Program,
        outcome::Exit,
        step::{CommandEnd, OutputUse, Shown, StepCommand},
    },
    script::{
        api::{registry::COMMAND_OPTIONS, types::Type},
        errors::{command_error::CommandError, place::Place},
        session::{ending::Stop, secrets},
        values::{
            kind::{self, kind, plain_text},
            secret::Secret,
            thrown::{Thrown, throw},
        },
    },
};

/// The result of `try_sh`.
#[derive(Clone)]
struct CommandOutput {
    exit: Exit,
    ok: bool,
    stdout: String,
    stderr: String,
}

/// Registers the results and errors of these functions.
pub(in crate::script) fn register(engine: &mut Engine) {
    engine
        .register_type_with_name::<CommandError>("command error")
        .register_get("message", |it: &mut CommandError| it.message())
        .register_get("command", |it: &mut CommandError| it.command.clone())
        .register_get("code", |it: &mut CommandError| it.code())
        .register_get("tail", |it: &mut CommandError| it.failed.tail.clone())
        .register_get("timed_out", |it: &mut CommandError| it.is_timeout())
        .register_get("label", |_: &mut CommandError| ())
        .register_get("place", |_: &mut CommandError| ())
        .register_get("failures", |it: &mut CommandError| vec![Dynamic::from(it.clone())])
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
        .register_get("stderr", |it: &mut CommandOutput| it.stderr.clone())
        .register_get("timed_out", |it: &mut CommandOutput| it.exit == Exit::TimedOut);
    for name in [rhai::FUNC_TO_STRING, rhai::FUNC_TO_DEBUG] {
        engine.register_fn(name, |it: &mut CommandOutput| match it.exit {
            Exit::Code(0) => "the command passed".to_owned(),
            exit => format!("the command {exit}"),
        });
    }
}

pub(in crate::script) fn sh(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let end = run(call, arguments, OutputUse::Shown, Shown::All)?;
    passed(end, call).map(|_| Dynamic::UNIT)
}

pub(in crate::script) fn try_sh(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let end = run(call, arguments, OutputUse::Given, Shown::All)?;
    let output = CommandOutput {
        ok: end.passed,
        exit: end.exit,
        stdout: text(&end, &end.stdout)?,
        stderr: text(&end, &end.stderr)?,
    };
    Ok(Dynamic::from(output))
}

pub(in crate::script) fn capture(
    call: &Call<'_>,
    arguments: &[Dynamic],
) -> Result<Dynamic, Thrown> {
    let end = passed(run(call, arguments, OutputUse::Captured, Shown::Stderr)?, call)?;
    Ok(text(&end, &end.stdout)?.trim_end_matches(['\n', '\r']).to_owned().into())
}

fn passed(end: CommandEnd, call: &Call<'_>) -> Result<CommandEnd, Thrown> {
    if end.passed {
        return Ok(end);
    }
    let at = Place::of(&call.context);
    let position = at.position;
    let error = CommandError { failed: end.failed(), command: end.command, at };
    Err(EvalAltResult::ErrorRuntime(Dynamic::from(error), position).into())
}

fn text(end: &CommandEnd, bytes: &[u8]) -> Result<String, Thrown> {
    if bytes.len() > CommandEnd::GIVEN_BYTES_MAX {
        let message = format!(
            "`{}` wrote more than {} bytes, the most that a script can read; redirect its output \
             to a file",
            end.command,
            CommandEnd::GIVEN_BYTES_MAX
        );
        return Err(throw(message));
    }
    Ok(String::from_utf8_lossy(bytes).into_owned())
}

/// Runs a command with all its attempts.
fn run(
    call: &Call<'_>,
    arguments: &[Dynamic],
    output: OutputUse,
    shown: Shown,
) -> Result<CommandEnd, Thrown> {
    let program = program(call, arguments.first().unwrap_or(&Dynamic::UNIT))?;
    let mut command = StepCommand::new(program);
    (command.output, command.shown) = (output, shown);
    let command = with_options(command, call, arguments.get(1))?;
    let session = call.session;
    session.act()?;
    let end = session.host.command(&command).map_err(|why| session.denied(why))?;
    match end.exit {
        Exit::Canceled => Err(session.stop_with(Stop::Canceled)),
        // The step's limit cannot be caught, but that of a `timeout` or of the command can.
        Exit::TimedOut => session.check_late().map(|()| end),
        _ => Ok(end),
    }
}

/// Reads a string for the shell, or an array of a program and its arguments.
fn program(call: &Call<'_>, command: &Dynamic) -> Result<Program, Thrown> {
    secrets::refuse(call.session, command)?;
    if let Some(list) = command.read_lock::<Array>() {
        let words: Result<Vec<String>, Thrown> =
            list.iter().map(|word| element(call, word)).collect();
        let words = words?;
        if words.first().is_none_or(String::is_empty) {
            return Err(throw(format!(
                "`{}` has no program to run: its array is empty",
                call.name
            )));
        }
        if let Some(text) = shell_text(&words) {
            shell_check::check(call.session, text)?;
        }
        return Ok(Program::Argv(words));
    }
    let text = command.clone().into_immutable_string();
    let text = text.map_err(|_| call.mistake("command", &Type::Command.in_words(), command))?;
    if text.trim().is_empty() {
        return Err(throw(format!("`{}` has no command to run: its string is empty", call.name)));
    }
    without_nul(&text)?;
    let data = shell_check::check(call.session, &text)?;
    Ok(Program::Shell(placeholders::fill(call.engine(), call.session, &text, &data)?))
}

/// Returns the shell command in a program's arguments (`sh -c COMMAND`), even if another program
/// starts the shell.
fn shell_text(words: &[String]) -> Option<&str> {
    const SHELLS: [&str; 7] = ["sh", "ash", "bash", "dash", "ksh", "mksh", "zsh"];
    let is_shell = |word: &String| SHELLS.contains(&word.rsplit('/').next().unwrap_or(word));
    let takes_text = |word: &String| {
        let letters = word.strip_prefix('-').filter(|letters| !letters.starts_with('-'));
        letters.is_some_and(|letters| letters.contains('c'))
    };
    let mut words =
        words.iter().skip_while(|word| !is_shell(word)).skip_while(|it| !takes_text(it));
    words.nth(1).map(String::as_str)
}

/// Reads one argument of a program.
fn element(call: &Call<'_>, word: &Dynamic) -> Result<String, Thrown> {
    let text = plain_text(word).ok_or_else(|| {
        let message = format!(
            "`{}` takes strings and numbers as a program's arguments, not {}",
            call.name,
            kind(word)
        );
        throw(message)
    })?;
    without_nul(&text)?;
    Ok(text)
}

fn without_nul(text: &str) -> Result<(), Thrown> {
    if text.contains('\0') {
        Err(throw("a command cannot contain the character U+0000"))
    } else {
        Ok(())
    }
}

/// Quotes a string as one word for a shell, as `q` does.
pub(in crate::script) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// Applies the options of a call to a command.
fn with_options(
    mut command: StepCommand,
    call: &Call<'_>,
    given: Option<&Dynamic>,
) -> Result<StepCommand, Thrown> {
    let given = call.options(given, &COMMAND_OPTIONS)?;
    let session = call.session;
    let frame = session.frame();
    command.deadline = frame.deadline;
    command.label.clone_from(&frame.label);
    command.cleanup = frame.in_defer;
    command.is_over = frame.ending.is_over();
    command.cwd.clone_from(&frame.settings.cwd);
    let mut own = Map::new();
    for (name, value) in &given {
        let value = value.flatten_clone();
        if !matches!(name.as_str(), "env" | "input") {
            secrets::refuse(session, &value)?;
        }
        let argument = format!("option `{name}`");
        match name.as_str() {
            "env" => own = value.try_cast::<Map>().unwrap_or_default(),
            "cwd" => command.cwd = Some(frame.settings.below(&call.text(&argument, &value)?)),
            "input" => command.input = Some(input(call, &value)?),
            "timeout" => command.timeout = Some(call.limit(&argument, &value)?),
            "retries" => command.retries = call.count(&argument, &value)?,
            "backoff" => command.backoff = call.time(&argument, &value)?,
            "label" => command.label = Some(call.text(&argument, &value)?),
            "quiet" if truth(call, &argument, &value)? => command.shown = Shown::Nothing,
            "allow" => command.allowed = codes(call, &value)?,
            _ => {}
        }
    }
    command.env = env(call, &frame.settings.variables(own).into())?;
    Ok(command)
}

fn truth(call: &Call<'_>, argument: &str, value: &Dynamic) -> Result<bool, Thrown> {
    value.as_bool().map_err(|_| call.mistake(argument, "a bool", value))
}

fn codes(call: &Call<'_>, value: &Dynamic) -> Result<Vec<i64>, Thrown> {
    let list = value.read_lock::<Array>().map(|list| list.to_vec());
    let codes = list.unwrap_or_else(|| vec![value.clone()]);
    let codes: Option<Vec<i64>> =
        codes.iter().map(|code| code.flatten_clone().as_int().ok()).collect();
    let takes = "an exit code or an array of exit codes";
    let codes = codes.ok_or_else(|| call.mistake("option `allow`", takes, value))?;
    match codes.iter().find_map(|code| no_exit_code(*code)) {
        Some(message) => Err(throw(message)),
        None => Ok(codes),
    }
}

/// Returns the message for a number that is not an exit code.
pub(in crate::script) fn no_exit_code(number: i64) -> Option<String> {
    let is_code = (0..=255).contains(&number);
    (!is_code).then(|| format!("`{number}` is not an exit code; exit codes are 0 to 255"))
}

/// Reads a map of environment variables. Null removes a variable.
pub(in crate::script) fn env(
    call: &Call<'_>,
    value: &Dynamic,
) -> Result<Vec<(String, Option<String>)>, Thrown> {
    let map = value.read_lock::<Map>();
    let map = map.ok_or_else(|| call.mistake("option `env`", "a map of variables", value))?;
    let mut env = Vec::new();
    for (name, value) in map.iter() {
        let value = value.flatten_clone();
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(throw(format!("`{name}` is not a valid variable name")));
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
                "the secret `{}` is not UTF-8 and cannot be an environment variable; pass it in \
                 `input`",
                secret.name
            )
        };
        return text.ok_or_else(|| throw(message()));
    }
    secrets::refuse(call.session, value)?;
    let text = plain_text(value).ok_or_else(|| {
        let takes = format!("a string, a number, a secret or null (`()`) for `{name}`");
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
    secrets::refuse(call.session, value)?;
    Ok(call.text("option `input`", value)?.into_bytes())
}

pub(in crate::script) fn q(call: &Call<'_>, arguments: &[Dynamic]) -> Result<Dynamic, Thrown> {
    let value = first(arguments);
    secrets::refuse(call.session, &value)?;
    let text = kind::plain_text(&value);
    let text = text.ok_or_else(|| call.mistake("value", "a string or a number", &value))?;
    let quoted = quoted(&text);
    call.session.untrusted.note_quoted(&call.session.facts, &text, &quoted);
    Ok(quoted.into())
}
