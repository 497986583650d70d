//! Fields and versions that only a newer version of tinyci knows.

use serde_json::{Map, Value};

use super::version::VERSION;
use crate::model::{
    error::{Error, ErrorKind},
    unknown_fields::UnknownFields,
};

/// Converts unknown fields to the form that the model keeps.
pub(crate) fn fields_from_json(fields: Map<String, Value>) -> UnknownFields {
    UnknownFields(fields.into_iter().map(|(name, value)| (name, value.to_string())).collect())
}

/// Converts kept fields to the form for writing.
pub(crate) fn fields_to_json(fields: &UnknownFields) -> Map<String, Value> {
    let read = |text: &String| serde_json::from_str(text).ok();
    fields.0.iter().filter_map(|(name, text)| Some((name.clone(), read(text)?))).collect()
}

/// Refuses a version that this program does not know, because its fields may have another meaning.
///
/// # Errors
///
/// Returns [`NewerFormat`](ErrorKind::NewerFormat) with both versions.
pub(crate) fn check_version(what: &str, v: u32) -> Result<(), Error> {
    if v <= VERSION {
        return Ok(());
    }
    let message = format!(
        "cannot read this {what}: a newer tinyci wrote it (version {v}; tinyci {} reads up to \
         {VERSION})",
        env!("CARGO_PKG_VERSION")
    );
    Err(Error::new(ErrorKind::NewerFormat, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_that_is_not_known_is_refused() {
        assert!(check_version("record", VERSION).is_ok());
        let error = check_version("record", VERSION + 1).err();
        assert_eq!(error.map(|error| error.kind()), Some(ErrorKind::NewerFormat));
    }
}
