//! [`Build`]: one commit's folder, and the life of the export in it.
//!
//! An export is written as `export.<run>` and renamed once it is whole; an old one is renamed away
//! before the first of its files goes. So `export` is whole at any moment, a crash included. What
//! does not go stands aside under such a name: it is in nobody's way, and the next run tries again.
//! What is deployed is never touched: the export of a job beside it keeps the name `export.<run>`, since
//! what commands install may hold its path, and the stamp says which one is the build's.
//!
//! A build that was compacted to `<name>.tar.gz` can be run again: the folder comes into being
//! anew beside the archive, which stays as it is until the next compaction replaces it.

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

/// What an old export is called while it is being removed.
const REMOVED: &str = "removed";

/// What follows a run's id in the name of what it takes out of an archive.
const PACKED: &str = ".packed";

/// What follows it, before a number, in the name of what it copies to keep it.
const COPIES: &str = ".kept-";

/// How long to wait for others who work in a build folder.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often to look whether they have left it.
const PAUSE: Duration = Duration::from_millis(20);

/// The place of one commit's build, whether it exists or not.
#[derive(Clone, Debug)]
pub(crate) struct Build {
    workspace: Workspace,
    name: String,
    dir: PathBuf,
    /// What the export is called in it.
    export: String,
}

/// A build folder that somebody works in. A run has it alone, since it makes the export anew;
/// deployments share it. The kernel ends it with its process.
#[derive(Debug)]
pub(crate) struct BuildLock {
    folder: File,
}

impl BuildLock {
    /// Another descriptor of the same lock, which lasts until all of them are closed.
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

    /// The same build with an export of this name.
    pub(crate) fn at(self, export: &str) -> Build {
        Build { export: export.to_owned(), ..self }
    }

    /// What the export is called in the folder.
    pub(crate) fn export_name(&self) -> &str {
        &self.export
    }

    /// The names of the exports in the folder, whole or not. A build may call a file of its own
    /// `export.zip`.
    pub(crate) fn exports(&self) -> Vec<String> {
        let entries = fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let of_run = |name: &str| name.strip_prefix("export.").is_some_and(is_run_id);
        names.filter(|name| name == ExportPlace::USUAL || of_run(name)).collect()
    }

    /// The folder: what `<%= target %>` stands for.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Which other accounts may use what is written here.
    pub(crate) fn sharing(&self) -> Sharing {
        self.workspace.sharing()
    }

    /// The folder's name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is anything of it: a folder or an archive.
    pub(crate) fn exists(&self) -> bool {
        self.dir.exists() || self.archive_path().exists()
    }

    /// When it was last run, by what jobs wrote into folder and archive; none where none did.
    pub(crate) fn last_run(&self) -> Option<SystemTime> {
        let stamps = [self.stamp(), self.packed_stamp()].into_iter().flatten();
        stamps.map(|stamp| stamp.time()).max()
    }

    /// When its log was last written to, as far as folder or archive tell.
    pub(crate) fn last_written(&self) -> Option<SystemTime> {
        let time = |path: &Path| fs::symlink_metadata(path).and_then(|it| it.modified()).ok();
        let folder = time(&self.log_path()).or_else(|| time(&self.dir));
        [folder, time(&self.archive_path())].into_iter().flatten().max()
    }

    /// What the last job wrote into the folder; none if none did (TinyCI 0.5 did not), or if that is
    /// damaged.
    pub(crate) fn stamp(&self) -> Option<JobStamp> {
        JobStamp::read(&self.stamp_path())
    }

    /// The same of the archive, as the folder had it when it was packed.
    pub(crate) fn packed_stamp(&self) -> Option<JobStamp> {
        JobStamp::read_packed(&self.archive_path())
    }

    /// The text of the folder's stamp, of whichever version.
    pub(crate) fn stamp_text(&self) -> Option<String> {
        stamp::read_text(&self.stamp_path())
    }

    /// The text of the archive's stamp, of whichever version.
    pub(crate) fn packed_stamp_text(&self) -> Option<String> {
        stamp::read_packed_text(&self.archive_path())
    }

    /// Writes into the folder which job it is of, in the place of an older one. The caller has the
    /// folder to itself.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where it cannot be written: then what was there stands.
    pub(crate) fn write_stamp(&self, stamp: &JobStamp) -> Result<(), Error> {
        self.write_stamp_text(&stamp.to_json())
    }

    /// The same with the text of a stamp, of whichever version.
    ///
    /// # Errors
    ///
    /// As [`write_stamp`](Self::write_stamp).
    pub(crate) fn write_stamp_text(&self, stamp: &str) -> Result<(), Error> {
        let path = self.stamp_path();
        replace_file(&path, format!("{stamp}\n").as_bytes(), self.sharing())
            .map_err(|source| Error::io("write", &path, source))
    }

    /// Takes the stamp away: what will stand in the folder is of no job.
    ///
    /// # Errors
    ///
    /// [`Io`](ErrorKind::Io) where it does not go.
    pub(crate) fn remove_stamp(&self) -> Result<(), Error> {
        remove(&self.stamp_path())
    }

