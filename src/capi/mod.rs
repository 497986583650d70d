//! The C ABI: what `include/tinyci.h` declares, over the public names of this library.
//!
//! Every function is a few lines that hand its arguments to [`guard`], which holds the rules of
//! the header for all of them: nothing panics outwards, nothing is used in a forked child, NULL is
//! an error and not a crash, outputs are cleared first, and deep work has a stack of its own.
//!
//! No host code is ever called from here, and there is no `unsafe` outside [`text`]: pointers come
//! in as `Option<&T>`, `Option<Box<T>>`, or as one of the transparent types of [`text`] and
//! [`error`], all of which are plain pointers to C, and may be NULL.
//!
//! | file | holds |
//! |---|---|
//! | `artifacts` | files that jobs kept |
//! | `engine` | opening and closing |
//! | `options` | what is set before that |
//! | `selection` | which commits a run is for |
//! | `run` | runs, and reading their events |
//! | `queue` | events and requests that wait |
//! | `notifier` | the descriptor that says so |
//! | `event` | events |
//! | `request` | requests, and how they are answered |
//! | `ask` | putting a request into the queue, and waiting for its answer |
//! | `callbacks` | the functions, hooks and executors of the host, each a request |
//! | `deploy` | deployments |
//! | `maintenance` | installing, packing, forgetting |
//! | `reports` | what is told as JSON |
//! | `records` | many records |
//! | `record` | one record |
//! | `commits` | commits |
//! | `pipeline` | configs |
//! | `vars` | placeholders |
//! | `cancel` | cancel tokens |
//! | `outcome` | outcomes |
//! | `status` | codes |
//! | `error` | errors |
//! | `guard` | what holds for every function |
//! | `handle` | objects that C owns |
//! | `text` | text in and out: the only `unsafe` |
//! | `time` | times |
//! | `version` | versions and features |

#![expect(non_camel_case_types, reason = "types have the names that C sees")]
#![expect(unreachable_pub, reason = "C reaches them by their symbols, cbindgen by this word")]

mod artifacts;
mod ask;
pub(in crate::capi) mod callbacks;
mod cancel;
mod commits;
mod deploy;
mod engine;
mod error;
mod event;
mod guard;
mod handle;
pub(in crate::capi) mod maintenance;
pub(in crate::capi) mod notifier;
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
