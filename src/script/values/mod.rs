//! Values of scripts.
//!
//! | file | contents |
//! |---|---|
//! | `thrown` | errors that scripts can throw and catch |
//! | `kind` | type names of values |
//! | `secret` | a secret |
//! | `conversion` | conversion from and to `Value` |

pub(in crate::script) mod conversion;
pub(in crate::script) mod kind;
pub(in crate::script) mod secret;
pub(in crate::script) mod thrown;
