//! Names for files and directories that are being removed. tinyci renames them before it removes
//! any of their contents. So a partly removed directory never has a name with a meaning. If the
//! removal fails, the name remains until it succeeds, and the next one gets another name:
//! `removed`, `removed-2`, `removed-3`.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// Renames a file, a link or a tree to `first`, or to the first similar name that is free. Returns
/// the new path.
///
/// # Errors
///
/// Those of `rename`.
pub(super) fn rename_aside(from: &Path, first: &Path) -> io::Result<PathBuf> {
    let mut number: u64 = 1;
    loop {
        let to = match number {
            1 => first.to_path_buf(),
            number => {
                let mut to = first.as_os_str().to_owned();
                to.push(format!("-{number}"));
                PathBuf::from(to)
            }
        };
        number += 1;
        if fs::symlink_metadata(&to).is_ok() {
            continue;
        }
        match fs::rename(from, &to) {
            Err(error) if is_taken(&error) => {}
            renamed => return renamed.map(|()| to),
        }
    }
}

/// Returns true if another call took the name in the meantime.
fn is_taken(error: &io::Error) -> bool {
    use io::ErrorKind::{AlreadyExists, DirectoryNotEmpty, IsADirectory, NotADirectory};
    matches!(error.kind(), AlreadyExists | DirectoryNotEmpty | IsADirectory | NotADirectory)
}

/// Returns true if [`rename_aside`] makes this name from `first`.
pub(super) fn is_aside(name: &str, first: &str) -> bool {
    let Some(rest) = name.strip_prefix(first) else { return false };
    let number = rest.strip_prefix('-').and_then(|number| number.parse::<u64>().ok());
    rest.is_empty() || number.is_some_and(|number| rest == format!("-{number}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_gets_a_name_that_is_free_and_known() {
        let dir = tempfile::tempdir().unwrap();
        let (tree, first) = (dir.path().join("tree"), dir.path().join("tree.removed"));
        std::os::unix::fs::symlink("nowhere", dir.path().join("tree.removed-2")).unwrap();
        for expected in ["tree.removed", "tree.removed-3", "tree.removed-4"] {
            fs::create_dir_all(tree.join("full")).unwrap();
            assert_eq!(rename_aside(&tree, &first).unwrap(), dir.path().join(expected));
            assert!(is_aside(expected, "tree.removed"), "{expected}");
        }
        let missing = rename_aside(&tree, &first).unwrap_err();
        assert_eq!(missing.kind(), io::ErrorKind::NotFound);
        for other in ["tree", "tree.removed-", "tree.removed-03", "tree.removed-x", "tree.removed2"]
        {
            assert!(!is_aside(other, "tree.removed"), "{other}");
        }
    }
}
