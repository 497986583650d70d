//! Runs what scripts ask for: a [`Host`] over the seams of a real build.
//!
//! A command takes the road that YAML's take, through the [`Executor`], under the step's deadline
//! and cancel; what it writes is masked and labelled before anyone sees it.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Component, Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{
    answer::panic_text,
    cancel::CancelView,
    error::{Error, ErrorKind},
    executor::{Command, Executor, Output, OutputMode, Stream},
    function::{FunctionCall, HostFunction, Value},
    inherited::Inherited,
    mask::{MaskedStream, Masks},
    outcome::{Exit, Outcome},
    record::{Artifact, CommandRecord},
    repo::Repo,
    request_context::RequestContext,
    script::{Approval, Changes, Host, Limits, ScriptCommand, Shown},
};

/// How many bytes the remembered values of one run may have.
const REMEMBERED_BYTES_MAX: usize = 64 << 10;

/// A line that is longer is shown in pieces, so that none is held in memory without end.
const LINE_BYTES_MAX: usize = 16 << 10;

/// How much of the end of a failed command's output the hooks after it are told.
const TAIL_BYTES_MAX: usize = 2 << 10;

/// Where what a script shows goes: the log and the observer.
pub(crate) trait Sink: Send + Sync {
    /// Output, whole lines where it is labelled.
    fn output(&self, label: Option<&str>, stream: Stream, bytes: Vec<u8>);

    /// Waits until all of it was seen, before an embedding program is asked for something. The
    /// error says what ended the wait before.
    fn settle(&self, context: &RequestContext) -> Result<(), Outcome>;

    /// A warning.
    fn warn(&self, message: String);
}

/// What the runner looks up when it is asked, and not before.
pub(crate) trait Lookups: Send + Sync {
    /// What differs from the nearest green ancestor.
    fn changes(&self) -> Result<Changes, Error>;

    /// The verdict of the first parent.
    fn previous(&self) -> Result<Option<String>, Error>;

    /// The bytes of a secret.
    fn secret(&self, name: &str, context: &RequestContext) -> Result<Vec<u8>, Error>;

    /// Whether somebody approved.
    fn approval(&self, question: &str, context: &RequestContext) -> Result<Approval, Error>;
}

/// What all phases of one attempt share.
#[derive(Default)]
pub(crate) struct Memory {
    remembered: Mutex<BTreeMap<String, Value>>,
    artifacts: Mutex<Vec<Artifact>>,
    changes: OnceLock<Arc<Changes>>,
    discards_export: AtomicBool,
}

impl Memory {
    /// A memory that begins with what was remembered before.
    pub(crate) fn recalling(remembered: BTreeMap<String, Value>) -> Self {
        Self { remembered: Mutex::new(remembered), ..Self::default() }
    }

    /// What was remembered.
    pub(crate) fn remembered(&self) -> BTreeMap<String, Value> {
        locked(&self.remembered).clone()
    }

    /// What was kept.
    pub(crate) fn artifacts(&self) -> Vec<Artifact> {
        locked(&self.artifacts).clone()
    }

    /// Whether the export is to be removed when the run is over.
    pub(crate) fn discards_export(&self) -> bool {
        self.discards_export.load(Ordering::SeqCst)
    }
}

/// One phase's host.
pub(crate) struct StepHost {
    pub(crate) executor: Arc<dyn Executor>,
    /// The step, with its threshold for cancels.
    pub(crate) context: RequestContext,
    pub(crate) sink: Arc<dyn Sink>,
    pub(crate) lookups: Arc<dyn Lookups>,
    pub(crate) memory: Arc<Memory>,
    pub(crate) masks: Masks,
    /// What every command gets over the environment of this process.
    pub(crate) env: Vec<(String, Option<String>)>,
    /// What scripts see of that environment, as commands do.
    pub(crate) inherited: Inherited,
    pub(crate) artifacts_dir: PathBuf,
    pub(crate) command_timeout: Option<Duration>,
    pub(crate) ran: Ran,
}

/// What a phase's commands left behind.
#[derive(Default)]
pub(crate) struct Ran {
    records: Mutex<Vec<CommandRecord>>,
    /// The last command that failed, with the end of its output.
    failed: Mutex<Option<(CommandRecord, String)>>,
}

