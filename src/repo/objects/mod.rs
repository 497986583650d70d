//! Objects: trees, blobs, and commits as objects.
//!
//! | file | contents |
//! |---|---|
//! | `alternates` | where objects are |
//! | `attributes` | .gitattributes and conversions |
//! | `commit` | commits, also malformed ones |
//! | `database` | what libgit2 reads objects through |
//! | `description` | the text of commits |
//! | `loose` | reading loose objects |
//! | `new_objects` | objects that tinyci makes |
//! | `prune_guard` | keeps new objects from a `git gc` that runs |
//! | `reader` | reading objects |
//! | `packs` | reading packed objects while git repacks |
//! | `pipeline_file` | the config of a commit |
//! | `shared_write` | writing objects that other accounts can read |
//! | `tree` | parsing trees |
//! | `tree_file` | one file of a tree |

pub(in crate::repo) mod alternates;
pub(in crate::repo) mod attributes;
pub(in crate::repo) mod commit;
#[allow(unsafe_code, reason = "libgit2 calls a backend through C")]
pub(in crate::repo) mod database;
pub(in crate::repo) mod description;
pub(in crate::repo) mod loose;
pub(in crate::repo) mod new_objects;
#[allow(unsafe_code, reason = "libgit2 calls a backend through C")]
pub(in crate::repo) mod packs;
pub(in crate::repo) mod pipeline_file;
pub(in crate::repo) mod prune_guard;
pub(in crate::repo) mod reader;
pub(in crate::repo) mod shared_write;
pub(in crate::repo) mod tree;
pub(in crate::repo) mod tree_file;
