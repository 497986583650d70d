//! Everything that a script finds beside the language itself: one table of functions, one of the
//! facts of `ctx`.
//!
//! The tables are the only place that names them. Registration, "did you mean", the check of calls
//! before anything runs, and the reference that `tinyci defs` writes all read from here, so that
//! none of them can drift.

use crate::{function::Effect, pipeline::StepName};

/// One function of the script API.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Function {
    pub(crate) name: &'static str,
    /// The names of its parameters, those that must be given first.
    pub(crate) params: &'static [&'static str],
    /// How many of them must be given.
    pub(crate) required: usize,
    pub(crate) effect: Effect,
    /// What it does, in Markdown.
    pub(crate) doc: &'static str,
}

impl Function {
    /// Whether it can be called with so many arguments.
    pub(crate) fn takes(&self, arguments: usize) -> bool {
        (self.required..=self.params.len()).contains(&arguments)
    }

    /// `sh(command, options?)`: how documentation and errors show it.
    pub(crate) fn signature(&self) -> String {
        let param = |(index, name): (usize, &&str)| {
            let optional = if index < self.required { "" } else { "?" };
            format!("{name}{optional}")
        };
        let params: Vec<String> = self.params.iter().enumerate().map(param).collect();
        format!("{}({})", self.name, params.join(", "))
    }
}

/// The functions, in the order of their documentation.
pub(crate) const FUNCTIONS: [Function; 24] = [
    Function {
        name: "sh",
        params: &["command", "options"],
        required: 1,
        effect: Effect::External,
        doc: "Runs a command and fails if it fails. A text goes to `/bin/sh -c`, with each \
              `<%= … %>` filled in that the script contains in one literal; an array is a program and its arguments, without a shell. The error \
              that it throws has `command`, `code`, `tail` (the end of the output) and \
              `timed_out`.",
    },
    Function {
        name: "try_sh",
        params: &["command", "options"],
        required: 1,
        effect: Effect::External,
        doc: "Runs a command as `sh` does and gives back how it ended instead of failing: `ok`, \
              `code`, `stdout`, `stderr`.",
    },
    Function {
        name: "capture",
        params: &["command", "options"],
        required: 1,
        effect: Effect::External,
        doc: "Runs a command as `sh` does and gives back what it wrote to standard output, without \
              the newlines at the end.",
    },
    Function {
        name: "retry",
        params: &["attempts", "function", "options"],
        required: 2,
        effect: Effect::Control,
        doc: "Calls the function until it does not fail, so many times in all, and gives back what \
              it returned. Between attempts it waits one second, or the option `backoff`.",
    },
    Function {
        name: "timeout",
        params: &["limit", "function"],
        required: 2,
        effect: Effect::Control,
        doc: "Calls the function and fails once the limit (`\"90s\"`, `\"5m\"`) has passed; the \
              command that runs then is ended.",
    },
    Function {
        name: "group",
        params: &["name", "function"],
        required: 2,
        effect: Effect::Control,
        doc: "Calls the function; its commands' output carries the name.",
    },
    Function {
        name: "defer",
        params: &["function"],
        required: 1,
        effect: Effect::Control,
        doc: "Calls the function when the phase ends, however it ends; what was deferred last comes \
              first. If it fails, the phase fails.",
    },
    Function {
        name: "parallel",
        params: &["work", "function"],
        required: 1,
        effect: Effect::Control,
        doc: "`parallel(list, |item| …)` calls the function for every item, all at once; \
              `parallel(#{ name: || … })` calls every function of the map. Each branch has its own \
              copies of the variables that it captures. Gives back what the branches returned, and \
              fails if any failed, once all have ended.",
    },
    Function {
        name: "matrix",
        params: &["axes", "function"],
        required: 2,
        effect: Effect::Control,
        doc: "Calls the function, all at once, with every combination of the axes: \
              `matrix(#{ db: [\"a\", \"b\"], os: [1, 2] }, |m| … m.db … m.os …)`.",
    },
    Function {
        name: "skip",
        params: &["reason"],
        required: 1,
        effect: Effect::Control,
        doc: "Ends the phase as skipped. In `before_build` it skips the commit, which then is never \
              green.",
    },
    Function {
        name: "fail",
        params: &["reason"],
        required: 1,
        effect: Effect::Control,
        doc: "Ends the phase as failed. No `catch` stops it.",
    },
    Function {
        name: "exit",
        params: &["reason"],
        required: 0,
        effect: Effect::Control,
        doc: "Not for pipelines, because it does not say what became of the phase: use `return`, \
              `skip` or `fail`. Always an error.",
    },
    Function {
        name: "approve",
        params: &["question"],
        required: 1,
        effect: Effect::Control,
        doc: "In `deploy`, goes on only once a person has approved of this commit, before any \
              command and outside of `parallel`.",
    },
    Function {
        name: "secret",
        params: &["name"],
        required: 1,
        effect: Effect::External,
        doc: "A secret that `const SECRETS` names. It can only be given to the options `env` and \
              `input`, and is masked in all output.",
    },
    Function {
        name: "env",
        params: &["name", "fallback"],
        required: 1,
        effect: Effect::Pure,
        doc: "A variable of the environment that commands get, or the fallback. Without one, a \
              variable that is not set is an error.",
    },
    Function {
        name: "q",
        params: &["text"],
        required: 1,
        effect: Effect::Pure,
        doc: "The text quoted for a shell: one word, whatever it holds. Not to be put in quotes \
              again.",
    },
    Function {
        name: "remember",
        params: &["key", "value"],
        required: 2,
        effect: Effect::External,
        doc: "Keeps a value with the commit's record, for later phases and for `deploy`. One that \
              holds a secret is refused.",
    },
    Function {
        name: "recall",
        params: &["key", "fallback"],
        required: 1,
        effect: Effect::Pure,
        doc: "A value that `remember` kept, or the fallback. Without one, a key that was never kept \
              is an error.",
    },
    Function {
        name: "artifact",
        params: &["path"],
        required: 1,
        effect: Effect::External,
        doc: "Copies a file below the export to the build's folder `artifacts` and keeps its digest \
              with the commit's record.",
    },
    Function {
        name: "warn",
        params: &["message"],
        required: 1,
        effect: Effect::External,
        doc: "Shows a warning. It changes no verdict.",
    },
    Function {
        name: "discard_export",
        params: &[],
        required: 0,
        effect: Effect::External,
        doc: "Removes the commit's export when the run is over. Logs and artifacts stay.",
    },
    Function {
        name: "sleep",
        params: &["time"],
        required: 1,
        effect: Effect::External,
        doc: "Waits: a number of seconds, or a text such as `\"500ms\"`.",
    },
    Function {
        name: "print",
        params: &["value"],
        required: 0,
        effect: Effect::External,
        doc: "Writes a line to the build's output.",
    },
    Function {
        name: "debug",
        params: &["value"],
        required: 0,
        effect: Effect::External,
        doc: "Writes a line to the build's output that shows the value as a literal, with its place \
              in the script.",
    },
];

