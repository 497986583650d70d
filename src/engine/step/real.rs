//! Effects of runs and deployments: they run commands, keep files and call the embedding program.
//! The reporter of their steps is here too.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
};

use crate::{
    engine::context::{
        approval_gate::ApprovalGate,
        host::{HookCall, Hooks},
        job_reporter::JobReporter,
        secrets::Secrets,
    },
    model::{
        artifact::Artifact,
        cancel::CancelView,
        error::{Error, ErrorKind},
        event::EventKind,
        executor::{Command, Executor, Output, Stream},
        function::{FunctionCall, HostFunction, Value},
        outcome::{Exit, Outcome},
        pipeline::{Hook, Phase, StepName},
        record::StepRecord,
        request_context::RequestContext,
        step::{ApprovalAnswer, Denied, Effects, HookAnswer, OutputUse, Reporter},
    },
    rules::{glob::ArtifactPattern, interpolate::Vars},
    util::lock::lock,
    workspace::{ArtifactStore, KeepRequest, canceled},
};

/// Effects that really act.
pub(in crate::engine) struct RealEffects {
    pub(in crate::engine) executor: Arc<dyn Executor>,
    pub(in crate::engine) secrets: Secrets,
    pub(in crate::engine) hooks: Hooks,
    /// Decides about approvals. Deployments only.
    pub(in crate::engine) approval_gate: Option<ApprovalGate>,
    pub(in crate::engine) export_dir: PathBuf,
    pub(in crate::engine) artifacts: ArtifactStore,
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

    fn artifacts(
        &self,
        paths: &[String],
        refuses: &dyn Fn(&str) -> Option<Denied>,
        context: &RequestContext,
    ) -> Result<Vec<Artifact>, Denied> {
        let stop = || (context.is_canceled() || context.is_late()).then(canceled);
        let patterns = &ArtifactPattern::parse_list(paths).map_err(Denied::refused)?;
        let (export_dir, stop) = (self.export_dir.as_path(), &stop);
        self.artifacts.keep(&context.job_id, &KeepRequest { export_dir, patterns, refuses, stop })
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
        let Some(approval_gate) = &self.approval_gate else {
            let message = "only a deployment can ask for an approval";
            return Err(Denied::Fault(Error::new(ErrorKind::Unsupported, message)));
        };
        let given = approval_gate.ask(Some(question), context).map_err(Denied::of_machinery)?;
        Ok(if given { ApprovalAnswer::Given } else { ApprovalAnswer::Awaited })
    }
}

/// Sends the reports of steps to the reporter of their job.
pub(in crate::engine) struct StepReporter(Mutex<JobReporter>);

impl StepReporter {
    pub(in crate::engine) fn new(reporter: &JobReporter) -> Self {
        Self(Mutex::new(reporter.clone()))
    }
}

impl Reporter for StepReporter {
    fn started(&self, step: StepName, opens: Option<Phase>) {
        let mut reporter = lock(&self.0);
        reporter.enter(Some(step));
        reporter.emit(EventKind::StepStarted { opens });
    }

    fn output(&self, label: Option<&str>, stream: Stream, bytes: Vec<u8>) {
        lock(&self.0).output_of(label, stream, bytes);
    }

    fn warn(&self, message: String) {
        lock(&self.0).warn(message);
    }

    fn flush(&self, context: &RequestContext) -> Result<(), Outcome> {
        // A clone, because parallel tasks of the step keep reporting during the wait.
        let reporter = lock(&self.0).clone();
        reporter.flush(context)
    }

    fn finished(&self, record: &StepRecord) {
        let (mut reporter, record) = (lock(&self.0), record.clone());
        reporter.emit(EventKind::StepFinished { record });
        reporter.enter(None);
    }
}
