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
        doc: "Runs a command and fails if it fails. A text goes to `/bin/sh -c`, with each \
              `<%= … %>` filled in that the script contains in one literal; an array is a program \
              and its arguments, without a shell. The error that it throws has `message`, \
              `command`, `code`, `tail` (the end of the output) and \
              `timed_out`.",
    },
    Function {
        name: "try_sh",
        params: &[needs("command", Type::Command), may("options", Type::Options(&COMMAND_OPTIONS))],
        returns: Type::Object("output"),
        effect: Effect::External,
        doc: "Runs a command as `sh` does and gives back how it ended instead of failing: `ok`, \
              `code`, `stdout`, `stderr`, `timed_out`.",
    },
    Function {
        name: "capture",
        params: &[needs("command", Type::Command), may("options", Type::Options(&COMMAND_OPTIONS))],
        returns: Type::Text,
        effect: Effect::External,
        doc: "Runs a command as `sh` does and gives back what it wrote to standard output, without \
              the newlines at the end.",
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
        doc: "Calls the function until it does not fail, so many times in all, and gives back what \
              it returned. Between attempts it waits one second, or the option `backoff`. What an attempt \
              deferred runs before the next one begins.",
    },
    Function {
        name: "timeout",
        params: &[needs("limit", Type::Time), needs("function", Type::Function)],
        returns: Type::Any,
        effect: Effect::Control,
        doc: "Calls the function and fails once the limit (`\"90s\"`, `\"5m\"`) has passed; the \
              command that runs then is ended. Its error has `timed_out`. What it deferred runs \
              where what is around it ends.",
    },
    Function {
        name: "group",
        params: &[needs("name", Type::Text), needs("function", Type::Function)],
        returns: Type::Any,
        effect: Effect::Control,
        doc: "Calls the function; its commands' output carries the name. What it deferred runs at its \
              end.",
    },
    Function {
        name: "with",
        params: &[
            needs("options", Type::Options(&WITH_OPTIONS)),
            needs("function", Type::Function),
        ],
        returns: Type::Any,
        effect: Effect::Control,
        doc: "Calls the function; what the options say holds for all commands in it, those of tasks \
              and deferred functions included. In another `with`, a folder is below that of the \
              outer one, and variables are over its variables, as those of a command are.",
    },
    Function {
        name: "defer",
        params: &[needs("function", Type::Function)],
        returns: Type::Nothing,
        effect: Effect::Control,
        doc: "Calls the function where the nearest task of `parallel` or `matrix`, attempt of `retry`, \
              `with` or `group` ends, else where the phase does, however that ends; what was deferred last \
              comes first. If it fails, what it belongs to fails. It does not run while an approval \
              is awaited.",
    },
    Function {
        name: "parallel",
        params: &[
            needs("work", Type::OneOf(&[Type::List, Type::Functions])),
            may("function", Type::Function),
        ],
        returns: Type::OneOf(&[Type::List, Type::Map]),
        effect: Effect::Control,
        doc: "`parallel(list, |item| …)` calls the function for every item, all at once; \
              `parallel(#{ name: || … })` calls every function of the map. Each task has its own \
              copies of the variables that it captures. Gives back what the tasks returned, and \
              fails if any failed, once all have ended: the error that it throws is the first \
              failure (`message`, `label`, `place`, `command`, `code`, `tail`, `timed_out`), and \
              has all of them in `failures`.",
    },
    Function {
        name: "matrix",
        params: &[needs("axes", Type::Lists), needs("function", Type::Function)],
        returns: Type::List,
        effect: Effect::Control,
        doc: "Calls the function, all at once, with every combination of the axes: \
              `matrix(#{ db: [\"a\", \"b\"], os: [1, 2] }, |m| … m.db … m.os …)`. The rest is as in \
              `parallel`.",
    },
    Function {
        name: "skip",
        params: &[needs("reason", REASON)],
        returns: Type::Nothing,
        effect: Effect::Control,
        doc: "Ends the phase as skipped. In `before_build` it skips the commit, which then is never \
              green. No `catch` stops it. In a task or a deferred function it is an error: `return` \
              ends those.",
    },
    Function {
        name: "fail",
        params: &[needs("reason", REASON)],
        returns: Type::Nothing,
        effect: Effect::Control,
        doc: "Ends the phase as failed, for this reason or with the error that `catch` got. No \
              `catch` stops it, and no command begins after it, in other tasks either, but what was \
              deferred.",
    },
    Function {
        name: "exit",
        params: &[may("reason", Type::Any)],
        returns: Type::Nothing,
        effect: Effect::Control,
        doc: "Not for pipelines, because it does not say what became of the phase: use `return`, \
              `skip` or `fail`. Always an error.",
    },
    Function {
        name: "approve",
        params: &[needs("question", Type::Text)],
        returns: Type::Nothing,
        effect: Effect::Control,
        doc: "In `deploy`, goes on only once a person has approved of this commit. It comes before any \
              command, `remember`, `artifact`, `discard_export` and call of the embedding program \
              that acts, and stands outside of tasks and deferred functions.",
    },
    Function {
        name: "secret",
        params: &[needs("name", Type::Text)],
        returns: Type::Secret,
        effect: Effect::External,
        doc: "A secret that `const SECRETS` names. It can only be given to the options `env` and \
              `input`, and is masked in all output.",
    },
    Function {
        name: "env",
        params: &[needs("name", Type::Text), may("fallback", Type::Any)],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "A variable of the environment that commands get, or the fallback. Without one, a \
              variable that is not set is an error.",
    },
    Function {
        name: "q",
        params: &[needs("text", PLAIN)],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "The text quoted for a shell: one word, whatever it holds. Not to be put in quotes \
              again.",
    },
    Function {
        name: "matches",
        params: &[needs("text", Type::Text), needs("globs", GLOBS)],
        returns: Type::Bool,
        effect: Effect::Pure,
        doc: "Whether a path matches a glob, or a list in which `!glob` takes matches away, as for \
              `ctx.changed`: `ctx.changes.filter(|path| path.matches(\"*.md\"))`.",
    },
    Function {
        name: "join",
        params: &[needs("list", Type::List), needs("separator", Type::Text)],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "The texts and numbers of a list as one text, with the separator between them: \
              `[\"a\", \"b\"].join(\", \")`.",
    },
    Function {
        name: "exists",
        params: &[needs("path", Type::Text)],
        returns: Type::Bool,
        effect: Effect::Pure,
        doc: "Whether the commit has a file or folder at this path from the top of the repository. \
              What commands made or removed is not seen: `try_sh([\"test\", \"-e\", path]).ok` \
              looks for that.",
    },
    Function {
        name: "read",
        params: &[needs("path", Type::Text)],
        returns: Type::Text,
        effect: Effect::Pure,
        doc: "The text of a file of the commit, as git keeps it, newline at the end included: at \
              most 1 MiB of UTF-8. What commands wrote is not seen: `capture([\"cat\", path])` \
              reads that.",
    },
    Function {
        name: "remember",
        params: &[needs("key", Type::Text), needs("value", Type::Any)],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Keeps a value with the commit's record, for later phases and for `deploy`. One that \
              holds a secret, an infinite number or NaN is refused.",
    },
    Function {
        name: "recall",
        params: &[needs("key", Type::Text), may("fallback", Type::Any)],
        returns: Type::Any,
        effect: Effect::Pure,
        doc: "A value that `remember` kept, or the fallback. Without one, a key that was never kept \
              is an error.",
    },
    Function {
        name: "artifact",
        params: &[needs("paths", Type::OneOf(&[Type::Text, Type::Texts]))],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Keeps files of the export in the build's directory `artifacts`, and their digests in \
              the record: a file, a directory with all that is below it, a glob such as \
              `\"dist/**\"`, or an array of them, in which `!glob` takes away. All of them are kept, or \
              none. `tinyci artifacts` lists and fetches them.",
    },
    Function {
        name: "warn",
        params: &[needs("message", Type::Any)],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Shows a warning. It changes no verdict.",
    },
    Function {
        name: "discard_export",
        params: &[],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Removes the commit's export when the run is over. Logs and artifacts stay.",
    },
    Function {
        name: "sleep",
        params: &[needs("time", Type::Time)],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Waits: a number of seconds, or a text such as `\"500ms\"`.",
    },
    Function {
        name: "print",
        params: &[may("value", Type::Any)],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Writes a line to the build's output.",
    },
    Function {
        name: "debug",
        params: &[may("value", Type::Any)],
        returns: Type::Nothing,
        effect: Effect::External,
        doc: "Writes a line to the build's output that shows the value as a literal, with its place \
              in the script.",
    },
];

