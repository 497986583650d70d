//! The callbacks of an engine in C: closures that send requests through the run's queue.

use std::sync::Arc;

use super::{
    options::{
        Function, Options, TINYCI_HANDLER_APPROVAL, TINYCI_HANDLER_EXECUTOR, TINYCI_HANDLER_SECRET,
    },
    pending_request::{Answer, PendingRequest, Subject},
    queue::Queue,
};
use crate::{
    EngineBuilder, Error, ErrorKind, Value,
    callback::{ApprovalCall, FunctionCall, HookCall, HookError, RequestContext},
    executor::{CancelView, Command, Executor, Exit, Output},
};

/// Registers the callbacks that the options name. Each sends a request to the queue.
pub(super) fn register_callbacks(
    options: &Options,
    queue: &Arc<Queue>,
    mut builder: EngineBuilder,
) -> EngineBuilder {
    for hook in &options.hooks {
        let queue = queue.clone();
        builder = builder.hook(*hook, move |call| answer_hook(&queue, call));
    }
    for Function { name, args_min, args_max, effect, doc } in &options.functions {
        let (queue, pending) = (queue.clone(), name.clone());
        let call = move |call: &FunctionCall<'_>| answer_function(&queue, &pending, call);
        builder = builder.function(name, *args_min..=*args_max, *effect, doc, call);
    }
    if options.answers & TINYCI_HANDLER_SECRET != 0 {
        let queue = queue.clone();
        builder = builder.secrets(move |name, context| answer_secret(&queue, name, context));
    }
    if options.answers & TINYCI_HANDLER_APPROVAL != 0 {
        let queue = queue.clone();
        builder = builder.approvals(move |call| answer_approval(&queue, call));
    }
    if options.answers & TINYCI_HANDLER_EXECUTOR != 0 {
        builder = builder.executor(HostExecutor { queue: queue.clone() });
    }
    builder
}

fn send_request(
    queue: &Queue,
    subject: Subject,
    context: &RequestContext,
) -> Result<Answer, Error> {
    ask_with_output(queue, subject, context, &mut |_| {})
}

fn ask_with_output(
    queue: &Queue,
    subject: Subject,
    context: &RequestContext,
    output: &mut dyn FnMut(Output),
) -> Result<Answer, Error> {
    let pending = Arc::new(PendingRequest::new(subject, context.clone()));
    queue.push_request(&pending);
    pending.wait(output)
}

fn answer_hook(queue: &Queue, call: &mut HookCall<'_>) -> Result<(), HookError> {
    let subject = Subject::Hook(call.hook(), call.outcome());
    let vars = match send_request(queue, subject, call.context())? {
        Answer::Passed(vars) => vars,
        Answer::Skipped { reason, vars } => {
            call.skip(&reason);
            vars
        }
        _ => return Err(unexpected_answer().into()),
    };
    for name in vars.names() {
        call.set_var(name, vars.get(name).unwrap_or_default());
    }
    Ok(())
}

fn answer_function(queue: &Queue, name: &str, call: &FunctionCall<'_>) -> Result<Value, HookError> {
    let subject = Subject::Function { name: name.to_owned(), arguments: call.to_vec() };
    match send_request(queue, subject, call.context())? {
        Answer::Value(value) => Ok(value),
        _ => Err(unexpected_answer().into()),
    }
}

fn answer_secret(
    queue: &Queue,
    name: &str,
    context: &RequestContext,
) -> Result<Option<Vec<u8>>, HookError> {
    match send_request(queue, Subject::Secret(name.to_owned()), context)? {
        Answer::Value(Value::Null) => Ok(None),
        Answer::Value(Value::String(text)) => Ok(Some(text.into_bytes())),
        Answer::Bytes(bytes) => Ok(Some(bytes)),
        _ => Err(unexpected_answer().into()),
    }
}

fn answer_approval(queue: &Queue, call: &ApprovalCall<'_>) -> Result<Option<String>, HookError> {
    let subject = Subject::Approval {
        environment: call.environment().to_owned(),
        question: call.question().map(str::to_owned),
    };
    match send_request(queue, subject, call.context())? {
        Answer::Passed(_) => Ok(Some("the host".to_owned())),
        Answer::Value(Value::Null) => Ok(None),
        Answer::Value(Value::String(who)) => Ok(Some(who)),
        _ => Err(unexpected_answer().into()),
    }
}

/// An executor that lets the host program run the commands.
struct HostExecutor {
    queue: Arc<Queue>,
}

impl Executor for HostExecutor {
    fn execute(
        &self,
        command: &Command,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error> {
        let Some(context) = &command.context else { return Err(unexpected_answer()) };
        let subject = Subject::Command(Box::new(command.clone()));
        match ask_with_output(&self.queue, subject, context, output) {
            Ok(Answer::Exited(exit)) => Ok(exit),
            Ok(_) => Err(unexpected_answer()),
            Err(_) if cancel.is_canceled() => Ok(Exit::Canceled),
            Err(error) if error.kind() != ErrorKind::HostFault && context.is_late() => {
                Ok(Exit::TimedOut)
            }
            Err(error) => Err(error),
        }
    }
}

/// Returns the error for an answer of the wrong type. The functions that answer a request check the
/// type, so this never happens.
fn unexpected_answer() -> Error {
    Error::new(ErrorKind::HostAbort, "the answer of the host program does not fit the request")
}
