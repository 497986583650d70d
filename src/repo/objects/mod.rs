//! Objects: trees, blobs, commits as objects.
//!
//! | file | holds |
//! |---|---|
//! | `alternates` | where objects are |
//! | `attributes` | .gitattributes |
//! | `commit` | commits, also malformed ones |
//! | `database` | what libgit2 reads objects through |
//! | `description` | the text of commits |
//! | `loose` | reading loose objects |
//! | `reader` | reading objects |
//! | `pipeline_file` | the config of a commit |
//! | `shared_write` | writing objects that other accounts may have to read |
//! | `tree` | walking trees |
//! | `tree_file` | one file of a tree |

pub(in crate::repo) mod alternates;
pub(in crate::repo) mod attributes;
pub(in crate::repo) mod commit;
pub(in crate::repo) mod database;
pub(in crate::repo) mod description;
pub(in crate::repo) mod loose;
pub(in crate::repo) mod pipeline_file;
pub(in crate::repo) mod reader;
pub(in crate::repo) mod shared_write;
pub(in crate::repo) mod tree;
pub(in crate::repo) mod tree_file;
