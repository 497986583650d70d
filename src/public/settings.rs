//! The settings of a repository, `git config tinyci.*`.
//!
//! [`Engine::settings`](crate::Engine::settings) lists them.
//! [`EngineBuilder::setting`](crate::EngineBuilder::setting) sets one for one engine.
//!
//! ```no_run
//! use tinyci::{Engine, settings::Setting};
//!
//! let settings: Vec<Setting> = Engine::open("/srv/git/app.git")?.settings()?;
//! for setting in &settings {
//!     println!("{}", setting.key);
//! }
//! # Ok::<(), tinyci::Error>(())
//! ```

pub use crate::model::setting::Setting;
