//! What `include/tinyci.json` says beyond the header: read from `src/capi/`, never from a name alone.
//!
//! | file | reads |
//! |---|---|
//! | `sources` | the syntax trees of `src/capi/` |
//! | `pointers` | direction, ownership, NULL and length of parameters and results |
//! | `null` | from a function's body, whether it accepts NULL for a parameter |
//! | `groups` | the groups of the constants |
//! | `describe` | all of it as JSON, with the description of the JSON itself |

pub(crate) mod describe;
mod groups;
mod null;
mod pointers;
mod sources;
