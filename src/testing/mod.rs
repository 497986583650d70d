//! What the tests of the library share with those in `tests/`, which mount this directory.
//!
//! It is below `src/` so that the package of the registry, which has all of `src/`, can run the tests
//! of the library.
//!
//! | file | holds |
//! |---|---|
//! | `mounts` | file systems that only one test sees |
//! | `repository` | a repository, made by the real `git` |
//! | `waiting` | waiting for a condition or the end of a process |

#![allow(dead_code, unused_imports, reason = "each program of tests uses a part of it")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

#[cfg(target_os = "linux")]
mod mounts;
mod repository;
mod waiting;

#[cfg(target_os = "linux")]
pub(crate) use self::mounts::{mount, with_own_mounts};
pub(crate) use self::{
    repository::{TestRepo, succeed},
    waiting::{PATIENCE, eventually, is_alive},
};
