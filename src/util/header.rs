//! Versions in the first line of text files, such as `tinyci refs 1`.

use crate::util::state_file;
use std::{
    io::{BufRead, BufReader, Read},
    path::Path,
};

/// The number of bytes to read at most. Every valid first line is shorter.
const LINE_BYTES_MAX: u64 = 1024;

/// Returns true if the file has the same header with a higher version number. A newer tinyci wrote
/// it then, and this one leaves the file unchanged.
pub(crate) fn is_newer_file(path: &Path, header: &str) -> bool {
    let Ok(file) = state_file::open(path) else { return false };
    let mut line = String::new();
    let read = BufReader::new(file.take(LINE_BYTES_MAX)).read_line(&mut line);
    read.is_ok() && is_newer(line.trim_end(), header)
}

fn is_newer(line: &str, header: &str) -> bool {
    let parts = |line: &str| {
        let (name, number) = line.rsplit_once(' ')?;
        Some((name.to_owned(), number.parse::<u32>().ok()?))
    };
    match (parts(line), parts(header)) {
        (Some((found, number)), Some((name, known))) => found == name && number > known,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_higher_number_of_the_same_header_is_newer() {
        for line in ["tinyci refs 2", "tinyci refs 10"] {
            assert!(is_newer(line, "tinyci refs 1"), "{line}");
        }
        for line in ["", "tinyci refs 1", "tinyci refs 0", "tinyci other 2", "tinyci refs x"] {
            assert!(!is_newer(line, "tinyci refs 1"), "{line}");
        }
    }
}
