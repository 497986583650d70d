//! The seams around a step.
//!
//! [`Host`] is what the body of a step asks: it makes every check. What passed them acts through
//! [`Effects`], looks things up through [`Lookups`] and is told through [`Reporter`]: in earnest,
//! as a plan, or as a test says.

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

/// Why a step does not get what it asked for, by who is to blame.
#[derive(Debug)]
pub(crate) enum Denied {
    /// The step may not have it, or the embedding program says no: the step fails, unless a script
    /// catches that.
    Refused(Error),
    /// The ref may not have it: the step is left out, and a script cannot catch that.
    LeftOut(Error),
    /// The machinery failed: there is no verdict.
    Fault(Error),
}

impl Denied {
    /// What is wrong with the request itself.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Denied::Refused(Error::new(ErrorKind::InvalidArg, message))
    }

    /// An error of what the embedding program was asked for.
    pub(crate) fn of_host(error: Error) -> Self {
        if error.is_host_fault() { Denied::Fault(error) } else { Denied::Refused(error) }
    }

    /// An error of the machinery, unless the embedding program says that it refuses.
    pub(crate) fn of_machinery(error: Error) -> Self {
        match error.kind() {
            ErrorKind::HostAbort => Denied::Refused(error),
            _ => Denied::Fault(error),
        }
    }
}

/// What limits a request, and whose it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct RequestLimits {
    pub(crate) deadline: Option<Instant>,
    /// The task of a `parallel`, or the group.
    pub(crate) label: Option<String>,
    /// True if it cleans up, so that a first cancel does not stop it.
    pub(crate) cleanup: bool,
}

/// What differs from the nearest green ancestor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Changes {
    /// The full id of that ancestor; without one, everything counts as changed.
    pub(crate) base: Option<String>,
    /// The paths that differ, for people and scripts: sorted, each once, with U+FFFD for what is not
    /// UTF-8.
    pub(crate) paths: Vec<String>,
    /// The same as they are, for globs.
    pub(crate) exact: Vec<ChangedPath>,
}

/// A path that differs, as git has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChangedPath {
    pub(crate) bytes: Vec<u8>,
    /// True if it is or was a submodule, which is a directory to a glob.
    pub(crate) is_directory: bool,
}

impl Changes {
    /// What differs from an ancestor, or all there is without one.
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
    /// A person approved: the step goes on.
    Given,
    /// Nobody has yet: the step ends and waits.
    Awaited,
}

/// What the hooks of the embedding program said at one point.
#[derive(Debug, Default)]
pub(crate) struct HookAnswer {
    /// Why the step fails.
    pub(crate) failed: Option<Error>,
    /// Why the config's own hook is left out.
    pub(crate) skipped: Option<String>,
    /// The variables that were set.
    pub(crate) vars: Vec<(String, String)>,
    /// True if more variables may be set in a real run.
    pub(crate) may_set_more: bool,
}

/// What stands at a path of a commit's tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum TreeEntry {
    /// A directory, or a submodule, which is exported as an empty one.
    Directory,
    /// A file.
    File,
    /// A symbolic link, and where it leads.
    Link(String),
    Absent,
    /// There is no tree to ask.
    Unknown,
}

/// What the body of a step, a function or a list of commands, can ask for.
pub(crate) trait Host: Send + Sync {
    /// Runs a command to its end, with all its attempts.
    fn command(&self, command: &StepCommand) -> Result<CommandEnd, Denied>;

    /// Shows a text of the step's own.
    fn print(&self, label: Option<&str>, text: &str);

    /// Shows a warning.
    fn warn(&self, message: &str);

    /// Returns the bytes of a secret, which are masked from then on.
    fn secret(&self, name: &str, limits: RequestLimits) -> Result<Vec<u8>, Denied>;

    /// Masks from now on what stands for secrets in the texts of the step itself.
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

    /// Keeps a value with the commit's record.
    fn remember(&self, key: &str, value: Value) -> Result<(), Denied>;

    /// Returns what was kept under this key.
    fn recall(&self, key: &str) -> Option<Value>;

    /// Keeps files of the export beyond it: paths of files and directories, and globs.
    fn artifact(&self, paths: &[String], limits: RequestLimits) -> Result<(), Denied>;

    /// Has the export removed when the run is over.
    fn discard_export(&self);

    /// Asks whether a person approved.
    fn approve(&self, question: &str, limits: RequestLimits) -> Result<ApprovalAnswer, Denied>;

    /// Returns what differs from the nearest green ancestor.
    fn changes(&self) -> Result<Arc<Changes>, Error>;

    /// True if a path changed that one of these globs matches. If none did, the record says that
    /// the phase counts on an earlier one.
    fn changed(&self, globs: &[String]) -> Result<bool, Error>;

    /// Notes that the step asked for the branch or the tags.
    fn asked_for_ref(&self) {}

    /// Returns the verdict of the first parent, as its word.
    fn previous(&self) -> Result<Option<String>, Error>;

    /// True if the commit has something at this path, whatever its commands did to the export.
    fn exists(&self, path: &str) -> Result<bool, Denied>;

    /// Returns the contents of a file of the commit.
    fn read(&self, path: &str) -> Result<String, Denied>;

    /// True if a program of this name is in `PATH`.
    fn has_program(&self, name: &str) -> bool;

