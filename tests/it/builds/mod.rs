//! What stays of jobs: builds and artifacts.
//!
//! | file | tests |
//! |---|---|
//! | `artifacts` | artifacts: which files are kept, recorded and fetched |
//! | `kept` | builds that are neither packed nor removed |
//! | `mounts` | builds with mounts and files of other users |
//! | `owner` | a builds directory has one owner |
//! | `prune` | old builds, removed by hand and after runs |
//! | `stamp` | what a build says of its job |

#[cfg(all(feature = "cli", feature = "rhai"))]
mod artifacts;
#[cfg(feature = "cli")]
mod kept;
#[cfg(all(feature = "cli", target_os = "linux"))]
mod mounts;
#[cfg(feature = "cli")]
mod owner;
#[cfg(feature = "cli")]
mod prune;
mod stamp;
