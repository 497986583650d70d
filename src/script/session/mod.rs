//! A running step: the state that its functions share, and how it ends.
//!
//! | file | contents |
//! |---|---|
//! | `shared` | [`Session`](shared::Session): the shared state |
//! | `ending` | why a step stops, and its result |
//! | `operations` | the limit of operations of a step |
//! | `deferred` | functions that run at the end of a scope |
//! | `settings` | the options of enclosing `with` calls |
//! | `untrusted` | untrusted values that the script has read |
//! | `secrets` | the check that strings contain no secret |
//! | `plan_looks` | uses of outputs that a plan does not know |

pub(in crate::script) mod deferred;
pub(in crate::script) mod ending;
pub(in crate::script) mod operations;
pub(in crate::script) mod plan_looks;
pub(in crate::script) mod secrets;
pub(in crate::script) mod settings;
pub(in crate::script) mod shared;
pub(in crate::script) mod untrusted;
