//! What stands in the place of effects in a plan: it writes down what would be done, and answers
//! what can be answered without doing it.

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
    paths::in_tree,
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

/// How many things a step may do that are written down, and a plan: more of them tells nobody more.
const STEP_ACTS_MAX: usize = 2_000;
const PLAN_ACTS_MAX: usize = 10_000;

/// What a plan is made of, as it grows.
pub(in crate::engine) struct DryEffects {
    assume: Vec<(String, String)>,
    /// True if all of a command is shown: whoever lets a deployment go on sees all of it.
    whole: bool,
    pub(in crate::engine) hooks: Hooks,
    secrets: Secrets,
    lookups: Arc<dyn Lookups>,
    export_dir: PathBuf,
    /// True if commands would run as they do here, and not as an embedding program does it.
    is_local: bool,
    unknowns: Unknowns,
    clock: DryClock,
    /// Why nothing further can be said of the step that is planned.
    end: Mutex<Option<String>>,
    /// How many acts were written down in all.
    written: AtomicUsize,
    /// Of the step that is planned.
    acts: Mutex<Vec<Action>>,
    /// Of the steps before it.
    steps: Mutex<Vec<Vec<Action>>>,
    /// True once something would have acted: from then on the export may hold anything.
    acted: AtomicBool,
    asked: AtomicBool,
}

impl DryEffects {
    /// Effects of a plan of a run, or of a deployment, whose export is what a run left behind.
    pub(in crate::engine) fn new(
        shared: &Shared,
        assume: &[(String, String)],
        deploys: bool,
        lookups: Arc<dyn Lookups>,
        export_dir: &str,
    ) -> Self {
        Self {
            assume: assume.to_vec(),
            whole: deploys,
            hooks: shared.options.hooks.clone(),
            secrets: shared.secrets(None),
            lookups,
            export_dir: export_dir.into(),
            is_local: shared.options.executor.is_none(),
            unknowns: Unknowns::new(),
            clock: DryClock::new(),
            end: Mutex::default(),
            written: AtomicUsize::new(0),
            acts: Mutex::default(),
            steps: Mutex::default(),
            acted: AtomicBool::new(deploys),
            asked: AtomicBool::new(false),
        }
    }

    /// Takes what was written down, by step.
    pub(in crate::engine) fn take_steps(&self) -> Vec<Vec<Action>> {
        std::mem::take(&mut *lock(&self.steps))
    }