    fn stamp_path(&self) -> PathBuf {
        self.dir.join(builds::JOB)
    }

    /// How many bytes folder and archive take on the disk, as far as they can be read, without
    /// what is mounted in the folder.
    pub(crate) fn disk_bytes(&self, mounts: &Mounts) -> u64 {
        let bytes = |path: &Path| disk_bytes(real_path(path), mounts);
        bytes(&self.dir).saturating_add(bytes(&self.archive_path()))
    }

    /// The commit's tree as files: what `<%= export %>` stands for.
    pub(crate) fn export_dir(&self) -> PathBuf {
        self.dir.join(&self.export)
    }

    /// The log of this commit's runs.
    pub(crate) fn log_path(&self) -> PathBuf {
        self.dir.join(builds::LOG)
    }

    /// The archive that compaction makes of the folder.
    pub(crate) fn archive_path(&self) -> PathBuf {
        self.workspace.builds_dir().join(format!("{}{}", self.name, builds::ARCHIVE))
    }

    /// Makes the folder, and the one around it, and has it alone for as long as the result lives.
    /// Waits for a compaction, and for deployments of the same commit, which may themselves wait
    /// for this run: so not without end.
    ///
    /// # Errors
    ///
    /// [`Unsupported`](ErrorKind::Unsupported) where a link stands in the place of one,
    /// [`Io`](ErrorKind::Io) where one cannot be made or something is mounted in its place,
    /// [`Busy`](ErrorKind::Busy) where others keep it, [`Canceled`](ErrorKind::Canceled).
    pub(crate) fn prepare(&self, is_canceled: &dyn Fn() -> bool) -> Result<BuildLock, Error> {
        let occupied = self.occupy(is_canceled, |folder| folder.try_lock())?;
        unfinished::remove_abandoned(&self.dir);
        // An `export` in there would not be ours to replace.
        if is_mount_point(&self.dir) {
            return Err(mounted(&self.dir, 0));
        }
        Ok(occupied)
    }

    /// The same for a deployment, which others of the same commit may share. Waits for a
    /// compaction, and for a run of the commit.
    ///
    /// # Errors
    ///
    /// As [`prepare`](Self::prepare).
    pub(crate) fn share(&self, is_canceled: &dyn Fn() -> bool) -> Result<BuildLock, Error> {
        self.occupy(is_canceled, |folder| folder.try_lock_shared())
    }

