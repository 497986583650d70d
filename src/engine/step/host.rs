//! [`StepHost`]: the only host of steps. It checks every request of a step and masks every output,
//! before [`Effects`] act on them.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use super::{
    conditions::{Unmet, ignored, whole_commit_unmet},
    context::ChangeCheck,
    files,
    output::{AttemptOutput, Hidden, KeptOutput},
    paths::below_export,
};
use crate::{
    model::{
        answer::with_request,
        artifact::Artifact,
        cancel::CancelView,
        dry_run::Action,
        error::{Error, ErrorKind},
        executor::{Command, Output, OutputMode, Program},
        function::{Effect, HostFunction, Value},
        outcome::Exit,
        pipeline::{Phase, Pipeline},
        record::CommandRecord,
        record_size::KeptCommands,
        request_context::RequestContext,
        step::{
            ApprovalAnswer, Changes, CommandEnd, Denied, DryStage, Effects, Facts, FailedCommand,
            Host, Lookups, Reporter, RequestLimits, StepCommand, in_one_line, whole_program,
        },
    },
    process::search_path,
    rules::{
        environment::{Variables, change},
        glob::ArtifactPattern,
        mask::Masks,
    },
    util::{lock::lock, threads::panic_text},
    workspace::ARTIFACTS_MAX,
};

/// Maximum size of the remembered values of one run, in bytes.
const REMEMBERED_BYTES_MAX: usize = 64 << 10;

/// Maximum nesting depth of a remembered value.
const REMEMBERED_DEPTH_MAX: usize = 64;

/// How often a wait checks for a cancellation.
const WAIT_POLL_INTERVAL: Duration = Duration::from_millis(20);

/// State that all steps of one job share.
#[derive(Default)]
pub(in crate::engine) struct Memory {
    remembered: Mutex<BTreeMap<String, Value>>,
    /// True in a plan after a step whose remembered values are not fully known.
    is_incomplete: AtomicBool,
    artifacts: Mutex<BTreeMap<PathBuf, Artifact>>,
    changes: OnceLock<Arc<Changes>>,
    previous: OnceLock<Option<String>>,
    discards_export: AtomicBool,
    /// The phases for which a script saw that nothing changed.
    unchanged: Mutex<BTreeSet<Phase>>,
    asked_for_ref: AtomicBool,
    /// The secrets that the server lacks, in the order of the requests.
    missing_secrets: Mutex<Vec<String>>,
    /// The messages that were already reported.
    reported: Mutex<BTreeSet<String>>,
}

impl Memory {
    /// Creates a memory with the remembered values of an earlier job.
    pub(in crate::engine) fn recalling(remembered: BTreeMap<String, Value>) -> Self {
        Self { remembered: Mutex::new(remembered), ..Self::default() }
    }

    /// Returns the remembered values.
    pub(in crate::engine) fn remembered(&self) -> BTreeMap<String, Value> {
        lock(&self.remembered).clone()
    }

    /// Forgets the remembered values, because a plan no longer knows them.
    pub(super) fn forget_remembered(&self) {
        lock(&self.remembered).clear();
        self.is_incomplete.store(true, Ordering::SeqCst);
    }

    /// Returns the kept artifacts, by path.
    pub(in crate::engine) fn artifacts(&self) -> Vec<Artifact> {
        lock(&self.artifacts).values().cloned().collect()
    }

    /// Adds artifacts, and removes those that they replace.
    fn keep(&self, kept: Vec<Artifact>) -> Result<(), Denied> {
        let mut artifacts = lock(&self.artifacts);
        for artifact in kept {
            let path = PathBuf::from(&artifact.path);
            path.ancestors().skip(1).for_each(|above| drop(artifacts.remove(above)));
            let after = artifacts.split_off(&path);
            artifacts.extend(after.into_iter().skip_while(|(other, _)| other.starts_with(&path)));
            artifacts.insert(path, artifact);
        }
        if artifacts.len() <= ARTIFACTS_MAX {
            return Ok(());
        }
        Err(Denied::refused(format!(
            "cannot keep more than {ARTIFACTS_MAX} artifacts in a job; keep an archive of the files"
        )))
    }

