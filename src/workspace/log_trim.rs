//! Dropping the oldest part of a log: its newest part is copied, and renamed over the whole.
//!
//! A log that was cut begins with a line that says how many bytes there were before what follows,
//! counted over all cuts. People see by it that something is missing; a follower finds by it the
//! place in the new file at which it left the old one.

use std::{
    fs::{self, File},
    io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write},
    path::Path,
    time::SystemTime,
};

use jiff::tz::TimeZone;

use crate::workspace::line::LineFormatter;

/// How far the cut may move to fall between two lines.
const LINE_BYTES_MAX: u64 = 64 << 10;

const WORDS: &str = " bytes of older lines were cut off here";

/// What the first line of a log says of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Heading {
    /// How long that line is, with its newline; 0 in a log that was never cut.
    pub(super) bytes: u64,
    /// How many bytes were cut off before what follows it.
    pub(super) cut: u64,
}

impl Heading {
    /// Reads the heading of a log; leaves the file's position anywhere.
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

/// Cuts a log down to about its last `keep` bytes. Nobody may write to it meanwhile. The time of the
/// cut is told in this zone.
pub(super) fn cut_oldest(path: &Path, keep: u64, zone: &TimeZone) -> io::Result<()> {
    let mut old = File::open(path)?;
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
        // Most likely the disk is full: leave it no fuller.
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

/// The start of the next line at or behind this place, if it is not far.
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
