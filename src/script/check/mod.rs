//! Finds errors in a script without running it.
//!
//! The language reports an unknown function, a misspelled option or a wrong number of arguments
//! only at the call. That may be hours into a run. So the check visits the whole syntax tree of the
//! script and its modules, including closures and `${…}`.
//!
//! | file | contents |
//! |---|---|
//! | `check_script` | the complete check of a script or of its tests |
//! | `expression` | the check of expressions in placeholders |
//! | `findings` | the errors and warnings of one file |
//! | `walk` | a file split into functions, and all their nodes |
//! | `names` | the functions that a script can call |
//! | `values` | the types of expressions |
//! | `unknown` | undefined variables and modules |
//! | `calls` | functions, and how many arguments they take |
//! | `arguments` | the arguments of a call |
//! | `members` | the properties of `ctx` |
//! | `globs` | globs that can never match |
//! | `commands` | placeholders and ignored failures in commands |
//! | `common_mistakes` | valid code that does not do what people expect |
//! | `refs` | reads of the branch and the tags |
//! | `placement` | calls of `skip` and `approve` in the wrong place |
//! | `tries` | values that `try` discards |

pub(in crate::script) mod arguments;
pub(in crate::script) mod calls;
pub(in crate::script) mod check_script;
pub(in crate::script) mod commands;
pub(in crate::script) mod common_mistakes;
pub(in crate::script) mod expression;
pub(in crate::script) mod findings;
pub(in crate::script) mod globs;
pub(in crate::script) mod members;
pub(in crate::script) mod names;
pub(in crate::script) mod placement;
pub(in crate::script) mod refs;
pub(in crate::script) mod tries;
pub(in crate::script) mod unknown;
pub(in crate::script) mod values;
pub(in crate::script) mod walk;
