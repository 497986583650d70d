//! Sizes, durations and times as strings, in the forms that settings and logs use.
//!
//! A parser returns `None` for a string that is not valid.
//!
//! ```
//! use std::time::Duration;
//! use tinyci::format::{parse_bytes, parse_duration};
//!
//! assert_eq!(parse_bytes("2m"), Some(2 << 20));
//! assert_eq!(parse_duration("90s"), Some(Duration::from_secs(90)));
//! ```

pub use crate::util::{
    bytes::{format_bytes, parse_bytes},
    clock::log_prefix,
    duration::parse_duration,
};
