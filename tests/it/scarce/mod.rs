//! A machine that lacks something. Every verdict is right and none is lost, and the next run does
//! the rest of the work.
//!
//! | file | tests |
//! |---|---|
//! | `clock` | a clock that jumps back and forth |
//! | `files` | no inodes, a read-only file system, directories without write permission |
//! | `limits` | limits on descriptors, processes, memory and file size |
//! | `moving` | a repository that moves or is repacked while commits are tested |
//! | `scene` | a repository with a pending commit, and the checks after each run |
//! | `streams` | closed and full standard streams, no `/proc` |

mod clock;
mod files;
mod limits;
mod moving;
mod scene;
mod streams;
