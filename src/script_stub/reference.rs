//! The script API reference, which does not exist in this build.

use std::convert::Infallible;

use crate::model::{
    error::{Error, ErrorKind},
    function::HostFunction,
};

/// The reference. It cannot exist.
pub(crate) struct Definitions(Infallible);

impl Definitions {
    pub(crate) fn to_json(&self) -> String {
        match self.0 {}
    }

    pub(crate) fn to_markdown(&self) -> String {
        match self.0 {}
    }

    pub(crate) fn to_rhai(&self) -> String {
        match self.0 {}
    }
}

pub(crate) fn definitions(_: &[HostFunction]) -> Result<Definitions, Error> {
    let message = "this program was built without the feature `rhai` and runs no scripts";
    Err(Error::new(ErrorKind::Unsupported, message))
}
