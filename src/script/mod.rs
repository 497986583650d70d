//! Scripts: the only module that knows rhai. No type of rhai leaves it.
//!
//! | file | holds |
//! |---|---|
//! | `source` | bytes to text |
//! | `imports` | what a script imports |
//! | `load` | from bytes to a [`Script`] for which nothing more has to be read |
//! | `last` | a script that is not parsed twice |
//! | `constants` | those whose names are nearly right |
//! | `registry` | all that a script finds beside the language, as tables |
//! | `types` | what values can be |
//! | `functions` | an engine that has them |
//! | `call` | the arguments of a call |
//! | `lists` | callbacks whose errors pass |
//! | `append` | lists that grow in little time |
//! | `context` | `ctx` |
//! | `commands` | `sh` and its like |
//! | `control` | `retry`, `timeout`, `defer`, `skip` and their like |
//! | `with` | `with` |
//! | `parallel` | `parallel` and `matrix` |
//! | `files` | the files of the commit |
//! | `errors` | what `catch` gets |
//! | `secret` | secrets, as a script holds them |
//! | `literal` | values as literals |
//! | `run` | one phase |
//! | `session` | what its functions share |
//! | `ending` | what stops it, and what counts |
//! | `failure` | what failed in it |
//! | `tags` | `<%= … %>` |
//! | `untrusted` | what others chose is not run |
//! | `shell_quotes` | what a text is within the quotes of a shell |
//! | `literals` | what the script wrote itself |
//! | `needles` | many texts looked for at once |
//! | `message`, `report`, `excerpt` | errors |
//! | `check` | what is wrong, before anything runs |
//! | `definitions` | the reference |
//! | `testing` | files of tests beside a script |
//! | `coverage` | where scripts went |
//! | `limits`, `parse_cost`, `nesting` | what all of it may cost |
//! | `entry` | the call of a phase as a program |
//! | `unknown` | outputs that a plan does not know |
//! | `texts` | `matches` and `join` |
//! | `steps` | how many steps a phase may take |
//!
//! Absent here: git, child processes, files. A script is loaded through a
//! [`Tree`](crate::model::script::Tree) and acts through
//! a [`Host`](crate::model::step::Host), both given by the caller.

mod append;
mod call;
mod check;
mod commands;
mod constants;
mod context;
mod control;
mod coverage;
mod definitions;
mod ending;
mod entry;
mod errors;
mod excerpt;
mod failure;
mod files;
mod functions;
mod imports;
mod last;
mod limits;
mod lists;
mod literal;
mod literals;
mod load;
mod message;
mod needles;
mod nesting;
mod parallel;
pub(in crate::script) mod parse_cost;
mod registry;
mod report;
mod run;
mod secret;
mod session;
mod shell_quotes;
mod source;
mod steps;
mod tags;
mod testing;
mod texts;
mod types;
mod unknown;
mod untrusted;
mod with;

pub(crate) use self::{
    check::{check, check_tests},
    coverage::Hits,
    definitions::definitions,
    functions::refuse_clashes,
    last::LastScript,
    limits::probe,
    load::Script,
    run::{PhaseCall, run},
    tags::{ExpressionValidator, interpolate_template, may_be_expression},
    testing::{StepRunner, Suite, TestJob},
};

#[cfg(test)]
mod tests;
