//! Refs: tinyci's own and everyone's.
//!
//! | file | holds |
//! |---|---|
//! | `approvals` | approvals, each a ref |
//! | `atomic_ref` | [`AtomicRef`](atomic_ref::AtomicRef): a ref that is replaced as a whole |
//! | `backoff` | how long to wait for a locked ref |
//! | `damage` | refs whose newest state cannot be read |
//! | `deployments` | the history of each environment |
//! | `head` | HEAD |
//! | `ref_file` | moving and removing a ref |
//! | `ref_lock_owner` | replacing files that git locks |
//! | `ref_memory` | where tinyci's refs pointed to, in case they are lost |
//! | `lookup` | reading refs |
//! | `refspecs` | refspecs that would take tinyci's refs away |
//! | `restore` | writing lost refs again |

pub(in crate::repo) mod approvals;
pub(in crate::repo) mod atomic_ref;
pub(in crate::repo) mod backoff;
pub(in crate::repo) mod damage;
pub(in crate::repo) mod deployments;
pub(in crate::repo) mod head;
pub(in crate::repo) mod lookup;
pub(in crate::repo) mod ref_file;
pub(in crate::repo) mod ref_lock_owner;
pub(in crate::repo) mod ref_memory;
pub(in crate::repo) mod refspecs;
pub(in crate::repo) mod restore;