    /// Returns the changes since the nearest green ancestor. Looked up once per job.
    pub(super) fn changes(&self, lookups: &dyn Lookups) -> Result<Arc<Changes>, Error> {
        if let Some(changes) = self.changes.get() {
            return Ok(changes.clone());
        }
        let changes = Arc::new(lookups.changes()?);
        Ok(self.changes.get_or_init(|| changes).clone())
    }

    /// Returns the verdict of the first parent. Looked up once per job.
    pub(super) fn previous(&self, lookups: &dyn Lookups) -> Result<Option<String>, Error> {
        if let Some(previous) = self.previous.get() {
            return Ok(previous.clone());
        }
        let previous = lookups.previous()?;
        Ok(self.previous.get_or_init(|| previous).clone())
    }

    /// Returns the phases for which a script saw that nothing changed.
    pub(super) fn unchanged(&self) -> BTreeSet<Phase> {
        lock(&self.unchanged).clone()
    }

    /// Returns the first requested secret that the server lacks.
    pub(in crate::engine) fn missing_secret(&self) -> Option<String> {
        lock(&self.missing_secrets).first().cloned()
    }

    /// Returns true if a script used the branch or the tags.
    pub(in crate::engine) fn asked_for_ref(&self) -> bool {
        self.asked_for_ref.load(Ordering::SeqCst)
    }

    /// Returns true if the export must be removed at the end of the job.
    pub(in crate::engine) fn discards_export(&self) -> bool {
        self.discards_export.load(Ordering::SeqCst)
    }
}

/// The host of one step.
pub(in crate::engine) struct StepHost {
    /// The request context of the step, with its cancellation threshold.
    pub(super) context: RequestContext,
    /// The environment of every command, before the command's own changes.
    pub(super) env: Variables,
    /// The niceness of every command.
    pub(super) nice: u8,
    /// True if each command is printed before it runs.
    pub(super) shows_commands: bool,
    pub(super) command_timeout: Option<Duration>,
    pub(super) effects: Arc<dyn Effects>,
    pub(super) lookups: Arc<dyn Lookups>,
    pub(super) reporter: Arc<dyn Reporter>,
    pub(super) memory: Arc<Memory>,
    pub(super) change_check: Arc<ChangeCheck>,
    pub(super) masks: Masks,
    pub(super) command_log: CommandLog,
}

/// The records of a step's commands.
#[derive(Default)]
pub(super) struct CommandLog {
    records: Mutex<KeptCommands>,
    timed_out_command: Mutex<Option<FailedCommand>>,
}

impl CommandLog {
    /// Returns the records of the kept commands, in the order in which they ended, and the number
    /// of the others.
    pub(super) fn records(&self) -> (Vec<CommandRecord>, usize) {
        lock(&self.records).all()
    }

    /// Returns the last command, if a time limit of the step ended it.
    pub(super) fn timed_out_command(&self) -> Option<FailedCommand> {
        lock(&self.timed_out_command).clone()
    }
}

impl Host for StepHost {
    fn command(&self, command: &StepCommand) -> Result<CommandEnd, Denied> {
        let cwd = match &command.cwd {
            Some(below) => self.context.export_dir.join(self.below_export(below)?),
            None => self.context.export_dir.clone(),
        };
        let mut attempt = 0;
        loop {
            let (end, hidden) = self.attempt(command, cwd.clone())?;
            let is_over = end.passed || attempt >= command.retries || end.exit == Exit::Canceled;
            let step_is_over = || command.is_over.load(Ordering::SeqCst);
            if is_over || step_is_over() || self.is_late(command.deadline) {
                if !end.passed {
                    hidden.show(self, command);
                }
                return Ok(end);
            }
            attempt += 1;
            let (exit, wait, retries) = (end.exit, command.backoff, command.retries);
            let message =
                format!("{} {exit}; retrying in {wait:?} ({attempt} of {retries})\n", end.command);
            self.print(command.label.as_deref(), &message);
            self.wait(wait, command);
            let stopped = self.stopped(command);
            if stopped.is_some() || step_is_over() {
                hidden.show(self, command);
                return Ok(CommandEnd { exit: stopped.unwrap_or(end.exit), ..end });
            }
        }
    }

