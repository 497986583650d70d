//! The data that all other modules share, and the traits that separate them.
//!
//! | file | holds |
//! |---|---|
//! | `artifact` | files that jobs keep |
//! | `failure` | what failed, told in a line |
//! | `record_size` | how much of a step a record keeps |
//! | `answer` | answers of the embedding program, and its panics |
//! | `cancel` | canceling, from outside and seen from inside |
//! | `check_report` | what is wrong with a config |
//! | `commit` | commits, ids, text of git that may not be UTF-8 |
//! | `deployment` | deployments, requests and plans of them, approvals |
//! | `error` | [`Error`](error::Error) and its kinds |
//! | `event` | what a run tells an observer |
//! | `executor` | the trait that runs commands |
//! | `dry_run` | what a run would do |
//! | `function` | functions of the embedding program, and their values |
//! | `intervention` | what people decide about a commit |
//! | `job` | a job of a plan, and why it is started |
//! | `not_removed` | what could not be removed, and why |
//! | `outcome` | outcomes, verdicts, ends of commands |
//! | `pipeline` | a config as data |
//! | `record` | what is kept of a job |
//! | `request_context` | where a request to the embedding program comes from |
//! | `script` | what the engine and a script exchange |
//! | `selection` | which commits a run is for |
//! | `setting` | one setting and its values |
//! | `status` | how the repository is doing |
//! | `step` | one step as data, and the traits around it |
//! | `stored_names` | the names of refs and files that are kept |
//! | `test_report` | what tests of a pipeline came to |
//! | `unknown_fields` | what a newer version wrote beside the rest |
//! | `work_limits` | what ends work whose length others choose |
//! | `value` | what a value of scripts holds, and what it is made from |

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
