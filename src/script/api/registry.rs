//! The tables of the script API: functions, properties of `ctx`, constants and options.
//!
//! Registration, "did you mean", the check of calls and `tinyci defs` all read these tables, so
//! they cannot differ.

use std::ops::RangeInclusive;

use super::types::{ScriptOption, Type};
use crate::model::{function::Effect, pipeline::StepName};

/// One function of the script API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// Parameters; required ones come first.
    pub(crate) params: &'static [Param],
    pub(crate) returns: Type,
    pub(crate) effect: Effect,
    /// Description in Markdown.
    pub(crate) doc: &'static str,
}

/// One parameter of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Param {
    pub(crate) name: &'static str,
    pub(crate) takes: Type,
    pub(crate) optional: bool,
}

/// Returns a required parameter.
pub(in crate::script) const fn needs(name: &'static str, takes: Type) -> Param {
    Param { name, takes, optional: false }
}

/// Returns an optional parameter.
pub(in crate::script) const fn may(name: &'static str, takes: Type) -> Param {
    Param { name, takes, optional: true }
}

/// Returns a key of a map of options.
pub(in crate::script) const fn option(
    name: &'static str,
    takes: Type,
    doc: &'static str,
) -> ScriptOption {
    ScriptOption { name, takes, doc }
}

/// A value with an obvious string form.
const PLAIN: Type = Type::OneOf(&[Type::String, Type::Number, Type::Bool, Type::Char]);

/// A message, or an error that contains one.
const REASON: Type = Type::OneOf(&[Type::String, Type::Error]);

/// A string or null.
const OPTIONAL_STRING: Type = Type::OneOf(&[Type::String, Type::Null]);

/// A glob or an array of globs.
const GLOBS: Type = Type::OneOf(&[Type::String, Type::Strings]);

impl Function {
    /// Returns how many arguments the function takes.
    pub(crate) fn counts(&self) -> RangeInclusive<usize> {
        self.params.iter().filter(|param| !param.optional).count()..=self.params.len()
    }

    /// Returns true if the function decides how the step ends. A wrong call of it cannot be caught.
    pub(crate) fn ends_step(&self) -> bool {
        matches!(self.name, "approve" | "exit" | "fail" | "skip")
    }

    /// Returns the signature for documentation and errors, such as `sh(command, options?)`.
    pub(crate) fn signature(&self) -> String {
        let param = |it: &Param| format!("{}{}", it.name, if it.optional { "?" } else { "" });
        let params: Vec<String> = self.params.iter().map(param).collect();
        format!("{}({})", self.name, params.join(", "))
    }
}

