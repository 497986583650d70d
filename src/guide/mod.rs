//! The guide: from the first push to the fine print.
//!
//! | chapter | for |
//! |---|---|
//! | [`getting_started`] | a server and a project, from nothing to a green push |
//! | [`configuration`] | everything that `.tinyci.yml` can say |
//! | [`scripts`] | pipelines that need conditions: `.tinyci.rhai` |
//! | [`script_api`] | everything that a script can use |
//! | [`globs`] | which paths, branches and tags a glob matches |
//! | [`commands`] | what a command finds: tags, environment, limits |
//! | [`deploy`] | from a green commit to where it runs: plans, approvals, rollbacks |
//! | [`vps`] | a server from nothing to push-to-deploy, over ssh |
//! | [`results`] | verdicts, records, logs, and how to ask for them |
//! | [`operating`] | settings, the queue, retries, disk space, what survives a crash |
//! | [`embedding`] | running tinyci from your own program |
//! | [`moving_over`] | coming from TinyCI, the Ruby gem |
//!
//! The commands and configs in these chapters are run by the tests.

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
