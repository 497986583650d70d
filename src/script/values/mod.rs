//! Values of scripts.
//!
//! | file | contents |
//! |---|---|
//! | `thrown` | errors that a script can throw and catch |
//! | `kind` | what kind of value something is |
//! | `secret` | a secret |
//! | `conversion` | values of scripts as ours, and back |

pub(in crate::script) mod conversion;
pub(in crate::script) mod kind;
pub(in crate::script) mod secret;
pub(in crate::script) mod thrown;
