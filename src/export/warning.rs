//! Attributes that an export ignores: each is reported once, with the first file.

use std::{collections::BTreeSet, fmt};

/// Something that the export ignores. Equal warnings are reported once.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ExportWarning {
    /// An external filter, with the name of its driver.
    Filter(Vec<u8>),
    /// The attribute `working-tree-encoding` without a name.
    NoEncoding,
    /// An unsupported encoding.
    Encoding(Vec<u8>),
    /// Contents that an encoding cannot express.
    Unencodable,
    /// An unsupported placeholder of `export-subst`.
    Placeholder(Vec<u8>),
}

impl fmt::Display for ExportWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filter(driver) => {
                write!(
                    f,
                    "tinyci does not run the filter `{}`; the contents stay as committed",
                    show(driver)
                )
            }
            Self::NoEncoding => f.write_str("its `working-tree-encoding` is empty"),
            Self::Encoding(name) => write!(
                f,
                "unsupported `working-tree-encoding` `{}`; the contents stay UTF-8",
                show(name)
            ),
            Self::Unencodable => f.write_str(
                "cannot convert its contents to its `working-tree-encoding`; they stay as \
                 committed",
            ),
            Self::Placeholder(text) => {
                write!(f, "`export-subst` does not support `{}`; it stays as written", show(text))
            }
        }
    }
}

/// The warnings of one export.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    seen: BTreeSet<ExportWarning>,
    sentences: Vec<String>,
}

impl Warnings {
    /// Adds a warning about the file at this path, unless there is an equal one.
    pub(super) fn add(&mut self, path: &[u8], warning: ExportWarning) {
        if !self.seen.contains(&warning) {
            self.sentences.push(format!("`{}`: {warning}", show(path)));
            self.seen.insert(warning);
        }
    }

    pub(super) fn into_sentences(self) -> Vec<String> {
        self.sentences
    }
}

/// Returns bytes of a repository as a string on one line.
pub(super) fn show(bytes: &[u8]) -> String {
    let mut text = String::new();
    for character in String::from_utf8_lossy(bytes).chars() {
        match character.is_control() {
            true => text.extend(character.escape_default()),
            false => text.push(character),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_warnings_are_reported_once() {
        let mut warnings = Warnings::default();
        for (path, driver) in [("a\nb", "lfs"), ("c", "lfs"), ("d", "crypt")] {
            warnings.add(path.as_bytes(), ExportWarning::Filter(driver.into()));
        }
        let sentences = warnings.into_sentences();
        assert_eq!(sentences.len(), 2);
        assert!(
            sentences[0].starts_with("`a\\nb`: tinyci does not run the filter `lfs`"),
            "{sentences:?}"
        );
    }
}
