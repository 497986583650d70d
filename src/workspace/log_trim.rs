//! Removes the oldest part of a log: copies the newest part, and renames the copy over the log.
//!
//! A trimmed log begins with a line that gives the number of bytes that were removed in all. It
//! shows users that something is missing. A follower uses it to find its position in the new file.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
    time::SystemTime,
};

use jiff::tz::TimeZone;

use crate::util::state_file;
use crate::workspace::line::LineFormatter;

/// The number of bytes by which the cut may move to the start of a line.
const LINE_BYTES_MAX: u64 = 64 << 10;

const WORDS: &str = " bytes of older lines were cut off here";

/// The contents of a trimmed log's first line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heading {
    /// The length of that line with its newline, or 0 in a log that was never trimmed.
    pub(super) bytes: u64,
    /// The number of bytes that were removed before the line that follows.
    pub(super) cut: u64,
}

impl Heading {
    /// Reads the heading of a log. Changes the file's position.
    pub(super) fn read(file: &mut File) -> io::Result<Heading> {
        file.seek(SeekFrom::Start(0))?;
        let mut line = Vec::new();
        BufReader::new(file.take(100)).read_until(b'\n', &mut line)?;
        Ok(Heading::parse(&line).unwrap_or_default())
    }

    fn parse(line: &[u8]) -> Option<Heading> {
        let text = std::str::from_utf8(line).ok()?.strip_suffix('\n')?;
        let (_time, text) = text.split_once("] ")?;
        let cut = text.strip_suffix(WORDS)?.parse().ok()?;
        Some(Heading { bytes: line.len() as u64, cut })
    }
}

/// Trims a log to about its last `keep` bytes. No process may write to it meanwhile. The heading
/// gives the time in this zone.
pub(super) fn cut_oldest(path: &Path, keep: u64, zone: &TimeZone) -> io::Result<()> {
    let mut old = state_file::open(path)?;
    let heading = Heading::read(&mut old)?;
    let end = old.metadata()?.len();
    let start = line_start(&mut old, end.saturating_sub(keep).max(heading.bytes))?;

    let mut text = Vec::new();
    let cut = heading.cut + (start - heading.bytes);
    let mut line = LineFormatter::new(zone.clone(), None);
    line.line(&format!("{cut}{WORDS}"), SystemTime::now(), &mut text);
    let mut new_path = path.as_os_str().to_owned();
    new_path.push(".new");
    let new = write_rest(Path::new(&new_path), &text, old, start);
    let done = new.and_then(|()| fs::rename(&new_path, path));
    if done.is_err() {
        // The disk is probably full, so remove the incomplete copy.
        let _ = fs::remove_file(&new_path);
    }
    done
}

fn write_rest(path: &Path, heading: &[u8], mut old: File, start: u64) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut new = File::options().write(true).create_new(true).open(path)?;
    new.set_permissions(old.metadata()?.permissions())?;
    new.write_all(heading)?;
    old.seek(SeekFrom::Start(start))?;
    io::copy(&mut old, &mut new)?;
    Ok(())
}

/// Returns the start of the next line at or after this position, if it is near.
fn line_start(file: &mut File, place: u64) -> io::Result<u64> {
    let Some(before) = place.checked_sub(1) else { return Ok(0) };
    file.seek(SeekFrom::Start(before))?;
    let mut line = Vec::new();
    BufReader::new(file.take(LINE_BYTES_MAX)).read_until(b'\n', &mut line)?;
    Ok(if line.ends_with(b"\n") { before + line.len() as u64 } else { place })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn cuts_add_up_and_fall_between_lines() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let lines: String = (0..1000).map(|number| format!("line {number:04}\n")).collect();
        fs::write(&path, &lines).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        for (keep, rest) in [(5001, 5000), (95, 90), (90, 90), (0, 0)] {
            cut_oldest(&path, keep, &TimeZone::UTC).unwrap();
            let text = fs::read_to_string(&path).unwrap();
            let (first, kept) = text.split_once('\n').unwrap();
            assert_eq!(kept, &lines[lines.len() - rest..]);
            assert!(first.ends_with(&format!("] {}{WORDS}", lines.len() - rest)), "{first}");
        }
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_log_without_newlines_is_cut_inside_its_line() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        cut_oldest(&path, 1 << 18, &TimeZone::UTC).unwrap();
        let heading = Heading::read(&mut File::open(&path).unwrap()).unwrap();
        assert_eq!(heading.cut, (1 << 20) - (1 << 18));
        assert_eq!(fs::metadata(&path).unwrap().len(), heading.bytes + (1 << 18));
    }
}
