//! Scripts: the only room that knows rhai. No type of rhai leaves it.
//!
//! Loading: `source` (bytes to text), `imports`, `load` (to a [`Script`] for which nothing more has
//! to be read). What a script finds beside the language: `registry` (all of it, as tables),
//! `types` (what values can be), `functions` (an engine that has it), `context`, `commands`,
//! `control`, `with`, `parallel`, `files`, `secret`, `errors` (what `catch` gets). Running: `run` (one
//! phase), `session` (what its functions share), `ending` (what stops it, and what counts), `failure`
//! (what failed in it), `tags` (`<%= … %>`), `untrusted` (what others chose is not run, which
//! `shell_quotes` helps to judge), for both `literals` (what the script wrote itself) and `needles`
//! (many texts looked for at once). Errors: `message`, `report`, `excerpt`. Reading: `check` (what is
//! wrong, before anything runs),
//! `definitions` (the reference). Testing: `testing` (files of tests beside a script), `coverage`
//! (where scripts went). And what all of it may cost: `limits`, `lookups`, `nesting`.
//!
//! Absent here: git, child processes, files. A script is loaded through a [`Tree`] and acts through
//! a [`Host`](crate::step::Host), both given by the caller.

mod call;
mod check;
mod commands;
mod context;
mod control;
mod coverage;
mod definitions;
mod ending;
mod errors;
mod excerpt;
mod failure;
mod files;
mod functions;
mod imports;
mod limits;
mod literal;
mod literals;
mod load;
mod lookups;
mod message;
mod needles;
mod nesting;
mod parallel;
mod registry;
mod report;
mod run;
mod secret;
mod session;
mod shell_quotes;
mod source;
mod tags;
mod testing;
mod types;
mod untrusted;
mod with;

pub(crate) use self::{
    check::{check, check_tests, warnings},
    coverage::Hits,
    definitions::Definitions,
    functions::refuse_clashes,
    imports::{Tree, TreeFile},
    limits::probe,
    load::Script,
    run::{PhaseCall, PhaseEnd, run},
    tags::{ExpressionJudge, interpolate_template},
    testing::{StepRunner, Suite, TestEnd, TestJob, TestSteps},
};

#[cfg(test)]
mod tests;
