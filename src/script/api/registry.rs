//! Everything that a script finds beside the language itself: one table of functions, one of the
//! facts of `ctx`.
//!
//! The tables are the only place that names them. Registration, "did you mean", the check of calls
//! before anything runs, and the reference that `tinyci defs` writes all read from here, so that
//! none of them can drift.

use std::ops::RangeInclusive;

use super::types::{ScriptOption, Type};
use crate::model::{function::Effect, pipeline::StepName};

/// One function of the script API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// Its parameters, those that must be given first.
    pub(crate) params: &'static [Param],
    pub(crate) returns: Type,
    pub(crate) effect: Effect,
    /// What it does, in Markdown.
    pub(crate) doc: &'static str,
}

/// One parameter of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) takes: Type,
    pub(crate) optional: bool,
}

pub(in crate::script) const fn needs(name: &'static str, takes: Type) -> Param {
    Param { name, takes, optional: false }
}

pub(in crate::script) const fn may(name: &'static str, takes: Type) -> Param {
    Param { name, takes, optional: true }
}

pub(in crate::script) const fn option(
    name: &'static str,
    takes: Type,
    doc: &'static str,
) -> ScriptOption {
    ScriptOption { name, takes, doc }
}

/// What has a text that nobody needs to guess at.
const PLAIN: Type = Type::OneOf(&[Type::Text, Type::Number, Type::Bool, Type::Letter]);

/// A sentence, or an error that has one.
const REASON: Type = Type::OneOf(&[Type::Text, Type::Error]);

/// A text, or nothing.
const OPTIONAL_TEXT: Type = Type::OneOf(&[Type::Text, Type::Nothing]);

/// A glob, or a list of them.
const GLOBS: Type = Type::OneOf(&[Type::Text, Type::Texts]);

impl Function {
    /// How many arguments it can be called with.
    pub(crate) fn counts(&self) -> RangeInclusive<usize> {
        self.params.iter().filter(|param| !param.optional).count()..=self.params.len()
    }

    /// Whether it says what becomes of the whole phase, so that no script can catch what is wrong
    /// with a call of it.
    pub(crate) fn ends_phase(&self) -> bool {
        matches!(self.name, "approve" | "exit" | "fail" | "skip")
    }

    /// `sh(command, options?)`: how documentation and errors show it.
    pub(crate) fn signature(&self) -> String {
        let param = |it: &Param| format!("{}{}", it.name, if it.optional { "?" } else { "" });
        let params: Vec<String> = self.params.iter().map(param).collect();
        format!("{}({})", self.name, params.join(", "))
    }
}

