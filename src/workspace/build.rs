//! [`Build`]: the directory of one commit, and the export in it.
//!
//! An export is written as `export.<job id>` and renamed when it is complete. An old export is
//! renamed before its first file is removed. So `export` is complete at any moment, even after a
//! crash. If a removal fails, the rest keeps its temporary name, and the next run repeats the
//! removal.
//!
//! A deployed export is never changed. A new job's export beside it keeps the name `export.<job
//! id>`, because installed files may contain its path. The stamp names the build's current export.
//!
//! A build that was packed into `<name>.tar.gz` can run again. Its directory is created beside the
//! archive, which remains until the next compaction replaces it.

use std::{
    ffi::OsStr,
    fs::{self, File, TryLockError},
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

use crate::model::stored_names::builds;
use crate::util::state_file;
use crate::{
    model::{
        error::{Error, ErrorKind},
        not_removed::NotRemoved,
    },
    util::{sharing::Sharing, unfinished},
    workspace::{
        aside::{is_aside, rename_aside},
        layout::{Workspace, replace_file},
        mounts::{Mounts, is_mount_point, mounted, real_path},
        remove::remove,
        stamp::{self, ExportPlace, JobStamp},
    },
};

/// The name of an old export while it is being removed.
const REMOVED: &str = "removed";

/// The suffix of a job id in the name of a directory with unpacked files of an archive.
const PACKED: &str = ".packed";

/// The suffix of a job id, before a number, in the name of a directory with copied artifacts.
const COPIES: &str = ".kept-";

/// The time to wait for other users of a build directory.
const LOCK_WAIT: Duration = Duration::from_secs(60);

/// The interval at which to try the lock again.
const LOCK_RETRY_PAUSE: Duration = Duration::from_millis(20);

/// The build of one commit, which may not exist.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    workspace: Workspace,
    name: String,
    dir: PathBuf,
    /// The name of the export in the directory.
    export: String,
}

/// The lock of a build directory. A run locks it exclusively, because it makes a new export;
/// deployments share it. The kernel releases it when the process ends.
#[derive(Debug)]
pub(crate) struct BuildLock {
    folder: File,
}

impl BuildLock {
    /// Returns another descriptor of the same lock, which is held until all of them are closed.
    pub(super) fn share(&self, dir: &Path) -> Result<File, Error> {
        self.folder.try_clone().map_err(|source| Error::io("duplicate the lock of", dir, source))
    }
}

impl Build {
    pub(super) fn new(workspace: &Workspace, name: &str) -> Build {
        let dir = workspace.builds_dir().join(name);
        let export = ExportPlace::USUAL.to_owned();
        let build = Build { workspace: workspace.clone(), name: name.to_owned(), dir, export };
        match build.stamp() {
            Some(stamp) => build.at(stamp.export.name()),
            None => build,
        }
    }

    /// Returns the same build with an export of this name.
    pub(crate) fn at(self, export: &str) -> Build {
        Build { export: export.to_owned(), ..self }
    }

    /// Returns the export's name in the directory.
    pub(crate) fn export_name(&self) -> &str {
        &self.export
    }

    /// Returns the names of the exports in the directory, complete or not. Other names such as
    /// `export.zip` are files of the build.
    pub(crate) fn exports(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let of_run = |name: &str| name.strip_prefix("export.").is_some_and(is_run_id);
        names.filter(|name| name == ExportPlace::USUAL || of_run(name)).collect()
    }

    /// Returns the build directory, which is the value of `<%= target %>`.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Returns the accounts that the build's files are shared with.
    pub(crate) fn sharing(&self) -> Sharing {
        self.workspace.sharing()
    }

    /// Returns the directory's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Returns true if the directory or the archive exists.
    pub(crate) fn exists(&self) -> bool {
        self.dir.exists() || self.archive_path().exists()
    }

    /// Returns when the build was last run, from the stamps of directory and archive.
    pub(crate) fn last_run(&self) -> Option<SystemTime> {
        let stamps = [self.stamp(), self.packed_stamp()].into_iter().flatten();
        stamps.map(|stamp| stamp.time()).max()
    }

