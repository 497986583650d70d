//! [`StateFormat`]: the versions of tinyci that may read and write a repository's state.
//!
//! It is stored in the file `format` of the state directory. The form of its first lines never
//! changes, because the oldest version must be able to read what the newest one writes.

use std::fmt::Write as _;

use crate::model::error::{Error, ErrorKind};

/// The format number that this version reads and writes.
pub(crate) const FORMAT: u32 = 1;

/// The first release with that format.
const RELEASE: &str = "0.1.0";

const HEADER: &str = "tinyci format";

/// The requirements for using a repository's state.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StateFormat {
    /// To read the state.
    read: Requirement,
    /// To write the state.
    write: Requirement,
}

/// A format number, and the first release that supports it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    format: u32,
    release: String,
}

impl StateFormat {
    /// Returns the format that this version writes if the file is missing.
    pub(crate) fn current() -> Self {
        let requirement = Requirement { format: FORMAT, release: RELEASE.to_owned() };
        Self { read: requirement.clone(), write: requirement }
    }

    /// Parses the text of the file. Returns `None` if it is damaged. Ignores further lines, which a
    /// newer version may write.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut lines = text.lines();
        let is_format = lines.next() == Some(HEADER);
        let mut requirement = |key: &str| {
            let mut words = lines.next()?.split(' ');
            let is_key = words.next() == Some(key);
            let format = words.next()?.parse().ok()?;
            is_key.then_some(Requirement { format, release: words.next()?.to_owned() })
        };
        let (read, write) = (requirement("read")?, requirement("write")?);
        is_format.then_some(Self { read, write })
    }

    /// Returns the text of the file.
    pub(crate) fn text(&self) -> String {
        let mut text = format!("{HEADER}\n");
        for (key, Requirement { format, release }) in [("read", &self.read), ("write", &self.write)]
        {
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{key} {format} {release}");
        }
        text
    }

    /// Checks that this version can read the state.
    ///
    /// # Errors
    ///
    /// Returns [`NewerFormat`](ErrorKind::NewerFormat) if only a newer version can read it.
    pub(crate) fn check_read(&self, repository: &str) -> Result<(), Error> {
        self.read.check("read", repository)
    }

    /// Checks that this version can read and write the state.
    ///
    /// # Errors
    ///
    /// Returns [`NewerFormat`](ErrorKind::NewerFormat) if only a newer version can do so.
    pub(crate) fn check_write(&self, repository: &str) -> Result<(), Error> {
        self.check_read(repository)?;
        self.write.check("change", repository)
    }
}

impl Requirement {
    fn check(&self, what: &str, repository: &str) -> Result<(), Error> {
        if self.format <= FORMAT {
            return Ok(());
        }
        let message = format!(
            "cannot {what} the tinyci state of {repository}: format {} needs tinyci {} or later, \
             and this is tinyci {} (formats up to {FORMAT})",
            self.format,
            self.release,
            env!("CARGO_PKG_VERSION")
        );
        Err(Error::new(ErrorKind::NewerFormat, message))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "helpers of tests fail by a panic too")]

    use super::*;

    #[test]
    fn the_text_is_read_as_it_is_written() {
        let text = StateFormat::current().text();
        assert_eq!(text, "tinyci format\nread 1 0.1.0\nwrite 1 0.1.0\n");
        let format = StateFormat::parse(&text).unwrap();
        assert_eq!(format, StateFormat::current());
        format.check_write("`r`").unwrap();
    }

    #[test]
    fn a_newer_format_is_refused_with_the_version_that_it_needs() {
        let newer = "tinyci format\nread 1 0.1.0\nwrite 2 0.4.0 and more\nnew line\n";
        let format = StateFormat::parse(newer).unwrap();
        format.check_read("`r`").unwrap();
        let error = format.check_write("`r`").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NewerFormat);
        assert!(error.to_string().contains("needs tinyci 0.4.0 or later"), "{error}");

        let unreadable = newer.replace("read 1 0.1.0", "read 3 0.9.1");
        let format = StateFormat::parse(&unreadable).unwrap();
        for error in [format.check_read("`r`"), format.check_write("`r`")] {
            let error = error.unwrap_err().to_string();
            assert!(error.contains("cannot read") && error.contains("0.9.1"), "{error}");
        }
    }

    #[test]
    fn damaged_text_is_not_a_format() {
        let whole = StateFormat::current().text();
        let bad = ["", "tinyci format\n", "tinyci format\nread 1 0.1.0\n", "read 1 0.1.0\n"];
        for text in bad.into_iter().map(str::to_owned).chain([
            whole.replace("read 1", "read x"),
            whole.replace(" 0.1.0", ""),
            whole.replace("tinyci format", "another format"),
        ]) {
            assert_eq!(StateFormat::parse(&text), None, "{text}");
        }
    }
}
