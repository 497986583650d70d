//! [`PendingRequest`]: one request, between the worker that waits for the answer and the host that gives it.
//!
//! It is answered once. A worker that stops waiting, for its limits or a cancel, leaves it, and so
//! does a host that drops it: whoever comes second learns that.

use std::{
    collections::VecDeque,
    sync::{Condvar, Mutex},
    time::{Duration, SystemTime},
};

use crate::{
    Error, ErrorKind, Hook, Outcome, Value, Vars,
    callback::RequestContext,
    executor::{Command, Exit, Output},
    pipeline::StepName,
    util::lock::{lock, unpoisoned},
};

/// How often a worker that waits looks at its limits.
const SLICE: Duration = Duration::from_millis(20);

/// How much of a command's output may wait for its worker.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// What the host is asked for.
pub(super) enum Subject {
    Hook(Hook, Outcome),
    Function {
        name: String,
        arguments: Vec<Value>,
    },
    Secret(String),
    /// What is deployed to, and what a script asks.
    Approval {
        environment: String,
        question: Option<String>,
    },
    Command(Box<Command>),
}

/// What the host says.
pub(super) enum Answer {
    /// The hook passed, and set these variables; or somebody approves.
    Passed(Vars),
    /// The hook leaves out what the config has there.
    Skipped { reason: String, vars: Vars },
    /// What a function returns, or a secret is; or who approves, nothing for nobody yet.
    Value(Value),
    /// A secret that is not text.
    Bytes(Vec<u8>),
    /// How a command ended.
    Exited(Exit),
    /// The host refuses, with a number of its own.
    Failed { message: String, code: i32 },
    /// The host could not find an answer, since it failed itself.
    Aborted { message: String, code: i32 },
}

/// One request.
pub(super) struct PendingRequest {
    pub(super) subject: Subject,
    pub(super) context: RequestContext,
    pub(super) time: SystemTime,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    answer: Option<Answer>,
    output: VecDeque<Output>,
    output_bytes: usize,
    /// Whether one side has gone: no answer is taken any more.
    left: bool,
}

impl PendingRequest {
    pub(super) fn new(subject: Subject, context: RequestContext) -> Self {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Self { subject, context, time: SystemTime::now(), state, changed }
    }

    /// Waits for the host's answer, and passes on the output that it sends before.
    ///
    /// # Errors
    ///
    /// [`HostAbort`](ErrorKind::HostAbort) where the host refuses or gives none,
    /// [`HostFault`](ErrorKind::HostFault) where it fails itself,
    /// [`Canceled`](ErrorKind::Canceled) where nobody waits for it any more.
    pub(super) fn wait(&self, output: &mut dyn FnMut(Output)) -> Result<Answer, Error> {
        let mut state = lock(&self.state);
        loop {
            while let Some(piece) = state.output.pop_front() {
                state.output_bytes -= piece.bytes.len();
                // A slow observer must not hold up the host that is to serve it.
                drop(state);
                output(piece);
                state = lock(&self.state);
            }
            if let Some(answer) = state.answer.take() {
                state.left = true;
                return settled(answer);
            }
            // First, since a host that learns of it may drop what it cannot answer any more.
            if self.is_over() {
                state.left = true;
                let message = "nobody waits for the host's answer any more";
                return Err(Error::new(ErrorKind::Canceled, message));
            }
            if state.left {
                return Err(Error::new(ErrorKind::HostAbort, self.unanswered()));
            }
            let waited = self.changed.wait_timeout(state, SLICE);
            state = unpoisoned(waited).0;
        }
    }

    /// Gives the answer.
    ///
    /// # Errors
    ///
    /// [`Canceled`](ErrorKind::Canceled) where nobody waits for it any more.
    pub(super) fn answer(&self, answer: Answer) -> Result<(), Error> {
        let mut state = lock(&self.state);
        if state.left || self.is_over() {
            return Err(too_late());
        }
        state.answer = Some(answer);
        self.changed.notify_all();
        Ok(())
    }

    /// Adds to a command's output. Says whether there was room for it.
    ///
    /// # Errors
    ///
    /// [`Canceled`](ErrorKind::Canceled) where nobody waits for it any more.
    pub(super) fn add_output(&self, piece: Output) -> Result<bool, Error> {
        let mut state = lock(&self.state);
        if state.left || self.is_over() {
            return Err(too_late());
        }
        if state.output_bytes >= OUTPUT_BYTES_MAX {
            return Ok(false);
        }
        state.output_bytes += piece.bytes.len();
        state.output.push_back(piece);
        self.changed.notify_all();
        Ok(true)
    }

    /// Ends the request without an answer, if it has none.
    pub(super) fn leave(&self) {
        lock(&self.state).left = true;
        self.changed.notify_all();
    }

    /// Whether nobody waits for the answer any more.
    pub(super) fn is_canceled(&self) -> bool {
        self.is_over() || lock(&self.state).left
    }

    fn is_over(&self) -> bool {
        self.context.is_canceled() || self.context.is_late()
    }

    fn unanswered(&self) -> String {
        let what = match &self.subject {
            Subject::Hook(hook, _) => format!("the hook `{}`", StepName::from(*hook)),
            Subject::Function { name, .. } => format!("the function `{name}`"),
            Subject::Secret(name) => format!("the secret `{name}`"),
            Subject::Approval { environment, .. } => format!("an approval for `{environment}`"),
            Subject::Command(command) => format!("the command `{}`", command.program),
        };
        format!("the host did not answer the request for {what}")
    }
}

/// A refusal is an error, and a fault of the host's is another.
fn settled(answer: Answer) -> Result<Answer, Error> {
    let (kind, message, code) = match answer {
        Answer::Failed { message, code } => (ErrorKind::HostAbort, message, code),
        Answer::Aborted { message, code } => (ErrorKind::HostFault, message, code),
        answer => return Ok(answer),
    };
    let message = if code == 0 { message } else { format!("{message} (code {code})") };
    Err(Error::new(kind, message).with_host_code(code))
}

fn too_late() -> Error {
    let message =
        "nobody waits for this answer any more: the step was canceled or its time is over";
    Error::new(ErrorKind::Canceled, message)
}
