//! Opening a repository, and git's configuration.
//!
//! | file | holds |
//! |---|---|
//! | `config_cleanup` | taking lines out of a configuration file |
//! | `environment` | git's configuration in the environment |
//! | `git_config` | reading and writing it |
//! | `libgit2` | what is set for the whole process, on request |
//! | `open` | opening a repository |
//! | `settings` | every setting of tinyci |
//! | `settings_list` | the same as a list |
//! | `state_format` | which versions of tinyci may use the state |

pub(in crate::repo) mod config_cleanup;
pub(in crate::repo) mod environment;
pub(in crate::repo) mod git_config;
pub(in crate::repo) mod libgit2;
pub(in crate::repo) mod open;
pub(in crate::repo) mod settings;
pub(in crate::repo) mod settings_list;
pub(in crate::repo) mod state_format;
