//! Artifacts: lists, reads and copies the files that jobs kept.

use std::io::Read;

use super::handle::Engine;
use crate::engine::{
    context::shared::Shared,
    run::{kept_artifacts::size, reports::Reports},
};
use crate::model::stored_names::builds;
use crate::{
    builds::compact,
    model::{
        artifact::{Artifact, ArtifactList, ArtifactOptions, ArtifactPlace, ArtifactReader},
        cancel::{CancelToken, CancelView},
        commit::CommitId,
        error::{Error, ErrorKind},
        record::Record,
    },
    repo::Repo,
    rules::glob::ArtifactPattern,
    util::suggestion::did_you_mean,
    workspace::{Build, artifact_writer::ArtifactWriter},
};

impl Engine {
    /// Returns the files that a job kept with `artifact`. Without a job id, it is the newest job
    /// of the commit that kept any. The list remains after its build is removed, but the files do
    /// not.
    ///
    /// ```no_run
    /// use tinyci::{Engine, artifact::ArtifactOptions};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// for artifact in engine.artifacts(&ArtifactOptions::new("main"))?.artifacts {
    ///     println!("{} {} {}", artifact.blob, artifact.bytes, artifact.path);
    /// }
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`NotFound`](ErrorKind::NotFound) for an unknown revision, a commit or job without
    /// artifacts, and a path that matches nothing; [`InvalidArg`](ErrorKind::InvalidArg) for an
    /// invalid path; [`Git`](ErrorKind::Git) if the records cannot be read.
    pub fn artifacts(&self, options: &ArtifactOptions) -> Result<ArtifactList, Error> {
        Ok(find(&self.shared, options)?.0)
    }

    /// Reads files that a job kept, in the order of [`artifacts`](Engine::artifacts), also from a
    /// packed build. Calls `each` for one file at a time. Only reading a file to its end verifies
    /// its contents.
    ///
    /// # Errors
    ///
    /// As [`artifacts`](Engine::artifacts), and `NotFound` if the build was removed;
    /// [`InvalidArg`](ErrorKind::InvalidArg) for a record with paths outside of the directory;
    /// [`Io`](ErrorKind::Io) for a missing or changed file; [`Canceled`](ErrorKind::Canceled); and
    /// any error that `each` returns.
    pub fn read_artifacts(
        &self,
        options: &ArtifactOptions,
        cancel: &CancelToken,
        each: &mut dyn FnMut(&Artifact, &mut dyn Read) -> Result<(), Error>,
    ) -> Result<ArtifactList, Error> {
        let (list, build) = find(&self.shared, options)?;
        check_readable(&list)?;
        read(&list, &build, &CancelView::new(cancel, 1), each)?;
        Ok(list)
    }

    /// Copies files that a job kept to a directory. Each file is written completely or not at all.
    ///
    /// ```no_run
    /// use tinyci::{CancelToken, Engine, artifact::{ArtifactOptions, ArtifactWriter}};
    ///
    /// let engine = Engine::open("/srv/git/app.git")?;
    /// let options = ArtifactOptions::new("main").path("reports");
    /// engine.copy_artifacts(&options, &ArtifactWriter::new("out"), &CancelToken::new())?;
    /// # Ok::<(), tinyci::Error>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`read_artifacts`](Engine::read_artifacts) and [`ArtifactWriter::write`]. If a target
    /// file exists, nothing is written.
    pub fn copy_artifacts(
        &self,
        options: &ArtifactOptions,
        writer: &ArtifactWriter,
        cancel: &CancelToken,
    ) -> Result<ArtifactList, Error> {
        let (list, build) = find(&self.shared, options)?;
        check_readable(&list)?;
        writer.check(&list.artifacts)?;
        let view = CancelView::new(cancel, 1);
        read(&list, &build, &view, &mut |artifact, contents| {
            writer.write(artifact, contents, cancel)
        })?;
        Ok(list)
    }
}

/// Returns the selected artifacts and the build that contains them.
fn find(shared: &Shared, options: &ArtifactOptions) -> Result<(ArtifactList, Build), Error> {
    let repo = shared.repo()?;
    let id = repo.resolve(&options.revision)?;
    let record = job_record(&repo, id, options.job_id.as_deref())?;
    let build = shared.workspace().build(&repo.commit_for(id, None)?.build_name());
    let place = match () {
        () if build.artifacts().exists() => ArtifactPlace::Build,
        () if build.archive_path().exists() => ArtifactPlace::Archive,
        () => ArtifactPlace::Missing,
    };
    let (mut files, mut bytes) = size(&record.artifacts);
    let mut artifacts = record.artifacts;
    if let Some(total) = &record.artifact_total {
        (files, bytes) = (total.files, total.bytes);
        let all = match place {
            ArtifactPlace::Build => build.artifacts().list(&total.list),
            ArtifactPlace::Archive => compact::packed_list(&build, &total.list),
            ArtifactPlace::Missing => None,
        };
        artifacts = all.unwrap_or(artifacts);
    }
    artifacts.sort_by(|one, other| path_order(one).cmp(&path_order(other)));
    artifacts.dedup_by(|one, other| one.path == other.path);
    let artifacts = select(artifacts, &options.paths)?;
    let (job_id, outcome) = (record.job_id, record.outcome);
    let list = ArtifactList { commit: id, job_id, outcome, place, artifacts, files, bytes };
    Ok((list, build))
}

/// Returns a key that sorts by directory, as in archives.
fn path_order(artifact: &Artifact) -> Vec<&str> {
    artifact.path.split('/').collect()
}

