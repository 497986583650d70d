//! A secret, as scripts hold it.

use std::sync::Arc;

/// A secret. It has no text of its own.
#[derive(Clone)]
pub(in crate::script) struct Secret {
    pub(in crate::script) name: Arc<str>,
    pub(in crate::script) value: Arc<[u8]>,
}
