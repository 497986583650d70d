//! Calls that tinyci makes to your program: hooks, functions of scripts, secrets and approvals.
//!
//! You register callbacks with an [`EngineBuilder`](crate::EngineBuilder). A callback gets a
//! [`RequestContext`], which names the commit and the step. If it returns an error, the step fails.
//!
//! ```
//! use tinyci::{Engine, Hook, callback::{Effect, FunctionCall, HookCall}};
//!
//! let release = |hook: &mut HookCall<'_>| Ok(hook.set_var("release", "42"));
//! let double = |call: &FunctionCall<'_>| {
//!     let number = call[0].as_int().ok_or("not a number")?;
//!     Ok((number * 2).into())
//! };
//! let builder = Engine::builder("/srv/git/app.git")
//!     .hook(Hook::BeforeBuild, release)
//!     .function("double", 1..=1, Effect::Pure, "Doubles a number.", double);
//! assert!(builder.mistake().is_none());
//! # Ok::<(), tinyci::Error>(())
//! ```

pub use crate::{
    engine::{ApprovalCall, HookCall},
    model::{
        answer::HookError,
        function::{Effect, FunctionCall},
        request_context::RequestContext,
    },
};