/// The options of `sh`, `try_sh` and `capture`, with what each takes.
pub(crate) const COMMAND_OPTIONS: [(&str, &str); 9] = [
    ("env", "a map of variables to texts, numbers, secrets, or `()` to take one away"),
    ("cwd", "a folder below the export"),
    ("input", "a text or secret for its standard input"),
    ("timeout", "a time such as `\"90s\"` after which it is ended"),
    ("retries", "how many times more it is tried if it fails"),
    ("backoff", "a time to wait between attempts; one second unless said"),
    ("label", "a text that goes in front of every line of its output"),
    ("quiet", "`true` to keep its output for the script alone"),
    ("allow", "exit codes beside 0 that are no failure: a number or a list"),
];

/// The options of `retry`.
pub(crate) const RETRY_OPTIONS: [(&str, &str); 1] =
    [("backoff", "a time to wait between attempts; one second unless said")];

/// One property of `ctx`, or of an object that it holds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Property {
    /// Its path, such as `ctx.host.os`.
    pub(crate) path: &'static str,
    /// What it holds, such as `text or ()`.
    pub(crate) holds: &'static str,
    /// What it says, in Markdown.
    pub(crate) doc: &'static str,
}

const fn property(path: &'static str, holds: &'static str, doc: &'static str) -> Property {
    Property { path, holds, doc }
}

