//! A phase run, and the placeholders of a YAML command filled in.
//!
//! | file | contents |
//! |---|---|
//! | `entry` | the call of a phase as a program |
//! | `phase` | one phase from its call to its outcome |
//! | `template` | the placeholders of a YAML command |

pub(in crate::script) mod entry;
pub(in crate::script) mod phase;
pub(in crate::script) mod template;
