//! The API of pipeline tests: `t`, results, and the keys of maps.

use super::{
    registry::{Function, Property, may, method, needs, option, property},
    types::{ScriptOption, Type},
};
use crate::model::function::Effect;

const OPTIONAL_STRING: Type = Type::OneOf(&[Type::String, Type::Null]);

const fn row(
    name: &'static str,
    params: &'static [crate::script::api::registry::Param],
    returns: Type,
    doc: &'static str,
) -> Function {
    Function { name, params, returns, effect: Effect::Pure, doc }
}

/// The methods of `t`, except those with the name of a step.
pub(crate) const METHODS: [Function; 9] = [
    row(
        "fake",
        &[
            needs("glob", Type::String),
            needs(
                "result",
                Type::OneOf(&[Type::Int, Type::String, Type::Options(&RESULT_KEYS), Type::Array]),
            ),
        ],
        Type::Null,
        "Sets how the commands that match the glob end. `result` is an exit code, a string for \
         standard output, a map of both, or an array with one of these for each command. The test \
         fails if no command matches, or if an array does not have one result for each that does.",
    ),
    row(
        "fake_call",
        &[needs("function", Type::String), needs("value", Type::Any)],
        Type::Null,
        "Sets what a function of the embedding program returns. The test fails if nothing calls \
         it.",
    ),
    row(
        "run",
        &[may("commit", Type::Options(&COMMIT_KEYS))],
        Type::Object("result"),
        "Calls all steps except `deploy`, in the order of a run, and returns the result of all.",
    ),
    row(
        "expect",
        &[needs("condition", Type::Bool), may("message", Type::Any)],
        Type::Null,
        "Fails the test unless `condition` is true. `message` says what was expected.",
    ),
    row(
        "expect_equal",
        &[needs("actual", Type::Any), needs("expected", Type::Any)],
        Type::Null,
        "Fails the test unless both values are equal.",
    ),
    row(
        "expect_outcome",
        &[needs("result", Type::Object("result")), needs("outcome", Type::String)],
        Type::Null,
        "Fails the test unless the result has this outcome: `success`, `failure`, `timed_out`, \
         `skipped` or `awaiting_approval`.",
    ),
    row(
        "expect_ran",
        &[
            needs("result", Type::Object("result")),
            needs("glob", Type::String),
            may("times", Type::Int),
        ],
        Type::Null,
        "Fails the test unless a command matches the glob: exactly `times` times, or at least \
         once without `times`.",
    ),
    row(
        "expect_not_ran",
        &[needs("result", Type::Object("result")), needs("glob", Type::String)],
        Type::Null,
        "Fails the test if a command matches the glob.",
    ),
    row(
        "expect_commands",
        &[needs("result", Type::Object("result")), needs("globs", Type::Strings)],
        Type::Null,
        "Fails the test unless exactly these commands ran, in this order: one glob for each.",
    ),
];

/// The properties of a result.
pub(crate) const RESULT: [Property; 11] = [
    property("result.ok", Type::Bool, "True if the outcome is `success`."),
    property(
        "result.outcome",
        Type::String,
        "The outcome: `success`, `failure`, `timed_out`, `skipped` or `awaiting_approval`.",
    ),
    property("result.reason", OPTIONAL_STRING, "Why the outcome is not `success`; null if it is."),
    property(
        "result.failures",
        Type::Strings,
        "All failures, one line each, with label and place.",
    ),
    property(
        "result.commands",
        Type::Strings,
        "The commands that ran, in order. Those of tasks come one task after the other.",
    ),
    property("result.actions", Type::Strings, "All actions, as lines like those of `tinyci plan`."),
    property("result.warnings", Type::Strings, "The warnings of `warn`."),
    property("result.output", Type::Strings, "The lines of `print`."),
    property("result.remembered", Type::Map, "The values that were remembered so far, by key."),
    method(
        "result.count(glob)",
        &[needs("glob", Type::String)],
        Type::Int,
        "Returns the number of commands that match the glob.",
    ),
    method(
        "result.step(name)",
        &[needs("name", Type::String)],
        Type::Object("result"),
        "Returns the result of one step that `t.run` called. Throws an error if the step was not \
         called.",
    ),
];

/// The keys of the map that describes how a command ends.
pub(crate) const RESULT_KEYS: [ScriptOption; 4] = [
    option("code", Type::Int, "The exit code, 0 to 255; 0 by default."),
    option("stdout", Type::String, "What the command writes to standard output."),
    option("stderr", Type::String, "What the command writes to standard error."),
    option("timed_out", Type::Bool, "True if a time limit ends the command."),
];

/// The keys of the map that describes a test's commit.
pub(crate) const COMMIT_KEYS: [ScriptOption; 25] = [
    option("commit", Type::String, "The full id."),
    option("tree", Type::String, "The id of the tree."),
    option("branch", OPTIONAL_STRING, "The branch; `main` by default, null for none."),
    option("tags", Type::Strings, "The tags that name the commit; none by default."),
    option("tag", OPTIONAL_STRING, "The pushed tag; null by default."),
    option("subject", Type::String, "The first paragraph of the message, on one line."),
    option("message", Type::String, "The whole message; the subject by default."),
    option("author", Type::String, "The author, as `Name <address>`."),
    option("time", Type::Int, "The commit time, in seconds since 1970-01-01 UTC."),
    option("parents", Type::Strings, "The full ids of the parents."),
    option("trigger", Type::String, "Why the job was started; `pending` by default."),
    option("environment", OPTIONAL_STRING, "The environment; `production` in `deploy` by default."),
    option(
        "changes",
        Type::Strings,
        "The paths that differ from the base. A path that ends with `/` is a submodule. By default \
         there is no base, so that everything has changed.",
    ),
    option(
        "base",
        OPTIONAL_STRING,
        "The id of the nearest green ancestor; the parent by default if `changes` is given.",
    ),
    option("previous", OPTIONAL_STRING, "The verdict of the first parent; null by default."),
    option(
        "result",
        Type::Map,
        "The outcomes of `build` and `test`, to call a single hook: `#{ build: \"failure\" }`.",
    ),
    option(
        "failure",
        Type::OneOf(&[Type::Map, Type::Null]),
        "`ctx.failure`, to call a single hook.",
    ),
    option("failures", Type::Array, "`ctx.failures`, to call a single hook: an array of maps."),
    option("approved", Type::Bool, "True if a person has approved; false by default."),
    option("secrets", Type::Map, "The secrets, by name."),
    option(
        "env",
        Type::Map,
        "The environment variables that `env` returns, by name; none by default.",
    ),
    option("remembered", Type::Map, "The values that `recall` returns, by key."),
    option(
        "programs",
        Type::Strings,
        "The programs for which `ctx.machine.has` is true; all programs by default.",
    ),
    option(
        "files",
        Type::Map,
        "The files that `exists` and `read` see: contents by path. Without it, both fail the test.",
    ),
    option("machine", Type::String, "The name of the machine."),
];
