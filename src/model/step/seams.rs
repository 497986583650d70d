//! The traits around a step.
//!
//! [`Host`] is the interface that a step's body uses, and makes every check. Behind it, [`Effects`]
//! acts, [`Lookups`] finds data and [`Reporter`] receives messages. Each has one implementation for
//! runs, one for dry runs and one for pipeline tests.

use std::{ffi::OsStr, sync::Arc, time::Instant};

use super::command::{CommandEnd, OutputUse, StepCommand};
use super::dry_clock::DryClock;
use crate::model::{
    artifact::Artifact,
    cancel::CancelView,
    dry_run::Action,
    error::{Error, ErrorKind},
    executor::{Command, Output, Stream},
    function::{HostFunction, Value},
    outcome::{Exit, Outcome},
    pipeline::{Hook, Phase, StepName},
    record::StepRecord,
    request_context::RequestContext,
};

/// The reason why a step does not get what it requested, by cause.
#[derive(Debug)]
pub(crate) enum Denied {
    /// The step may not have it, or the embedding program refused. The step fails, unless a script
    /// catches the error.
    Refused(Error),
    /// The commit's ref may not have it. The step is left out, and a script cannot catch that.
    LeftOut(Error),
    /// tinyci or the embedding program failed. There is no verdict.
    Fault(Error),
}

impl Denied {
    /// Creates a refusal because the request itself is invalid.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Denied::Refused(Error::new(ErrorKind::InvalidArg, message))
    }

    /// Creates a denial from an error of the embedding program.
    pub(crate) fn of_host(error: Error) -> Self {
        if error.is_host_fault() { Denied::Fault(error) } else { Denied::Refused(error) }
    }

    /// Creates a fault, unless the embedding program refused.
    pub(crate) fn of_machinery(error: Error) -> Self {
        match error.kind() {
            ErrorKind::HostAbort => Denied::Refused(error),
            _ => Denied::Fault(error),
        }
    }
}

/// The limits of a request, and its label.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestLimits {
    pub(crate) deadline: Option<Instant>,
    /// The label of the task or group.
    pub(crate) label: Option<String>,
    /// True if it cleans up, so that only a second cancel stops it.
    pub(crate) cleanup: bool,
}

/// The differences from the nearest green ancestor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The full id of that ancestor. If `None`, everything counts as changed.
    pub(crate) base: Option<String>,
    /// The changed paths for people and scripts: sorted, without duplicates, with U+FFFD for bytes
    /// that are not UTF-8.
    pub(crate) paths: Vec<String>,
    /// The changed paths for globs, unmodified.
    pub(crate) exact: Vec<ChangedPath>,
}

/// A changed path, as git stores it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangedPath {
    pub(crate) bytes: Vec<u8>,
    /// True if it is or was a submodule: globs treat it as a directory.
    pub(crate) is_directory: bool,
}

impl Changes {
    /// Creates the differences from an ancestor. Without an ancestor, pass all paths.
    pub(crate) fn new(base: Option<String>, exact: Vec<ChangedPath>) -> Self {
        let shown = exact.iter().map(|it| String::from_utf8_lossy(&it.bytes).into_owned());
        let mut paths: Vec<String> = shown.collect();
        paths.sort();
        paths.dedup();
        Self { base, paths, exact }
    }
}

/// An answer to `approve`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ApprovalAnswer {
    /// A person approved: the step continues.
    Given,
    /// No person has approved yet: the step ends and waits.
    Awaited,
}

/// The answers of the embedding program's hook callbacks at one point.
#[derive(Debug, Default)]
pub(crate) struct HookAnswer {
    /// The reason why the step fails.
    pub(crate) failed: Option<Error>,
    /// The reason why the config's hook is left out.
    pub(crate) skipped: Option<String>,
    /// The variables that the callbacks set.
    pub(crate) vars: Vec<(String, String)>,
    /// True if the callbacks may set more variables in a real run.
    pub(crate) may_set_more: bool,
}

/// The type of an entry in a commit's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TreeEntry {
    /// A directory, or a submodule, which is exported as an empty directory.
    Directory,
    /// A file.
    File,
    /// A symbolic link, with its target.
    Link(String),
    Absent,
    /// Unknown, because there is no tree.
    Unknown,
}

