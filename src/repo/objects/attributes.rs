//! The repository's settings for writing files: `info/attributes`, and the configuration values
//! that git uses when it turns a blob into a file.

use std::io;

use crate::util::state_file;
use crate::{
    model::error::Error,
    repo::repository::{Repo, git_error},
};

/// `core.autocrlf`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum AutoCrlf {
    /// `false`: files without attributes are written unchanged.
    #[default]
    No,
    /// `input`: only commits convert files, exports do not.
    Input,
    /// `true`: text files get CRLF line endings.
    Yes,
}

/// The config values that decide how a blob becomes a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conversions {
    /// `core.autocrlf`.
    pub(crate) auto_crlf: AutoCrlf,
    /// True if `core.eol` is `crlf`. On Unix every other value means LF.
    pub(crate) eol_is_crlf: bool,
    /// `core.ignoreCase`: true if patterns of attributes match in any case.
    pub(crate) ignore_case: bool,
    /// `core.bigFileThreshold` in bytes. Larger files are written unchanged.
    pub(crate) big_file_bytes: u64,
}

/// git's default of `core.bigFileThreshold`.
const BIG_FILE_BYTES: u64 = 512 * 1024 * 1024;

impl Repo {
    /// Returns the contents of `info/attributes`, if the file exists.
    pub(crate) fn info_attributes(&self) -> Result<Option<Vec<u8>>, Error> {
        let path = self.common_dir().join("info/attributes");
        match state_file::read_foreign(&path) {
            Ok(bytes) => Ok(Some(bytes)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(Error::io("read", &path, error)),
        }
    }

    /// Returns the configuration values that decide how a blob becomes a file. An invalid value
    /// counts as unset.
    pub(crate) fn conversions(&self) -> Result<Conversions, Error> {
        let config = self.git.config().and_then(|mut config| config.snapshot());
        let config = config.map_err(|source| git_error("cannot read git's config", source))?;
        let is = |key: &str, word: &str| {
            config.get_str(key).is_ok_and(|value| value.eq_ignore_ascii_case(word))
        };
        let auto_crlf = match config.get_bool("core.autocrlf") {
            _ if is("core.autocrlf", "input") => AutoCrlf::Input,
            Ok(true) => AutoCrlf::Yes,
            _ => AutoCrlf::No,
        };
        let threshold = config.get_i64("core.bigfilethreshold").ok();
        Ok(Conversions {
            auto_crlf,
            eol_is_crlf: is("core.eol", "crlf"),
            ignore_case: config.get_bool("core.ignorecase").unwrap_or(false),
            big_file_bytes: threshold.and_then(|n| n.try_into().ok()).unwrap_or(BIG_FILE_BYTES),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::TestRepo;

    #[test]
    fn settings_are_read_as_git_reads_them() {
        let test = TestRepo::bare();
        let read = || Repo::open(test.path()).unwrap().conversions().unwrap();
        assert_eq!((read().auto_crlf, read().big_file_bytes), (AutoCrlf::No, 536_870_912));
        for (value, expected) in
            [("Input", AutoCrlf::Input), ("yes", AutoCrlf::Yes), ("0", AutoCrlf::No)]
        {
            test.git(&["config", "core.autocrlf", value]);
            assert_eq!(read().auto_crlf, expected, "{value}");
        }
        test.git(&["config", "core.eol", "CRLF"]);
        test.git(&["config", "core.ignorecase", "true"]);
        test.git(&["config", "core.bigFileThreshold", "2k"]);
        assert_eq!((read().eol_is_crlf, read().ignore_case), (true, true));
        assert_eq!(read().big_file_bytes, 2048);
    }

    #[test]
    fn a_missing_info_attributes_is_none() {
        let test = TestRepo::bare();
        let repo = Repo::open(test.path()).unwrap();
        assert_eq!(repo.info_attributes().unwrap(), None);
        std::fs::create_dir_all(test.path().join("info")).unwrap();
        std::fs::write(test.path().join("info/attributes"), "* text\n").unwrap();
        assert_eq!(repo.info_attributes().unwrap().unwrap(), b"* text\n");
    }
}
