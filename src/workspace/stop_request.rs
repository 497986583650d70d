//! [`StopRequest`]: what another process asks the holder of the lock to end.
//!
//! Each request is a file of its own in `tinyci/cancel/`, which appears whole; whoever may write there
//! may cancel. It names the run, and the job if one is meant, by ids that no other has: a request
//! whose run is over ends nothing later. The holder takes the file away when it has seen it, which is
//! all the answer that there is.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use crate::model::stored_names::state;
use crate::{
    model::{
        error::Error,
        intervention::{Intervention, InterventionKind},
    },
    util::unfinished::is_unfinished,
    workspace::layout::{Workspace, replace_file},
};

/// One request to end a job, or a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StopRequest {
    /// The run that it is for: [`Holder::run`](super::lock::Holder::run).
    pub(crate) run: String,
    /// The job that is to end; none for the whole run.
    pub(crate) job_id: Option<String>,
    /// Whether there is no time for a grace period and `after_all`.
    pub(crate) kill: bool,
    /// Who says so, and why.
    pub(crate) intervention: Intervention,
}

/// A request that was made. Dropped before it was seen, it is taken back.
#[derive(Debug)]
pub(crate) struct SentRequest(PathBuf);

impl SentRequest {
    /// Whether the holder has seen it, or taken it for one that is out of date.
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
    /// Makes a request, under this name that no other has.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) where this account may not write there.
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

    /// The requests that wait for the holder. What is none of ours is passed over.
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
                let request = StopRequest::parse(&fs::read_to_string(&path).ok()?)?;
                Some((path, request))
            })
            .collect();
        // Their names begin with the time at which they were made.
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found
    }

    fn requests_dir(&self) -> PathBuf {
        self.state_path(state::CANCEL)
    }
}

/// Takes a request away that was seen.
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