/// The functions, in the order of their documentation.
pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "sh",
        params: &[needs("command", Type::Command), may("options", Type::Options(&COMMAND_OPTIONS))],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Runs a command and throws an error if it fails. A string runs in `/bin/sh -c`; each \
              `<%= … %>` that the script contains in one literal is filled in. An array is a \
              program and its arguments, without a shell. The error has `message`, `command`, \
              `code`, `tail` (the end of the output) and `timed_out`.",
    },
    Function {
        name: "try_sh",
        params: &[needs("command", Type::Command), may("options", Type::Options(&COMMAND_OPTIONS))],
        returns: Type::Object("output"),
        effect: Effect::External,
        doc: "Runs a command like `sh` and returns its result instead of throwing an error: `ok`, \
              `code`, `stdout`, `stderr` and `timed_out`. Throws an error if one of the two \
              outputs has more than 8 MiB.",
    },
    Function {
        name: "capture",
        params: &[needs("command", Type::Command), may("options", Type::Options(&COMMAND_OPTIONS))],
        returns: Type::Text,
        effect: Effect::External,
        doc: "Runs a command like `sh` and returns its standard output, without the newlines at \
              the end. Throws an error if the command fails or the output has more than 8 MiB.",
    },
    Function {
        name: "retry",
        params: &[
            needs("attempts", Type::Count),
            needs("function", Type::Function),
            may("options", Type::Options(&RETRY_OPTIONS)),
        ],
        returns: Type::Any,
        effect: Effect::Control,
        doc: "Calls the function until it succeeds, at most `attempts` times in total (1 to \
              1000), and returns its result. Between attempts it waits one second, or the option \
              `backoff`. What an attempt deferred runs before the next attempt begins. If all \
              attempts fail, throws the error of the last one.",
    },
    Function {
        name: "timeout",
        params: &[needs("limit", Type::Time), needs("function", Type::Function)],
        returns: Type::Any,
        effect: Effect::Control,
        doc: "Calls the function, returns its result, and throws an error with `timed_out` if it \
              takes longer than `limit` (at least 1 ms). At the limit, the command that runs is \
              stopped. Functions that it deferred run when the enclosing scope ends.",
    },
    Function {
        name: "group",
        params: &[needs("name", Type::Text), needs("function", Type::Function)],
        returns: Type::Any,
        effect: Effect::Control,
        doc: "Calls the function and returns its result. The name is a label in front of each \
              output line of its commands. Functions that it deferred run when the group ends.",
    },
    Function {
        name: "with",
        params: &[
            needs("options", Type::Options(&WITH_OPTIONS)),
            needs("function", Type::Function),
        ],
        returns: Type::Any,
        effect: Effect::Control,
        doc: "Calls the function and returns its result. The options apply to all its commands, \
              including those of tasks and deferred functions. In a nested `with`, `cwd` is \
              relative to the outer `cwd`, and variables replace outer variables of the same \
              name. Functions that it deferred run when it ends.",
    },
    Function {
        name: "defer",
        params: &[needs("function", Type::Function)],
        returns: Type::Nothing,
        effect: Effect::Control,
        doc: "Calls the function when the current scope ends, whatever the outcome. The scope is \
              the nearest task of `parallel` or `matrix`, attempt of `retry`, `with` or `group`; \
              otherwise it is the step. The function that was deferred last runs first. If one \
              fails, its scope fails. None runs if the deployment waits for an approval.",
    },
    Function {
        name: "parallel",
        params: &[
            needs("work", Type::OneOf(&[Type::List, Type::Functions])),
            may("function", Type::Function),
        ],
        returns: Type::OneOf(&[Type::List, Type::Map]),
        effect: Effect::Control,
        doc: "Runs tasks at the same time and returns their results. `parallel(array, |item| …)` \
              calls the function for each item and returns an array. `parallel(#{ name: || … })` \
              calls each function of the map and returns a map. A call takes at most 1000 tasks, \
              and a step runs at most 32 at once. Each task has its own copies of the variables \
              that it captures. If tasks fail, throws an error after all have ended. It is the \
              first failure (`message`, `label`, `place`, `command`, `code`, `tail`, \
              `timed_out`), and its `failures` lists all of them.",
    },
    Function {
        name: "matrix",
        params: &[needs("axes", Type::Lists), needs("function", Type::Function)],
        returns: Type::List,
        effect: Effect::Control,
        doc: "Runs a task for each combination of the axes and returns an array of the results: \
              `matrix(#{ db: [\"a\", \"b\"], os: [1, 2] }, |m| … m.db … m.os …)`. Otherwise it \
              works like `parallel`.",
    },
    Function {
        name: "skip",
        params: &[needs("reason", REASON)],
        returns: Type::Nothing,
        effect: Effect::Control,
        doc: "Ends the step as skipped. In `before_test` it skips the test, in `before_build` the \
              build and the test. The commit is then not green. No `catch` stops it. In a task or \
              a deferred function it is an error; use `return` there.",
    },
    Function {
        name: "fail",
        params: &[needs("reason", REASON)],
        returns: Type::Nothing,
        effect: Effect::Control,
        doc: "Ends the step as failed. `reason` is a string, or the error that `catch` got. No \
              `catch` stops it. No further command of the step begins, in any task, except those \
              of deferred functions.",
    },
    Function {
        name: "exit",
        params: &[may("reason", Type::Any)],
        returns: Type::Nothing,
        effect: Effect::Control,
        doc: "Fails the step, because `exit` does not say how the step ends. Use `return`, `skip` \
              or `fail` instead.",
    },
    Function {
        name: "approve",
        params: &[needs("question", Type::Text)],
        returns: Type::Nothing,
        effect: Effect::Control,
        doc: "Continues only if a person approved the deployment of this commit; otherwise, the \
              deployment waits. `question` says what is to be approved. Only `deploy` can call \
              it, outside of tasks and deferred functions. It must come before any command, \
              `remember`, `artifact`, `discard_export`, and function of the embedding program \
              that has an effect. Any other call fails the step.",
    },
    Function {
        name: "secret",
        params: &[needs("name", Type::Text)],
        returns: Type::Secret,
        effect: Effect::External,
        doc: "Returns a secret that `const SECRETS` lists. Only the options `env` and `input` \
              take it. All output masks it, except parts of fewer than 4 bytes. If the commit's \
              ref may not have the secret, the step is skipped; in `deploy`, that is an error. If \
              the server does not have the secret, the commit gets no verdict. Throws an error if \
              `const SECRETS` does not list it.",
    },
    Function {
        name: "env",
        params: &[needs("name", Type::Text), may("fallback", Type::Any)],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns a variable of the environment that commands get, or `fallback` if it is not \
              set. Throws an error if the variable is not set and there is no fallback.",
    },
    Function {
        name: "q",
        params: &[needs("text", PLAIN)],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the value as one quoted word for a shell, whatever it contains. Do not put \
              the result in quotes.",
    },
    Function {
        name: "matches",
        params: &[needs("text", Type::Text), needs("globs", GLOBS)],
        returns: Type::Bool,
        effect: Effect::Pure,
        doc: "Returns true if a path matches the globs: a glob, or an array in which `!glob` \
              removes matches. The rules are those of `ctx.changed`. Example: \
              `ctx.changes.filter(|path| path.matches(\"*.md\"))`.",
    },
    Function {
        name: "join",
        params: &[needs("list", Type::List), needs("separator", Type::Text)],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the strings and numbers of an array as one string, with the separator \
              between them: `[\"a\", \"b\"].join(\", \")`.",
    },
    Function {
        name: "exists",
        params: &[needs("path", Type::Text)],
        returns: Type::Bool,
        effect: Effect::Pure,
        doc: "Returns true if the commit has a file or directory at this path, relative to the \
              top of the repository. It does not see what commands create or remove; use \
              `try_sh([\"test\", \"-e\", path]).ok` for that.",
    },
    Function {
        name: "read",
        params: &[needs("path", Type::Text)],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "Returns the contents of a file of the commit as git stores it, including the \
              newline at the end. The path is relative to the top of the repository. It does not \
              see what commands write; use `capture([\"cat\", path])` for that. Throws an error \
              if there is no such file, if it has more than 1 MiB, or if it is not UTF-8.",
    },
    Function {
        name: "remember",
        params: &[needs("key", Type::Text), needs("value", Type::Any)],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Stores a value in the commit's record, for later steps and for `deploy`. The value \
              is null, a bool, an int, a float, a string, or an array or map of these. All values \
              of a job together have at most 64 KiB. Throws an error for a larger value, and for \
              one that contains a secret, an infinite number or NaN.",
    },
    Function {
        name: "recall",
        params: &[needs("key", Type::Text), may("fallback", Type::Any)],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns a value that `remember` stored, or `fallback` if there is none. Throws an \
              error if there is no value and no fallback.",
    },
    Function {
        name: "artifact",
        params: &[needs("paths", Type::OneOf(&[Type::Text, Type::Texts]))],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Keeps files of the export in `artifacts` in the build directory, and their paths, \
              sizes and blob ids in the record. `paths` is a file, a directory with everything \
              below it, a glob such as `\"dist/**\"`, or an array of these in which `!glob` \
              removes matches. It keeps all of the files or none. Throws an error if a path \
              matches nothing. `tinyci artifacts` lists and fetches the files.",
    },
    Function {
        name: "warn",
        params: &[needs("message", Type::Any)],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Shows a warning. The verdict does not change.",
    },
    Function {
        name: "discard_export",
        params: &[],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Removes the commit's export when the job ends. Logs and artifacts stay.",
    },
    Function {
        name: "sleep",
        params: &[needs("time", Type::Time)],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Waits for a number of seconds, or a string such as `\"500ms\"`.",
    },
    Function {
        name: "print",
        params: &[may("value", Type::Any)],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Writes the value as a line to the build's output.",
    },
    Function {
        name: "debug",
        params: &[may("value", Type::Any)],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Writes the value as a literal, with its place in the script, as a line to the \
              build's output.",
    },
];

