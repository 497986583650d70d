//! Executors: run commands in another way, such as on another machine.
//!
//! Implement [`Executor`] and pass it to
//! [`EngineBuilder::executor`](crate::EngineBuilder::executor). The default is
//! [`LocalExecutor`].
//!
//! ```
//! use tinyci::{Error, executor::{CancelView, Command, Executor, Exit, Output}};
//!
//! /// Shows commands instead of running them.
//! struct Show;
//!
//! impl Executor for Show {
//!     fn execute(
//!         &self,
//!         command: &Command,
//!         output: &mut dyn FnMut(Output),
//!         _cancel: &CancelView,
//!     ) -> Result<Exit, Error> {
//!         output(Output::stdout(format!("would run {}\n", command.program)));
//!         Ok(Exit::Code(0))
//!     }
//! }
//!
//! let builder = tinyci::Engine::builder("/srv/git/app.git").executor(Show);
//! ```

pub use crate::{
    model::{
        cancel::CancelView,
        executor::{Command, Executor, Output, OutputMode, Program, Stream},
        outcome::Exit,
    },
    process::local_executor::LocalExecutor,
};
