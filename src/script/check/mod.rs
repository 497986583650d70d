//! What is wrong with a script, found without running it.
//!
//! The language tells of an unknown function, a misspelled option or a wrong number of arguments
//! only where it meets them, which may be hours into a run, or never before the day of a release.
//! So all of the syntax tree is looked at here, closures and `${…}` included, in modules too.
//!
//! `findings` (the whole look, and what it found), `refs` (what reads the branch or tags), `names` (what can be called), `walk` (every node of a function), and the modules of judgments:
//! `unknown` (variables and modules), `calls` (functions and how many arguments they take),
//! `arguments` (what those are, with `values`), `members` (`ctx`), `globs` (whether they can match),
//! `texts` (tags in commands), `common_mistakes` (what the language takes without a word and means otherwise
//! than people do), `refs` (where the branch and the tags are read), `placement` (where `skip` and `approve`
//! cannot stand), `tries` (values that `try` loses).

mod arguments;
mod calls;
pub(in crate::script::check) mod common_mistakes;
mod findings;
mod globs;
mod members;
mod names;
mod placement;
mod refs;
mod texts;
mod tries;
mod unknown;
mod values;
mod walk;

pub(super) use self::{
    members::context_holds,
    values::{is_never_text, never_text},
    walk::{each_node, is_closure},
};

pub(super) use self::findings::expression_fault;
pub(crate) use self::findings::{check, check_tests};
