//! Notes: verdicts and records.
//!
//! | file | contents |
//! |---|---|
//! | `forget` | removing all verdicts and records |
//! | `merge` | merging those of a remote with ours |
//! | `missing` | notes that a partial clone lacks |
//! | `note_index` | which commits have a note |
//! | `notes_ref` | reading and writing a notes ref |
//! | `notes_tree` | the tree of a notes ref, with any fan-out |
//! | `records` | the records of a commit |
//! | `results` | the verdicts and records of many commits |
//! | `verdicts` | the one-word verdicts |

pub(in crate::repo) mod forget;
pub(in crate::repo) mod merge;
pub(in crate::repo) mod missing;
pub(in crate::repo) mod note_index;
pub(in crate::repo) mod notes_ref;
pub(in crate::repo) mod notes_tree;
pub(in crate::repo) mod records;
pub(in crate::repo) mod results;
pub(in crate::repo) mod verdicts;
