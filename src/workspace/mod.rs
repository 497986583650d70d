//! The files that tinyci keeps beside git's own data: build directories, logs and the run lock.
//!
//! | file | contents |
//! |---|---|
//! | `layout` | [`Workspace`]: the paths of all files |
//! | `artifacts` | [`ArtifactStore`]: the files that a build keeps beyond its export |
//! | `build` | [`Build`]: the directory of one commit, and its exports |
//! | `scratch` | [`Scratch`]: a build directory without a job, removed after one use |
//! | `stamp` | [`JobStamp`]: the id and time of the job that made a build |
//! | `pins` | [`Pin`]: the builds that links of deploy scripts lead into |
//! | `folder` | [`BuildsFolder`]: the lock of the builds directory |
//! | `ownership` | the repository that owns a builds directory |
//! | `remove` | removing a tree without following links or entering mounts |
//! | `aside` | names for files that are being removed |
//! | `mounts` | [`Mounts`], [`SameMount`]: finding mounts in a tree |
//! | `lock` | [`RunLock`]: one run at a time, scan requests, and the handover to waiters |
//! | `stop_request` | [`StopRequest`]: a request of another process to end a job or run |
//! | `deploy_lock` | [`DeployLock`]: one deployment per environment at a time |
//! | `lock_file` | taking and checking locks of files |
//! | `approval_mark` | the account of this machine that gave an approval |
//! | `attempts` | [`Attempts`]: the number of attempts without a verdict |
//! | `seen_tips` | the commits to which pushes moved a branch |
//! | `pushed` | [`Pushed`]: pushes that no run has handled yet |
//! | `looked_at` | [`LookedAt`]: skipped commits that need no new test |
//! | `line` | [`LineFormatter`]: `[HH:MM:SS] text` |
//! | `log` | [`Logs`], [`LogWriter`]: the logs of builds and of the repository |
//! | `tail` | [`LogTail`]: reading the end of a log, and following it |
//! | `log_limiter` | limiting the size of a log |
//! | `log_trim` | removing the oldest part of a log |
//! | `secret_dir` | the directory of secrets |
//! | `artifact_writer` | writing artifacts to another directory |
//!
//! Not here: git objects and refs (`repo`), child processes (`process`), and the contents of
//! exports (`export`).

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
    artifacts::{
        ARTIFACTS_MAX, ArtifactStore, KeepRequest, canceled, link_to_dir, not_regular_file,
        read_list,
    },
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
