//! The C ABI: the functions of `include/tinyci.h`, built on the public API of this library.
//!
//! Every function is a few lines that pass its arguments to [`guard`], which implements the rules
//! of the header: panics do not cross the border, a forked child cannot use the parent's objects,
//! NULL is an error and not a crash, outputs are cleared first, and deep work gets a stack of its
//! own.
//!
//! No code of the host program is called from here, and `unsafe` is only in [`text`]: pointers come
//! in as `Option<&T>`, `Option<Box<T>>`, or as one of the transparent types of [`text`] and
//! [`error`], all of which are plain pointers to C, and may be NULL.
//!
//! | file | contents |
//! |---|---|
//! | `artifacts` | files that jobs kept |
//! | `engine` | opening and closing |
//! | `options` | options of an engine |
//! | `selection` | which commits a run is for |
//! | `run` | runs, and reading their events |
//! | `queue` | the queue of events and requests of a run |
//! | `notifier` | the file descriptor that is readable if the queue is not empty |
//! | `event` | events |
//! | `request` | requests, and how they are answered |
//! | `pending_request` | putting a request into the queue, and waiting for its answer |
//! | `callbacks` | hooks, functions, secrets, approvals and the executor as requests |
//! | `deploy` | deployments |
//! | `maintenance` | installing, packing, pruning, canceling, forgetting |
//! | `reports` | reports as JSON |
//! | `records` | lists of records |
//! | `record` | records |
//! | `commits` | commits |
//! | `pipeline` | configs |
//! | `vars` | placeholders |
//! | `cancel` | cancel tokens |
//! | `outcome` | outcomes |
//! | `code` | codes |
//! | `error` | errors |
//! | `guard` | the rules for all functions |
//! | `handle` | the objects behind pointers in C |
//! | `text` | strings and bytes in and out: the only `unsafe` |
//! | `time` | times |
//! | `version` | versions and features |

#![expect(non_camel_case_types, reason = "types have the names that C sees")]
#![expect(unreachable_pub, reason = "C reaches them by their symbols, cbindgen by this word")]

mod artifacts;
mod callbacks;
mod cancel;
mod code;
mod commits;
mod deploy;
mod engine;
mod error;
mod event;
mod guard;
mod handle;
mod maintenance;
mod notifier;
mod options;
mod outcome;
mod pending_request;
mod pipeline;
mod queue;
mod record;
mod records;
mod reports;
mod request;
mod run;
mod selection;
mod text;
mod time;
mod vars;
mod version;
