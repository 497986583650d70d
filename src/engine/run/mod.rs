//! A run: resolves the selection, runs the jobs, and stores records and verdicts.
//!
//! | file | contents |
//! |---|---|
//! | `kept_artifacts` | limits the number of artifacts in a record |
//! | `active_jobs` | the active jobs of a run, and requests to stop them |
//! | `attempt` | one job: export, steps, record, verdict |
//! | `driver` | passes: scan, plan, run jobs, until nothing is pending |
//! | `dry_run` | jobs that only record their actions |
//! | `interventions` | decisions of people in other processes: cancel, skip |
//! | `live` | the deployed exports of a commit, and the place for a new one |
//! | `lock_wait` | one run at a time: the lock, the hand-over, following another run |
//! | `pending` | the selection of a caller, and its pending commits |
//! | `reports` | records by range, outcome and number; logs |
//! | `retest` | finds skipped commits that are tested again |
//! | `workers` | the threads that run the jobs of one plan |

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
