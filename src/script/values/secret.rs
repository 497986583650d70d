//! The type of secrets in scripts.

use std::sync::Arc;

/// A secret. It cannot be converted into a string.
#[derive(Clone)]
pub(in crate::script) struct Secret {
    pub(in crate::script) name: Arc<str>,
    pub(in crate::script) value: Arc<[u8]>,
}
