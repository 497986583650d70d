//! [`StepHost`]: the one host of steps. Every check of what a step asks for is made here, and
//! everything it says is masked here, before [`Effects`] act on it.

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
    conditions::{Unmet, ignored},
    context::Judge,
    files,
    output::{AttemptOutput, Hidden, KeptOutput},
    paths::below_export,
};
use crate::{
    model::{
        answer::blamed,
        artifact::Artifact,
        cancel::CancelView,
        dry_run::Action,
        error::{Error, ErrorKind},
        executor::{Command, Output, OutputMode, Program},
        function::{Effect, HostFunction, Value},
        outcome::Exit,
        pipeline::Phase,
        record::CommandRecord,
        record_size::KeptCommands,
        request_context::RequestContext,
        step::{
            ApprovalAnswer, Changes, CommandEnd, Denied, DryStage, Effects, FailedCommand, Host,
            Lookups, Reporter, RequestLimits, StepCommand, in_one_line, whole_program,
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

/// How many bytes the remembered values of one run may have.
const REMEMBERED_BYTES_MAX: usize = 64 << 10;

/// How deep they may stand in each other.
const REMEMBERED_DEPTH_MAX: usize = 64;

/// How long a wait sleeps before it looks at the cancel again.
const WAIT_SLICE: Duration = Duration::from_millis(20);

/// What all steps of one job share.
#[derive(Default)]
pub(in crate::engine) struct Memory {
    remembered: Mutex<BTreeMap<String, Value>>,
    /// True once a step may have remembered more than is known, in a plan.
    is_unsure: AtomicBool,
    artifacts: Mutex<BTreeMap<PathBuf, Artifact>>,
    changes: OnceLock<Arc<Changes>>,
    previous: OnceLock<Option<String>>,
    discards_export: AtomicBool,
    /// The phases for which a script heard that nothing changed.
    unchanged: Mutex<BTreeSet<Phase>>,
    asked_for_ref: AtomicBool,
    /// The secrets that the server lacks, in the order in which they were asked for.
    lacking: Mutex<Vec<String>>,
    /// What was said that is not to be said again.
    told: Mutex<BTreeSet<String>>,
}

impl Memory {
    /// A memory that begins with what was remembered before.
    pub(in crate::engine) fn recalling(remembered: BTreeMap<String, Value>) -> Self {
        Self { remembered: Mutex::new(remembered), ..Self::default() }
    }

    /// What was remembered.
    pub(in crate::engine) fn remembered(&self) -> BTreeMap<String, Value> {
        lock(&self.remembered).clone()
    }

    /// Takes it that what was remembered so far is not known any more.
    pub(super) fn unsettle(&self) {
        lock(&self.remembered).clear();
        self.is_unsure.store(true, Ordering::SeqCst);
    }

    /// What was kept, by path.
    pub(in crate::engine) fn artifacts(&self) -> Vec<Artifact> {
        lock(&self.artifacts).values().cloned().collect()
    }

    /// Notes what was kept, in the place of what it has overwritten.
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

    /// What differs from the nearest green ancestor, looked up once a job.
    pub(super) fn changes(&self, lookups: &dyn Lookups) -> Result<Arc<Changes>, Error> {
        if let Some(changes) = self.changes.get() {
            return Ok(changes.clone());
        }
        let changes = Arc::new(lookups.changes()?);
        Ok(self.changes.get_or_init(|| changes).clone())
    }

    /// The verdict of the first parent, looked up once a job.
    pub(super) fn previous(&self, lookups: &dyn Lookups) -> Result<Option<String>, Error> {
        if let Some(previous) = self.previous.get() {
            return Ok(previous.clone());
        }
        let previous = lookups.previous()?;
        Ok(self.previous.get_or_init(|| previous).clone())
    }

    /// The phases for which a script heard that nothing changed.
    pub(super) fn unchanged(&self) -> BTreeSet<Phase> {
        lock(&self.unchanged).clone()
    }

    /// The first secret that was asked for and that the server lacks.
    pub(in crate::engine) fn lacking(&self) -> Option<String> {
        lock(&self.lacking).first().cloned()
    }

    /// True if a script asked for the branch or the tags.
    pub(in crate::engine) fn asked_for_ref(&self) -> bool {
        self.asked_for_ref.load(Ordering::SeqCst)
    }

    /// True if the export is to be removed when the run is over.
    pub(in crate::engine) fn discards_export(&self) -> bool {
        self.discards_export.load(Ordering::SeqCst)
    }
}

/// One step's host.
pub(in crate::engine) struct StepHost {
    /// The step, with its threshold for cancels.
    pub(super) context: RequestContext,
    /// What every command gets, before what it sets itself.
    pub(super) env: Variables,
    /// How far every command stands back.
    pub(super) nice: u8,
    /// True if each command is shown before it runs.
    pub(super) shows_commands: bool,
    pub(super) command_timeout: Option<Duration>,
    pub(super) effects: Arc<dyn Effects>,
    pub(super) lookups: Arc<dyn Lookups>,
    pub(super) reporter: Arc<dyn Reporter>,
    pub(super) memory: Arc<Memory>,
    pub(super) judge: Arc<Judge>,
    pub(super) masks: Masks,
    pub(super) ran: Ran,
}

/// What a step's commands left behind.
#[derive(Default)]
pub(super) struct Ran {
    records: Mutex<KeptCommands>,
    cut_short: Mutex<Option<FailedCommand>>,
}

impl Ran {
    /// The records of the commands that are kept, in the order in which they ended, and how many are
    /// not.
    pub(super) fn records(&self) -> (Vec<CommandRecord>, usize) {
        lock(&self.records).all()
    }

    /// The last command, if a time limit of the step ended it.
    pub(super) fn cut_short(&self) -> Option<FailedCommand> {
        lock(&self.cut_short).clone()
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
            // A deployment has no other ref to wait for.
            Denied::LeftOut(error) if self.context.step == Phase::Deploy.into() => {
                Denied::Refused(error)
            }
            denied => denied,
        })?;
        let value = self.effects.secret(name, &self.context_of(limits)).inspect_err(|denied| {
            if let Denied::Fault(error) = denied
                && error.kind() == ErrorKind::NotFound
            {
                lock(&self.memory.lacking).push(name.to_owned());
            }
        })?;
        let message = format!(
            "parts of the secret `{name}` are shorter than 4 bytes and are not masked in output"
        );
        if !self.masks.add(&value) && self.memory.tells(&message) {
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
            self.note(Action::Call(format!("{name}({})", arguments.join(", "))));
        }
        let context = self.context_of(limits);
        let failed = |why: String| Denied::refused(format!("`{name}` failed: {why}"));
        // What ended the wait ends the step too, whatever this error says.
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
        if let Some(what) = not_kept(&value, 0) {
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
        let known = lock(&self.memory.remembered).get(key).cloned();
        let is_unsure = self.memory.is_unsure.load(Ordering::SeqCst);
        let unknown = || self.effects.unknown_memory(key).filter(|_| is_unsure).map(Value::String);
        known.or_else(unknown)
    }

    fn artifact(&self, paths: &[String], limits: RequestLimits) -> Result<(), Denied> {
        self.note(Action::Call(format!("artifact({})", self.shown_paths(paths))));
        let patterns = ArtifactPattern::parse_list(paths).map_err(Denied::refused)?;
        let refuses = |path: &str| {
            let named = || {
                format!("the name of the artifact `{}` contains a secret", self.masks.apply(path))
            };
            self.masks.has_secret(path).then(|| Denied::refused(named()))
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
        self.note(Action::Call("discard_export()".to_owned()));
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
        let changed = self.judge.finds(&changes, globs)?;
        if let Some(phase) = step.decides().filter(|_| !changed) {
            self.memory.note_unchanged(phase);
        }
        if self.judge.forced && !self.judge.differ(&changes, globs)? {
            let unmet = Unmet::by_changed(globs);
            self.memory.tell_ignored(&format!("`{step}`"), &unmet, &*self.reporter);
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
        self.view(cleanup).is_canceled()
    }

    fn decided(&self, predicate: &str, answer: bool, at: &str) {
        let (question, at) = (self.masks.apply(predicate), at.to_owned());
        self.note(Action::Decision { question, answer, at });
    }

    fn dry(&self) -> Option<&dyn DryStage> {
        self.effects.dry()
    }
}

impl StepHost {
    /// Refuses a path that leaves the export.
    fn below_export(&self, below: &str) -> Result<PathBuf, Denied> {
        below_export(below, &|path| self.lookups.tree_entry(path))
    }

    /// Runs a command once. Gives back what of its output was not shown.
    fn attempt(&self, command: &StepCommand, cwd: PathBuf) -> Result<(CommandEnd, Hidden), Denied> {
        let prepared = self.prepared(command, cwd);
        let view = self.view(command.cleanup);
        if self.shows_commands {
            let shown = shown_as_by_set_x(&prepared.program);
            self.print(command.label.as_deref(), &format!("+ {shown}"));
        }
        let mut output = AttemptOutput::new(self, command);
        let clock = Instant::now();
        let ended = catch_unwind(AssertUnwindSafe(|| {
            let mut take = |piece: Output| output.take(piece);
            self.effects.command(&prepared, command.output, &mut take, &view)
        }));
        let KeptOutput { stdout, stderr, tail, hidden } = output.finish();
        let ended = ended.unwrap_or_else(|panic| {
            let message = format!("the executor panicked: {}", panic_text(&*panic));
            Err(Error::new(ErrorKind::Panic, message))
        });
        let exit = ended.as_ref().ok().copied();
        lock(&self.ran.records).push(CommandRecord {
            command: prepared.program.to_string(),
            exit,
            allowed: exit.is_some_and(|exit| exit != Exit::Code(0) && command.passes_with(exit)),
            duration: clock.elapsed(),
        });
        let ended = ended.map_err(|error| blamed("the command", error));
        let exit = ended.map_err(Denied::of_machinery)?;
        let whole = self.masks.apply(&whole_program(&prepared.program));
        let shown = in_one_line(&whole);
        let passed = command.passes_with(exit);
        let label = command.label.as_ref().map(|label| self.label(label));
        let end = CommandEnd { command: shown, whole, label, exit, passed, stdout, stderr, tail };
        let is_cut_short = exit == Exit::TimedOut && self.is_late(command.deadline);
        *lock(&self.ran.cut_short) = is_cut_short.then(|| end.failed());
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

    /// Waits before another attempt, no longer than anybody wants it.
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
            thread::sleep(rest.min(WAIT_SLICE));
        }
    }

    /// How a command ends that there is no time for any more.
    fn stopped(&self, command: &StepCommand) -> Option<Exit> {
        if self.view(command.cleanup).is_canceled() {
            return Some(Exit::Canceled);
        }
        self.is_late(command.deadline).then_some(Exit::TimedOut)
    }

    fn is_late(&self, deadline: Option<Instant>) -> bool {
        deadline.is_some_and(|deadline| self.effects.now() >= deadline)
    }

    /// What cleans up is stopped as `after_all` is.
    fn view(&self, cleanup: bool) -> CancelView {
        let cancel = &self.context.cancel;
        if cleanup { cancel.with_threshold(2) } else { cancel.clone() }
    }

    /// A label as it stands in front of lines: in one line itself, and masked.
    pub(super) fn label(&self, label: &str) -> String {
        self.masks.apply(label).replace(char::is_control, "\u{fffd}")
    }

    /// Where a request comes from that is made under these limits.
    fn context_of(&self, limits: RequestLimits) -> RequestContext {
        RequestContext {
            label: limits.label.map(|label| self.label(&label).into()),
            deadline: limits.deadline,
            cancel: self.view(limits.cleanup),
            ..self.context.clone()
        }
    }

    fn note(&self, act: Action) {
        self.reporter.noted(act);
    }

    /// What `artifact` was called with.
    fn shown_paths(&self, paths: &[String]) -> String {
        let shown: Vec<String> =
            paths.iter().map(|path| format!("{:?}", self.masks.apply(path))).collect();
        if let [one] = shown.as_slice() { one.clone() } else { format!("[{}]", shown.join(", ")) }
    }

    fn note_call(&self, name: &str, argument: &str) {
        self.note(Action::Call(format!("{name}({:?})", self.masks.apply(argument))));
    }
}

impl Memory {
    /// True the first time that this is to be said.
    fn tells(&self, message: &str) -> bool {
        lock(&self.told).insert(message.to_owned())
    }

    /// Says once that a retry does what a condition would have left out.
    pub(super) fn tell_ignored(&self, what: &str, unmet: &Unmet, reporter: &dyn Reporter) {
        let message = ignored(what, unmet);
        if self.tells(&message) {
            reporter.noted(Action::Note(message.clone()));
            reporter.warn(message);
        }
    }

    /// Notes that a phase, or the hook before it, counts on an earlier build or test.
    pub(super) fn note_unchanged(&self, phase: Phase) {
        lock(&self.unchanged).insert(phase);
    }
}

/// A command as a person would type it.
fn shown_as_by_set_x(program: &Program) -> String {
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

/// What in a value would not be read from a record as it is: JSON has no such numbers, and what reads
/// it ends where values stand too deep in each other.
fn not_kept(value: &Value, depth: usize) -> Option<String> {
    let inner = |value: &Value| not_kept(value, depth + 1);
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

/// About how many bytes a value takes where it is kept.
fn size(value: &Value) -> usize {
    match value {
        Value::String(text) => text.len() + 2,
        Value::Array(list) => list.iter().map(|value| size(value) + 1).sum(),
        Value::Map(map) => map.iter().map(|(key, value)| key.len() + size(value) + 4).sum(),
        _ => 8,
    }
}
