//! A run: resolves the selection, runs the jobs, and stores records and verdicts.
//!
//! | file | holds |
//! |---|---|
//! | `kept_artifacts` | how many artifacts a record names |
//! | `active_jobs` | the jobs that a run has in progress, and what ends them from elsewhere |
//! | `attempt` | one job: export, steps, record, verdict |
//! | `driver` | passes: look, plan, hand out jobs, until nothing is pending |
//! | `dry_run` | a job in which nothing is done |
//! | `interventions` | what people decide from outside of a run: cancel, skip |
//! | `live` | what environments run of a commit, and where a job works beside it |
//! | `lock_wait` | one run at a time: the lock, the hand-over, following another run |
//! | `pending` | what a caller asked for, and what of it is pending |
//! | `reports` | records asked for by range, outcome and number; logs |
//! | `retest` | skipped commits that are tested again |
//! | `workers` | the threads that take the jobs of one plan |

pub(in crate::engine) mod active_jobs;
pub(in crate::engine) mod attempt;
pub(in crate::engine) mod driver;
pub(in crate::engine) mod dry_run;
pub(in crate::engine) mod interventions;
pub(in crate::engine) mod kept_artifacts;
pub(in crate::engine) mod live;
pub(in crate::engine) mod lock_wait;
pub(in crate::engine) mod pending;
pub(in crate::engine) mod reports;
pub(in crate::engine) mod retest;
pub(in crate::engine) mod workers;
