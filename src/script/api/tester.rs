//! What tests of a pipeline find: `t`, results, and the keys of the maps that they give.

use super::{
    registry::{Function, Property, may, method, needs, option, property},
    types::{ScriptOption, Type},
};
use crate::model::function::Effect;

const TEXT_OR_NOTHING: Type = Type::OneOf(&[Type::Text, Type::Nothing]);

const fn row(
    name: &'static str,
    params: &'static [crate::script::api::registry::Param],
    returns: Type,
    doc: &'static str,
) -> Function {
    Function { name, params, returns, effect: Effect::Pure, doc }
}

/// The methods of `t` beside those that have the name of a phase.
pub(crate) const METHODS: [Function; 9] = [
    row(
        "fake",
        &[
            needs("glob", Type::Text),
            needs(
                "result",
                Type::OneOf(&[Type::Int, Type::Text, Type::Options(&RESULT_KEYS), Type::List]),
            ),
        ],
        Type::Nothing,
        "Sets how the commands that match the glob end. `result` is an exit code, a string for \
         standard output, a map of both, or an array with one of these for each command. The test \
         fails if no command matches, or if an array does not have one result for each that does.",
    ),
    row(
        "fake_call",
        &[needs("function", Type::Text), needs("value", Type::Any)],
        Type::Nothing,
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
        &[needs("truth", Type::Bool), may("message", Type::Any)],
        Type::Nothing,
        "Fails the test unless `truth` is true. `message` says what was expected.",
    ),
    row(
        "expect_equal",
        &[needs("actual", Type::Any), needs("expected", Type::Any)],
        Type::Nothing,
        "Fails the test unless both values are equal.",
    ),
    row(
        "expect_outcome",
        &[needs("result", Type::Object("result")), needs("outcome", Type::Text)],
        Type::Nothing,
        "Fails the test unless the result has this outcome: `success`, `failure`, `timed_out`, \
         `skipped` or `awaiting_approval`.",
    ),
    row(
        "expect_ran",
        &[
            needs("result", Type::Object("result")),
            needs("glob", Type::Text),
            may("times", Type::Int),
        ],
        Type::Nothing,
        "Fails the test unless a command matches the glob: exactly `times` times, or at least \
         once without `times`.",
    ),
    row(
        "expect_not_ran",
        &[needs("result", Type::Object("result")), needs("glob", Type::Text)],
        Type::Nothing,
        "Fails the test if a command matches the glob.",
    ),
    row(
        "expect_commands",
        &[needs("result", Type::Object("result")), needs("globs", Type::Texts)],
        Type::Nothing,
        "Fails the test unless exactly these commands ran, in this order: one glob for each.",
    ),
];

/// What a result has.
pub(crate) const RESULT: [Property; 11] = [
    property("result.ok", Type::Bool, "True if the outcome is `success`."),
    property(
        "result.outcome",
        Type::Text,
        "The outcome: `success`, `failure`, `timed_out`, `skipped` or `awaiting_approval`.",
    ),
    property("result.reason", TEXT_OR_NOTHING, "Why the outcome is not `success`; null if it is."),
    property("result.failures", Type::Texts, "All failures, one line each, with label and place."),
    property(
        "result.commands",
        Type::Texts,
        "The commands that ran, in order. Those of tasks come one task after the other.",
    ),
    property("result.actions", Type::Texts, "All actions, as lines like those of `tinyci plan`."),
    property("result.warnings", Type::Texts, "The warnings of `warn`."),
    property("result.output", Type::Texts, "The lines of `print`."),
    property("result.remembered", Type::Map, "The values that were remembered so far, by key."),
    method(
        "result.count(glob)",
        &[needs("glob", Type::Text)],
        Type::Int,
        "Returns the number of commands that match the glob.",
    ),
    method(
        "result.step(name)",
        &[needs("name", Type::Text)],
        Type::Object("result"),
        "Returns the result of one step that `t.run` called. Throws an error if the step was not \
         called.",
    ),
];

/// The keys of the map that says how a command ends.
pub(crate) const RESULT_KEYS: [ScriptOption; 4] = [
    option("code", Type::Int, "The exit code, 0 to 255; 0 by default."),
    option("stdout", Type::Text, "What the command writes to standard output."),
    option("stderr", Type::Text, "What the command writes to standard error."),
    option("timed_out", Type::Bool, "True if a time limit ends the command."),
];

/// The keys of a made-up commit.
pub(crate) const COMMIT_KEYS: [ScriptOption; 25] = [
    option("commit", Type::Text, "The full id."),
    option("tree", Type::Text, "The id of the tree."),
    option("branch", TEXT_OR_NOTHING, "The branch; `main` by default, null for none."),
    option("tags", Type::Texts, "The tags that name the commit; none by default."),
    option("tag", TEXT_OR_NOTHING, "The pushed tag; null by default."),
    option("subject", Type::Text, "The first paragraph of the message, on one line."),
    option("message", Type::Text, "The whole message; the subject by default."),
    option("author", Type::Text, "The author, as `Name <address>`."),
    option("time", Type::Int, "The commit time, in seconds since 1970-01-01 UTC."),
    option("parents", Type::Texts, "The full ids of the parents."),
    option("trigger", Type::Text, "Why the job was started; `pending` by default."),
    option("environment", TEXT_OR_NOTHING, "The environment; `production` in `deploy` by default."),
    option(
        "changes",
        Type::Texts,
        "The paths that differ from the base. A path that ends with `/` is a submodule. By default \
         there is no base, so that everything has changed.",
    ),
    option(
        "base",
        TEXT_OR_NOTHING,
        "The id of the nearest green ancestor; the parent by default if `changes` is given.",
    ),
    option("previous", TEXT_OR_NOTHING, "The verdict of the first parent; null by default."),
    option(
        "result",
        Type::Map,
        "The outcomes of `build` and `test`, to call a single hook: `#{ build: \"failure\" }`.",
    ),
    option(
        "failure",
        Type::OneOf(&[Type::Map, Type::Nothing]),
        "`ctx.failure`, to call a single hook.",
    ),
    option("failures", Type::List, "`ctx.failures`, to call a single hook: an array of maps."),
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
        Type::Texts,
        "The programs for which `ctx.machine.has` is true; all programs by default.",
    ),
    option(
        "files",
        Type::Map,
        "The files that `exists` and `read` see: contents by path. Without it, both fail the test.",
    ),
    option("machine", Type::Text, "The name of the machine."),
];