    /// Returns a text without secrets, for what is cut before it is shown.
    fn masked(&self, text: &str) -> String;

    /// True if the step, or the cleaning up after it, is to stop now.
    fn is_canceled(&self, cleanup: bool) -> bool;

    /// Notes that a predicate was asked and answered, at this place: what a plan gives as reasons.
    fn decided(&self, _predicate: &str, _answer: bool, _at: &str) {}

    /// What stands in the place of the world if nothing is done. Then nothing waits.
    fn dry(&self) -> Option<&dyn DryStage> {
        None
    }
}

/// What stands in the place of the world where nothing is done: a time of its own, and in a plan
/// what is not known.
pub(crate) trait DryStage: Send + Sync {
    /// True if nothing further can be said of the step.
    fn is_over(&self) -> bool;

    /// True if it is a plan, of which some things are not known.
    fn is_plan(&self) -> bool {
        false
    }

    /// Ends the dry run of the step if this text holds something unknown: what follows depends on
    /// it. True if that is so.
    fn look(&self, _text: &str) -> bool {
        false
    }

    /// The same where an error may come of something unknown: an error of types only of that whose
    /// type is not known either.
    fn look_at_error(&self, _is_of_types: bool) {}

    /// What time it would be, and how much would have been waited.
    fn clock(&self) -> &DryClock;
}

/// What acts outside of tinyci. Whatever is asked here was checked before.
pub(crate) trait Effects: Send + Sync {
    /// Runs a command; `output` gets what it writes, as it writes it.
    fn command(
        &self,
        command: &Command,
        asks: OutputUse,
        output: &mut dyn FnMut(Output),
        cancel: &CancelView,
    ) -> Result<Exit, Error>;

    /// Fetches a secret that the commit may have.
    fn secret(&self, name: &str, context: &RequestContext) -> Result<Vec<u8>, Denied>;

    /// Copies files of the export, all or none: those of a list that reads as a list of patterns.
    /// `refuses` says why a file of this path must not be kept. Nothing is returned if nothing is done.
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

    /// Calls the hooks of the embedding program at this point.
    fn hooks(&self, hook: Hook, so_far: Outcome, context: &RequestContext) -> HookAnswer;

    /// Returns how many hooks of the embedding program there are at a step.
    fn hook_count(&self, step: StepName) -> usize;

    /// Asks whether a person approved.
    fn approval(&self, question: &str, context: &RequestContext) -> Result<ApprovalAnswer, Denied>;

    /// What stands in the place of the world if nothing is done.
    fn dry(&self) -> Option<&dyn DryStage> {
        None
    }

    /// Why nothing further can be said of the step that ends, if a plan could not go on.
    fn take_end(&self) -> Option<String> {
        None
    }

    /// A text for what a step remembers of which no plan knows.
    fn unknown_memory(&self, _key: &str) -> Option<String> {
        None
    }

    /// What time it is, or would be.
    fn now(&self) -> Instant {
        self.dry().map_or_else(Instant::now, |dry| dry.clock().now())
    }
}

/// What is looked up when it is asked for, and not before.
pub(crate) trait Lookups: Send + Sync {
    /// Returns what differs from the nearest green ancestor.
    fn changes(&self) -> Result<Changes, Error>;

    /// Returns the verdict of the first parent, as its word.
    fn previous(&self) -> Result<Option<String>, Error>;

    /// Returns what the commit's tree has at a path, whose names are separated by `/`.
    fn tree_entry(&self, path: &str) -> Result<TreeEntry, Error>;

    /// Returns the paths of all files and links of the commit's tree. None if there is no tree to ask.
    fn tree_files(&self) -> Result<Option<Vec<String>>, Error> {
        Ok(None)
    }

    /// The same for a step that asks what the commit has, which a pipeline test must know.
    fn known_entry(&self, path: &str) -> Result<TreeEntry, Error> {
        self.tree_entry(path)
    }

    /// Returns the contents of a regular file of the commit's tree; none if they are more than
    /// 1 MiB.
    fn tree_file(&self, path: &str) -> Result<Option<Vec<u8>>, Error>;

    /// True if a command in the export would find a program of this name in this `PATH`.
    fn has_program(&self, name: &str, path: &OsStr) -> bool;

    /// Leaves the step out if the commit's ref may not have a secret.
    fn check_secret(&self, name: &str) -> Result<(), Denied>;
}

/// Where everything goes that a step says. All of it is masked.
pub(crate) trait Reporter: Send + Sync {
    /// A step begins, and with it perhaps a phase.
    fn started(&self, step: StepName, opens: Option<Phase>);

    /// Output of commands, whole lines if it is labelled.
    fn output(&self, label: Option<&str>, stream: Stream, bytes: Vec<u8>);

    /// Lines of the step's own.
    fn printed(&self, label: Option<&str>, lines: String) {
        self.output(label, Stream::Stdout, lines.into_bytes());
    }

    fn warn(&self, message: String);

    /// Something is done beside a command, or was decided: for plans and tests.
    fn noted(&self, _act: Action) {}

    /// Waits until the observer has seen all of it, before an embedding program is asked for
    /// something. The error says what ended the wait before.
    fn flush(&self, context: &RequestContext) -> Result<(), Outcome>;

    /// A step has ended.
    fn finished(&self, record: &StepRecord);
}