    fn print(&self, label: Option<&str>, text: &str) {
        let text = self.masks.apply(text);
        let label = label.map(|label| self.label(label));
        let prefix = label.as_ref().map(|label| format!("[{label}] ")).unwrap_or_default();
        let lines: String = text.lines().map(|line| format!("{prefix}{line}\n")).collect();
        self.reporter.printed(label.as_deref(), lines);
    }

    fn warn(&self, message: &str) {
        self.note_call("warn", message);
        self.reporter.warn(self.masks.apply(message));
    }

    fn secret(&self, name: &str, limits: RequestLimits) -> Result<Vec<u8>, Denied> {
        self.note_call("secret", name);
        self.lookups.check_secret(name).map_err(|denied| match denied {
            // A deployment has no other ref that could allow the secret, so it fails.
            Denied::LeftOut(error) if self.context.step == Phase::Deploy.into() => {
                Denied::Refused(error)
            }
            denied => denied,
        })?;
        let value = self.effects.secret(name, &self.context_of(limits)).inspect_err(|denied| {
            if let Denied::Fault(error) = denied
                && error.kind() == ErrorKind::NotFound
            {
                lock(&self.memory.missing_secrets).push(name.to_owned());
            }
        })?;
        let message = format!(
            "parts of the secret `{name}` are shorter than 4 bytes and are not masked in output"
        );
        if !self.masks.add(&value) && self.memory.is_first_report(&message) {
            self.reporter.warn(message);
        }
        Ok(value)
    }

    fn mask_placeholder(&self, placeholder: &str) {
        self.masks.add(placeholder.as_bytes());
    }

    fn call(
        &self,
        function: &HostFunction,
        arguments: &[Value],
        limits: RequestLimits,
    ) -> Result<Value, Denied> {
        let name = &function.name;
        if function.effect == Effect::External {
            let arguments: Vec<String> = arguments.iter().map(Value::literal).collect();
            self.note_action(Action::Call(format!("{name}({})", arguments.join(", "))));
        }
        let context = self.context_of(limits);
        let failed = |why: String| Denied::refused(format!("`{name}` failed: {why}"));
        // The reason that ended the wait also ends the step, whatever this error says.
        self.reporter.flush(&context).map_err(|stop| failed(stop.name().to_owned()))?;
        let answer = self.effects.call(function, arguments, &context);
        answer.map_err(|error| match Denied::of_host(error) {
            Denied::Refused(error) => failed(error.report()),
            other => other,
        })
    }

    fn env(&self, name: &str) -> Option<String> {
        if ["TINYCI_BRANCH", "TINYCI_TAG", "TINYCI_TAGS"].contains(&name) {
            self.asked_for_ref();
        }
        self.env.get(OsStr::new(name))?.to_str().map(str::to_owned)
    }

    fn remember(&self, key: &str, value: Value) -> Result<(), Denied> {
        self.note_call("remember", key);
        if self.masks.has_secret(key) || self.masks.has_secret_in(&value) {
            return Err(Denied::refused(format!(
                "cannot remember `{}`: it contains a secret, and records are not confidential",
                self.masks.apply(key)
            )));
        }
        if let Some(what) = not_storable(&value, 0) {
            return Err(Denied::refused(format!(
                "cannot remember `{key}`: a record cannot store {what}"
            )));
        }
        let mut remembered = lock(&self.memory.remembered);
        let old = remembered.insert(key.to_owned(), value);
        let bytes: usize = remembered.iter().map(|(key, value)| key.len() + size(value)).sum();
        if bytes <= REMEMBERED_BYTES_MAX {
            return Ok(());
        }
        match old {
            Some(old) => remembered.insert(key.to_owned(), old),
            None => remembered.remove(key),
        };
        Err(Denied::refused(format!(
            "cannot remember `{key}`: the values have {bytes} bytes in total, more than \
             {REMEMBERED_BYTES_MAX}; use `artifact` for files"
        )))
    }