/// The options of `sh`, `try_sh` and `capture`.
pub(crate) const COMMAND_OPTIONS: [ScriptOption; 9] = [
    option(
        "env",
        Type::Variables,
        "Environment variables of the command: strings, numbers, bools or secrets; null removes a \
         variable.",
    ),
    option(
        "cwd",
        Type::Text,
        "The working directory, relative to the export or to the enclosing `with`.",
    ),
    option(
        "input",
        Type::OneOf(&[Type::Text, Type::Bytes, Type::Secret]),
        "The standard input of the command.",
    ),
    option("timeout", Type::Time, "The time limit of each attempt, at least 1 ms."),
    option(
        "retries",
        Type::Count,
        "The number of further attempts if the command fails, 0 to 1000; 0 by default.",
    ),
    option("backoff", Type::Time, "The wait between attempts; one second by default."),
    option("label", Type::Text, "The label in front of each output line."),
    option(
        "quiet",
        Type::Bool,
        "True to show only the last 64 KiB of the output, and only if the command fails. With \
         `try_sh`, true shows nothing.",
    ),
    option(
        "allow",
        Type::OneOf(&[Type::Int, Type::List]),
        "Exit codes from 0 to 255 that are not failures, besides 0: an int or an array of ints.",
    ),
];

/// The options of `with`.
pub(crate) const WITH_OPTIONS: [ScriptOption; 3] = [
    option(
        "env",
        Type::Variables,
        "Environment variables of the commands: strings, numbers, bools or secrets; null removes a \
         variable.",
    ),
    option(
        "cwd",
        Type::Text,
        "The working directory, relative to the export or to the enclosing `with`.",
    ),
    option("timeout", Type::Time, "The time limit of the function, as for `timeout`."),
];

