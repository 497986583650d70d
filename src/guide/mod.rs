//! The guide to tinyci.
//!
//! | chapter | contents |
//! |---|---|
//! | [`getting_started`] | set up a server and a project, up to the first green push |
//! | [`configuration`] | all keys of `.tinyci.yml` |
//! | [`scripts`] | pipelines with conditions and loops: `.tinyci.rhai` |
//! | [`script_api`] | the functions, constants and properties of scripts |
//! | [`globs`] | how globs match paths, branches and tags |
//! | [`commands`] | how commands run: placeholders, environment variables, limits |
//! | [`deploy`] | deploy a green commit: plans, approvals, rollbacks |
//! | [`vps`] | set up a new server for push-to-deploy over ssh |
//! | [`results`] | verdicts, records, logs and artifacts |
//! | [`operating`] | settings, runs, disk space, security |
//! | [`embedding`] | use tinyci as a library |
//! | [`moving_over`] | move from TinyCI, the Ruby gem |
//!
//! Tests run the commands and configs in these chapters.

#[doc = include_str!("getting_started.md")]
pub mod getting_started {}

#[doc = include_str!("configuration.md")]
pub mod configuration {}

#[doc = include_str!("scripts.md")]
pub mod scripts {}

#[doc = include_str!("script_api.md")]
pub mod script_api {}

#[doc = include_str!("globs.md")]
pub mod globs {}

#[doc = include_str!("commands.md")]
pub mod commands {}

#[doc = include_str!("deploy.md")]
pub mod deploy {}

#[doc = include_str!("vps.md")]
pub mod vps {}

#[doc = include_str!("results.md")]
pub mod results {}

#[doc = include_str!("operating.md")]
pub mod operating {}

#[doc = include_str!("embedding.md")]
pub mod embedding {
    #[doc = include_str!("../../bindings/cpp/README.md")]
    pub mod cpp {}

    #[doc = include_str!("../../bindings/python/README.md")]
    pub mod python {}

    #[doc = include_str!("../../bindings/ruby/README.md")]
    pub mod ruby {}

    #[doc = include_str!("../../bindings/go/README.md")]
    pub mod go {}

    #[doc = include_str!("../../bindings/node/README.md")]
    pub mod node {}
}

#[doc = include_str!("moving_over.md")]
pub mod moving_over {}

// Compiles the program in it.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
mod readme {}