impl Ran {
    /// The records of all commands, in the order in which they ended.
    pub(crate) fn records(&self) -> Vec<CommandRecord> {
        locked(&self.records).clone()
    }

    /// The last command that failed, with the end of its output.
    pub(crate) fn failed(&self) -> Option<(CommandRecord, String)> {
        locked(&self.failed).clone()
    }
}

impl Host for StepHost {
    fn command(
        &self,
        command: &ScriptCommand,
        output: &mut dyn FnMut(&Output),
    ) -> Result<Exit, Error> {
        let prepared = self.prepared(command)?;
        let view = self.view(command.cleanup);
        let mut shown = ShownOutput::new(self, command);
        let clock = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let mut take = |piece: Output| {
                output(&piece);
                shown.take(piece);
            };
            self.executor.execute(&prepared, &mut take, &view)
        }));
        let tail = shown.finish();
        let ended = ended.unwrap_or_else(|panic| {
            let message = format!("the executor panicked: {}", panic_text(&*panic));
            Err(Error::new(ErrorKind::Panic, message))
        });
        let record = CommandRecord {
            command: self.masks.apply(&prepared.program.to_string()),
            exit: ended.as_ref().ok().copied(),
            duration: clock.elapsed(),
        };
        if ended.as_ref().is_ok_and(|exit| !exit.outcome().passed()) {
            *locked(&self.ran.failed) = Some((record.clone(), tail));
        }
        locked(&self.ran.records).push(record);
        ended
    }

    fn print(&self, label: Option<&str>, text: &str) {
        let text = self.masks.apply(text);
        let prefix = label.map(|label| format!("[{label}] ")).unwrap_or_default();
        let lines: String = text.lines().map(|line| format!("{prefix}{line}\n")).collect();
        self.sink.output(label, Stream::Stdout, lines.into_bytes());
    }

    fn warn(&self, message: &str) {
        self.sink.warn(self.masks.apply(message));
    }

    fn secret(&self, name: &str, limits: Limits) -> Result<Vec<u8>, Error> {
        let value = self.lookups.secret(name, &self.context_of(limits))?;
        if !self.masks.add(&value) {
            let message = format!(
                "the secret `{name}` has parts of fewer than 4 bytes, which are not masked in output"
            );
            self.sink.warn(message);
        }
        Ok(value)
    }

    fn call(
        &self,
        function: &HostFunction,
        arguments: &[Value],
        limits: Limits,
    ) -> Result<Value, Error> {
        let context = self.context_of(limits);
        // What ended the wait ends the phase too, whatever this error says.
        self.sink.settle(&context).map_err(|stop| Error::new(ErrorKind::Canceled, stop.name()))?;
        function.call(&FunctionCall::new(arguments, &context))
    }

    fn env(&self, name: &str) -> Option<String> {
        let own = self.env.iter().rev().find(|(known, _)| known == name);
        match own {
            Some((_, value)) => value.clone(),
            None if self.inherited.passes(name.as_bytes()) => std::env::var(name).ok(),
            None => None,
        }
    }

    fn remember(&self, key: &str, value: Value) -> Result<(), Error> {
        let mut remembered = locked(&self.memory.remembered);
        let old = remembered.insert(key.to_owned(), value);
        let bytes: usize = remembered.iter().map(|(key, value)| key.len() + size(value)).sum();
        if bytes <= REMEMBERED_BYTES_MAX {
            return Ok(());
        }
        match old {
            Some(old) => remembered.insert(key.to_owned(), old),
            None => remembered.remove(key),
        };
        let message = format!(
            "with `{key}` the values to remember have {bytes} bytes, and {REMEMBERED_BYTES_MAX} can \
             be kept; keep files with `artifact`"
        );
        Err(Error::new(ErrorKind::InvalidArg, message))
    }

    fn recall(&self, key: &str) -> Option<Value> {
        locked(&self.memory.remembered).get(key).cloned()
    }

    fn artifact(&self, path: &str) -> Result<(), Error> {
        let artifact = keep(&self.context.export_dir, &self.artifacts_dir, path)?;
        let mut artifacts = locked(&self.memory.artifacts);
        artifacts.retain(|other| other.path != artifact.path);
        artifacts.push(artifact);
        Ok(())
    }

    fn discard_export(&self) {
        self.memory.discards_export.store(true, Ordering::SeqCst);
    }

    fn approve(&self, question: &str, limits: Limits) -> Result<Approval, Error> {
        self.lookups.approval(question, &self.context_of(limits))
    }

    fn changes(&self) -> Result<Arc<Changes>, Error> {
        if let Some(changes) = self.memory.changes.get() {
            return Ok(changes.clone());
        }
        let changes = Arc::new(self.lookups.changes()?);
        Ok(self.memory.changes.get_or_init(|| changes).clone())
    }

    fn previous(&self) -> Result<Option<String>, Error> {
        self.lookups.previous()
    }

    fn has_program(&self, name: &str) -> bool {
        let path = self.env("PATH").unwrap_or_default();
        let is_program = |dir: &Path| {
            let found = fs::metadata(dir.join(name));
            found.is_ok_and(|it| it.is_file() && it.permissions().mode() & 0o111 != 0)
        };
        !name.is_empty()
            && !name.contains('/')
            && std::env::split_paths(&path).any(|dir| is_program(&dir))
    }

    fn is_canceled(&self, cleanup: bool) -> bool {
        self.view(cleanup).is_canceled()
    }
}