/// The options of `retry`.
pub(crate) const RETRY_OPTIONS: [ScriptOption; 1] =
    [option("backoff", Type::Time, "The wait between attempts; one second by default.")];

/// One constant at the top of a script that is read before anything runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constant {
    pub(crate) name: &'static str,
    pub(crate) holds: Type,
    /// What it says, in Markdown.
    pub(crate) doc: &'static str,
}

/// A text, or a list of texts.
const NAMES: Type = Type::OneOf(&[Type::Text, Type::Texts]);

/// The keys of `const WHEN`.
pub(crate) const WHEN_KEYS: [ScriptOption; 3] = [
    option("branch", NAMES, "Globs of branches. The commit must be tested for one that matches."),
    option("tag", NAMES, "Globs of tags. One that names the commit must match."),
    option("message", NAMES, "Globs of commit messages. The message must match."),
];

/// The keys of `const DEPLOY`.
pub(crate) const DEPLOY_KEYS: [ScriptOption; 4] = [
    option(
        "branch",
        NAMES,
        "Globs of the branches whose commits can be deployed; the branch of HEAD by default.",
    ),
    option(
        "environment",
        NAMES,
        "The environments that can be deployed to; `production` by default.",
    ),
    option("approve", Type::Bool, "True if each deployment needs an approval; false by default."),
    option(
        "auto",
        Type::Bool,
        "True if tinyci deploys each green commit without being asked; false by default.",
    ),
];

/// The constants that mean something.
pub(crate) const CONSTANTS: [Constant; 4] = [
    Constant {
        name: "DEPLOY",
        holds: Type::Options(&DEPLOY_KEYS),
        doc: "Which commits can be deployed, to which environments, and with which approval.",
    },
    Constant { name: "SECRETS", holds: NAMES, doc: "The secrets that `secret(name)` can return." },
    Constant {
        name: "TIMEOUT",
        holds: Type::Time,
        doc: "The time limit of each step; one hour by default.",
    },
    Constant {
        name: "WHEN",
        holds: Type::Options(&WHEN_KEYS),
        doc: "Which commits are tested. All others are skipped before they are exported.",
    },
];

