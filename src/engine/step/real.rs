//! What acts in a run and in a deployment: commands, copies, questions to the embedding program;
//! and where what steps say goes.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::{
    cancel::CancelView,
    engine::{
        desk::Desk,
        host::{HookCall, Hooks},
        secrets::Secrets,
        voice::Voice,
    },
    error::{Error, ErrorKind},
    event::Event,
    executor::{Command, Executor, Output, Stream},
    function::{FunctionCall, HostFunction, Value},
    interpolate::Vars,
    outcome::{Exit, Outcome},
    pipeline::{Hook, Phase, StepName},
    record::{Artifact, StepRecord},
    repo::Repo,
    request_context::RequestContext,
    sharing::Sharing,
    step::{ApprovalAnswer, Denied, Effects, HookAnswer, OutputUse, Reporter},
};

/// Acts in earnest.
pub(in crate::engine) struct RealEffects {
    pub(in crate::engine) executor: Arc<dyn Executor>,
    pub(in crate::engine) secrets: Secrets,
    pub(in crate::engine) hooks: Hooks,
    /// In a deployment, where it asks for approvals.
    pub(in crate::engine) desk: Option<Desk>,
    pub(in crate::engine) export_dir: PathBuf,
    pub(in crate::engine) artifacts_dir: PathBuf,
    /// Which other accounts may use what is kept.
    pub(in crate::engine) sharing: Sharing,
}

impl Effects for RealEffects {
    fn command(
        &self,
        command: &Command,
        _: OutputUse,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error> {
        self.executor.execute(command, output, cancel)
    }

    fn secret(&self, name: &str, context: &RequestContext) -> Result<Vec<u8>, Denied> {
        self.secrets.fetch(name, context)
    }

    fn artifact(&self, below: &Path) -> Result<Option<Artifact>, Error> {
        self.keep(below).map(Some)
    }

    fn call(
        &self,
        function: &HostFunction,
        arguments: &[Value],
        context: &RequestContext,
    ) -> Result<Value, Error> {
        function.call(&FunctionCall::new(arguments, context))
    }

    fn hooks(&self, hook: Hook, so_far: Outcome, context: &RequestContext) -> HookAnswer {
        let mut vars = Vars::new();
        let call = HookCall {
            hook,
            context,
            outcome: so_far,
            vars: &mut vars,
            mistake: None,
            skipped: None,
        };
        let (failed, skipped) = match self.hooks.call(call) {
            Ok(skipped) => (None, skipped),
            Err(error) => (Some(error), None),
        };
        let set = vars.names().filter_map(|name| Some((name.to_owned(), vars.get(name)?.into())));
        let vars = set.collect();
        HookAnswer { failed, skipped, vars, may_set_more: false }
    }

    fn hook_count(&self, step: StepName) -> usize {
        self.hooks.count(step)
    }

    fn approval(&self, question: &str, context: &RequestContext) -> Result<ApprovalAnswer, Denied> {
        let Some(desk) = &self.desk else {
            let message = "only a deployment can ask for an approval";
            return Err(Denied::Fault(Error::new(ErrorKind::Unsupported, message)));
        };
        let given = desk.ask(Some(question), context).map_err(Denied::of_machinery)?;
        Ok(if given { ApprovalAnswer::Given } else { ApprovalAnswer::Awaited })
    }
}

impl RealEffects {
    /// Copies a file of the export. A link is not followed: it could lead anywhere.
    fn keep(&self, below: &Path) -> Result<Artifact, Error> {
        let path = below.to_string_lossy().into_owned();
        let (export_dir, from) = (&self.export_dir, self.export_dir.join(below));
        let failed = |source| Error::io("keep", &from, source);
        let found = fs::symlink_metadata(&from).map_err(failed)?;
        let real = from.canonicalize().map_err(failed)?;
        let top =
            export_dir.canonicalize().map_err(|source| Error::io("keep", export_dir, source))?;
        if !found.is_file() || !real.starts_with(&top) {
            return Err(no_file(below));
        }
        let to = self.artifacts_dir.join(below);
        let parent = to.parent().unwrap_or(&self.artifacts_dir);
        let made = self.sharing.create_dir_all(parent);
        made.map_err(|source| Error::io("create", parent, source))?;
        let copied =
            fs::copy(&real, &to).and_then(|bytes| self.sharing.adjust(&to).map(|()| bytes));
        let bytes = copied.map_err(|source| Error::io("write", &to, source))?;
        let blob = Repo::file_digest(&to)?;
        Ok(Artifact { path, bytes, blob })
    }
}

/// The error for an artifact that is something else than a file.
pub(super) fn no_file(below: &Path) -> Error {
    let path = below.display();
    let message = format!("`{path}` is not a regular file of the export and cannot be kept");
    Error::new(ErrorKind::InvalidArg, message)
}

/// What steps say goes where everything of their commit goes.
pub(in crate::engine) struct VoiceReporter(Mutex<Voice>);

impl VoiceReporter {
    pub(in crate::engine) fn new(voice: &Voice) -> Self {
        Self(Mutex::new(voice.clone()))
    }

    fn voice(&self) -> MutexGuard<'_, Voice> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Reporter for VoiceReporter {
    fn started(&self, step: StepName, opens: Option<Phase>) {
        let mut voice = self.voice();
        voice.enter(Some(step));
        voice.say(|meta| Event::StepStarted { meta, opens });
    }

    fn output(&self, label: Option<&str>, stream: Stream, bytes: Vec<u8>) {
        self.voice().output_of(label, stream, bytes);
    }

    fn warn(&self, message: String) {
        self.voice().warn(message);
    }

    fn flush(&self, context: &RequestContext) -> Result<(), Outcome> {
        // The other tasks of the step go on talking meanwhile.
        let voice = self.voice().clone();
        voice.settle(context)
    }

    fn finished(&self, record: &StepRecord) {
        let (mut voice, record) = (self.voice(), record.clone());
        voice.say(|meta| Event::StepFinished { meta, record });
        voice.enter(None);
    }
}
