//! [`StopRequest`]: a request of another process to end a job or a run.
//!
//! Each request is a file in `tinyci/cancel/`, written atomically. Every account that can write
//! there can cancel. A request names the run, and the job if one is meant, by their unique ids. So
//! it has no effect after its run. The owner of the run lock removes the file when it has seen the
//! request. There is no other answer.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::model::stored_names::state;
use crate::util::state_file;
use crate::{
    model::{
        error::Error,
        intervention::{Intervention, InterventionKind},
    },
    util::unfinished::is_unfinished,
    workspace::layout::{Workspace, replace_file},
};

/// A request to end a job or a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StopRequest {
    /// The run: [`Holder::id`](super::lock::Holder::id).
    pub(crate) run: String,
    /// The job to end, or `None` for the whole run.
    pub(crate) job_id: Option<String>,
    /// True to skip the grace period and `after_all`.
    pub(crate) kill: bool,
    /// The person and the reason.
    pub(crate) intervention: Intervention,
}

/// A request that was sent. If it is dropped before the run has seen it, it is withdrawn.
#[derive(Debug)]
pub(crate) struct SentRequest(PathBuf);

impl SentRequest {
    /// Returns true if the run has seen it or removed it as outdated.
    pub(crate) fn is_seen(&self) -> bool {
        !self.0.exists()
    }
}

impl Drop for SentRequest {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.0);
    }
}

impl Workspace {
    /// Sends a request under this unique name.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if this account may not write there.
    pub(crate) fn request_stop(
        &self,
        name: &str,
        request: &StopRequest,
    ) -> Result<SentRequest, Error> {
        let dir = self.requests_dir();
        let path = dir.join(name);
        let sharing = self.sharing();
        let written = (sharing.create_dir_all(&dir))
            .and_then(|()| replace_file(&path, request.text().as_bytes(), sharing));
        written.map_err(|source| Error::io("request a cancellation in", &path, source))?;
        Ok(SentRequest(path))
    }

    /// Returns the requests that no run has seen yet. Ignores other files.
    pub(crate) fn stop_requests(&self) -> Vec<(PathBuf, StopRequest)> {
        let Ok(entries) = fs::read_dir(self.requests_dir()) else { return Vec::new() };
        let paths = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_finished = |path: &PathBuf| {
            let name = path.file_name().map(|name| name.to_string_lossy());
            !name.is_some_and(|name| is_unfinished(&name))
        };
        let finished = paths.filter(is_finished);
        let mut found: Vec<_> = finished
            .filter_map(|path| {
                let request = StopRequest::parse(&state_file::read_text(&path).ok()?)?;
                Some((path, request))
            })
            .collect();
        // The names begin with the time of the request.
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    fn requests_dir(&self) -> PathBuf {
        self.state_path(state::CANCEL)
    }
}

/// Removes a request that was seen.
pub(crate) fn dismiss(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

impl StopRequest {
    fn text(&self) -> String {
        let Self { run, job_id, kill, intervention } = self;
        let mut text = format!("run {run}\n");
        if let Some(job) = job_id {
            text += &format!("job_id {job}\n");
        }
        if *kill {
            text += "kill yes\n";
        }
        text += &format!("kind {}\nby {}\n", intervention.kind.name(), intervention.by);
        if let Some(account) = &intervention.account {
            text += &format!("account {account}\n");
        }
        if let Some(reason) = &intervention.reason {
            text += &format!("reason {reason}\n");
        }
        text
    }

    fn parse(text: &str) -> Option<StopRequest> {
        let value =
            |key: &str| text.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(' '));
        let kind = value("kind")?;
        let kind = InterventionKind::ALL.into_iter().find(|it| it.name() == kind)?;
        Some(StopRequest {
            run: value("run")?.to_owned(),
            job_id: value("job_id").map(str::to_owned),
            kill: value("kill").is_some(),
            intervention: Intervention::new(kind, value("by")?, value("reason"))
                .with_account(value("account")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn request(job: Option<&str>, reason: Option<&str>) -> StopRequest {
        StopRequest {
            run: "r".to_owned(),
            job_id: job.map(str::to_owned),
            kill: reason.is_some(),
            intervention: Intervention::new(InterventionKind::Cancel, "Ada <a@b>", reason)
                .with_account(Some("git")),
        }
    }

    #[test]
    fn requests_come_in_order_as_they_were_made_and_go_when_seen() {
        let repo = TestRepo::bare();
        let workspace = Workspace::new(repo.path(), None, repo.path());
        assert_eq!(workspace.stop_requests(), []);
        let (one, other) = (request(None, None), request(Some("j"), Some("it\nhangs: run x")));
        let second = workspace.request_stop("2", &other).unwrap();
        let first = workspace.request_stop("1", &one).unwrap();
        fs::write(repo.path().join("tinyci/cancel/.tinyci-new-3"), "run r\n").unwrap();
        fs::write(repo.path().join("tinyci/cancel/4"), "nonsense").unwrap();
        let found: Vec<StopRequest> =
            workspace.stop_requests().into_iter().map(|(_, it)| it).collect();
        assert_eq!(found, [one, other]);
        dismiss(&workspace.stop_requests()[0].0).unwrap();
        assert!(first.is_seen() && !second.is_seen());
        drop(second);
        assert_eq!(workspace.stop_requests(), [], "taken back");
    }
}
