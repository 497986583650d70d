//! Texts: of scripts, and texts that are searched. Pure.
//!
//! | file | contents |
//! |---|---|
//! | `source` | the text of one file, and places in it |
//! | `excerpt` | how an error shows its place |
//! | `needles` | many strings looked for at once |
//! | `shell_quotes` | what a string is within the quotes of a shell |

pub(in crate::script) mod excerpt;
pub(in crate::script) mod needles;
pub(in crate::script) mod shell_quotes;
pub(in crate::script) mod source;
