//! Verdicts and records, in one repository and several.
//!
//! | file | tests |
//! |---|---|
//! | `clones` | clones that fetch results, repositories that exchange them |
//! | `records` | records and logs, read through the library |
//! | `refs` | tinyci's refs, deleted by pruning fetches, mirrors or mistake |

#[cfg(feature = "cli")]
mod clones;
mod records;
#[cfg(feature = "cli")]
mod refs;