    /// True if an approval would be asked for.
    pub(in crate::engine) fn asks_for_approval(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// A text without what stands in it for things that are not known.
    pub(in crate::engine) fn shown(&self, text: &str) -> String {
        self.unknowns.shown(text)
    }

    /// Says nothing further of the step.
    fn ends(&self, why: impl FnOnce() -> String) {
        lock(&self.end).get_or_insert_with(why);
    }

    /// Writes something down, as people see it.
    fn write(&self, act: Action) {
        if self.is_over() {
            return;
        }
        let shown = |text: String| self.shown(&text);
        let act = match act {
            Action::Decision { question, answer, at } => {
                Action::Decision { question: shown(question), answer, at }
            }
            Action::Command { command, label, output } => {
                Action::Command { command: shown(command), label: label.map(shown), output }
            }
            Action::Call(text) => Action::Call(shown(text)),
            Action::Note(text) => Action::Note(shown(text)),
        };
        let mut acts = lock(&self.acts);
        if acts.len() >= STEP_ACTS_MAX {
            let sentence = |max| format!("this step has more than {max} actions");
            return self.ends(|| sentence(STEP_ACTS_MAX));
        }
        if self.written.fetch_add(1, Ordering::SeqCst) >= PLAN_ACTS_MAX {
            return self.ends(|| format!("the plan has more than {PLAN_ACTS_MAX} actions"));
        }
        acts.push(act);
    }

    fn act(&self) {
        self.acted.store(true, Ordering::SeqCst);
    }

    /// What certainly stands at a path below the export: as long as nothing has acted, that is what
    /// the commit's tree has there.
    fn entry_at(&self, below: &str) -> Result<TreeEntry, Error> {
        if self.acted.load(Ordering::SeqCst) {
            return Ok(TreeEntry::Unknown);
        }
        let found = in_tree(below, &|path| self.lookups.tree_entry(path))?;
        Ok(found.map_or(TreeEntry::Unknown, |found| found.entry))
    }

    /// The files of the commit's tree that a pattern names, as a run would keep them.
    fn in_tree(
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
                    let (path, gone) = (self.export_dir.join(root), Errno::NOENT.into());
                    return Err(Denied::Refused(Error::io("keep", &path, gone)));
                }
                TreeEntry::File if !is_glob => drop(found.insert(root.into())),
                // A link leads there: what is below it is not looked for.
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

    /// Whether a link of the commit's tree stands at a path or on the way there.
    fn is_link(&self, path: &str) -> Result<bool, Denied> {
        let entry = self.lookups.tree_entry(path).map_err(Denied::Fault)?;
        Ok(matches!(entry, TreeEntry::Link(_)))
    }

    /// How a command ends that certainly cannot be started.
    fn refusal(&self, command: &Command) -> Result<Option<(i32, String)>, Error> {
        let below = command.cwd.strip_prefix(&self.export_dir).ok();
        let below = below.and_then(Path::to_str).filter(|below| !below.is_empty());
        let Some(below) = below.filter(|_| self.is_local) else { return Ok(None) };
        let Some(error) = os_error(&self.entry_at(below)?) else { return Ok(None) };
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

/// Why what stands there is not a directory to go on in.
fn os_error(entry: &TreeEntry) -> Option<std::io::Error> {
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
        asks: OutputUse,
        output: &mut dyn FnMut(Output),
        _: &CancelView,
    ) -> Result<Exit, Error> {
        let refusal = self.refusal(command)?;
        let assumption = match (asks, self.assumed(command)) {
            (OutputUse::Shown, _) => Assumption::Passed,
            _ if refusal.is_some() => Assumption::Passed,
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
        if asks == OutputUse::Given && refusal.is_none() {
            let unknown = Unknown::errors(&self.shown(&shown_program(&command.program)));
            output(Output::stderr(self.unknowns.add(unknown)));
        }
        let text = if self.whole { whole_program } else { shown_program };
        let label = command.context.as_ref().and_then(|it| it.label.as_deref());
        self.write(Action::Command {
            command: text(&command.program),
            label: label.map(str::to_owned),
            output: assumption,
        });
        if let Some((status, line)) = refusal {
            output(Output { stream: Stream::Stderr, bytes: line.into_bytes() });
            return Ok(Exit::Code(status));
        }
        self.act();
        Ok(Exit::Code(0))
    }

    fn secret(&self, name: &str, _: &RequestContext) -> Result<Vec<u8>, Denied> {
        self.secrets.check_there(name)?;
        // In its place stands a text that nothing else holds by chance.
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
        let kept = select(&patterns, |pattern| self.in_tree(pattern, &files));
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
            self.act();
            return Ok(Value::String(self.unknowns.add(Unknown::result(&function.name))));
        }
        function.call(&FunctionCall::new(arguments, context))
    }

    fn hooks(&self, hook: Hook, _: Outcome, _: &RequestContext) -> HookAnswer {
        self.act();
        let name = StepName::from(hook);
        let call = format!("hook {name} of the embedding program (may skip, fail or set: unknown)");
        self.write(Action::Call(call));
        HookAnswer { may_set_more: true, ..HookAnswer::default() }
    }

    fn hook_count(&self, step: StepName) -> usize {
        self.hooks.count(step)
    }

    fn approval(&self, _: &str, _: &RequestContext) -> Result<ApprovalAnswer, Denied> {
        // What follows is what would be done once somebody has approved.
        self.asked.store(true, Ordering::SeqCst);
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
            self.ends(|| format!("the plan reached its time limit of {PLAN_LIMIT:?}"));
        }
        lock(&self.end).is_some()
    }

    fn is_plan(&self) -> bool {
        true
    }

    fn look(&self, text: &str) -> bool {
        let Some(end) = self.unknowns.end_of(text) else { return false };
        self.ends(|| end);
        true
    }

    fn look_at_error(&self, is_of_types: bool) {
        if let Some(end) = self.unknowns.end_by_error(is_of_types) {
            self.ends(|| end);
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

    fn noted(&self, act: Action) {
        self.write(act);
    }

    fn flush(&self, _: &RequestContext) -> Result<(), Outcome> {
        Ok(())
    }

    fn finished(&self, _: &StepRecord) {
        let acts = std::mem::take(&mut *lock(&self.acts));
        lock(&self.steps).push(acts);
    }
}
