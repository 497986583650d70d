//! The functions that scripts call.
//!
//! | file | contents |
//! |---|---|
//! | `call` | the arguments of a call |
//! | `context` | `ctx` |
//! | `placeholders` | placeholders (`<%= … %>`) in commands |
//! | `shell_check` | the check for untrusted values in shell commands |
//! | `commands` | `sh`, `try_sh`, `capture` and `q` |
//! | `control` | `retry`, `timeout`, `defer`, `skip` and others |
//! | `with` | `with` |
//! | `parallel` | `parallel` and `matrix` |
//! | `files` | `exists` and `read` |
//! | `strings` | `matches` and `join` |
//! | `requests` | `secret`, `env`, `remember`, `artifact` and others |
//! | `host` | the functions of the embedding program |
//! | `unknown` | outputs that a plan does not know |
//! | `engine` | the engine with all functions |

pub(in crate::script) mod call;
pub(in crate::script) mod commands;
pub(in crate::script) mod context;
pub(in crate::script) mod control;
pub(in crate::script) mod engine;
pub(in crate::script) mod files;
pub(in crate::script) mod host;
pub(in crate::script) mod parallel;
pub(in crate::script) mod placeholders;
pub(in crate::script) mod requests;
pub(in crate::script) mod shell_check;
pub(in crate::script) mod strings;
pub(in crate::script) mod unknown;
pub(in crate::script) mod with;