/// The functions, in the order of the reference.
pub(crate) const FUNCTIONS: &[Function] = &[
    Function {
        name: "sh",
        params: &[needs("command", Type::Command), may("options", Type::Options(&COMMAND_OPTIONS))],
        returns: Type::Null,
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
        returns: Type::String,
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
        params: &[needs("limit", Type::Duration), needs("function", Type::Function)],
        returns: Type::Any,
        effect: Effect::Control,
        doc: "Calls the function, returns its result, and throws an error with `timed_out` if it \
              takes longer than `limit` (at least 1 ms). At the limit, the command that runs is \
              stopped. Functions that it deferred run when the enclosing scope ends.",
    },
    Function {
        name: "group",
        params: &[needs("name", Type::String), needs("function", Type::Function)],
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
        returns: Type::Null,
        effect: Effect::Control,
        doc: "Calls the function when the current scope ends, whatever the outcome. The scope is \
              the nearest task of `parallel` or `matrix`, attempt of `retry`, `with` or `group`; \
              otherwise it is the step. The function that was deferred last runs first. If one \
              fails, its scope fails. None runs if the deployment waits for an approval.",
    },
    Function {
        name: "parallel",
        params: &[
            needs("tasks", Type::OneOf(&[Type::Array, Type::Functions])),
            may("function", Type::Function),
        ],
        returns: Type::OneOf(&[Type::Array, Type::Map]),
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
        params: &[needs("axes", Type::Arrays), needs("function", Type::Function)],
        returns: Type::Array,
        effect: Effect::Control,
        doc: "Runs a task for each combination of the axes and returns an array of the results: \
              `matrix(#{ db: [\"a\", \"b\"], os: [1, 2] }, |m| … m.db … m.os …)`. Otherwise it \
              works like `parallel`.",
    },
    Function {
        name: "skip",
        params: &[needs("reason", REASON)],
        returns: Type::Null,
        effect: Effect::Control,
        doc: "Ends the step as skipped. In `before_test` it skips the test, in `before_build` the \
              build and the test. The commit is then not green. No `catch` stops it. In a task or \
              a deferred function it is an error; use `return` there.",
    },
    Function {
        name: "fail",
        params: &[needs("reason", REASON)],
        returns: Type::Null,
        effect: Effect::Control,
        doc: "Ends the step as failed. `reason` is a string, or the error that `catch` got. No \
              `catch` stops it. No further command of the step begins, in any task, except those \
              of deferred functions.",
    },
    Function {
        name: "exit",
        params: &[may("reason", Type::Any)],
        returns: Type::Null,
        effect: Effect::Control,
        doc: "Fails the step, because `exit` does not say how the step ends. Use `return`, `skip` \
              or `fail` instead.",
    },
    Function {
        name: "approve",
        params: &[needs("question", Type::String)],
        returns: Type::Null,
        effect: Effect::Control,
        doc: "Continues only if a person approved the deployment of this commit; otherwise, the \
              deployment waits. `question` says what is to be approved. Only `deploy` can call \
              it, outside of tasks and deferred functions. It must come before any command, \
              `remember`, `artifact`, `discard_export`, and function of the embedding program \
              that has an effect. Any other call fails the step.",
    },
    Function {
        name: "secret",
        params: &[needs("name", Type::String)],
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
        params: &[needs("name", Type::String), may("fallback", Type::Any)],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns a variable of the environment that commands get, or `fallback` if it is not \
              set. Throws an error if the variable is not set and there is no fallback.",
    },
    Function {
        name: "q",
        params: &[needs("value", PLAIN)],
        returns: Type::String,
        effect: Effect::Pure,
        doc: "Returns the value as one quoted word for a shell, whatever it contains. Do not put \
              the result in quotes.",
    },
    Function {
        name: "matches",
        params: &[needs("path", Type::String), needs("globs", GLOBS)],
        returns: Type::Bool,
        effect: Effect::Pure,
        doc: "Returns true if a path matches the globs: a glob, or an array in which `!glob` \
              removes matches. The rules are those of `ctx.changed`. Example: \
              `ctx.changes.filter(|path| path.matches(\"*.md\"))`.",
    },
    Function {
        name: "join",
        params: &[needs("items", Type::Array), needs("separator", Type::String)],
        returns: Type::String,
        effect: Effect::Pure,
        doc: "Returns the strings and numbers of an array as one string, with the separator \
              between them: `[\"a\", \"b\"].join(\", \")`.",
    },
    Function {
        name: "exists",
        params: &[needs("path", Type::String)],
        returns: Type::Bool,
        effect: Effect::Pure,
        doc: "Returns true if the commit has a file or directory at this path, relative to the \
              top of the repository. It does not see what commands create or remove; use \
              `try_sh([\"test\", \"-e\", path]).ok` for that.",
    },
    Function {
        name: "read",
        params: &[needs("path", Type::String)],
        returns: Type::String,
        effect: Effect::Pure,
        doc: "Returns the contents of a file of the commit as git stores it, including the \
              newline at the end. The path is relative to the top of the repository. It does not \
              see what commands write; use `capture([\"cat\", path])` for that. Throws an error \
              if there is no such file, if it has more than 1 MiB, or if it is not UTF-8.",
    },
    Function {
        name: "remember",
        params: &[needs("key", Type::String), needs("value", Type::Any)],
        returns: Type::Null,
        effect: Effect::External,
        doc: "Stores a value in the commit's record, for later steps and for `deploy`. The value \
              is null, a bool, an int, a float, a string, or an array or map of these. All values \
              of a job together have at most 64 KiB. Throws an error for a larger value, and for \
              one that contains a secret, an infinite number or NaN.",
    },
    Function {
        name: "recall",
        params: &[needs("key", Type::String), may("fallback", Type::Any)],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "Returns a value that `remember` stored, or `fallback` if there is none. Throws an \
              error if there is no value and no fallback.",
    },
    Function {
        name: "artifact",
        params: &[needs("paths", Type::OneOf(&[Type::String, Type::Strings]))],
        returns: Type::Null,
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
        returns: Type::Null,
        effect: Effect::External,
        doc: "Shows a warning. The verdict does not change.",
    },
    Function {
        name: "discard_export",
        params: &[],
        returns: Type::Null,
        effect: Effect::External,
        doc: "Removes the commit's export when the job ends. Logs and artifacts stay.",
    },
    Function {
        name: "sleep",
        params: &[needs("time", Type::Duration)],
        returns: Type::Null,
        effect: Effect::External,
        doc: "Waits for a number of seconds, or a string such as `\"500ms\"`.",
    },
    Function {
        name: "print",
        params: &[may("value", Type::Any)],
        returns: Type::Null,
        effect: Effect::External,
        doc: "Writes the value as a line to the build's output.",
    },
    Function {
        name: "debug",
        params: &[may("value", Type::Any)],
        returns: Type::Null,
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
        Type::String,
        "The working directory, relative to the export or to the enclosing `with`.",
    ),
    option(
        "input",
        Type::OneOf(&[Type::String, Type::Bytes, Type::Secret]),
        "The standard input of the command.",
    ),
    option("timeout", Type::Duration, "The time limit of each attempt, at least 1 ms."),
    option(
        "retries",
        Type::Count,
        "The number of further attempts if the command fails, 0 to 1000; 0 by default.",
    ),
    option("backoff", Type::Duration, "The wait between attempts; one second by default."),
    option("label", Type::String, "The label in front of each output line."),
    option(
        "quiet",
        Type::Bool,
        "True to show only the last 64 KiB of the output, and only if the command fails. With \
         `try_sh`, true shows nothing.",
    ),
    option(
        "allow",
        Type::OneOf(&[Type::Int, Type::Array]),
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
        Type::String,
        "The working directory, relative to the export or to the enclosing `with`.",
    ),
    option("timeout", Type::Duration, "The time limit of the function, as for `timeout`."),
];

