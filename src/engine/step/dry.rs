//! Effects of a dry run: they record the actions instead of doing them, and answer what can be
//! answered without doing them.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use rustix::io::Errno;

use super::{
    paths::resolve_in_tree,
    unknown::{Unknown, Unknowns},
};
use crate::{
    engine::context::{host::Hooks, secrets::Secrets, shared::Shared},
    model::{
        artifact::Artifact,
        cancel::CancelView,
        dry_run::{Action, Assumption},
        error::Error,
        executor::{Command, Output, Stream},
        function::{Effect, FunctionCall, HostFunction, Value},
        outcome::{Exit, Outcome},
        pipeline::{Hook, Phase, StepName},
        record::StepRecord,
        request_context::RequestContext,
        step::{
            ApprovalAnswer, Denied, DryClock, DryStage, Effects, HookAnswer, Lookups, OutputUse,
            Reporter, TreeEntry, shown_program, whole_program,
        },
    },
    rules::glob::{self, ArtifactPattern, select},
    util::lock::lock,
    workspace::{link_to_dir, not_regular_file},
};

/// How long a plan may take by the clock on the wall: nothing in it waits.
const PLAN_LIMIT: Duration = Duration::from_secs(60);

/// Maximum number of recorded actions of a step and of a plan. More would not help a reader.
const STEP_ACTIONS_MAX: usize = 2_000;
const PLAN_ACTIONS_MAX: usize = 10_000;

/// The state of a dry run.
pub(in crate::engine) struct DryEffects {
    assume: Vec<(String, String)>,
    /// True if commands are shown in full, because a person who approves a deployment must see all
    /// of it.
    shows_whole_commands: bool,
    pub(in crate::engine) hooks: Hooks,
    secrets: Secrets,
    lookups: Arc<dyn Lookups>,
    export_dir: PathBuf,
    /// True if the local executor would run the commands, not one of the embedding program.
    is_local: bool,
    unknowns: Unknowns,
    clock: DryClock,
    /// The reason why the rest of the current step is unknown.
    end: Mutex<Option<String>>,
    /// The number of recorded actions of all steps.
    action_count: AtomicUsize,
    /// The actions of the current step.
    actions: Mutex<Vec<Action>>,
    /// The actions of the earlier steps.
    steps: Mutex<Vec<Vec<Action>>>,
    /// True after the first action that could have changed the export. From then on, its contents
    /// are unknown.
    acted: AtomicBool,
    approval_requested: AtomicBool,
}

impl DryEffects {
    /// Creates the effects of a dry run of a job, or of a deployment, whose export a job has
    /// changed.
    pub(in crate::engine) fn new(
        shared: &Shared,
        assume: &[(String, String)],
        deploys: bool,
        lookups: Arc<dyn Lookups>,
        export_dir: &str,
    ) -> Self {
        Self {
            assume: assume.to_vec(),
            shows_whole_commands: deploys,
            hooks: shared.options.hooks.clone(),
            secrets: shared.secrets(None),
            lookups,
            export_dir: export_dir.into(),
            is_local: shared.options.executor.is_none(),
            unknowns: Unknowns::new(),
            clock: DryClock::new(),
            end: Mutex::default(),
            action_count: AtomicUsize::new(0),
            actions: Mutex::default(),
            steps: Mutex::default(),
            acted: AtomicBool::new(deploys),
            approval_requested: AtomicBool::new(false),
        }
    }

    /// Takes the recorded actions, by step.
    pub(in crate::engine) fn take_steps(&self) -> Vec<Vec<Action>> {
        std::mem::take(&mut *lock(&self.steps))
    }

    /// Returns true if an approval would be requested.
    pub(in crate::engine) fn asks_for_approval(&self) -> bool {
        self.approval_requested.load(Ordering::SeqCst)
    }

    /// Replaces the placeholders of unknown values in a text by their names.
    pub(in crate::engine) fn shown(&self, text: &str) -> String {
        self.unknowns.shown(text)
    }

    /// Ends the current step. Only the first reason counts.
    fn end_step(&self, why: impl FnOnce() -> String) {
        lock(&self.end).get_or_insert_with(why);
    }

    /// Records an action, in the form that people see.
    fn write(&self, action: Action) {
        if self.is_over() {
            return;
        }
        let shown = |text: String| self.shown(&text);
        let action = match action {
            Action::Decision { question, answer, at } => {
                Action::Decision { question: shown(question), answer, at }
            }
            Action::Command { command, label, output } => {
                Action::Command { command: shown(command), label: label.map(shown), output }
            }
            Action::Call(text) => Action::Call(shown(text)),
            Action::Note(text) => Action::Note(shown(text)),
        };
        let mut actions = lock(&self.actions);
        if actions.len() >= STEP_ACTIONS_MAX {
            return self.end_step(|| format!("this step has more than {STEP_ACTIONS_MAX} actions"));
        }
        if self.action_count.fetch_add(1, Ordering::SeqCst) >= PLAN_ACTIONS_MAX {
            return self.end_step(|| format!("the plan has more than {PLAN_ACTIONS_MAX} actions"));
        }
        actions.push(action);
    }

