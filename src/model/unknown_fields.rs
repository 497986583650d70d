//! [`UnknownFields`]: JSON fields that a newer version wrote.

use std::collections::BTreeMap;

/// Fields of a JSON object that this version does not know: each name with the JSON of its value.
/// tinyci writes them back, so that no data of a newer version is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnknownFields(pub(crate) BTreeMap<String, String>);