impl StepHost {
    /// What cleans up is stopped as `after_all` is.
    fn view(&self, cleanup: bool) -> CancelView {
        let cancel = &self.context.cancel;
        if cleanup { cancel.with_threshold(2) } else { cancel.clone() }
    }

    /// Where a request comes from that is made under these limits.
    fn context_of(&self, limits: Limits) -> RequestContext {
        RequestContext {
            label: limits.label.map(|label| self.masks.apply(&label).into()),
            deadline: limits.deadline,
            cancel: self.view(limits.cleanup),
            ..self.context.clone()
        }
    }

    fn prepared(&self, command: &ScriptCommand) -> Result<Command, Error> {
        let cwd = match &command.cwd {
            Some(below) => self.context.export_dir.join(below_export(below)?),
            None => self.context.export_dir.clone(),
        };
        let mut prepared = Command::new(command.program.clone(), cwd);
        prepared.env = self.env.iter().chain(&command.env).cloned().collect();
        prepared.input = command.input.clone();
        let each = self.command_timeout.and_then(|limit| Instant::now().checked_add(limit));
        let deadline = [each, command.deadline].into_iter().flatten().min();
        let (label, cleanup) = (command.label.clone(), command.cleanup);
        prepared.context = Some(self.context_of(Limits { deadline, label, cleanup }));
        prepared.deadline = deadline;
        prepared.output = if command.split { OutputMode::Split } else { OutputMode::Merged };
        Ok(prepared)
    }
}

/// A path that does not leave the export.
fn below_export(below: &str) -> Result<&Path, Error> {
    let path = Path::new(below);
    let stays =
        path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
    if stays && !below.is_empty() {
        return Ok(path);
    }
    let message = format!("`{below}` leads out of the export; name something below it");
    Err(Error::new(ErrorKind::InvalidArg, message))
}

/// Copies a file of the export. A link is not followed: it could lead anywhere.
fn keep(export_dir: &Path, artifacts_dir: &Path, path: &str) -> Result<Artifact, Error> {
    let below = below_export(path)?;
    let from = export_dir.join(below);
    let found = fs::symlink_metadata(&from).map_err(|source| Error::io("keep", &from, source))?;
    let real = from.canonicalize().map_err(|source| Error::io("keep", &from, source))?;
    let top = export_dir.canonicalize().map_err(|source| Error::io("keep", export_dir, source))?;
    if !found.is_file() || !real.starts_with(&top) {
        let message = format!("`{path}` is not a regular file of the export and cannot be kept");
        return Err(Error::new(ErrorKind::InvalidArg, message));
    }
    let to = artifacts_dir.join(below);
    let parent = to.parent().unwrap_or(artifacts_dir);
    fs::create_dir_all(parent).map_err(|source| Error::io("create", parent, source))?;
    let bytes = fs::copy(&real, &to).map_err(|source| Error::io("write", &to, source))?;
    let blob = Repo::file_digest(&to)?;
    Ok(Artifact { path: path.to_owned(), bytes, blob })
}