    /// Returns when its log was last written, from the directory or the archive.
    pub(crate) fn last_written(&self) -> Option<SystemTime> {
        let time = |path: &Path| fs::symlink_metadata(path).and_then(|it| it.modified()).ok();
        let folder = time(&self.log_path()).or_else(|| time(&self.dir));
        [folder, time(&self.archive_path())].into_iter().flatten().max()
    }

    /// Returns the stamp of the last job in the directory, or `None` if it is missing or damaged.
    /// TinyCI 0.5 wrote none.
    pub(crate) fn stamp(&self) -> Option<JobStamp> {
        JobStamp::read(&self.stamp_path())
    }

    /// Returns the stamp in the archive, which is that of the directory when it was packed.
    pub(crate) fn packed_stamp(&self) -> Option<JobStamp> {
        JobStamp::read_packed(&self.archive_path())
    }

    /// Returns the text of the directory's stamp, of any version.
    pub(crate) fn stamp_text(&self) -> Option<String> {
        stamp::read_text(&self.stamp_path())
    }

    /// Returns the text of the archive's stamp, of any version.
    pub(crate) fn packed_stamp_text(&self) -> Option<String> {
        stamp::read_packed_text(&self.archive_path())
    }

    /// Writes the stamp of a job into the directory and replaces an older one. The caller must have
    /// the directory's exclusive lock.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if it cannot be written. The old stamp remains then.
    pub(crate) fn write_stamp(&self, stamp: &JobStamp) -> Result<(), Error> {
        self.write_stamp_text(&stamp.to_json())
    }

    /// Writes the text of a stamp, of any version.
    ///
    /// # Errors
    ///
    /// As [`write_stamp`](Self::write_stamp).
    pub(crate) fn write_stamp_text(&self, stamp: &str) -> Result<(), Error> {
        let path = self.stamp_path();
        replace_file(&path, format!("{stamp}\n").as_bytes(), self.sharing())
            .map_err(|source| Error::io("write", &path, source))
    }

    /// Removes the stamp, so that the directory's contents belong to no job.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) if it cannot be removed.
    pub(crate) fn remove_stamp(&self) -> Result<(), Error> {
        remove(&self.stamp_path())
    }

    fn stamp_path(&self) -> PathBuf {
        self.dir.join(builds::JOB)
    }

    /// Returns the disk space of directory and archive in bytes, without unreadable parts and
    /// mounts.
    pub(crate) fn disk_bytes(&self, mounts: &Mounts) -> u64 {
        let bytes = |path: &Path| disk_bytes(real_path(path), mounts);
        bytes(&self.dir).saturating_add(bytes(&self.archive_path()))
    }

    /// Returns the export directory, which is the value of `<%= export %>`.
    pub(crate) fn export_dir(&self) -> PathBuf {
        self.dir.join(&self.export)
    }

