//! What steps do, in YAML and scripts alike.
//!
//! | file | tests |
//! |---|---|
//! | `by_hand` | `tinyci run --step`: one step by hand |
//! | `conditions` | `when`, `retries` and `secrets` in `.tinyci.yml` |
//! | `differential` | generated configs: a run, a plan and a pipeline test agree |
//! | `globs` | what globs match, and globs that can never match |
//! | `masking` | secrets in logs, records, events and deployments |
//! | `when` | conditions of a whole commit, the tag of a step, hooks after a phase |

#[cfg(feature = "cli")]
mod by_hand;
mod conditions;
#[cfg(feature = "rhai")]
mod differential;
mod globs;
mod masking;
mod when;