    fn recall(&self, key: &str) -> Option<Value> {
        let remembered = lock(&self.memory.remembered).get(key).cloned();
        let is_incomplete = self.memory.is_incomplete.load(Ordering::SeqCst);
        let unknown =
            || self.effects.unknown_memory(key).filter(|_| is_incomplete).map(Value::String);
        remembered.or_else(unknown)
    }

    fn artifact(&self, paths: &[String], limits: RequestLimits) -> Result<(), Denied> {
        self.note_action(Action::Call(format!("artifact({})", self.shown_paths(paths))));
        let patterns = ArtifactPattern::parse_list(paths).map_err(Denied::refused)?;
        let refuses = |path: &str| {
            let message = || {
                format!("the name of the artifact `{}` contains a secret", self.masks.apply(path))
            };
            self.masks.has_secret(path).then(|| Denied::refused(message()))
        };
        for pattern in &patterns {
            if let Some(refused) = refuses(pattern.text()) {
                return Err(refused);
            }
            if let Some(path) = pattern.path().filter(|path| !path.is_empty()) {
                self.below_export(path)?;
            }
        }
        let kept = self.effects.artifacts(paths, &refuses, &self.context_of(limits))?;
        self.memory.keep(kept)
    }

    fn discard_export(&self) {
        self.note_action(Action::Call("discard_export()".to_owned()));
        self.memory.discards_export.store(true, Ordering::SeqCst);
    }

    fn approve(&self, question: &str, limits: RequestLimits) -> Result<ApprovalAnswer, Denied> {
        let question = self.masks.apply(question);
        self.note_call("approve", &question);
        self.effects.approval(&question, &self.context_of(limits))
    }

    fn changes(&self) -> Result<Arc<Changes>, Error> {
        self.memory.changes(&*self.lookups)
    }

    fn changed(&self, globs: &[String]) -> Result<bool, Error> {
        let (changes, step) = (self.changes()?, self.context.step);
        let changed = self.change_check.is_met(&changes, globs)?;
        if let Some(phase) = step.decides().filter(|_| !changed) {
            self.memory.note_unchanged(phase);
        }
        if self.change_check.forced && !self.change_check.has_changes(&changes, globs)? {
            let unmet = Unmet::by_changed(globs);
            self.memory.report_ignored(&format!("`{step}`"), &unmet, &*self.reporter);
        }
        Ok(changed)
    }

    fn asked_for_ref(&self) {
        self.memory.asked_for_ref.store(true, Ordering::SeqCst);
    }

    fn previous(&self) -> Result<Option<String>, Error> {
        self.memory.previous(&*self.lookups)
    }

    fn exists(&self, path: &str) -> Result<bool, Denied> {
        files::exists(path, &*self.lookups)
    }

    fn read(&self, path: &str) -> Result<String, Denied> {
        files::read(path, &*self.lookups)
    }

    fn has_program(&self, name: &str) -> bool {
        !name.contains('/') && self.lookups.has_program(name, search_path(&self.env))
    }

    fn masked(&self, text: &str) -> String {
        self.masks.apply(text)
    }

    fn is_canceled(&self, cleanup: bool) -> bool {
        self.cancel_view(cleanup).is_canceled()
    }

    fn decided(&self, predicate: &str, answer: bool, at: &str) {
        let (question, at) = (self.masks.apply(predicate), at.to_owned());
        self.note_action(Action::Decision { question, answer, at });
    }

    fn dry(&self) -> Option<&dyn DryStage> {
        self.effects.dry()
    }
}

impl StepHost {
    /// Refuses a path that leads out of the export.
    fn below_export(&self, path: &str) -> Result<PathBuf, Denied> {
        below_export(path, &|path| self.lookups.tree_entry(path))
    }