    /// Returns the path of the log of this commit's jobs.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.dir.join(builds::LOG)
    }

    /// Returns the path of the archive that compaction makes.
    pub(crate) fn archive_path(&self) -> PathBuf {
        self.workspace.builds_dir().join(format!("{}{}", self.name, builds::ARCHIVE))
    }

    /// Creates the build directory and the builds directory, and locks the former exclusively until
    /// the result is dropped.
    ///
    /// Waits for a compaction and for deployments of the same commit. These may wait for this run
    /// themselves, so the wait has a limit.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) if one of them is a link; [`Io`](ErrorKind::Io) if
    /// one cannot be created, or something is mounted there; [`Busy`](ErrorKind::Busy) if the lock
    /// is not released in time; [`Canceled`](ErrorKind::Canceled).
    pub(crate) fn prepare(&self, is_canceled: &dyn Fn() -> bool) -> Result<BuildLock, Error> {
        let build_lock = self.lock_dir(is_canceled, |folder| folder.try_lock())?;
        unfinished::remove_abandoned(&self.dir);
        // An `export` in a mounted directory must not be replaced.
        if is_mount_point(&self.dir) {
            return Err(mounted(&self.dir, 0));
        }
        Ok(build_lock)
    }

    /// Creates and locks the directory for a deployment. Deployments of the same commit can share
    /// the lock. Waits for a compaction and for a run of the commit.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    pub(crate) fn share(&self, is_canceled: &dyn Fn() -> bool) -> Result<BuildLock, Error> {
        self.lock_dir(is_canceled, |folder| folder.try_lock_shared())
    }

    fn lock_dir(
        &self,
        is_canceled: &dyn Fn() -> bool,
        lock: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<BuildLock, Error> {
        let failed = |source| Error::io("lock the build directory", &self.dir, source);
        let started = Instant::now();
        loop {
            self.workspace.prepare()?;
            self.workspace.make_real_dir(&self.dir)?;
            let folder = state_file::open_dir(&self.dir).map_err(failed)?;
            match lock(&folder) {
                // A compaction may have locked and removed the directory in the meantime.
                Ok(()) if self.is_same_dir(&folder).map_err(failed)? => {
                    return Ok(BuildLock { folder });
                }
                Ok(()) => continue,
                Err(TryLockError::Error(error)) => return Err(failed(error)),
                Err(TryLockError::WouldBlock) => {}
            }
            if is_canceled() {
                let message = "canceled while waiting for the build directory";
                return Err(Error::new(ErrorKind::Canceled, message));
            }
            if started.elapsed() >= LOCK_WAIT {
                let message = format!("`{}` is in use; try again later", self.dir.display());
                return Err(Error::new(ErrorKind::Busy, message).with_path(&self.dir));
            }
            thread::sleep(LOCK_RETRY_PAUSE);
        }
    }

    /// Locks the directory exclusively for a compaction.
    ///
    /// Returns `None` if a run uses it or it does not exist.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if it cannot be opened or locked.
    pub(crate) fn take(&self) -> Result<Option<BuildLock>, Error> {
        let failed = |source| Error::io("lock the build directory", &self.dir, source);
        let folder = match state_file::open_dir(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            folder => folder.map_err(failed)?,
        };
        match folder.try_lock() {
            Ok(()) if self.is_same_dir(&folder).map_err(failed)? => Ok(Some(BuildLock { folder })),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Returns true if the path still names this open directory.
    fn is_same_dir(&self, folder: &File) -> io::Result<bool> {
        let open = folder.metadata()?;
        match fs::symlink_metadata(&self.dir) {
            Ok(metadata) => Ok((metadata.dev(), metadata.ino()) == (open.dev(), open.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Returns the path of this job's export while it is incomplete.
    pub(crate) fn export_temp(&self, run: &str) -> PathBuf {
        self.dir.join(Self::name_beside(run))
    }

    /// Returns the name of a job's export while it is incomplete. Beside a deployed export, it
    /// keeps this name.
    pub(crate) fn name_beside(run: &str) -> String {
        format!("export.{run}")
    }

    /// Returns the name of the directory with the artifacts that a call of this job copies.
    pub(super) fn name_of_copies(run: &str, call: u32) -> String {
        format!("export.{run}{COPIES}{call}")
    }

    /// Returns the path to which this job unpacks the build's archive.
    pub(crate) fn packed_temp(&self, run: &str) -> PathBuf {
        self.dir.join(format!("export.{run}{PACKED}"))
    }

    /// Makes the export of this job the build's export, and replaces an older one.
    ///
    /// Returns what could not be removed of the old one, which has a temporary name.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the old or the new export cannot be renamed.
    pub(crate) fn publish(&self, run: &str) -> Result<Option<NotRemoved>, Error> {
        let (new, export) = (self.export_temp(run), self.export_dir());
        if new == export {
            return Ok(None);
        }
        let aside = self.move_aside()?;
        fs::rename(&new, &export)
            .map_err(|source| Error::io("move the finished export to", &export, source))?;
        Ok(aside.and_then(try_remove))
    }

    /// Removes the exports and the unfinished files of killed jobs, except the names in `kept`. Log
    /// and artifacts remain.
    ///
    /// Returns what could not be removed, which has a temporary name.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if an export cannot be renamed or the directory cannot be read.
    pub(crate) fn clean(&self, kept: &[String]) -> Result<Vec<NotRemoved>, Error> {
        let failed = |source| Error::io("clean the build directory", &self.dir, source);
        match fs::symlink_metadata(&self.dir) {
            Ok(metadata) if metadata.is_dir() => {}
            Ok(_) => return self.workspace.make_real_dir(&self.dir).map(|()| Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        }
        let is_kept = |name: &str| kept.iter().any(|it| it == name);
        let default_export = self.clone().at(ExportPlace::USUAL);
        for export in [self, &default_export].into_iter().filter(|it| !is_kept(it.export_name())) {
            export.move_aside()?;
        }
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if is_unfinished_export(&name) && !name.to_str().is_some_and(is_kept) {
                left.extend(try_remove(self.dir.join(name)));
            }
        }
        Ok(left)
    }

    /// Removes only this export. Returns what could not be removed, which has a temporary name.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if it cannot be renamed.
    pub(crate) fn discard(&self) -> Result<Option<NotRemoved>, Error> {
        Ok(self.move_aside()?.and_then(try_remove))
    }

    /// Renames the old export to a temporary name and returns its path. A link in its place is
    /// renamed as a link. Mounts below it are unaffected.
    fn move_aside(&self) -> Result<Option<PathBuf>, Error> {
        let export = self.export_dir();
        match rename_aside(&export, &self.export_temp(REMOVED)) {
            Ok(aside) => Ok(Some(aside)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) if is_mount_point(&export) => Err(mounted(&export, 0)),
            Err(error) => Err(Error::io("rename the old export", &export, error)),
        }
    }
}

fn try_remove(path: PathBuf) -> Option<NotRemoved> {
    remove(&path).err().map(|error| NotRemoved::new(path, &error))
}

/// Returns the disk space of a tree in bytes. Does not follow links and ignores unreadable parts.
fn disk_bytes(path: PathBuf, mounts: &Mounts) -> u64 {
    let mut bytes: u64 = 0;
    let mut left = vec![path];
    while let Some(path) = left.pop() {
        if mounts.contains(&path) {
            continue;
        }
        let Ok(metadata) = fs::symlink_metadata(&path) else { continue };
        bytes = bytes.saturating_add(metadata.blocks().saturating_mul(512));
        if metadata.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| entry.path()));
        }
    }
    bytes
}

/// Returns true if this is the name of an old or an unfinished export: `export.` followed by
/// `removed` or a job id. Other names such as `export.zip` are files of the build.
fn is_unfinished_export(name: &OsStr) -> bool {
    let Some(suffix) = name.to_str().and_then(|name| name.strip_prefix("export.")) else {
        return false;
    };
    let copies = suffix.split_once(COPIES).filter(|(_, call)| call.parse::<u32>().is_ok());
    let run = copies.map_or(suffix, |(run, _)| run);
    is_old_export(name) || is_run_id(run.strip_suffix(PACKED).unwrap_or(run))
}

/// Returns true if this is the name of an export that is being removed and no longer part of the
/// build.
pub(crate) fn is_old_export(name: &OsStr) -> bool {
    let suffix = name.to_str().and_then(|name| name.strip_prefix("export."));
    suffix.is_some_and(|suffix| is_aside(suffix, REMOVED))
}

/// Returns true if this has the form of a job id, `20261130T094058Z-00f1e2d3c4b5a697`.
pub(super) fn is_run_id(text: &str) -> bool {
    let shape: String = text.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
    let Some(("00000000T000000Z", random)) = shape.split_once('-') else { return false };
    random.len() == 16 && random.bytes().all(|it| it.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    fn build(repo: &TestRepo) -> Build {
        let name = "1500000060_f40785cbc4422f39c36118fbae071932774cb5b6";
        Workspace::new(repo.path(), None, repo.path()).build(name)
    }

    fn write_export(build: &Build, run: &str, text: &str) {
        fs::create_dir(build.export_temp(run)).unwrap();
        fs::write(build.export_temp(run).join("file"), text).unwrap();
    }

    fn entries(dir: &Path) -> Vec<String> {
        let entries = fs::read_dir(dir).unwrap();
        let mut names: Vec<_> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    #[test]
    fn an_export_is_replaced_only_by_a_whole_one() {
        let repo = TestRepo::bare();
        let build = build(&repo);
        build.prepare(&|| false).unwrap();
        write_export(&build, "1", "first");
        build.publish("1").unwrap();
        write_export(&build, "2", "second");
        let file = build.export_dir().join("file");
        assert_eq!(fs::read_to_string(&file).unwrap(), "first", "as long as it is being written");
        build.publish("2").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "second");
        assert_eq!(entries(build.dir()), ["export"]);
        assert_eq!(build.publish("3").unwrap_err().kind(), ErrorKind::Io);
    }

    #[test]
    fn clean_takes_exports_of_every_kind_and_leaves_the_rest() {
        let repo = TestRepo::bare();
        let build = build(&repo);
        build.clean(&[]).unwrap();
        build.prepare(&|| false).unwrap();
        write_export(&build, "1", "whole");
        build.publish("1").unwrap();
        let run = "20261130T094058Z-00f1e2d3c4b5a697";
        let own_names =
            [format!("{run}.packed"), format!("{run}.kept-0"), format!("{run}.kept-12")];
        for name in own_names.iter().map(String::as_str).chain([run, "removed", "removed-2"]) {
            write_export(&build, name, "left by a killed run");
        }
        fs::write(build.log_path(), "log").unwrap();
        fs::write(build.archive_path(), "archive").unwrap();
        let kept = [
            "artifacts",
            "export.kept-1",
            "export.removed.zip",
            "export.tar",
            "export.zip",
            "exports",
        ];
        kept.iter().for_each(|name| fs::create_dir(build.dir().join(name)).unwrap());
        assert_eq!(build.clean(&[]).unwrap(), []);
        assert_eq!(entries(build.dir()), [&kept[..], &["tinyci.log"]].concat());
        assert!(build.archive_path().exists(), "an archive is never lost to a new run");
    }

    #[test]
    fn what_is_kept_stays_and_the_stamp_says_which_export_is_the_builds() {
        let repo = TestRepo::bare();
        let first = build(&repo);
        first.prepare(&|| false).unwrap();
        write_export(&first, "1", "deployed");
        first.publish("1").unwrap();
        let kept = [ExportPlace::USUAL.to_owned()];
        let second = first.clone().at(&Build::name_beside("2"));
        second.clean(&kept).unwrap();
        write_export(&second, "2", "beside");
        second.publish("2").unwrap();
        assert_eq!(entries(second.dir()), ["export", "export.2"]);
        let now = std::time::UNIX_EPOCH;
        let export = ExportPlace::named("export.2");
        let started = JobStamp::begun("2".into(), now, export);
        let stamp = JobStamp { finished: Some(now), ..started };
        second.write_stamp(&stamp).unwrap();
        assert_eq!(build(&repo).export_dir(), second.export_dir());
        let text = |build: &Build| fs::read_to_string(build.export_dir().join("file")).unwrap();
        assert_eq!((text(&first), text(&second)), ("deployed".into(), "beside".into()));
        second.discard().unwrap();
        assert_eq!(entries(second.dir()), ["export", "job.json"]);
        second.clean(&[]).unwrap();
        assert_eq!(entries(second.dir()), ["job.json"]);
    }

    #[test]
    fn links_in_place_of_a_folder_or_an_export_are_never_followed() {
        let repo = TestRepo::bare();
        let build = build(&repo);
        let victim = repo.outside().join("victim");
        fs::create_dir(&victim).unwrap();
        fs::write(victim.join("export.1"), "kept").unwrap();

        fs::create_dir(repo.path().join("builds")).unwrap();
        std::os::unix::fs::symlink(&victim, build.dir()).unwrap();
        for refused in [build.prepare(&|| false).map(drop), build.clean(&[]).map(drop)] {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Unsupported);
        }
        fs::remove_file(build.dir()).unwrap();
        build.prepare(&|| false).unwrap();
        std::os::unix::fs::symlink(&victim, build.export_dir()).unwrap();
        build.clean(&[]).unwrap();
        assert!(entries(build.dir()).is_empty());
        assert_eq!(entries(&victim), ["export.1"]);
    }
}