/// Returns the record of the selected job.
fn job_record(repo: &Repo, id: CommitId, job_id: Option<&str>) -> Result<Record, Error> {
    let kept = |mut reports: Reports<'_>| {
        let records = reports.records_of(id, true)?.into_iter();
        let kept =
            records.filter(|record| !record.job_id.is_empty() && !record.artifacts.is_empty());
        Ok::<Vec<Record>, Error>(kept.collect())
    };
    let local = kept(Reports::of_repo(repo)?)?;
    let ids: Vec<String> = local.iter().map(|record| record.job_id.clone()).collect();
    let matches = |record: &Record| job_id.is_none_or(|job_id| record.job_id == job_id);
    if let Some(record) = local.into_iter().find(matches) {
        return Ok(record);
    }
    let short = id.short();
    let is_in_remote = kept(Reports::new(repo)?)?.iter().any(matches);
    if is_in_remote {
        let message = format!("the artifacts of commit {short} are in another repository");
        return Err(Error::new(ErrorKind::NotFound, message)
            .with_hint("`tinyci -r artifacts` lists and fetches those of the remote `origin`"));
    }
    let message = match job_id {
        Some(job_id) if !ids.is_empty() => format!(
            "job `{job_id}` of commit {short} kept no artifacts{} (jobs that did: {})",
            did_you_mean(job_id, ids.iter().map(String::as_str)),
            ids.join(", ")
        ),
        _ => format!("commit {short} has no artifacts"),
    };
    Err(Error::new(ErrorKind::NotFound, message))
}

/// Returns the artifacts that match these paths, directories and globs, or all if there are none.
fn select(artifacts: Vec<Artifact>, paths: &[String]) -> Result<Vec<Artifact>, Error> {
    if paths.is_empty() {
        return Ok(artifacts);
    }
    let mut selected = vec![false; artifacts.len()];
    for path in paths {
        // A file name may contain glob characters.
        let pattern = match artifacts.iter().any(|artifact| artifact.path == *path) {
            true => None,
            false => Some(ArtifactPattern::parse(path).map_err(invalid)?),
        };
        let adds = pattern.as_ref().is_none_or(|pattern| !pattern.removes());
        let mut found = false;
        for (is_selected, artifact) in selected.iter_mut().zip(&artifacts) {
            if pattern.as_ref().map_or(artifact.path == *path, |it| it.matches(&artifact.path)) {
                (*is_selected, found) = (adds, true);
            }
        }
        if !found {
            let near = did_you_mean(path, artifacts.iter().map(|it| it.path.as_str()));
            let message = format!("no artifact matches `{path}`{near}");
            return Err(Error::new(ErrorKind::NotFound, message));
        }
    }
    let chosen = artifacts.into_iter().zip(selected).filter(|(_, is_selected)| *is_selected);
    Ok(chosen.map(|(artifact, _)| artifact).collect())
}

fn invalid(message: String) -> Error {
    Error::new(ErrorKind::InvalidArg, message)
}

/// Fails if the files were removed, or if a path leads out of the directory.
fn check_readable(list: &ArtifactList) -> Result<(), Error> {
    let short = list.commit.short();
    if list.place == ArtifactPlace::Missing {
        let message = format!("the artifacts of commit {short} were removed with its build");
        let hint = format!("`tinyci run --retry {short}` makes them again");
        return Err(Error::new(ErrorKind::NotFound, message).with_hint(hint));
    }
    if let Some(bad) = list.artifacts.iter().find(|artifact| !artifact.has_plain_path()) {
        return Err(invalid(format!(
            "invalid artifact in the record of job `{}`: `{}` is not a relative path inside a \
             directory",
            list.job_id,
            bad.path.escape_debug()
        )));
    }
    Ok(())
}

/// Reads the listed files from the build or from its archive.
fn read(
    list: &ArtifactList,
    build: &Build,
    cancel: &CancelView,
    each: &mut dyn FnMut(&Artifact, &mut dyn Read) -> Result<(), Error>,
) -> Result<(), Error> {
    if list.place == ArtifactPlace::Archive {
        return compact::each_packed(build, &list.artifacts, cancel, each);
    }
    let store = build.artifacts();
    for artifact in &list.artifacts {
        if cancel.is_canceled() {
            return Err(Error::new(ErrorKind::Canceled, "canceled while reading artifacts"));
        }
        let path = build.dir().join(builds::ARTIFACTS).join(&artifact.path);
        let file =
            store.open(artifact).map_err(|source| Error::io("read the artifact", &path, source))?;
        each(artifact, &mut ArtifactReader::new(artifact, file))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_chosen_by_path_directory_and_glob() {
        let artifact = |path: &str| Artifact {
            path: path.to_owned(),
            bytes: 0,
            blob: String::new(),
            executable: false,
        };
        let all = ["a[1]", "dist/app", "dist/app.map", "report.xml"];
        let chosen = |paths: &[&str]| {
            let paths: Vec<String> = paths.iter().map(|path| (*path).to_owned()).collect();
            let chosen = select(all.map(artifact).to_vec(), &paths)?.into_iter();
            Ok::<_, Error>(chosen.map(|artifact| artifact.path).collect::<Vec<_>>())
        };
        assert_eq!(chosen(&[]).unwrap(), all);
        assert_eq!(chosen(&["dist"]).unwrap(), ["dist/app", "dist/app.map"]);
        assert_eq!(chosen(&["dist/", "!*.map"]).unwrap(), ["dist/app"]);
        assert_eq!(chosen(&["*.xml", "a[1]"]).unwrap(), ["a[1]", "report.xml"]);
        assert_eq!(chosen(&["../x"]).unwrap_err().kind(), ErrorKind::InvalidArg);
        let error = chosen(&["dist/ap"]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.message().contains("did you mean `dist/app`"), "{error}");
    }
}
