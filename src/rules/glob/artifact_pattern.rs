//! [`ArtifactPattern`]: the files that `artifact` keeps and `tinyci artifacts` fetches.

use std::{collections::BTreeMap, path::PathBuf};

use super::{glob_fault::split_negation, paths::PathGlobs};
use crate::model::{pipeline::stays_below, step::Denied};

/// One pattern of a list. It adds files, or removes some with `!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ArtifactPattern {
    /// The pattern as it was written.
    text: String,
    what: PatternKind,
    removes: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum PatternKind {
    /// A file, or a directory with everything below it.
    Path(String),
    Glob(String, PathGlobs),
}

impl ArtifactPattern {
    /// Parses a pattern. The error says what is wrong with it.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let (removes, pattern) = split_negation(text);
        let what = match is_glob(pattern) {
            true => PatternKind::Glob(pattern.to_owned(), globs(pattern)?),
            false if !stays_below(pattern) => {
                return Err(leaves_export(pattern));
            }
            false => PatternKind::Path(plain(pattern)),
        };
        Ok(Self { text: text.to_owned(), what, removes })
    }

    /// Parses a list, whose first pattern must add files.
    pub(crate) fn parse_list(texts: &[String]) -> Result<Vec<Self>, String> {
        let patterns: Vec<Self> =
            texts.iter().map(|text| Self::parse(text)).collect::<Result<_, _>>()?;
        match patterns.first() {
            None => Err("no artifacts given".to_owned()),
            Some(first) if first.removes => Err(format!(
                "`{}` excludes nothing: no pattern comes before it; begin with the files to keep",
                first.text
            )),
            Some(_) => Ok(patterns),
        }
    }

    /// Returns the pattern as it was written.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    pub(crate) fn removes(&self) -> bool {
        self.removes
    }

    /// Returns the path, if the pattern is not a glob. It is empty for the whole export.
    pub(crate) fn path(&self) -> Option<&str> {
        match &self.what {
            PatternKind::Path(path) => Some(path),
            PatternKind::Glob(..) => None,
        }
    }

    /// Returns a directory that contains all possible matches; empty for the whole export.
    pub(crate) fn root(&self) -> String {
        let glob = match &self.what {
            PatternKind::Path(path) => return path.clone(),
            PatternKind::Glob(glob, _) => glob,
        };
        // A glob without a slash, except at its end, matches at any depth.
        if !glob.trim_end_matches('/').contains('/') {
            return String::new();
        }
        let parts: Vec<&str> = glob.split('/').filter(|part| !part.is_empty()).collect();
        let plain = parts.iter().take_while(|part| !is_glob(part)).count();
        let whole = plain.min(parts.len().saturating_sub(1));
        parts.get(..whole).unwrap_or_default().join("/")
    }

    /// Returns true if it matches this file, given by its path below the export.
    pub(crate) fn matches(&self, file: &str) -> bool {
        match &self.what {
            PatternKind::Path(path) => {
                let rest = file.strip_prefix(path.as_str());
                path.is_empty() || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            PatternKind::Glob(_, globs) => globs.matches(file.as_bytes(), false),
        }
    }
}

/// Returns the files that a list of patterns selects, one pattern after the other. `find` returns
/// the files of a pattern that adds some.
///
/// # Errors
///
/// `Refused` for a pattern that matches nothing, or a list that selects nothing; and the errors of
/// `find`.
pub(crate) fn select<T>(
    patterns: &[ArtifactPattern],
    mut find: impl FnMut(&ArtifactPattern) -> Result<BTreeMap<PathBuf, T>, Denied>,
) -> Result<BTreeMap<PathBuf, T>, Denied> {
    let mut files = BTreeMap::new();
    for pattern in patterns {
        if pattern.removes {
            files.retain(|path: &PathBuf, _| !pattern.matches(&path.to_string_lossy()));
            continue;
        }
        let found = find(pattern)?;
        if found.is_empty() {
            let text = &pattern.text;
            let message =
                format!("cannot keep `{text}`: no file in the export directory matches it");
            return Err(Denied::refused(message));
        }
        files.extend(found);
    }
    match (files.is_empty(), patterns.last()) {
        (true, Some(last)) => {
            Err(Denied::refused(format!("`{}` excludes all artifacts", last.text)))
        }
        _ => Ok(files),
    }
}

/// Returns true if a pattern is a glob and not a literal path.
fn is_glob(pattern: &str) -> bool {
    pattern.contains(['*', '?', '[', '{', '\\'])
}

fn leaves_export(pattern: &str) -> String {
    match pattern {
        "" => "invalid artifact: the path is empty".to_owned(),
        _ => format!("`{pattern}` is outside of the export directory; write a path inside it"),
    }
}

/// Parses a glob that stays in the export and can match.
fn globs(glob: &str) -> Result<PathGlobs, String> {
    if glob.split('/').any(|part| part == "..") {
        return Err(leaves_export(glob));
    }
    PathGlobs::of_files(glob).map_err(|fault| fault.message)
}

/// Removes `.` and a final slash from a path.
fn plain(path: &str) -> String {
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_file_or_all_of_a_directory() {
        let matches = |pattern, file| ArtifactPattern::parse(pattern).unwrap().matches(file);
        for (pattern, file, expected) in [
            ("dist", "dist", true),
            ("dist/", "dist/a/b", true),
            ("./dist//a", "dist/a", true),
            ("dist", "distant", false),
            ("dist", "a/dist", false),
            (".", "a/b", true),
            ("dist/**", "dist/a/b", true),
            ("*.log", "a/b.log", true),
            ("/*.log", "a/b.log", false),
        ] {
            assert_eq!(matches(pattern, file), expected, "{pattern} {file}");
        }
    }

    #[test]
    fn nothing_outside_of_its_root_matches() {
        let root = |pattern| ArtifactPattern::parse(pattern).unwrap().root();
        for (pattern, expected) in [
            ("dist/**", "dist"),
            ("a/b/*.c", "a/b"),
            ("/a/b/[cd]", "a/b"),
            ("*.log", ""),
            ("*/", ""),
            ("**/x", ""),
            ("a/b\\*/c", "a"),
            ("a/b", "a/b"),
            (".", ""),
        ] {
            assert_eq!(root(pattern), expected, "{pattern}");
        }
    }

    #[test]
    fn what_leads_out_or_can_match_nothing_is_refused() {
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "../*", "a/../*", "./a/*", "a\0", "!"] {
            assert!(ArtifactPattern::parse(bad).is_err(), "{bad:?}");
        }
        let list = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            ArtifactPattern::parse_list(&texts)
        };
        assert!(list(&[]).is_err() && list(&["!a", "b"]).is_err());
        assert_eq!(list(&["a", "!*.map"]).unwrap().len(), 2);
    }
}