/// The options of `retry`.
pub(crate) const RETRY_OPTIONS: [ScriptOption; 1] =
    [option("backoff", Type::Duration, "The wait between attempts; one second by default.")];

/// A constant at the top level of a script that tinyci reads before anything runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constant {
    pub(crate) name: &'static str,
    pub(crate) holds: Type,
    /// Description in Markdown.
    pub(crate) doc: &'static str,
}

/// A string or an array of strings.
const NAMES: Type = Type::OneOf(&[Type::String, Type::Strings]);

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

/// The constants that tinyci reads.
pub(crate) const CONSTANTS: [Constant; 4] = [
    Constant {
        name: "DEPLOY",
        holds: Type::Options(&DEPLOY_KEYS),
        doc: "Which commits can be deployed, to which environments, and with which approval.",
    },
    Constant { name: "SECRETS", holds: NAMES, doc: "The secrets that `secret(name)` can return." },
    Constant {
        name: "TIMEOUT",
        holds: Type::Duration,
        doc: "The time limit of each step; one hour by default.",
    },
    Constant {
        name: "WHEN",
        holds: Type::Options(&WHEN_KEYS),
        doc: "Which commits are tested. All others are skipped before they are exported.",
    },
];

/// Properties of objects that functions return or `catch` gets.
pub(crate) const OBJECTS: [Property; 13] = [
    property(
        "output.ok",
        Type::Bool,
        "`try_sh`: true if the command passed, with exit code 0 or one in `allow`.",
    ),
    property(
        "output.code",
        Type::OneOf(&[Type::Int, Type::Null]),
        "The exit code; null if a signal or a time limit ended the command.",
    ),
    property(
        "output.stdout",
        Type::String,
        "The standard output. Bytes that are not UTF-8 become U+FFFD.",
    ),
    property(
        "output.stderr",
        Type::String,
        "The standard error. Bytes that are not UTF-8 become U+FFFD.",
    ),
    property("output.timed_out", Type::Bool, "True if a time limit ended the command."),
    property("error.message", Type::String, "`catch`: the error as a sentence."),
    property(
        "error.command",
        OPTIONAL_STRING,
        "The command that failed; null for any other error.",
    ),
    property(
        "error.code",
        Type::OneOf(&[Type::Int, Type::Null]),
        "The exit code of the command; null if there is none.",
    ),
    property(
        "error.tail",
        OPTIONAL_STRING,
        "The end of the command's output; null for any other error.",
    ),
    property(
        "error.timed_out",
        Type::Bool,
        "True if the time limit of the command or of a `timeout` has passed.",
    ),
    property(
        "error.label",
        OPTIONAL_STRING,
        "The task that failed, for an error of `parallel` or `matrix`; null otherwise.",
    ),
    property(
        "error.place",
        OPTIONAL_STRING,
        "The place of the failure in the script, for an error of `parallel` or `matrix`; null \
         otherwise.",
    ),
    property(
        "error.failures",
        Type::Array,
        "All failures of `parallel` or `matrix`, each with the properties of an error; otherwise \
         the error alone.",
    ),
];