/// The interface that the body of a step uses. A body is a script function or a list of commands.
pub(crate) trait Host: Send + Sync {
    /// Runs a command until it ends, with all its attempts.
    fn command(&self, command: &StepCommand) -> Result<CommandEnd, Denied>;

    /// Shows a text that the step prints.
    fn print(&self, label: Option<&str>, text: &str);

    /// Shows a warning.
    fn warn(&self, message: &str);

    /// Returns the bytes of a secret, which are masked from then on.
    fn secret(&self, name: &str, limits: RequestLimits) -> Result<Vec<u8>, Denied>;

    /// Masks this placeholder for a secret in the strings of the step from now on.
    fn mask_placeholder(&self, placeholder: &str);

    /// Calls a function of the embedding program.
    fn call(
        &self,
        function: &HostFunction,
        arguments: &[Value],
        limits: RequestLimits,
    ) -> Result<Value, Denied>;

    /// Returns a variable of the environment that commands get.
    fn env(&self, name: &str) -> Option<String>;

    /// Stores a value in the commit's record.
    fn remember(&self, key: &str, value: Value) -> Result<(), Denied>;

    /// Returns the value stored for this key.
    fn recall(&self, key: &str) -> Option<Value>;

    /// Keeps files of the export as artifacts: paths of files and directories, and globs.
    fn artifact(&self, paths: &[String], limits: RequestLimits) -> Result<(), Denied>;

    /// Requests that the export is removed when the job has ended.
    fn discard_export(&self);

    /// Asks whether a person approved.
    fn approve(&self, question: &str, limits: RequestLimits) -> Result<ApprovalAnswer, Denied>;

    /// Returns the differences from the nearest green ancestor.
    fn changes(&self) -> Result<Arc<Changes>, Error>;

    /// Returns true if a changed path matches one of these globs. If none does, the record says
    /// that the phase counts as passed.
    fn changed(&self, globs: &[String]) -> Result<bool, Error>;

    /// Notes that the step read the branch or the tags.
    fn asked_for_ref(&self) {}

    /// Returns the verdict of the first parent.
    fn previous(&self) -> Result<Option<String>, Error>;

    /// Returns true if the commit has a file or directory at this path, even if commands changed
    /// the export.
    fn exists(&self, path: &str) -> Result<bool, Denied>;

    /// Returns the contents of a file of the commit.
    fn read(&self, path: &str) -> Result<String, Denied>;

    /// Returns true if `PATH` has a program of this name.
    fn has_program(&self, name: &str) -> bool;

    /// Returns the text without secrets. Call it before you cut a text.
    fn masked(&self, text: &str) -> String;

    /// Returns true if the step, or its cleanup, must stop now.
    fn is_canceled(&self, cleanup: bool) -> bool;

    /// Notes the result of a condition, at this position. A plan shows it.
    fn decided(&self, _predicate: &str, _answer: bool, _at: &str) {}

    /// Returns the simulated environment of a dry run or test, in which nothing waits.
    fn dry(&self) -> Option<&dyn DryStage> {
        None
    }
}

/// The simulated environment of dry runs and pipeline tests, with its clock. In a plan, some values
/// are unknown.
pub(crate) trait DryStage: Send + Sync {
    /// Returns true if the plan of the step has ended.
    fn is_over(&self) -> bool;

    /// Returns true for a plan, in which some values are unknown.
    fn is_plan(&self) -> bool {
        false
    }

    /// Ends the dry run of the step if this text contains an unknown value, because the rest
    /// depends on it. Returns true in this case.
    fn look(&self, _text: &str) -> bool {
        false
    }

    /// Ends the dry run of the step if an unknown value may have caused an error. An error about
    /// types counts only if a value's type is unknown too.
    fn look_at_error(&self, _is_of_types: bool) {}

    /// Returns the simulated clock.
    fn clock(&self) -> &DryClock;
}