/// The options of `sh`, `try_sh` and `capture`.
pub(crate) const COMMAND_OPTIONS: [ScriptOption; 9] = [
    option(
        "env",
        Type::Variables,
        "Variables of the command: texts, numbers, secrets, or `()` to take one away.",
    ),
    option("cwd", Type::Text, "A folder below the export."),
    option(
        "input",
        Type::OneOf(&[Type::Text, Type::Bytes, Type::Secret]),
        "What it finds on its standard input.",
    ),
    option("timeout", Type::Time, "The time after which it is ended."),
    option("retries", Type::Count, "How many times more it is tried if it fails."),
    option("backoff", Type::Time, "The wait between attempts; one second unless said."),
    option("label", Type::Text, "What goes in front of every line of its output."),
    option(
        "quiet",
        Type::Bool,
        "`true` to show its output only once it fails. Of `try_sh`, it is the script's alone.",
    ),
    option(
        "allow",
        Type::OneOf(&[Type::Int, Type::List]),
        "Exit codes beside 0 that are no failure: a number or a list.",
    ),
];

/// The options of `with`.
pub(crate) const WITH_OPTIONS: [ScriptOption; 3] = [
    option(
        "env",
        Type::Variables,
        "Variables of the commands: texts, numbers, secrets, or `()` to take one away.",
    ),
    option("cwd", Type::Text, "A folder below the export, and below that of an enclosing `with`."),
    option("timeout", Type::Time, "How long all of it may take, as with `timeout`."),
];

