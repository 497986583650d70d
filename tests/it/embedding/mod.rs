//! Programs that embed the library.
//!
//! | file | tests |
//! |---|---|
//! | `blame` | refusals of a host fail a commit, its errors leave no verdict |
//! | `builder` | what a host sets before it opens an engine |
//! | `events` | events, and what an observer may do |
//! | `examples` | the examples in Rust |
//! | `executor` | a host's own executor |
//! | `hooks` | a host's hook callbacks |
//! | `paths` | programs that change their directory |
//! | `pipeline` | a pipeline of the caller's own |
//! | `repository` | which repositories an engine opens, and what it leaves alone in them |
//! | `requests` | requests to a host: their order among events, their thread |
//! | `rhai_and_git2` | a program that uses rhai and git2 itself |

mod blame;
mod builder;
mod events;
mod examples;
mod executor;
mod hooks;
mod paths;
mod pipeline;
mod repository;
mod requests;
#[cfg(feature = "rhai")]
mod rhai_and_git2;