/// One property of `ctx` or of an object in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Property {
    /// Its path, such as `ctx.machine.os`.
    pub(crate) path: &'static str,
    /// Type of the property, or of the result if it is a function.
    pub(crate) holds: Type,
    /// Parameters if it is a function.
    pub(crate) params: &'static [Param],
    /// Description in Markdown.
    pub(crate) doc: &'static str,
}

/// Returns a property without parameters.
pub(in crate::script) const fn property(
    path: &'static str,
    holds: Type,
    doc: &'static str,
) -> Property {
    Property { path, holds, params: &[], doc }
}

/// Returns a property that is a function.
pub(in crate::script) const fn method(
    path: &'static str,
    params: &'static [Param],
    holds: Type,
    doc: &'static str,
) -> Property {
    Property { path, holds, params, doc }
}

/// The properties of `ctx`. All are read-only.
pub(crate) const PROPERTIES: [Property; 41] = [
    property("ctx.commit", Type::String, "The full id of the commit."),
    property("ctx.short", Type::String, "The first seven digits of the id."),
    property("ctx.tree", Type::String, "The id of the commit's tree."),
    property(
        "ctx.branch",
        OPTIONAL_STRING,
        "The branch that the commit is tested for; null if there is none.",
    ),
    property("ctx.tags", Type::Strings, "All tags that name the commit, sorted."),
    property(
        "ctx.tag",
        OPTIONAL_STRING,
        "The pushed tag that the commit is tested for, otherwise the newest one that matches \
         `const WHEN`; null if there is none.",
    ),
    property("ctx.subject", Type::String, "The first paragraph of the message, on one line."),
    property("ctx.message", Type::String, "The whole message."),
    property("ctx.author", Type::String, "The author, as `Name <address>`."),
    property("ctx.time", Type::Int, "The commit time, in seconds since 1970-01-01 UTC."),
    property("ctx.parents", Type::Strings, "The full ids of the parents."),
    property(
        "ctx.export_dir",
        Type::String,
        "The path of the export directory: the commit's files. Commands run in it.",
    ),
    property(
        "ctx.build_dir",
        Type::String,
        "The path of the build directory, which contains the export directory.",
    ),
    property("ctx.repo", Type::String, "The path of the repository."),
    property("ctx.job_id", Type::String, "The id of the job."),
    property("ctx.step", Type::String, "The step that runs: `build`, `after_all`, …"),
    property(
        "ctx.environment",
        OPTIONAL_STRING,
        "The environment that the step deploys to; null in other steps.",
    ),
    property(
        "ctx.trigger",
        Type::String,
        "Why the job was started: `pending`, `unfinished`, `named`, `retry`, `retest`, `tag`, \
         `deploy`.",
    ),
    property(
        "ctx.base",
        OPTIONAL_STRING,
        "The full id of the nearest green ancestor; null if there is none.",
    ),
    property(
        "ctx.changes",
        Type::Strings,
        "The paths that differ from the base; all paths if there is no base.",
    ),
    property("ctx.result", Type::Object("ctx.result"), "The outcomes of the steps so far."),
    property(
        "ctx.result.build",
        OPTIONAL_STRING,
        "The outcome of the build: `success`, `failure`, `timed_out`, `skipped`; null before it \
         has ended.",
    ),
    property("ctx.result.test", OPTIONAL_STRING, "The outcome of the test, with the same values."),
    property(
        "ctx.failure",
        Type::OneOf(&[Type::Object("ctx.failure"), Type::Null]),
        "The first of `ctx.failures`, in hooks after a failure; null otherwise.",
    ),
    property(
        "ctx.failure.command",
        Type::String,
        "The command that failed; the message if no command did.",
    ),
    property(
        "ctx.failure.code",
        Type::OneOf(&[Type::Int, Type::Null]),
        "The exit code of the command; null if there is none.",
    ),
    property("ctx.failure.at", Type::String, "The step that failed."),
    property("ctx.failure.tail", Type::String, "The end of the command's output."),
    property(
        "ctx.failure.label",
        OPTIONAL_STRING,
        "The task of `parallel` or `matrix`, or the group, such as `db=my`; null if there is none.",
    ),
    property(
        "ctx.failure.place",
        OPTIONAL_STRING,
        "The place in the script, such as `.tinyci.rhai:4:7`; null if it is not known.",
    ),
    property("ctx.failure.message", Type::String, "The failure as a sentence."),
    property(
        "ctx.failures",
        Type::Array,
        "All failures of that step, the most severe first, each with the properties of \
         `ctx.failure`.",
    ),
    property(
        "ctx.previous",
        OPTIONAL_STRING,
        "The verdict of the first parent: `success`, `failure`, `skipped`; null if there is none.",
    ),
    property("ctx.machine", Type::Object("ctx.machine"), "The machine that runs the step."),
    property("ctx.machine.name", Type::String, "The name of the machine."),
    property(
        "ctx.machine.os",
        Type::String,
        "The operating system: `linux`, `macos`, `freebsd`, …",
    ),
    property(
        "ctx.machine.arch",
        Type::String,
        "The processor architecture: `x86_64`, `aarch64`, …",
    ),
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
        OPTIONAL_STRING,
        "Returns the tag that matches the globs: a glob, or an array in which `!glob` removes \
         matches. The pushed tag comes first, then the newest; null if none matches. `v1.10` is \
         newer than `v1.9`, and `v1.0` is newer than `v1.0-rc1`.",
    ),
    method(
        "ctx.machine.has(program)",
        &[needs("program", Type::String)],
        Type::Bool,
        "Returns true if a program with this name is in `PATH`.",
    ),
];

/// Returns the names that make a function a step; `deploy` is last.
pub(crate) fn step_names() -> impl Iterator<Item = &'static str> {
    StepName::ALL.into_iter().map(StepName::as_str)
}

/// Returns true for pure string functions. They also exist in tests, and a script may define a
/// function of the same name.
pub(crate) fn is_string_function(name: &str) -> bool {
    matches!(name, "matches" | "join")
}

/// Returns the function with this name.
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
