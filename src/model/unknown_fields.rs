//! [`UnknownFields`]: what a newer version wrote beside the fields that this version knows.

use std::collections::BTreeMap;

/// Fields of a JSON object that this version does not know: the text of each value, by its name.
/// They are written again with the rest, so that nothing of a newer version is lost.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnknownFields(pub(crate) BTreeMap<String, String>);
