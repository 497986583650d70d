//! Positions of errors in configs and scripts.
//!
//! [`Error`](crate::Error) and [`ErrorKind`](crate::ErrorKind) are at the root of the crate.
//!
//! ```
//! use tinyci::{Format, Pipeline, error::Position};
//!
//! let error = Pipeline::parse("build: 5\n", Format::Yaml, ".tinyci.yml").unwrap_err();
//! assert_eq!(error.position(), Some(Position::new(1, 8)));
//! ```

pub use crate::model::error::Position;