    fn occupy(
        &self,
        is_canceled: &dyn Fn() -> bool,
        lock: fn(&File) -> Result<(), TryLockError>,
    ) -> Result<BuildLock, Error> {
        let failed = |source| Error::io("lock the build directory", &self.dir, source);
        let begun = Instant::now();
        loop {
            self.workspace.prepare()?;
            self.workspace.make_real_dir(&self.dir)?;
            let folder = File::open(&self.dir).map_err(failed)?;
            match lock(&folder) {
                // A compaction may have had it meanwhile, and taken it away.
                Ok(()) if self.is(&folder).map_err(failed)? => {
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
            if begun.elapsed() >= PATIENCE {
                let message = format!("`{}` is in use; try again later", self.dir.display());
                return Err(Error::new(ErrorKind::Busy, message).with_path(&self.dir));
            }
            thread::sleep(PAUSE);
        }
    }

    /// Takes the folder for a compaction, which no run may share; none where a run is in it, or
    /// where there is none.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) where it cannot be opened or locked.
    pub(crate) fn take(&self) -> Result<Option<BuildLock>, Error> {
        let failed = |source| Error::io("lock the build directory", &self.dir, source);
        let folder = match File::open(&self.dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            folder => folder.map_err(failed)?,
        };
        match folder.try_lock() {
            Ok(()) if self.is(&folder).map_err(failed)? => Ok(Some(BuildLock { folder })),
            Ok(()) | Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(failed(error)),
        }
    }

    /// Whether this open folder is still the one that the path names.
    fn is(&self, folder: &File) -> io::Result<bool> {
        let open = folder.metadata()?;
        match fs::symlink_metadata(&self.dir) {
            Ok(there) => Ok((there.dev(), there.ino()) == (open.dev(), open.ino())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Where the export of this run is written before it is whole.
    pub(crate) fn export_temp(&self, run: &str) -> PathBuf {
        self.dir.join(Self::name_beside(run))
    }

    /// What the export of a run is called until it is whole, and for good beside one that is
    /// deployed.
    pub(crate) fn name_beside(run: &str) -> String {
        format!("export.{run}")
    }

    /// Where a call of this run copies what it keeps, before that is whole.
    pub(super) fn name_of_copies(run: &str, call: u32) -> String {
        format!("export.{run}{COPIES}{call}")
    }

    /// Where this run unpacks the build's archive.
    pub(crate) fn packed_temp(&self, run: &str) -> PathBuf {
        self.dir.join(format!("export.{run}{PACKED}"))
    }

    /// Makes the export of this run the build's export, in the place of an older one. Returns what
    /// does not go of that: it stands aside.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if the older one or the new one cannot be renamed.
    pub(crate) fn publish(&self, run: &str) -> Result<Option<NotRemoved>, Error> {
        let (new, export) = (self.export_temp(run), self.export_dir());
        if new == export {
            return Ok(None);
        }
        let aside = self.retire()?;
        fs::rename(&new, &export)
            .map_err(|source| Error::io("move the finished export to", &export, source))?;
        Ok(aside.and_then(remove_or_tell))
    }

    /// Removes the exports, and what killed runs left of theirs, but those of the names in `kept`.
    /// Log and artifacts stay. Returns what does not go: it is in nobody's way, since all of it stands
    /// aside.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if an export cannot be renamed, or the folder not be read.
    pub(crate) fn clean(&self, kept: &[String]) -> Result<Vec<NotRemoved>, Error> {
        let failed = |source| Error::io("clean the build directory", &self.dir, source);
        match fs::symlink_metadata(&self.dir) {
            Ok(there) if there.is_dir() => {}
            Ok(_) => return self.workspace.make_real_dir(&self.dir).map(|()| Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        }
        let is_kept = |name: &str| kept.iter().any(|it| it == name);
        let usual = self.clone().at(ExportPlace::USUAL);
        for own in [self, &usual].into_iter().filter(|it| !is_kept(it.export_name())) {
            own.retire()?;
        }
        let mut left = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let name = entry.map_err(failed)?.file_name();
            if is_unfinished_export(&name) && !name.to_str().is_some_and(is_kept) {
                left.extend(remove_or_tell(self.dir.join(name)));
            }
        }
        Ok(left)
    }

    /// Removes the export, and no other one. Returns what does not go of it: it stands aside.
    ///
    /// # Errors
    ///
    /// [`Io`](crate::ErrorKind::Io) if it cannot be renamed.
    pub(crate) fn discard(&self) -> Result<Option<NotRemoved>, Error> {
        Ok(self.retire()?.and_then(remove_or_tell))
    }

    /// Renames the old export aside, whatever it is: a link that took its place goes as a link.
    /// What is mounted below it comes along untouched. Returns where it is now.
    fn retire(&self) -> Result<Option<PathBuf>, Error> {
        let export = self.export_dir();
        match rename_aside(&export, &self.export_temp(REMOVED)) {
            Ok(aside) => Ok(Some(aside)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(_) if is_mount_point(&export) => Err(mounted(&export, 0)),
            Err(error) => Err(Error::io("rename the old export", &export, error)),
        }
    }
}

fn remove_or_tell(path: PathBuf) -> Option<NotRemoved> {
    remove(&path).err().map(|error| NotRemoved::new(path, &error))
}

/// What a tree takes on the disk. Links are not followed, and what cannot be read takes nothing.
fn disk_bytes(path: PathBuf, mounts: &Mounts) -> u64 {
    let mut bytes: u64 = 0;
    let mut left = vec![path];
    while let Some(path) = left.pop() {
        if mounts.contains(&path) {
            continue;
        }
        let Ok(there) = fs::symlink_metadata(&path) else { continue };
        bytes = bytes.saturating_add(there.blocks().saturating_mul(512));
        if there.is_dir() {
            let entries = fs::read_dir(&path).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| entry.path()));
        }
    }
    bytes
}

/// Whether this is the name of an old export, or of one that a run has not finished: `export.`, and
/// `removed` or the run's id. A build may call a file of its own `export.zip`.
fn is_unfinished_export(name: &OsStr) -> bool {
    let Some(of) = name.to_str().and_then(|name| name.strip_prefix("export.")) else {
        return false;
    };
    let copies = of.split_once(COPIES).filter(|(_, call)| call.parse::<u32>().is_ok());
    let run = copies.map_or(of, |(run, _)| run);
    is_old_export(name) || is_run_id(run.strip_suffix(PACKED).unwrap_or(run))
}

/// Whether this is the name of an old export that is being removed: no part of the build any more.
pub(crate) fn is_old_export(name: &OsStr) -> bool {
    let of = name.to_str().and_then(|name| name.strip_prefix("export."));
    of.is_some_and(|of| is_aside(of, REMOVED))
}

/// Whether this has the form of a run's id, `20261130T094058Z-00f1e2d3c4b5a697`.
pub(super) fn is_run_id(text: &str) -> bool {
    let form: String = text.chars().map(|it| if it.is_ascii_digit() { '0' } else { it }).collect();
    let Some(("00000000T000000Z", random)) = form.split_once('-') else { return false };
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
        let own = [format!("{run}.packed"), format!("{run}.kept-0"), format!("{run}.kept-12")];
        for name in own.iter().map(String::as_str).chain([run, "removed", "removed-2"]) {
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
        let begun = JobStamp::begun("2".into(), now, export);
        let stamp = JobStamp { finished: Some(now), ..begun };
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
