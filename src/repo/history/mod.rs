//! Commits: which there are, which are pending, what differs.
//!
//! | file | holds |
//! |---|---|
//! | `baseline` | the history that is not tested |
//! | `branch` | which branch a commit belongs to, and what came with a push |
//! | `branches` | branches and their tips |
//! | `changes` | what differs from the nearest green ancestor |
//! | `walk` | walks over commits |
//! | `reachability` | what is reachable from what |
//! | `recent` | the newest commits |
//! | `revision` | revisions and ranges |
//! | `scan` | the pending commits |
//! | `tested_tips` | tips whose history needs no other look |
//! | `tips` | what selected refs point to |
//! | `tracked` | branches of remotes |

pub(in crate::repo) mod baseline;
pub(in crate::repo) mod branch;
pub(in crate::repo) mod branches;
pub(in crate::repo) mod changes;
pub(in crate::repo) mod reachability;
pub(in crate::repo) mod recent;
pub(in crate::repo) mod revision;
pub(in crate::repo) mod scan;
pub(in crate::repo) mod tested_tips;
pub(in crate::repo) mod tips;
pub(in crate::repo) mod tracked;
pub(in crate::repo) mod walk;
