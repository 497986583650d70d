//! The contents of a config: steps, their commands and conditions.
//!
//! [`Pipeline`](crate::Pipeline), [`Hook`](crate::Hook) and [`Format`](crate::Format) are at the root
//! of the crate. [`StepSequence`] decides which step is next after which outcome.
//!
//! ```
//! use tinyci::{Format, Pipeline, pipeline::Phase};
//!
//! let pipeline = Pipeline::parse("build: make\n", Format::Yaml, ".tinyci.yml")?;
//! let build = pipeline.step(Phase::Build).expect("a build");
//! assert_eq!(build.commands()[0].text, "make");
//! # Ok::<(), tinyci::Error>(())
//! ```

pub use crate::{
    engine::StepOptions,
    model::pipeline::{Body, Phase, Step, StepName, Template, Warning, When},
    rules::run::StepSequence,
};
