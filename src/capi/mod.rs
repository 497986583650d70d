//! The C ABI: what `include/tinyci.h` declares, over the public names of this library.
//!
//! Every function is a few lines that hand its arguments to [`guard`], which holds the rules of
//! the header for all of them: nothing panics outwards, nothing is used in a forked child, NULL is
//! an error and not a crash, outputs are cleared first, and deep work has a stack of its own.
//!
//! No host code is ever called from here, and there is no `unsafe` outside [`text`]: pointers come
//! in as `Option<&T>`, `Option<Box<T>>`, or as one of the transparent types of [`text`] and
//! [`error`], all of which are plain pointers to C, and may be NULL.

#![expect(non_camel_case_types, reason = "types have the names that C sees")]
#![expect(unreachable_pub, reason = "C reaches them by their symbols, cbindgen by this word")]

mod acts;
mod artifacts;
mod ask;
mod bell;
mod cancel;
mod commits;
mod deploy;
mod engine;
mod error;
mod event;
mod guard;
mod handle;
mod lent;
mod options;
mod outcome;
mod pipeline;
mod queue;
mod record;
mod records;
mod reports;
mod request;
mod run;
mod selection;
mod status;
mod text;
mod time;
mod vars;
mod version;