/// Effects outside of tinyci. All requests were checked before.
pub(crate) trait Effects: Send + Sync {
    /// Runs a command and passes its output to `output` as it is written.
    fn command(
        &self,
        command: &Command,
        asks: OutputUse,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error>;

    /// Returns a secret that the commit may have.
    fn secret(&self, name: &str, context: &RequestContext) -> Result<Vec<u8>, Denied>;

    /// Copies files of the export as artifacts, all or none. `refuses` returns why a file must not
    /// be kept. A dry run returns an empty list.
    fn artifacts(
        &self,
        paths: &[String],
        refuses: &dyn Fn(&str) -> Option<Denied>,
        context: &RequestContext,
    ) -> Result<Vec<Artifact>, Denied>;

    /// Calls a function of the embedding program.
    fn call(
        &self,
        function: &HostFunction,
        arguments: &[Value],
        context: &RequestContext,
    ) -> Result<Value, Error>;

    /// Calls the hook callbacks at this point.
    fn hooks(&self, hook: Hook, so_far: Outcome, context: &RequestContext) -> HookAnswer;

    /// Returns the number of hook callbacks at a step.
    fn hook_count(&self, step: StepName) -> usize;

    /// Asks whether a person approved.
    fn approval(&self, question: &str, context: &RequestContext) -> Result<ApprovalAnswer, Denied>;

    /// Returns the simulated environment of a dry run or test.
    fn dry(&self) -> Option<&dyn DryStage> {
        None
    }

    /// Returns why the plan of the current step ended early, once.
    fn take_end(&self) -> Option<String> {
        None
    }

    /// Returns a placeholder for a stored value that a plan does not know.
    fn unknown_memory(&self, _key: &str) -> Option<String> {
        None
    }

    /// Returns the current time, real or simulated.
    fn now(&self) -> Instant {
        self.dry().map_or_else(Instant::now, |dry| dry.clock().now())
    }
}

/// Data that is looked up only when a step needs it.
pub(crate) trait Lookups: Send + Sync {
    /// Returns the differences from the nearest green ancestor.
    fn changes(&self) -> Result<Changes, Error>;

    /// Returns the verdict of the first parent.
    fn previous(&self) -> Result<Option<String>, Error>;

    /// Returns the type of the tree entry at a path, whose parts are separated by `/`.
    fn tree_entry(&self, path: &str) -> Result<TreeEntry, Error>;

    /// Returns the paths of all files and symbolic links in the commit's tree. `None` if there is
    /// no tree.
    fn tree_files(&self) -> Result<Option<Vec<String>>, Error> {
        Ok(None)
    }

    /// Returns the same for a step that asks whether a path exists. A pipeline test fails if it
    /// does not define the answer.
    fn known_entry(&self, path: &str) -> Result<TreeEntry, Error> {
        self.tree_entry(path)
    }

    /// Returns the contents of a regular file in the commit's tree. `None` if it is larger than 1
    /// MiB.
    fn tree_file(&self, path: &str) -> Result<Option<Vec<u8>>, Error>;

    /// Returns true if a command in the export would find a program of this name in this `PATH`.
    fn has_program(&self, name: &str, path: &OsStr) -> bool;

    /// Returns an error if the commit's ref may not have this secret, which leaves the step out.
    fn check_secret(&self, name: &str) -> Result<(), Denied>;
}

/// Receives everything that a step reports. All texts are masked.
pub(crate) trait Reporter: Send + Sync {
    /// A step starts, and possibly a phase.
    fn started(&self, step: StepName, opens: Option<Phase>);

    /// A command wrote output. Labeled output has whole lines.
    fn output(&self, label: Option<&str>, stream: Stream, bytes: Vec<u8>);

    /// The step printed lines.
    fn printed(&self, label: Option<&str>, lines: String) {
        self.output(label, Stream::Stdout, lines.into_bytes());
    }

    fn warn(&self, message: String);

    /// A step acted without a command, or decided something: for plans and tests.
    fn noted(&self, _act: Action) {}

    /// Waits until the observer has seen all events, before a request to the embedding program. The
    /// error is the outcome that ended the wait early.
    fn flush(&self, context: &RequestContext) -> Result<(), Outcome>;

    /// A step has ended.
    fn finished(&self, record: &StepRecord);
}