    /// Runs a command once. Also returns the output that was not shown.
    fn attempt(&self, command: &StepCommand, cwd: PathBuf) -> Result<(CommandEnd, Hidden), Denied> {
        let prepared = self.prepared(command, cwd);
        let view = self.cancel_view(command.cleanup);
        if self.shows_commands {
            let shown = as_typed(&prepared.program);
            self.print(command.label.as_deref(), &format!("+ {shown}"));
        }
        let mut output = AttemptOutput::new(self, command);
        let clock = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let mut write = |piece: Output| output.write(piece);
            self.effects.command(&prepared, command.output, &mut write, &view)
        }));
        let KeptOutput { stdout, stderr, tail, hidden } = output.finish();
        let ended = ended.unwrap_or_else(|panic| {
            let message = format!("the executor panicked: {}", panic_text(&*panic));
            Err(Error::new(ErrorKind::Panic, message))
        });
        let exit = ended.as_ref().ok().copied();
        lock(&self.command_log.records).push(CommandRecord {
            command: prepared.program.to_string(),
            exit,
            allowed: exit.is_some_and(|exit| exit != Exit::Code(0) && command.passes_with(exit)),
            duration: clock.elapsed(),
        });
        let ended = ended.map_err(|error| with_request("the command", error));
        let exit = ended.map_err(Denied::of_machinery)?;
        let whole = self.masks.apply(&whole_program(&prepared.program));
        let shown = in_one_line(&whole);
        let passed = command.passes_with(exit);
        let label = command.label.as_ref().map(|label| self.label(label));
        let end = CommandEnd { command: shown, whole, label, exit, passed, stdout, stderr, tail };
        let is_timed_out = exit == Exit::TimedOut && self.is_late(command.deadline);
        *lock(&self.command_log.timed_out_command) = is_timed_out.then(|| end.failed());
        Ok((end, hidden))
    }

    fn prepared(&self, command: &StepCommand, cwd: PathBuf) -> Command {
        let mut prepared = Command::new(command.program.clone(), cwd);
        prepared.env = self.env.clone();
        change(&mut prepared.env, &command.env);
        prepared.nice = self.nice;
        prepared.input = command.input.clone();
        let limits = [command.timeout, self.command_timeout].into_iter().flatten();
        let limits = limits.filter_map(|limit| self.effects.now().checked_add(limit));
        let deadline = limits.chain(command.deadline).min();
        let (label, cleanup) = (command.label.clone(), command.cleanup);
        prepared.context = Some(self.context_of(RequestLimits { deadline, label, cleanup }));
        prepared.deadline = deadline;
        prepared.output =
            if command.output.is_given() { OutputMode::Split } else { OutputMode::Merged };
        prepared
    }

    /// Waits before another attempt. Returns early if the command is canceled or late.
    fn wait(&self, time: Duration, command: &StepCommand) {
        if let Some(dry) = self.effects.dry() {
            return dry.clock().wait(time);
        }
        let begun = Instant::now();
        let is_over = || command.is_over.load(Ordering::SeqCst) || self.stopped(command).is_some();
        while !is_over() {
            let rest = time.saturating_sub(begun.elapsed());
            if rest.is_zero() {
                return;
            }
            thread::sleep(rest.min(WAIT_POLL_INTERVAL));
        }
    }

    /// Returns how a command ends that is canceled or late.
    fn stopped(&self, command: &StepCommand) -> Option<Exit> {
        if self.cancel_view(command.cleanup).is_canceled() {
            return Some(Exit::Canceled);
        }
        self.is_late(command.deadline).then_some(Exit::TimedOut)
    }

    fn is_late(&self, deadline: Option<Instant>) -> bool {
        deadline.is_some_and(|deadline| self.effects.now() >= deadline)
    }

    /// Returns the cancellation of a command. Cleanup commands ignore the first cancel, as
    /// `after_all` does.
    fn cancel_view(&self, cleanup: bool) -> CancelView {
        let cancel = &self.context.cancel;
        if cleanup { cancel.with_threshold(2) } else { cancel.clone() }
    }

    /// Returns a label as it appears before lines: on one line, and masked.
    pub(super) fn label(&self, label: &str) -> String {
        self.masks.apply(label).replace(char::is_control, "\u{fffd}")
    }

    /// Returns the context of a request with these limits.
    fn context_of(&self, limits: RequestLimits) -> RequestContext {
        RequestContext {
            label: limits.label.map(|label| self.label(&label).into()),
            deadline: limits.deadline,
            cancel: self.cancel_view(limits.cleanup),
            ..self.context.clone()
        }
    }

    fn note_action(&self, action: Action) {
        self.reporter.noted(action);
    }

    /// Returns the masked arguments of a call of `artifact`.
    fn shown_paths(&self, paths: &[String]) -> String {
        let shown: Vec<String> =
            paths.iter().map(|path| format!("{:?}", self.masks.apply(path))).collect();
        if let [one] = shown.as_slice() { one.clone() } else { format!("[{}]", shown.join(", ")) }
    }

    fn note_call(&self, name: &str, argument: &str) {
        self.note_action(Action::Call(format!("{name}({:?})", self.masks.apply(argument))));
    }
}

