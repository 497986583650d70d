//! Runs: which commits they test, in which order, and how they end.
//!
//! | file | tests |
//! |---|---|
//! | `attempts` | attempts without a verdict: how often a commit is tried, what stops a run |
//! | `cancel` | canceling and skipping commits by name, from outside the run |
//! | `environment` | what commands get of the environment of the process that runs them |
//! | `green_model` | the rule of green as a model, and random histories replayed on the program |
//! | `order` | the order of steps, and what a run leaves behind |
//! | `retest` | skipped commits that are tested again, and pushed tags |
//! | `selection` | which commits a run takes: by name, range, push, or all pending ones |
//! | `stop` | cancellation from other threads, and time limits |
//! | `turns` | one run at a time: waiting, handing over, several jobs at once |

mod attempts;
mod cancel;
mod environment;
#[cfg(feature = "cli")]
mod green_model;
mod order;
#[cfg(feature = "cli")]
mod retest;
mod selection;
mod stop;
mod turns;