/// The options of `retry`.
pub(crate) const RETRY_OPTIONS: [ScriptOption; 1] =
    [option("backoff", Type::Time, "The wait between attempts; one second unless said.")];

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
    option("branch", NAMES, "Globs of the branches that the commit is tested for."),
    option("tag", NAMES, "Globs of the tags that it is tested for."),
    option("message", NAMES, "Globs of the messages with which it is tested."),
];

/// The keys of `const DEPLOY`.
pub(crate) const DEPLOY_KEYS: [ScriptOption; 4] = [
    option("branch", NAMES, "The branches that are deployed; that of HEAD unless said."),
    option("environment", NAMES, "What can be deployed to; `production` unless said."),
    option("approve", Type::Bool, "`true` if every deployment waits for an approval."),
    option("auto", Type::Bool, "`true` if a green commit is deployed without being asked for."),
];

/// The constants that mean something.
pub(crate) const CONSTANTS: [Constant; 4] = [
    Constant {
        name: "DEPLOY",
        holds: Type::Options(&DEPLOY_KEYS),
        doc: "What is deployed, where to, and on whose word.",
    },
    Constant { name: "SECRETS", holds: NAMES, doc: "The secrets that `secret(name)` may ask for." },
    Constant {
        name: "TIMEOUT",
        holds: Type::Time,
        doc: "How long each phase and hook may take; one hour unless said.",
    },
    Constant {
        name: "WHEN",
        holds: Type::Options(&WHEN_KEYS),
        doc: "For which commits anything runs at all; others are skipped.",
    },
];

