//! The data that all other modules share, and the traits that separate them.
//!
//! | file | holds |
//! |---|---|
//! | `answer` | answers of the embedding program, and its panics |
//! | `artifact` | files that jobs keep |
//! | `cancel` | cancel tokens, and their read-only views |
//! | `check_report` | errors and warnings of a config |
//! | `commit` | commits, ids, strings of git that may not be UTF-8 |
//! | `deployment` | deployments, their requests and plans, approvals |
//! | `dry_run` | the actions that a job would do |
//! | `error` | [`Error`](error::Error) and its kinds |
//! | `event` | events of a run, and their observers |
//! | `executor` | the trait that runs commands |
//! | `failure` | one failure in a step |
//! | `function` | functions of the embedding program, and their values |
//! | `identity` | the author of what tinyci writes for a person |
//! | `intervention` | people's decisions about a commit |
//! | `job` | a job of a plan, and its trigger |
//! | `not_removed` | files that could not be removed, and why |
//! | `outcome` | outcomes, verdicts, exits of commands |
//! | `pipeline` | a config as data |
//! | `record` | the result of a job |
//! | `record_size` | limits for the size of a record |
//! | `request_context` | the origin of a request to the embedding program |
//! | `script` | data that the engine and a script exchange |
//! | `selection` | the commits that a run is for |
//! | `setting` | one setting and its values |
//! | `status` | the state of a repository |
//! | `step` | one step as data, and the traits around it |
//! | `stored_names` | the names of refs and files that tinyci stores |
//! | `test_report` | results of pipeline tests |
//! | `unknown_fields` | fields that a newer version wrote |
//! | `value` | accessors and conversions of script values |
//! | `work_limits` | the limits of work whose length others choose |

pub(crate) mod answer;
pub(crate) mod artifact;
pub(crate) mod cancel;
pub(crate) mod check_report;
pub(crate) mod commit;
pub(crate) mod deployment;
pub(crate) mod dry_run;
pub(crate) mod error;
pub(crate) mod event;
pub(crate) mod executor;
pub(crate) mod failure;
pub(crate) mod function;
pub(crate) mod identity;
pub(crate) mod intervention;
pub(crate) mod job;
pub(crate) mod not_removed;
pub(crate) mod outcome;
pub(crate) mod pipeline;
pub(crate) mod record;
pub(crate) mod record_size;
pub(crate) mod request_context;
pub(crate) mod script;
pub(crate) mod selection;
pub(crate) mod setting;
pub(crate) mod status;
pub(crate) mod step;
pub(crate) mod stored_names;
pub(crate) mod test_report;
pub(crate) mod unknown_fields;
pub(crate) mod value;
pub(crate) mod work_limits;
