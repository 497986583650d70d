//! A running phase: the state that its functions share, and what ends it.
//!
//! | file | contents |
//! |---|---|
//! | `shared` | [`Session`](shared::Session): the shared state |
//! | `ending` | what stops a step, and what counts |
//! | `phase_steps` | how many steps a phase may take |
//! | `deferred` | functions that are called at the end of a scope |
//! | `settings` | what `with` says of commands |
//! | `untrusted` | what others chose and the script has read |
//! | `secrets` | secrets are kept out of strings |
//! | `plan_looks` | looks at outputs that a plan does not know |

pub(in crate::script) mod deferred;
pub(in crate::script) mod ending;
pub(in crate::script) mod phase_steps;
pub(in crate::script) mod plan_looks;
pub(in crate::script) mod secrets;
pub(in crate::script) mod settings;
pub(in crate::script) mod shared;
pub(in crate::script) mod untrusted;