/// What objects have that functions give back or `catch` gets.
pub(crate) const OBJECTS: [Property; 13] = [
    property("output.ok", Type::Bool, "Of `try_sh`: whether the command passed."),
    property(
        "output.code",
        Type::OneOf(&[Type::Int, Type::Nothing]),
        "Its exit code; `()` if it has none.",
    ),
    property("output.stdout", Type::Text, "What it wrote to standard output."),
    property("output.stderr", Type::Text, "What it wrote to standard error."),
    property("output.timed_out", Type::Bool, "Whether its time was up."),
    property("error.message", Type::Text, "Of what `catch` gets: what is wrong, in a sentence."),
    property("error.command", OPTIONAL_TEXT, "The command, if one failed."),
    property("error.code", Type::OneOf(&[Type::Int, Type::Nothing]), "Its exit code."),
    property("error.tail", OPTIONAL_TEXT, "The end of its output."),
    property("error.timed_out", Type::Bool, "Whether its time was up, or that of a `timeout`."),
    property("error.label", OPTIONAL_TEXT, "The task that failed, if `parallel` or `matrix` did."),
    property("error.place", OPTIONAL_TEXT, "Where in the script it failed, if they did."),
    property(
        "error.failures",
        Type::List,
        "All that failed in `parallel` or `matrix`, each with what an error has; else the error alone.",
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
    property("ctx.commit", Type::Text, "The commit's full id."),
    property("ctx.short", Type::Text, "Its first seven digits."),
    property("ctx.tree", Type::Text, "The id of the tree it holds."),
    property("ctx.branch", OPTIONAL_TEXT, "The branch it is judged for, if there is one."),
    property("ctx.tags", Type::Texts, "The tags that name it."),
    property(
        "ctx.tag",
        OPTIONAL_TEXT,
        "The pushed tag that it is tested for, else the newest that `const WHEN` asks for.",
    ),
    property("ctx.subject", Type::Text, "The first paragraph of its message, on one line."),
    property("ctx.message", Type::Text, "Its whole message."),
    property("ctx.author", Type::Text, "`Name <address>` of its author."),
    property("ctx.time", Type::Int, "When it was committed, in seconds since 1970."),
    property("ctx.parents", Type::Texts, "The full ids of its parents."),
    property("ctx.export_dir", Type::Text, "The folder that holds its files: where commands run."),
    property("ctx.build_dir", Type::Text, "The build's folder, around the export."),
    property("ctx.repo", Type::Text, "The repository's folder."),
    property("ctx.job_id", Type::Text, "The name of this attempt."),
    property("ctx.step", Type::Text, "The phase or hook that runs: `build`, `after_all`, …"),
    property("ctx.environment", OPTIONAL_TEXT, "What is being deployed to; `()` in other phases."),
    property(
        "ctx.trigger",
        Type::Text,
        "Why the commit runs: `pending`, `unfinished`, `named`, `retry`, `retest`, `tag`, `deploy`.",
    ),
    property("ctx.base", OPTIONAL_TEXT, "The nearest green ancestor, if there is one."),
    property(
        "ctx.changes",
        Type::Texts,
        "The paths that differ from the base; all of them without one.",
    ),
    property("ctx.result", Type::Object("ctx.result"), "What became of the phases so far."),
    property(
        "ctx.result.build",
        OPTIONAL_TEXT,
        "`success`, `failure`, `timed_out`, `skipped`, or `()` before it ended.",
    ),
    property("ctx.result.test", OPTIONAL_TEXT, "The same for the test."),
    property(
        "ctx.failure",
        Type::OneOf(&[Type::Object("ctx.failure"), Type::Nothing]),
        "What failed, in hooks that follow a failure: the first of `ctx.failures`.",
    ),
    property(
        "ctx.failure.command",
        Type::Text,
        "The command that failed, else the same as the message.",
    ),
    property("ctx.failure.code", Type::OneOf(&[Type::Int, Type::Nothing]), "Its exit code."),
    property("ctx.failure.at", Type::Text, "The phase or hook it failed in."),
    property("ctx.failure.tail", Type::Text, "The end of its output."),
    property(
        "ctx.failure.label",
        OPTIONAL_TEXT,
        "The task of `parallel` or `matrix`, or the group: `db=my`.",
    ),
    property("ctx.failure.place", OPTIONAL_TEXT, "Where in the script: `.tinyci.rhai:4:7`."),
    property("ctx.failure.message", Type::Text, "What failed, in a sentence."),
    property(
        "ctx.failures",
        Type::List,
        "All that failed in that step, the gravest first, each with the properties of `ctx.failure`.",
    ),
    property(
        "ctx.previous",
        OPTIONAL_TEXT,
        "The verdict of its first parent: `success`, `failure`, `skipped`.",
    ),
    property("ctx.machine", Type::Object("ctx.machine"), "The machine that this runs on."),
    property("ctx.machine.name", Type::Text, "Its name."),
    property("ctx.machine.os", Type::Text, "`linux`, `macos`, `freebsd`, …"),
    property("ctx.machine.arch", Type::Text, "`x86_64`, `aarch64`, …"),
    property("ctx.machine.cpus", Type::Int, "How many threads it runs at once."),
    method(
        "ctx.changed(globs)",
        &[needs("globs", GLOBS)],
        Type::Bool,
        "Whether a path that differs from the base matches: a glob, or a list in which `!glob` takes matches away. Without a base everything has changed.",
    ),
    method(
        "ctx.newest_tag(globs)",
        &[needs("globs", GLOBS)],
        OPTIONAL_TEXT,
        "The tag that matches a glob, or a list in which `!glob` takes matches away: the pushed one, else the newest. `v1.10` is newer than `v1.9`, `v1.0` newer than `v1.0-rc1`.",
    ),
    method(
        "ctx.machine.has(program)",
        &[needs("program", Type::Text)],
        Type::Bool,
        "Whether a program of this name is in `PATH`.",
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
