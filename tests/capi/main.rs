//! The C ABI, as programs in C meet it: its header, its libraries, and programs built with them.
//!
//! | file | holds |
//! |---|---|
//! | `declarations` | the header, read as a naive parser reads it |
//! | `header` | that header, JSON and prototypes are what the sources say, and documented |
//! | `library` | the libraries that `bindings/build-library.sh` builds |
//! | `runs` | whole runs, `runs/*.c` and `examples/c`, plain, under valgrind and sanitizers |
//! | `programs` | every `programs/*.c`, shared and static, under valgrind and sanitizers |

#![allow(clippy::expect_used, clippy::unwrap_used)]

mod declarations;
mod header;
mod library;
mod programs;
mod runs;
#[path = "../../src/testing/mod.rs"]
mod support;