    fn mark_acted(&self) {
        self.acted.store(true, Ordering::SeqCst);
    }

    /// Returns the entry at a path in the export, if it is certain. Before the first action, it is
    /// the entry of the commit's tree.
    fn entry_at(&self, path: &str) -> Result<TreeEntry, Error> {
        if self.acted.load(Ordering::SeqCst) {
            return Ok(TreeEntry::Unknown);
        }
        let found = resolve_in_tree(path, &|path| self.lookups.tree_entry(path))?;
        Ok(found.map_or(TreeEntry::Unknown, |found| found.entry))
    }

    /// Returns the files of the commit's tree that a pattern matches, as a run would keep them.
    fn matching_files(
        &self,
        pattern: &ArtifactPattern,
        files: &[String],
    ) -> Result<BTreeMap<PathBuf, ()>, Denied> {
        let (root, is_glob) = (pattern.root(), pattern.path().is_none());
        let mut found: BTreeSet<PathBuf> =
            files.iter().filter(|file| pattern.matches(file)).map(PathBuf::from).collect();
        if found.is_empty() && !root.is_empty() {
            match self.entry_at(&root).map_err(Denied::Fault)? {
                TreeEntry::Absent if !is_glob => {
                    let (path, error) = (self.export_dir.join(root), Errno::NOENT.into());
                    return Err(Denied::Refused(Error::io("keep", &path, error)));
                }
                TreeEntry::File if !is_glob => drop(found.insert(root.into())),
                // The target of a link is not listed.
                TreeEntry::Directory if self.is_link(&root)? => {
                    return Ok([(PathBuf::from(root), ())].into());
                }
                _ => {}
            }
        }
        let mut kept = BTreeMap::new();
        for path in found {
            match self.entry_at(&path.to_string_lossy()).map_err(Denied::Fault)? {
                TreeEntry::File => kept.insert(path, ()),
                TreeEntry::Directory => return Err(link_to_dir(&path)),
                _ => return Err(not_regular_file(&path)),
            };
        }
        Ok(kept)
    }

    /// Returns true if the tree has a link at this path.
    fn is_link(&self, path: &str) -> Result<bool, Denied> {
        let entry = self.lookups.tree_entry(path).map_err(Denied::Fault)?;
        Ok(matches!(entry, TreeEntry::Link(_)))
    }

    /// Returns the exit code and the error message of a command that certainly cannot start.
    fn start_error(&self, command: &Command) -> Result<Option<(i32, String)>, Error> {
        let below = command.cwd.strip_prefix(&self.export_dir).ok();
        let below = below.and_then(Path::to_str).filter(|below| !below.is_empty());
        let Some(below) = below.filter(|_| self.is_local) else { return Ok(None) };
        let Some(error) = directory_error(&self.entry_at(below)?) else { return Ok(None) };
        let status = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
        let line = format!("cannot enter directory `{}`: {error}\n", command.cwd.display());
        Ok(Some((status, line)))
    }

    fn assumed(&self, command: &Command) -> Option<&str> {
        let text = self.shown(&shown_program(&command.program));
        let mut assumed = self.assume.iter();
        let found =
            assumed.find(|(glob, _)| glob::text_matches(glob.as_bytes(), text.as_bytes()))?;
        Some(&found.1)
    }
}

/// Returns the error of entering this entry as a directory, if it is certain.
fn directory_error(entry: &TreeEntry) -> Option<std::io::Error> {
    match entry {
        TreeEntry::Absent => Some(Errno::NOENT.into()),
        TreeEntry::File => Some(Errno::NOTDIR.into()),
        _ => None,
    }
}

