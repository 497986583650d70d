//! [`JobStamp`]: the identity of the job that made a build, stored in the build itself.
//!
//! The stamp is the file `job.json` beside the export. A compaction copies it into the archive's
//! header, so that it can be read without unpacking. Modification times are not reliable: a copy, a
//! backup or a command of the build changes them.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
    time::SystemTime,
};

use flate2::bufread::GzDecoder;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::model::{stored_names::builds, unknown_fields::UnknownFields};
use crate::util::state_file;
use crate::wire;

/// The size limit of a stamp, in bytes. A build can replace the stamp with a larger file.
const STAMP_BYTES_MAX: u64 = 4096;

/// The job that made a build.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct JobStamp {
    /// The job's id, as in its record.
    pub(crate) job_id: String,
    pub(crate) started: SystemTime,
    /// When the job ended with a verdict, as in its record.
    ///
    /// `None` while it runs, and for jobs that were canceled, were killed or had an error. What
    /// these left does not count as a build.
    pub(crate) finished: Option<SystemTime>,
    /// The job's export in the build directory.
    pub(crate) export: ExportPlace,
    /// The fields of a newer version.
    pub(crate) unknown_fields: UnknownFields,
}

/// The place of an export in a build directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum ExportPlace {
    /// The usual name, `export`.
    #[default]
    Usual,
    /// This name, because the usual one is that of a deployed export.
    Beside(String),
    /// No place: the job's script removed the export.
    Discarded,
}

impl ExportPlace {
    /// The usual name of an export.
    pub(crate) const USUAL: &str = builds::EXPORT;

    /// Returns the place with this name.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            Self::USUAL => Self::Usual,
            other => Self::Beside(other.to_owned()),
        }
    }

    /// Returns the name in the directory; the usual one for a removed export.
    pub(crate) fn name(&self) -> &str {
        match self {
            Self::Beside(name) => name,
            Self::Usual | Self::Discarded => Self::USUAL,
        }
    }
}

/// Returns true if a name is that of an export, and not a path to something else.
fn is_export_name(name: &str) -> bool {
    let beside = name.strip_prefix("export.").is_some_and(|rest| !rest.is_empty());
    (name == ExportPlace::USUAL || beside) && !name.contains('/')
}

#[derive(Serialize, Deserialize)]
struct StampJson {
    v: u32,
    job_id: String,
    started: wire::Time,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    finished: Option<wire::Time>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    export: Option<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    discarded: bool,
    /// The fields of a newer version.
    #[serde(flatten)]
    unknown: Map<String, Value>,
}

impl JobStamp {
    /// Makes the stamp of a job that has started and not finished.
    pub(crate) fn begun(job_id: String, started: SystemTime, export: ExportPlace) -> Self {
        Self { job_id, started, finished: None, export, unknown_fields: UnknownFields::default() }
    }

    /// Returns when the build was last run.
    pub(super) fn time(&self) -> SystemTime {
        self.finished.unwrap_or(self.started)
    }

    /// Returns the stamp as one line of JSON.
    pub(crate) fn to_json(&self) -> String {
        wire::json(&StampJson {
            v: wire::VERSION,
            job_id: self.job_id.clone(),
            started: wire::Time(self.started),
            finished: self.finished.map(wire::Time),
            export: match &self.export {
                ExportPlace::Beside(name) => Some(name.clone()),
                ExportPlace::Usual | ExportPlace::Discarded => None,
            },
            discarded: self.export == ExportPlace::Discarded,
            unknown: wire::unknown::fields_to_json(&self.unknown_fields),
        })
    }

    fn from_json(text: &[u8]) -> Option<Self> {
        let StampJson { v, job_id, started, finished, export, discarded, unknown } =
            serde_json::from_slice(text).ok()?;
        let known = v == wire::VERSION && export.as_deref().is_none_or(is_export_name);
        let export = match export {
            _ if discarded => ExportPlace::Discarded,
            Some(name) => ExportPlace::named(&name),
            None => ExportPlace::Usual,
        };
        let finished = finished.map(|time| time.0);
        let unknown_fields = wire::unknown::fields_from_json(unknown);
        known.then_some(Self { job_id, started: started.0, finished, export, unknown_fields })
    }

    /// Reads the stamp in this file, or returns `None` if it is missing or invalid.
    pub(super) fn read(path: &Path) -> Option<Self> {
        Self::from_json(read_text(path)?.as_bytes())
    }

