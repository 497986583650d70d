//! The text of scripts, and searches in strings. Pure.
//!
//! | file | contents |
//! |---|---|
//! | `source` | the text of one file, and places in it |
//! | `excerpt` | the excerpt that an error shows |
//! | `needles` | a search for many strings at once |
//! | `shell_quotes` | the open quotes at a place of a shell command |

pub(in crate::script) mod excerpt;
pub(in crate::script) mod needles;
pub(in crate::script) mod shell_quotes;
pub(in crate::script) mod source;