/// What `ctx` knows. All of it is read-only.
pub(crate) const PROPERTIES: [Property; 41] = [
    property("ctx.sha", "text", "The commit's full id."),
    property("ctx.short", "text", "Its first seven digits."),
    property("ctx.tree", "text", "The id of the tree it holds."),
    property("ctx.branch", "text or ()", "The branch it is judged for, if there is one."),
    property("ctx.tags", "list of texts", "The tags that name it."),
    property(
        "ctx.tag",
        "text or ()",
        "The pushed tag that it is tested for, else the newest that `const WHEN` asks for.",
    ),
    property("ctx.subject", "text", "The first paragraph of its message, on one line."),
    property("ctx.message", "text", "Its whole message."),
    property("ctx.author", "text", "`Name <address>` of its author."),
    property("ctx.time", "number", "When it was committed, in seconds since 1970."),
    property("ctx.parents", "list of texts", "The full ids of its parents."),
    property("ctx.export_dir", "text", "The folder that holds its files: where commands run."),
    property("ctx.target", "text", "The build's folder, around the export."),
    property("ctx.repo", "text", "The repository's folder."),
    property("ctx.run", "text", "The name of this attempt."),
    property("ctx.phase", "text", "The phase or hook that runs: `build`, `after_all`, …"),
    property("ctx.environment", "text or ()", "What is being deployed to; `()` in other phases."),
    property(
        "ctx.trigger",
        "text",
        "Why the commit runs: `pending`, `interrupted`, `named`, `retry`, `again`, `tag`, `deploy`.",
    ),
    property("ctx.base", "text or ()", "The nearest green ancestor, if there is one."),
    property(
        "ctx.changes",
        "list of texts",
        "The paths that differ from the base; all of them without one.",
    ),
    property("ctx.result", "object", "What became of the phases so far."),
    property(
        "ctx.result.build",
        "text or ()",
        "`success`, `failure`, `timed_out`, `skipped`, or `()` before it ended.",
    ),
    property("ctx.result.test", "text or ()", "The same for the test."),
    property(
        "ctx.failure",
        "object or ()",
        "What failed, in hooks that follow a failure: the first of `ctx.failures`.",
    ),
    property(
        "ctx.failure.command",
        "text",
        "The command that failed, else the same as the message.",
    ),
    property("ctx.failure.code", "number or ()", "Its exit code."),
    property("ctx.failure.at", "text", "The phase or hook it failed in."),
    property("ctx.failure.tail", "text", "The end of its output."),
    property(
        "ctx.failure.label",
        "text or ()",
        "The task of `parallel` or `matrix`, or the group: `db=my`.",
    ),
    property("ctx.failure.place", "text or ()", "Where in the script: `.tinyci.rhai:4:7`."),
    property("ctx.failure.message", "text", "What failed, in a sentence."),
    property(
        "ctx.failures",
        "list of objects",
        "All that failed in that step, the gravest first, each with the properties of `ctx.failure`.",
    ),
    property(
        "ctx.previous",
        "text or ()",
        "The verdict of its first parent: `success`, `failure`, `skipped`.",
    ),
    property("ctx.host", "object", "The machine that this runs on."),
    property("ctx.host.name", "text", "Its name."),
    property("ctx.host.os", "text", "`linux`, `macos`, `freebsd`, …"),
    property("ctx.host.arch", "text", "`x86_64`, `aarch64`, …"),
    property("ctx.host.cpus", "number", "How many threads it runs at once."),
    property(
        "ctx.changed(globs)",
        "true or false",
        "Whether a path that differs from the base matches: a glob, or a list in which `!glob` takes matches away. Without a base everything has changed.",
    ),
    property(
        "ctx.newest_tag(globs)",
        "text or ()",
        "The tag that matches a glob, or a list in which `!glob` takes matches away: the pushed one, else the newest. `v1.10` is newer than `v1.9`, `v1.0` newer than `v1.0-rc1`.",
    ),
    property(
        "ctx.host.has(program)",
        "true or false",
        "Whether a program of this name is in `PATH`.",
    ),
];

/// The names that make a function of a script a phase, `deploy` last.
pub(crate) fn phase_names() -> impl Iterator<Item = &'static str> {
    StepName::ALL.into_iter().map(StepName::as_str)
}

/// The function of this name.
pub(crate) fn function(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_not_reserved_by_the_language() {
        let names: BTreeSet<&str> = FUNCTIONS.iter().map(|function| function.name).collect();
        assert_eq!(names.len(), FUNCTIONS.len());
        for function in FUNCTIONS {
            assert!(function.required <= function.params.len(), "{}", function.name);
            let parameters: Vec<&str> = function.params.to_vec();
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