/// What objects have that functions give back or `catch` gets.
pub(crate) const OBJECTS: [Property; 13] = [
    property(
        "output.ok",
        Type::Bool,
        "`try_sh`: true if the command passed, with exit code 0 or one in `allow`.",
    ),
    property(
        "output.code",
        Type::OneOf(&[Type::Int, Type::Nothing]),
        "The exit code; null if a signal or a time limit ended the command.",
    ),
    property(
        "output.stdout",
        Type::Text,
        "The standard output. Bytes that are not UTF-8 become U+FFFD.",
    ),
    property(
        "output.stderr",
        Type::Text,
        "The standard error. Bytes that are not UTF-8 become U+FFFD.",
    ),
    property("output.timed_out", Type::Bool, "True if a time limit ended the command."),
    property("error.message", Type::Text, "`catch`: the error as a sentence."),
    property("error.command", OPTIONAL_TEXT, "The command that failed; null for any other error."),
    property(
        "error.code",
        Type::OneOf(&[Type::Int, Type::Nothing]),
        "The exit code of the command; null if there is none.",
    ),
    property(
        "error.tail",
        OPTIONAL_TEXT,
        "The end of the command's output; null for any other error.",
    ),
    property(
        "error.timed_out",
        Type::Bool,
        "True if the time limit of the command or of a `timeout` has passed.",
    ),
    property(
        "error.label",
        OPTIONAL_TEXT,
        "The task that failed, for an error of `parallel` or `matrix`; null otherwise.",
    ),
    property(
        "error.place",
        OPTIONAL_TEXT,
        "The place of the failure in the script, for an error of `parallel` or `matrix`; null \
         otherwise.",
    ),
    property(
        "error.failures",
        Type::List,
        "All failures of `parallel` or `matrix`, each with the properties of an error; otherwise \
         the error alone.",
    ),
];

/// One property of `ctx`, or of an object that it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Property {
    /// Its path, such as `ctx.machine.os`.
    pub(crate) path: &'static str,
    /// What it holds, or gives if it is a function.
    pub(crate) holds: Type,
    /// What it takes if it is a function.
    pub(crate) params: &'static [Param],
    /// What it says, in Markdown.
    pub(crate) doc: &'static str,
}

pub(in crate::script) const fn property(
    path: &'static str,
    holds: Type,
    doc: &'static str,
) -> Property {
    Property { path, holds, params: &[], doc }
}

pub(in crate::script) const fn method(
    path: &'static str,
    params: &'static [Param],
    holds: Type,
    doc: &'static str,
) -> Property {
    Property { path, holds, params, doc }
}

