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
        "Says how the commands end that match: an exit code, what they write, a map of both, or a \
         list of one for each.",
    ),
    row(
        "fake_call",
        &[needs("function", Type::Text), needs("value", Type::Any)],
        Type::Nothing,
        "Says what a function of the embedding program gives.",
    ),
    row(
        "run",
        &[may("commit", Type::Options(&COMMIT_KEYS))],
        Type::Object("result"),
        "Takes all steps in the order of a run, `deploy` apart.",
    ),
    row(
        "expect",
        &[needs("truth", Type::Bool), may("message", Type::Any)],
        Type::Nothing,
        "Fails the test unless it is `true`.",
    ),
    row(
        "expect_equal",
        &[needs("actual", Type::Any), needs("expected", Type::Any)],
        Type::Nothing,
        "Fails the test unless both are the same.",
    ),
    row(
        "expect_outcome",
        &[needs("result", Type::Object("result")), needs("outcome", Type::Text)],
        Type::Nothing,
        "Fails the test unless that is the outcome: `success`, `failure`, `timed_out`, `skipped` or \
         `waiting`.",
    ),
    row(
        "expect_ran",
        &[
            needs("result", Type::Object("result")),
            needs("glob", Type::Text),
            may("times", Type::Int),
        ],
        Type::Nothing,
        "Fails the test unless a command matches: at least once, or just so many times.",
    ),
    row(
        "expect_not_ran",
        &[needs("result", Type::Object("result")), needs("glob", Type::Text)],
        Type::Nothing,
        "Fails the test if a command matches.",
    ),
    row(
        "expect_commands",
        &[needs("result", Type::Object("result")), needs("globs", Type::Texts)],
        Type::Nothing,
        "Fails the test unless these commands ran, in this order, and no other.",
    ),
];

/// What a result has.
pub(crate) const RESULT: [Property; 11] = [
    property("result.ok", Type::Bool, "Whether the outcome is `success`."),
    property("result.outcome", Type::Text, "The outcome's word."),
    property("result.reason", TEXT_OR_NOTHING, "Why it is not `success`."),
    property("result.failures", Type::Texts, "All that failed, each as a line."),
    property("result.commands", Type::Texts, "The commands that ran, in order."),
    property("result.actions", Type::Texts, "All that it did and asked, as lines of a plan."),
    property("result.warnings", Type::Texts, "What `warn` showed."),
    property("result.output", Type::Texts, "The lines that `print` showed."),
    property("result.remembered", Type::Map, "What was remembered so far."),
    method(
        "result.count(glob)",
        &[needs("glob", Type::Text)],
        Type::Int,
        "How many commands match.",
    ),
    method(
        "result.step(name)",
        &[needs("name", Type::Text)],
        Type::Object("result"),
        "Of `t.run`, the result of one step that was taken.",
    ),
];

/// The keys of the map that says how a command ends.
pub(crate) const RESULT_KEYS: [ScriptOption; 4] = [
    option("code", Type::Int, "The exit code; 0 unless said."),
    option("stdout", Type::Text, "What it writes to standard output."),
    option("stderr", Type::Text, "What it writes to standard error."),
    option("timed_out", Type::Bool, "`true` if its time was up."),
];

/// The keys of a made-up commit.
pub(crate) const COMMIT_KEYS: [ScriptOption; 25] = [
    option("commit", Type::Text, "Its full id."),
    option("tree", Type::Text, "The id of its tree."),
    option("branch", TEXT_OR_NOTHING, "Its branch; `main` unless said, `()` for none."),
    option("tags", Type::Texts, "The tags that name it."),
    option("tag", TEXT_OR_NOTHING, "The pushed tag."),
    option("subject", Type::Text, "The first line of its message."),
    option("message", Type::Text, "Its whole message."),
    option("author", Type::Text, "`Name <address>`."),
    option("time", Type::Int, "When it was committed, in seconds since 1970."),
    option("parents", Type::Texts, "The full ids of its parents."),
    option("trigger", Type::Text, "Why the commit runs."),
    option("environment", TEXT_OR_NOTHING, "What is deployed to."),
    option("changes", Type::Texts, "The paths that differ from the base."),
    option("base", TEXT_OR_NOTHING, "The nearest green ancestor."),
    option("previous", TEXT_OR_NOTHING, "The verdict of the first parent."),
    option("result", Type::Map, "What `build` and `test` came to, for a single hook."),
    option("failure", Type::OneOf(&[Type::Map, Type::Nothing]), "What failed, for a single hook."),
    option("failures", Type::List, "All that failed, for a single hook."),
    option("approved", Type::Bool, "Whether a person approved."),
    option("secrets", Type::Map, "What `secret` finds, by name."),
    option("env", Type::Map, "What `env` finds, by name."),
    option("remembered", Type::Map, "What `recall` finds, by key."),
    option("programs", Type::Texts, "The programs that `ctx.machine.has` finds; any unless said."),
    option("files", Type::Map, "What `exists` and `read` find: texts by paths."),
    option("machine", Type::Text, "The machine's name."),
];
