//! Running a step, and filling in the placeholders of a YAML command.
//!
//! | file | contents |
//! |---|---|
//! | `entry` | a step's function as a program |
//! | `step` | one step from its call to its result |
//! | `template` | the placeholders of a YAML command |

pub(in crate::script) mod entry;
pub(in crate::script) mod step;
pub(in crate::script) mod template;
