//! [`PendingRequest`]: a request between the worker that waits for the answer and the host program.
//!
//! It is answered once. Both sides can leave it: the worker when it is canceled or its time limit
//! is over, the host program when it frees the request. The other side then gets an error.

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

/// How often a waiting worker checks its limits.
const SLICE: Duration = Duration::from_millis(20);

/// The maximum number of bytes of a command's output that may wait for its worker.
const OUTPUT_BYTES_MAX: usize = 1 << 20;

/// What the request is for.
pub(super) enum Subject {
    Hook(Hook, Outcome),
    Function {
        name: String,
        arguments: Vec<Value>,
    },
    Secret(String),
    /// The environment, and the question of a script.
    Approval {
        environment: String,
        question: Option<String>,
    },
    Command(Box<Command>),
}

/// The answer of the host program.
pub(super) enum Answer {
    /// The hook passed, and set these variables; or the deployment is approved.
    Passed(Vars),
    /// The hook passed, and the config's own hook is skipped.
    Skipped { reason: String, vars: Vars },
    /// The result of a function or a secret; or the approver, null if there is none yet.
    Value(Value),
    /// A secret that may not be UTF-8.
    Bytes(Vec<u8>),
    /// The exit of a command.
    Exited(Exit),
    /// The host program refuses, with a number of its choice.
    Failed { message: String, code: i32 },
    /// The host program could not answer, because it failed itself.
    Aborted { message: String, code: i32 },
}

/// A request that is not answered yet.
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
    /// True if one side has left: answers are refused.
    left: bool,
}

impl PendingRequest {
    pub(super) fn new(subject: Subject, context: RequestContext) -> Self {
        let (state, changed) = (Mutex::default(), Condvar::new());
        Self { subject, context, time: SystemTime::now(), state, changed }
    }

    /// Waits for the answer, and passes on the output that comes before it.
    ///
    /// # Errors
    ///
    /// [`HostAbort`](ErrorKind::HostAbort) if the host program refuses or does not answer,
    /// [`HostFault`](ErrorKind::HostFault) if it failed itself,
    /// [`Canceled`](ErrorKind::Canceled) if the answer is no longer needed.
    pub(super) fn wait(&self, output: &mut dyn FnMut(Output)) -> Result<Answer, Error> {
        let mut state = lock(&self.state);
        loop {
            while let Some(piece) = state.output.pop_front() {
                state.output_bytes -= piece.bytes.len();
                // Unlocked, because a slow observer must not block the host program.
                drop(state);
                output(piece);
                state = lock(&self.state);
            }
            if let Some(answer) = state.answer.take() {
                state.left = true;
                return into_result(answer);
            }
            // Checked first: a host program that notices it may free the request unanswered.
            if self.is_over() {
                state.left = true;
                let message = "the answer of the host program is no longer needed";
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
    /// [`Canceled`](ErrorKind::Canceled) if the answer is no longer needed.
    pub(super) fn answer(&self, answer: Answer) -> Result<(), Error> {
        let mut state = lock(&self.state);
        if state.left || self.is_over() {
            return Err(too_late());
        }
        state.answer = Some(answer);
        self.changed.notify_all();
        Ok(())
    }

    /// Adds to a command's output. Returns false if there is no room for it.
    ///
    /// # Errors
    ///
    /// [`Canceled`](ErrorKind::Canceled) if the answer is no longer needed.
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

    /// Returns whether the answer is no longer needed.
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
        format!("the host program did not answer the request for {what}")
    }
}

/// Turns a refusal and an abort into errors of their own kinds.
fn into_result(answer: Answer) -> Result<Answer, Error> {
    let (kind, message, code) = match answer {
        Answer::Failed { message, code } => (ErrorKind::HostAbort, message, code),
        Answer::Aborted { message, code } => (ErrorKind::HostFault, message, code),
        answer => return Ok(answer),
    };
    let message = if code == 0 { message } else { format!("{message} (code {code})") };
    Err(Error::new(kind, message).with_host_code(code))
}

fn too_late() -> Error {
    let message = "the answer is no longer needed: the step was canceled or timed out";
    Error::new(ErrorKind::Canceled, message)
}
