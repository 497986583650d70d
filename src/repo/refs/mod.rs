//! Refs: those of tinyci and all others.
//!
//! | file | contents |
//! |---|---|
//! | `approvals` | approvals, one ref each |
//! | `atomic_ref` | [`AtomicRef`](atomic_ref::AtomicRef): a ref that moves by compare-and-swap |
//! | `backoff` | pauses while a ref is locked |
//! | `damage` | refs whose newest state cannot be read |
//! | `deployments` | the history of each environment |
//! | `head` | checking HEAD |
//! | `hidden` | which refs tinyci reads, and which of them a push may write |
//! | `ref_file` | moving and removing a ref |
//! | `ref_lock_owner` | replacing files that git locks |
//! | `ref_memory` | what tinyci's refs named, in case they are lost |
//! | `lookup` | reading refs |
//! | `refspecs` | refspecs that would overwrite or delete tinyci's refs |
//! | `restore` | restoring lost refs |

pub(in crate::repo) mod approvals;
pub(in crate::repo) mod atomic_ref;
pub(in crate::repo) mod backoff;
pub(in crate::repo) mod damage;
pub(in crate::repo) mod deployments;
pub(in crate::repo) mod head;
pub(in crate::repo) mod hidden;
pub(in crate::repo) mod lookup;
pub(in crate::repo) mod ref_file;
pub(in crate::repo) mod ref_lock_owner;
pub(in crate::repo) mod ref_memory;
pub(in crate::repo) mod refspecs;
pub(in crate::repo) mod restore;