/// What `ctx` knows. All of it is read-only.
pub(crate) const PROPERTIES: [Property; 41] = [
    property("ctx.commit", Type::Text, "The full id of the commit."),
    property("ctx.short", Type::Text, "The first seven digits of the id."),
    property("ctx.tree", Type::Text, "The id of the commit's tree."),
    property(
        "ctx.branch",
        OPTIONAL_TEXT,
        "The branch that the commit is tested for; null if there is none.",
    ),
    property("ctx.tags", Type::Texts, "All tags that name the commit, sorted."),
    property(
        "ctx.tag",
        OPTIONAL_TEXT,
        "The pushed tag that the commit is tested for, otherwise the newest one that matches \
         `const WHEN`; null if there is none.",
    ),
    property("ctx.subject", Type::Text, "The first paragraph of the message, on one line."),
    property("ctx.message", Type::Text, "The whole message."),
    property("ctx.author", Type::Text, "The author, as `Name <address>`."),
    property("ctx.time", Type::Int, "The commit time, in seconds since 1970-01-01 UTC."),
    property("ctx.parents", Type::Texts, "The full ids of the parents."),
    property(
        "ctx.export_dir",
        Type::Text,
        "The path of the export directory: the commit's files. Commands run in it.",
    ),
    property(
        "ctx.build_dir",
        Type::Text,
        "The path of the build directory, which contains the export directory.",
    ),
    property("ctx.repo", Type::Text, "The path of the repository."),
    property("ctx.job_id", Type::Text, "The id of the job."),
    property("ctx.step", Type::Text, "The step that runs: `build`, `after_all`, …"),
    property(
        "ctx.environment",
        OPTIONAL_TEXT,
        "The environment that the step deploys to; null in other steps.",
    ),
    property(
        "ctx.trigger",
        Type::Text,
        "Why the job was started: `pending`, `unfinished`, `named`, `retry`, `retest`, `tag`, \
         `deploy`.",
    ),
    property(
        "ctx.base",
        OPTIONAL_TEXT,
        "The full id of the nearest green ancestor; null if there is none.",
    ),
    property(
        "ctx.changes",
        Type::Texts,
        "The paths that differ from the base; all paths if there is no base.",
    ),
    property("ctx.result", Type::Object("ctx.result"), "The outcomes of the phases so far."),
    property(
        "ctx.result.build",
        OPTIONAL_TEXT,
        "The outcome of the build: `success`, `failure`, `timed_out`, `skipped`; null before it \
         has ended.",
    ),
    property("ctx.result.test", OPTIONAL_TEXT, "The outcome of the test, with the same values."),
    property(
        "ctx.failure",
        Type::OneOf(&[Type::Object("ctx.failure"), Type::Nothing]),
        "The first of `ctx.failures`, in hooks after a failure; null otherwise.",
    ),
    property(
        "ctx.failure.command",
        Type::Text,
        "The command that failed; the message if no command did.",
    ),
    property(
        "ctx.failure.code",
        Type::OneOf(&[Type::Int, Type::Nothing]),
        "The exit code of the command; null if there is none.",
    ),
    property("ctx.failure.at", Type::Text, "The step that failed."),
    property("ctx.failure.tail", Type::Text, "The end of the command's output."),
    property(
        "ctx.failure.label",
        OPTIONAL_TEXT,
        "The task of `parallel` or `matrix`, or the group, such as `db=my`; null if there is none.",
    ),
    property(
        "ctx.failure.place",
        OPTIONAL_TEXT,
        "The place in the script, such as `.tinyci.rhai:4:7`; null if it is not known.",
    ),
    property("ctx.failure.message", Type::Text, "The failure as a sentence."),
    property(
        "ctx.failures",
        Type::List,
        "All failures of that step, the most severe first, each with the properties of \
         `ctx.failure`.",
    ),
    property(
        "ctx.previous",
        OPTIONAL_TEXT,
        "The verdict of the first parent: `success`, `failure`, `skipped`; null if there is none.",
    ),
    property("ctx.machine", Type::Object("ctx.machine"), "The machine that runs the step."),
    property("ctx.machine.name", Type::Text, "The name of the machine."),
    property("ctx.machine.os", Type::Text, "The operating system: `linux`, `macos`, `freebsd`, …"),
    property("ctx.machine.arch", Type::Text, "The processor architecture: `x86_64`, `aarch64`, …"),
    property("ctx.machine.cpus", Type::Int, "The number of threads that run at once."),
    method(
        "ctx.changed(globs)",
        &[needs("globs", GLOBS)],
        Type::Bool,
        "Returns true if a path that differs from the base matches the globs: a glob, or an array \
         in which `!glob` removes matches. Always true if there is no base, in a retry, and if the \
         script or a file that it imports has changed.",
    ),
    method(
        "ctx.newest_tag(globs)",
        &[needs("globs", GLOBS)],
        OPTIONAL_TEXT,
        "Returns the tag that matches the globs: a glob, or an array in which `!glob` removes \
         matches. The pushed tag comes first, then the newest; null if none matches. `v1.10` is \
         newer than `v1.9`, and `v1.0` is newer than `v1.0-rc1`.",
    ),
    method(
        "ctx.machine.has(program)",
        &[needs("program", Type::Text)],
        Type::Bool,
        "Returns true if a program with this name is in `PATH`.",
    ),
];

/// The names that make a function of a script a phase, `deploy` last.
pub(crate) fn phase_names() -> impl Iterator<Item = &'static str> {
    StepName::ALL.into_iter().map(StepName::as_str)
}

/// True if it is a function over texts: it has no effect and asks nothing, so that tests have it too,
/// and a script may define one of that name itself.
pub(crate) fn is_of_texts(name: &str) -> bool {
    matches!(name, "matches" | "join")
}

/// The function of this name.
pub(crate) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_not_reserved_by_the_language() {
        let names: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
        assert_eq!(names.len(), FUNCTIONS.len());
        for function in FUNCTIONS {
            let optional = function.params.iter().skip_while(|it| !it.optional);
            assert!(optional.clone().all(|it| it.optional), "{}", function.name);
            let parameters: Vec<&str> = function.params.iter().map(|it| it.name).collect();
            let script = format!("fn f_{}({}) {{ }}", function.name, parameters.join(", "));
            assert!(rhai::Engine::new().compile(&script).is_ok(), "{script}");
        }
        assert_eq!(function("sh").unwrap().signature(), "sh(command, options?)");
    }

    #[test]
    fn properties_are_unique() {
        let paths: BTreeSet<&str> = PROPERTIES.iter().map(|property| property.path).collect();
        assert_eq!(paths.len(), PROPERTIES.len());
    }
}