/// About how many bytes a value takes where it is kept.
fn size(value: &Value) -> usize {
    match value {
        Value::Text(text) => text.len() + 2,
        Value::List(list) => list.iter().map(|value| size(value) + 1).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| key.len() + size(value) + 4).sum(),
        _ => 8,
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The output of one command on its way to the sink.
struct ShownOutput<'a> {
    host: &'a StepHost,
    shown: Shown,
    label: Option<String>,
    prefix: String,
    stdout: (MaskedStream, Vec<u8>),
    stderr: (MaskedStream, Vec<u8>),
    tail: Vec<u8>,
}

impl<'a> ShownOutput<'a> {
    fn new(host: &'a StepHost, command: &ScriptCommand) -> Self {
        let stream = || (host.masks.stream(), Vec::new());
        let label = command.label.as_ref().map(|label| host.masks.apply(label));
        let prefix = label.as_ref().map(|label| format!("[{label}] "));
        Self {
            host,
            shown: command.shown,
            label,
            prefix: prefix.unwrap_or_default(),
            stdout: stream(),
            stderr: stream(),
            tail: Vec::new(),
        }
    }

    fn take(&mut self, output: Output) {
        let (masked, _) = self.stream(output.stream);
        let clean = masked.push(output.bytes);
        self.show(output.stream, clean, false);
    }

    /// Shows what is left; gives back the end of all that was written.
    fn finish(mut self) -> String {
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = self.stream(stream).0.finish();
            self.show(stream, rest, true);
        }
        String::from_utf8_lossy(&self.tail).into_owned()
    }

    fn stream(&mut self, stream: Stream) -> &mut (MaskedStream, Vec<u8>) {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }

    fn show(&mut self, stream: Stream, bytes: Vec<u8>, last: bool) {
        self.tail.extend_from_slice(&bytes);
        let over = self.tail.len().saturating_sub(TAIL_BYTES_MAX);
        self.tail.drain(..over);
        let hidden = match self.shown {
            Shown::All => false,
            Shown::Stderr => stream == Stream::Stdout,
            Shown::Nothing => true,
        };
        if hidden {
            return;
        }
        if self.prefix.is_empty() {
            return self.host.sink.output(None, stream, bytes);
        }
        let prefix = self.prefix.clone();
        let held = &mut self.stream(stream).1;
        held.extend(bytes);
        let lines = labelled_lines(&prefix, held, last);
        if !lines.is_empty() {
            self.host.sink.output(self.label.as_deref(), stream, lines);
        }
    }
}

/// Takes the whole lines off what is held, each with its label in front: lines of commands that
/// run at once never run into each other.
fn labelled_lines(prefix: &str, held: &mut Vec<u8>, last: bool) -> Vec<u8> {
    let mut lines = Vec::new();
    loop {
        let within = held.get(..LINE_BYTES_MAX).unwrap_or(held);
        let end = match within.iter().position(|byte| *byte == b'\n') {
            Some(newline) => newline + 1,
            None if held.len() > LINE_BYTES_MAX => LINE_BYTES_MAX,
            None if last && !held.is_empty() => held.len(),
            None => return lines,
        };
        lines.extend_from_slice(prefix.as_bytes());
        lines.extend(held.drain(..end));
        if !lines.ends_with(b"\n") {
            lines.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labelled_output_comes_in_whole_lines() {
        let mut held = b"one\ntwo\nthr".to_vec();
        assert_eq!(labelled_lines("[a] ", &mut held, false), b"[a] one\n[a] two\n");
        held.extend_from_slice(b"ee");
        assert_eq!(labelled_lines("[a] ", &mut held, false), b"");
        assert_eq!(labelled_lines("[a] ", &mut held, true), b"[a] three\n");
        let mut held = vec![b'x'; LINE_BYTES_MAX + 1];
        assert_eq!(labelled_lines("", &mut held, false).len(), LINE_BYTES_MAX + 1);
        assert_eq!(held.len(), 1);
    }

    #[test]
    fn paths_of_a_script_stay_in_the_export() {
        for bad in ["", "/etc", "../x", "a/../../x"] {
            assert!(below_export(bad).is_err(), "{bad}");
        }
        assert!(below_export("a/./b").is_ok());
    }
}
