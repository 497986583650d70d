//! What is wrong with a script, found without running it.
//!
//! The language reports an unknown function, a misspelled option or a wrong number of arguments
//! only when it reaches them, which may be hours into a run. So the check looks at the whole syntax
//! tree, including closures and `${…}`, in modules too.
//!
//! | file | contents |
//! |---|---|
//! | `check_script` | the whole check of a script or of its tests |
//! | `expression` | the check of expressions in placeholders |
//! | `findings` | what was found in one file |
//! | `walk` | a file as functions, and every node of each |
//! | `names` | what a script can call |
//! | `values` | what an expression gives |
//! | `unknown` | variables and modules that do not exist |
//! | `calls` | functions, and how many arguments they take |
//! | `arguments` | the arguments of a call |
//! | `members` | the properties of `ctx` |
//! | `globs` | globs that can never match |
//! | `texts` | placeholders in commands |
//! | `common_mistakes` | valid code that means something other than people expect |
//! | `refs` | where the branch and the tags are read |
//! | `placement` | where `skip` and `approve` are not allowed |
//! | `tries` | values that `try` loses |

pub(in crate::script) mod arguments;
pub(in crate::script) mod calls;
pub(in crate::script) mod check_script;
pub(in crate::script) mod common_mistakes;
pub(in crate::script) mod expression;
pub(in crate::script) mod findings;
pub(in crate::script) mod globs;
pub(in crate::script) mod members;
pub(in crate::script) mod names;
pub(in crate::script) mod placement;
pub(in crate::script) mod refs;
pub(in crate::script) mod texts;
pub(in crate::script) mod tries;
pub(in crate::script) mod unknown;
pub(in crate::script) mod values;
pub(in crate::script) mod walk;
