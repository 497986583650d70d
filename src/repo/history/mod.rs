//! The history of commits: which exist, which are pending, what differs.
//!
//! | file | contents |
//! |---|---|
//! | `baseline` | the history that is not tested |
//! | `branch` | the branch of a commit, and the commits that a push added |
//! | `branches` | branches and their tips |
//! | `changes` | differences from the nearest green ancestor |
//! | `walk` | walks over commits |
//! | `reachability` | the commits that a tip reaches |
//! | `recent` | the newest commits |
//! | `revision` | revisions and ranges |
//! | `scan` | the pending commits |
//! | `tested_tips` | a cache of tips without pending ancestors |
//! | `tips` | the commits that selected refs name |
//! | `tracked` | tracked files of the working tree |

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