impl Memory {
    /// Returns true if this message was not reported before.
    fn is_first_report(&self, message: &str) -> bool {
        lock(&self.reported).insert(message.to_owned())
    }

    /// Reports once that a retry runs something despite its condition.
    pub(super) fn report_ignored(&self, what: &str, unmet: &Unmet, reporter: &dyn Reporter) {
        let message = ignored(what, unmet);
        if self.is_first_report(&message) {
            reporter.noted(Action::Note(message.clone()));
            reporter.warn(message);
        }
    }

    /// Returns the condition that skips the whole commit, if there is one. Reports a condition that
    /// a retry ignores.
    pub(in crate::engine) fn whole_commit_unmet(
        &self,
        pipeline: &Pipeline,
        facts: &Facts,
        forced: bool,
        reporter: &dyn Reporter,
    ) -> Option<Unmet> {
        let found = whole_commit_unmet(pipeline, facts, forced);
        if forced
            && found.is_none()
            && let Some(ignored) = whole_commit_unmet(pipeline, facts, false)
        {
            self.report_ignored("the commit", &ignored, reporter);
        }
        found
    }

    /// Notes that a phase, or the hook before it, relies on an earlier build or test.
    pub(super) fn note_unchanged(&self, phase: Phase) {
        lock(&self.unchanged).insert(phase);
    }
}

/// Returns a command as a person would type it.
fn as_typed(program: &Program) -> String {
    match program {
        Program::Shell(text) => text.trim().to_owned(),
        Program::Argv(words) => {
            words.iter().map(|word| quoted_as_needed(word)).collect::<Vec<_>>().join(" ")
        }
    }
}

fn quoted_as_needed(word: &str) -> String {
    let is_plain = |it: char| it.is_alphanumeric() || "-_./:@%+,=".contains(it);
    match !word.is_empty() && word.chars().all(is_plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// Returns what in a value a record cannot store: numbers that JSON lacks, or too deep nesting.
fn not_storable(value: &Value, depth: usize) -> Option<String> {
    let inner = |value: &Value| not_storable(value, depth + 1);
    match value {
        Value::Array(_) | Value::Map(_) if depth >= REMEMBERED_DEPTH_MAX => {
            Some(format!("arrays or maps nested more than {REMEMBERED_DEPTH_MAX} levels deep"))
        }
        Value::Float(number) if !number.is_finite() => Some(format!("the number {number}")),
        Value::Array(list) => list.iter().find_map(inner),
        Value::Map(map) => map.values().find_map(inner),
        _ => None,
    }
}

/// Returns the approximate size of a stored value in bytes.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(list) => list.iter().map(|value| size(value) + 1).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| key.len() + size(value) + 4).sum(),
        _ => 8,
    }
}
