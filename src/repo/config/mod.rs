//! Opening a repository, and git's configuration.
//!
//! | file | contents |
//! |---|---|
//! | `config_cleanup` | removing empty sections from a configuration file |
//! | `environment` | git's configuration in the environment |
//! | `git_config` | reading and writing git's configuration |
//! | `libgit2` | process-wide options, on request |
//! | `open` | opening a repository |
//! | `settings` | every setting of tinyci |
//! | `settings_list` | the settings as a list |
//! | `state_format` | which versions of tinyci may use the state |

pub(in crate::repo) mod config_cleanup;
pub(in crate::repo) mod environment;
pub(in crate::repo) mod git_config;
#[allow(unsafe_code, reason = "options of libgit2 belong to the process")]
pub(in crate::repo) mod libgit2;
pub(in crate::repo) mod open;
pub(in crate::repo) mod settings;
pub(in crate::repo) mod settings_list;
pub(in crate::repo) mod state_format;
