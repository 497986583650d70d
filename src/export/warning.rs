//! What an attribute asks for and an export does not do: said once, with the first file it met.

use std::{collections::BTreeSet, fmt};

/// Something that is left undone. Equal ones are reported once for an export.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ExportWarning {
    /// An external filter: the driver's name.
    Filter(Vec<u8>),
    /// `working-tree-encoding` without a name.
    NoEncoding,
    /// An encoding that is not listed.
    Encoding(Vec<u8>),
    /// Contents that an encoding cannot express.
    Unencodable,
    /// A placeholder of `export-subst` that is not listed.
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
    texts: Vec<String>,
}

impl Warnings {
    /// Reports what is undone for the file at this path, unless another file had the same.
    pub(super) fn add(&mut self, path: &[u8], undone: ExportWarning) {
        if !self.seen.contains(&undone) {
            self.texts.push(format!("`{}`: {undone}", show(path)));
            self.seen.insert(undone);
        }
    }

    pub(super) fn into_texts(self) -> Vec<String> {
        self.texts
    }
}

/// Bytes of a repository as text on one line.
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
    fn equal_ones_are_said_once() {
        let mut warnings = Warnings::default();
        for (path, driver) in [("a\nb", "lfs"), ("c", "lfs"), ("d", "crypt")] {
            warnings.add(path.as_bytes(), ExportWarning::Filter(driver.into()));
        }
        let texts = warnings.into_texts();
        assert_eq!(texts.len(), 2);
        assert!(texts[0].starts_with("`a\\nb`: tinyci does not run the filter `lfs`"), "{texts:?}");
    }
}