    /// Reads the stamp in this archive's header, or returns `None` if it is missing or invalid.
    pub(super) fn read_packed(path: &Path) -> Option<Self> {
        Self::from_json(read_packed_text(path)?.as_bytes())
    }
}

/// Returns the text of the stamp in this file, of any version. Stamps are copied unchanged.
pub(super) fn read_text(path: &Path) -> Option<String> {
    let mut text = Vec::new();
    regular_file(path)?.take(STAMP_BYTES_MAX).read_to_end(&mut text).ok()?;
    stamp_text(&text)
}

/// Returns the text of the stamp in this archive's header, of any version.
pub(super) fn read_packed_text(path: &Path) -> Option<String> {
    let file = BufReader::new(regular_file(path)?);
    stamp_text(GzDecoder::new(file).header()?.comment()?)
}

/// Returns the text if it is a JSON object in one line, as a stamp of any version is.
fn stamp_text(text: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(text).ok()?.trim_end();
    let is_object = serde_json::from_str::<Map<String, Value>>(text).is_ok();
    (is_object && !text.contains('\n')).then(|| text.to_owned())
}

/// Opens a file for reading. Does not follow a link and does not block on a pipe, because a build
/// can put anything there.
fn regular_file(path: &Path) -> Option<File> {
    state_file::open(path).ok()
}

#[cfg(test)]
mod tests {
    use std::{
        fs,
        time::{Duration, UNIX_EPOCH},
    };

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    fn stamp(finished: Option<u64>) -> JobStamp {
        let at = |ms| UNIX_EPOCH + Duration::from_millis(1_795_549_798_000 + ms);
        let begun = JobStamp::begun("r1".to_owned(), at(123), ExportPlace::Usual);
        JobStamp { finished: finished.map(at), ..begun }
    }

    #[test]
    fn a_stamp_comes_back_as_it_was_written() {
        let begun = r#"{"v":1,"job_id":"r1","started":"2026-11-24T19:49:58.123Z"}"#;
        assert_eq!(stamp(None).to_json(), begun);
        let beside = ExportPlace::Beside("export.r1".to_owned());
        let others = [beside, ExportPlace::Discarded];
        let others = others.map(|export| JobStamp { export, ..stamp(Some(1)) });
        for stamp in [stamp(None), stamp(Some(2_500))].into_iter().chain(others) {
            assert_eq!(JobStamp::from_json(stamp.to_json().as_bytes()), Some(stamp));
        }
    }

    #[test]
    fn what_a_newer_version_wrote_is_kept() {
        let newer = r#"{"v":1,"job_id":"r1","started":"2026-11-24T19:49:58.123Z","mood":[1]}"#;
        let read = JobStamp::from_json(newer.as_bytes()).unwrap();
        assert_eq!(read.to_json(), newer);

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.json");
        let unknown = newer.replace(r#""v":1"#, r#""v":2"#);
        fs::write(&path, format!("{unknown}\n")).unwrap();
        assert_eq!((JobStamp::read(&path), read_text(&path)), (None, Some(unknown)));
    }

    #[test]
    fn whatever_else_stands_in_its_place_is_no_stamp() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("job.json");
        assert_eq!(JobStamp::read(&path), None, "nothing");
        let whole = stamp(Some(1)).to_json();
        let cut = &whole[..whole.len() - 1];
        let newer = whole.replace(r#""v":1"#, r#""v":2"#);
        let padded = format!("{}{whole}", " ".repeat(1 << 20));
        let led_out = whole.replace('}', r#","export":"export.x/../../y"}"#);
        let other = whole.replace('}', r#","export":"tinyci.log"}"#);
        let without = r#"{"v":1,"job_id":"r1"}"#;
        for text in ["", "job", cut, &newer, &padded, without, &led_out, &other] {
            fs::write(&path, text).unwrap();
            assert_eq!(JobStamp::read(&path), None, "{text}");
            assert_eq!(JobStamp::read_packed(&path), None, "{text}");
        }
        fs::write(&path, &whole).unwrap();
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert_eq!(JobStamp::read(&path), Some(stamp(Some(1))));
        assert_eq!(JobStamp::read(&link), None, "a link is not followed");
        let pipe = dir.path().join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR, 0).unwrap();
        assert_eq!(JobStamp::read(&pipe), None, "and a pipe is not waited for");
        assert_eq!(JobStamp::read(dir.path()), None, "a folder");
    }
}
