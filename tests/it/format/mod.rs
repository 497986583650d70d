//! What is stored, as FORMAT.md promises it.
//!
//! | file | tests |
//! |---|---|
//! | `document` | FORMAT.md, held against the code |
//! | `fixtures` | repositories of every version of the format, which are kept for ever |
//! | `newer_state` | repositories that a newer version has used |

mod document;
#[cfg(all(feature = "cli", feature = "rhai"))]
mod fixtures;
#[cfg(feature = "cli")]
mod newer_state;
