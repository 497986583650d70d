//! The public modules of the crate, each with the types of one subject.
//!
//! | file | holds |
//! |---|---|
//! | `artifact` | files that jobs keep after their build: listing, reading and copying them |
//! | `callback` | calls that tinyci makes to your program: hooks, functions of scripts, secrets and approvals |
//! | `check` | configs and scripts without a run: validating them, and the script API reference |
//! | `commit` | parts of commits: text that may not be UTF-8, ids of trees, and exported files |
//! | `deploy` | deployments: requesting, planning and approving them, and their records |
//! | `error` | positions of errors in configs and scripts |
//! | `event` | observers of a run, and the parts of an event |
//! | `executor` | executors: run commands in another way, such as on another machine |
//! | `format` | sizes, durations and times as strings, in the forms that settings and logs use |
//! | `intervention` | canceling jobs and skipping commits, from any process |
//! | `pipeline` | the contents of a config: steps, their commands and conditions |
//! | `plan` | what a run would do: its jobs, and the actions of their steps |
//! | `record` | records of jobs: the results of their steps and commands, and logs |
//! | `selection` | parts of a selection: which commits, and how long to wait for another run |
//! | `settings` | the settings of a repository, `git config tinyci.*` |
//! | `status` | the state of a repository: active runs, pending commits, branches and environments |
//!
//! `builds`, `install` and `script` are public too. Each is a directory of `src/`.

pub mod artifact;
pub mod callback;
pub mod check;
pub mod commit;
pub mod deploy;
pub mod error;
pub mod event;
pub mod executor;
pub mod format;
pub mod intervention;
pub mod pipeline;
pub mod plan;
pub mod record;
pub mod selection;
pub mod settings;
pub mod status;
