//! What tinyci keeps on disk beside git's own data: build folders, logs and the run lock.
//!
//! | file | holds |
//! |---|---|
//! | `layout` | [`Workspace`]: where everything lies |
//! | `artifacts` | [`ArtifactStore`]: the files that a build keeps beyond its export |
//! | `build` | [`Build`]: one commit's folder and the life of its export |
//! | `scratch` | [`Scratch`]: a build directory of no job, removed after its one use |
//! | `stamp` | [`JobStamp`]: what a job writes into its build: its id and time |
//! | `pins` | [`Pin`]: which builds the links of deploy scripts lead into |
//! | `folder` | [`BuildsFolder`]: the folder of builds, while some are packed or removed |
//! | `ownership` | whose the folder of builds is: the one look before anything in it changes |
//! | `remove` | taking a tree away without following links or entering mounts |
//! | `aside` | names for what is being removed |
//! | `mounts` | [`Mounts`], [`SameMount`]: what lies in a tree without being part of it |
//! | `lock` | [`RunLock`]: one run at a time, the wake counter, the hand-over to waiters |
//! | `stop_request` | [`StopRequest`]: what another process asks the holder of the lock to end |
//! | `deploy_lock` | [`DeployLock`]: one deployment per environment at a time |
//! | `lock_file` | taking the lock of a file, and seeing that it is taken |
//! | `approval_mark` | which account of this machine gave an approval |
//! | `attempts` | [`Attempts`]: how often a commit was tried without a verdict |
//! | `seen_tips` | which commits a push made the tip of a branch |
//! | `pushed` | [`Pushed`]: pushes that nobody has looked at yet |
//! | `looked_at` | [`LookedAt`]: skipped commits that are not tested again |
//! | `line` | [`LineFormatter`]: `[HH:MM:SS] text` |
//! | `log` | [`Logs`], [`LogWriter`]: a build's log and the repository's |
//! | `tail` | [`LogTail`]: reading a log from its end, and following it |
//! | `log_limiter` | how much of a log is kept |
//! | `log_trim` | dropping the oldest part of a log |
//! | `secret_dir` | the directory of secrets |
//! | `artifact_writer` | files that jobs kept, written elsewhere |
//!
//! Absent on purpose: git objects and refs (`repo`), child processes (`process`), and what a
//! build's files should be (`export`).

mod approval_mark;
pub(crate) mod artifact_writer;
mod artifacts;
mod aside;
mod attempts;
mod build;
mod deploy_lock;
mod folder;
mod layout;
mod line;
mod lock;
mod lock_file;
mod log;
pub(in crate::workspace) mod log_limiter;
pub(in crate::workspace) mod log_trim;
mod looked_at;
mod mounts;
mod ownership;
mod pins;
mod pushed;
mod remove;
mod scratch;
pub(crate) mod secret_dir;
mod seen_tips;
mod stamp;
mod stop_request;
mod tail;

pub(crate) use self::{
    artifacts::{ARTIFACTS_MAX, ArtifactStore, Wanted, given_up, link_to_dir, no_file, read_list},
    attempts::Attempts,
    build::{Build, BuildLock, is_old_export},
    deploy_lock::DeployLock,
    folder::BuildsFolder,
    layout::Workspace,
    lock::{ActiveJob, Holder, RunLock},
    log::{LogLimits, LogWriter, Logs},
    looked_at::LookedAt,
    mounts::{Mounts, SameMount, mounted},
    pushed::Pushed,
    remove::{remove, remove_file},
    scratch::Scratch,
    stamp::{ExportPlace, JobStamp},
    stop_request::{StopRequest, dismiss},
    tail::LogTail,
};
