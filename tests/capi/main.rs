//! The C ABI, as programs in C meet it: its header, its libraries, and programs built with them.
//!
//! | file | holds |
//! |---|---|
//! | `declarations` | the header, read as a naive parser reads it |
//! | `facts` | what that header cannot say, read from the sources, for the JSON |
//! | `header` | that header, JSON and prototypes are what the sources say, and documented |
//! | `library` | the libraries that `bindings/build-library.sh` builds |
//! | `reach` | what Rust can call, C can call, or there is a reason |
//! | `reach_table` | which call of Rust is which function of C |
//! | `runs` | whole runs, `runs/*.c` and `examples/c`, plain, under valgrind and sanitizers |
//! | `luajit` | a binding that is generated from the JSON, and a host that uses it |
//! | `programs` | every `programs/*.c`, shared and static, under valgrind and sanitizers |

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "helpers of tests fail by a panic too"
)]

mod declarations;
mod facts;
mod header;
mod library;
mod luajit;
mod programs;
mod reach;
mod reach_table;
mod runs;
#[path = "../../src/testing/mod.rs"]
mod support;