impl Effects for DryEffects {
    fn command(
        &self,
        command: &Command,
        output_use: OutputUse,
        output: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        let start_error = self.start_error(command)?;
        let assumption = match (output_use, self.assumed(command)) {
            (OutputUse::Shown, _) => Assumption::Passed,
            _ if start_error.is_some() => Assumption::Passed,
            (_, None) => {
                let unknown = Unknown::output(&self.shown(&shown_program(&command.program)));
                output(Output::stdout(self.unknowns.add(unknown)));
                Assumption::Unknown
            }
            (_, Some(given)) => {
                output(Output::stdout(given.as_bytes()));
                Assumption::Given(given.to_owned())
            }
        };
        if output_use == OutputUse::Given && start_error.is_none() {
            let unknown = Unknown::errors(&self.shown(&shown_program(&command.program)));
            output(Output::stderr(self.unknowns.add(unknown)));
        }
        let text = if self.shows_whole_commands { whole_program } else { shown_program };
        let label = command.context.as_ref().and_then(|it| it.label.as_deref());
        self.write(Action::Command {
            command: text(&command.program),
            label: label.map(str::to_owned),
            output: assumption,
        });
        if let Some((status, line)) = start_error {
            output(Output { stream: Stream::Stderr, bytes: line.into_bytes() });
            return Ok(Exit::Code(status));
        }
        self.mark_acted();
        Ok(Exit::Code(0))
    }

    fn secret(&self, name: &str, _: &RequestContext) -> Result<Vec<u8>, Denied> {
        self.secrets.check_exists(name)?;
        // A value that no other text contains by chance.
        Ok(format!("\u{2}secret {name}\u{3}").into_bytes())
    }

    fn artifacts(
        &self,
        paths: &[String],
        refuses: &dyn Fn(&str) -> Option<Denied>,
        _: &RequestContext,
    ) -> Result<Vec<Artifact>, Denied> {
        let patterns = ArtifactPattern::parse_list(paths).map_err(Denied::refused)?;
        if self.acted.load(Ordering::SeqCst) {
            return Ok(Vec::new());
        }
        let Some(files) = self.lookups.tree_files().map_err(Denied::Fault)? else {
            return Ok(Vec::new());
        };
        let kept = select(&patterns, |pattern| self.matching_files(pattern, &files));
        let refused = kept?.keys().find_map(|path| refuses(&path.to_string_lossy()));
        refused.map_or_else(|| Ok(Vec::new()), Err)
    }

    fn call(
        &self,
        function: &HostFunction,
        arguments: &[Value],
        context: &RequestContext,
    ) -> Result<Value, Error> {
        if function.effect == Effect::External {
            self.mark_acted();
            return Ok(Value::String(self.unknowns.add(Unknown::result(&function.name))));
        }
        function.call(&FunctionCall::new(arguments, context))
    }

    fn hooks(&self, hook: Hook, _: Outcome, _: &RequestContext) -> HookAnswer {
        self.mark_acted();
        let name = StepName::from(hook);
        let call = format!("hook {name} of the embedding program (may skip, fail or set: unknown)");
        self.write(Action::Call(call));
        HookAnswer { may_set_more: true, ..HookAnswer::default() }
    }

    fn hook_count(&self, step: StepName) -> usize {
        self.hooks.count(step)
    }

    fn approval(&self, _: &str, _: &RequestContext) -> Result<ApprovalAnswer, Denied> {
        // The plan shows what happens after the approval.
        self.approval_requested.store(true, Ordering::SeqCst);
        Ok(ApprovalAnswer::Given)
    }

    fn dry(&self) -> Option<&dyn DryStage> {
        Some(self)
    }

    fn take_end(&self) -> Option<String> {
        self.is_over();
        lock(&self.end).take()
    }

    fn unknown_memory(&self, key: &str) -> Option<String> {
        Some(self.unknowns.add(Unknown::remembered(&self.shown(key))))
    }
}

impl DryStage for DryEffects {
    fn is_over(&self) -> bool {
        if self.clock.age() >= PLAN_LIMIT {
            self.end_step(|| format!("the plan reached its time limit of {PLAN_LIMIT:?}"));
        }
        lock(&self.end).is_some()
    }

    fn is_plan(&self) -> bool {
        true
    }

    fn look(&self, text: &str) -> bool {
        let Some(end) = self.unknowns.end_reason_for(text) else { return false };
        self.end_step(|| end);
        true
    }

    fn look_at_error(&self, is_of_types: bool) {
        if let Some(end) = self.unknowns.end_reason_for_error(is_of_types) {
            self.end_step(|| end);
        }
    }

    fn clock(&self) -> &DryClock {
        &self.clock
    }
}

impl Reporter for DryEffects {
    fn started(&self, _: StepName, _: Option<Phase>) {}

    fn output(&self, _: Option<&str>, _: Stream, _: Vec<u8>) {}

    fn warn(&self, _: String) {}

    fn noted(&self, action: Action) {
        self.write(action);
    }

    fn flush(&self, _: &RequestContext) -> Result<(), Outcome> {
        Ok(())
    }

    fn finished(&self, _: &StepRecord) {
        let actions = std::mem::take(&mut *lock(&self.actions));
        lock(&self.steps).push(actions);
    }
}
