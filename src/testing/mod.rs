//! Helpers that the unit tests share with the tests in `tests/`, which include this directory.
//!
//! It is in `src/` because the unit tests are there too.
//!
//! | file | holds |
//! |---|---|
//! | `chance` | numbers by chance, the same in every run |
//! | `mounts` | mounts that only one test sees |
//! | `repository` | a repository, made by the real `git` |
//! | `waiting` | waiting for a condition or the end of a process |

#![allow(dead_code, unused_imports, reason = "each program of tests uses a part of it")]

mod chance;
#[cfg(target_os = "linux")]
#[allow(unsafe_code, reason = "`rustix` cannot unshare a single thread")]
mod mounts;
mod repository;
mod waiting;

#[cfg(target_os = "linux")]
pub(crate) use self::mounts::{mount, with_own_mounts};
pub(crate) use self::{
    chance::Chance,
    repository::{TestRepo, succeed},
    waiting::{PATIENCE, eventually, is_alive},
};
