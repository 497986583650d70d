//! Globs of paths with the rules of a line in `.gitignore`. `src` matches a file or directory of
//! that name anywhere, with everything below it. `/src` matches only the one at the root, and `a/b`
//! starts at the root.

use gix_attributes::glob::{wildmatch, wildmatch::Mode};

use super::{
    braces::{alternatives, class_end},
    glob_fault::{GlobFault, split_negation},
};

/// The length limit of a glob, in bytes. No path is as long, and longer globs are too slow.
const GLOB_BYTES_MAX: usize = 4_096;

/// The nesting of `*` at which git's matcher gives up and matches nothing.
const STARS_MAX: usize = 32;

/// A list of globs for paths, each of which can match. `!glob` removes what earlier globs matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PathGlobs(Vec<(bool, Vec<PathGlob>)>);

/// One glob without braces.
#[derive(Clone, Debug, PartialEq, Eq)]
struct PathGlob {
    /// The glob without slashes at its start and end.
    text: Vec<u8>,
    /// True if it is compared with whole paths; false if it is compared with each name in them.
    is_whole: bool,
    /// True if it matches only directories.
    is_for_directories: bool,
}

impl PathGlobs {
    /// Parses a list of globs.
    ///
    /// # Errors
    ///
    /// The first glob that can never match or removes nothing.
    pub(crate) fn new<S: AsRef<str>>(globs: &[S]) -> Result<Self, GlobFault> {
        let mut list = Vec::new();
        for (index, glob) in globs.iter().enumerate() {
            let (is_taken_away, text) = split_negation(glob.as_ref());
            let read = read(text);
            let read = read.and_then(|globs| match globs.iter().any(PathGlob::names_git) {
                true => Err("a commit cannot contain `.git`".to_owned()),
                false => Ok(globs),
            });
            let read = read.map_err(|why| GlobFault::never_matches(index, glob.as_ref(), &why))?;
            if index == 0 && is_taken_away {
                let message = format!(
                    "`{}` excludes nothing: no glob comes before it; begin with `**` for \
                     everything",
                    glob.as_ref()
                );
                return Err(GlobFault { index, message });
            }
            list.push((is_taken_away, read));
        }
        let globs = Self(list);
        if globs.0.is_empty() {
            let message = "an empty array of globs can never match; write `**` for everything";
            return Err(GlobFault { index: 0, message: message.to_owned() });
        }
        if !globs.leaves_something() {
            let message = "these globs can never match: later ones exclude what earlier ones match";
            return Err(GlobFault { index: 0, message: message.to_owned() });
        }
        Ok(globs)
    }

    /// Parses one glob for the files of a directory, which is not a commit's tree.
    pub(super) fn of_files(glob: &str) -> Result<Self, GlobFault> {
        let read = read(glob).map_err(|why| GlobFault::never_matches(0, glob, &why))?;
        Ok(Self(vec![(false, read)]))
    }

    /// Returns true if a path matches. It starts at the root and has no final slash. `is_directory`
    /// is true if the path itself is a directory, such as a submodule.
    pub(crate) fn matches(&self, path: &[u8], is_directory: bool) -> bool {
        !path.is_empty()
            && self.0.iter().fold(false, |matched, (is_taken_away, globs)| {
                let decides = matched == *is_taken_away;
                let found = decides && globs.iter().any(|glob| glob.matches(path, is_directory));
                if found { !is_taken_away } else { matched }
            })
    }

    /// Returns false if a later glob certainly removes the matches of each glob.
    fn leaves_something(&self) -> bool {
        let later = |index: usize| self.0.iter().skip(index).filter(|(taken, _)| *taken);
        let added = self.0.iter().enumerate().filter(|(_, (taken, _))| !taken);
        added.into_iter().any(|(index, (_, globs))| {
            globs.iter().any(|glob| {
                !later(index).any(|(_, others)| others.iter().any(|other| other.covers(glob)))
            })
        })
    }
}

impl PathGlob {
    /// Returns true if the path or one of its parents matches.
    fn matches(&self, path: &[u8], is_directory: bool) -> bool {
        let ends = path.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(at, _)| at);
        let mut begin = 0;
        for end in ends.chain([path.len()]) {
            let may = !self.is_for_directories || end < path.len() || is_directory;
            let compared = if self.is_whole { path.get(..end) } else { path.get(begin..end) };
            if may && compared.is_some_and(|it| self.is(it)) {
                return true;
            }
            begin = end + 1;
        }
        false
    }

    /// Returns true if it matches exactly this path or name. git compares the part before the first
    /// special character separately, so `a**/b` matches across `/`.
    fn is(&self, value: &[u8]) -> bool {
        let special = |byte: &u8| b"*?[\\".contains(byte);
        let Some(at) = self.text.iter().position(special) else { return self.text == value };
        let (begin, rest) = self.text.split_at(at);
        let value = value.strip_prefix(begin);
        value
            .is_some_and(|value| wildmatch(rest.into(), value.into(), Mode::NO_MATCH_SLASH_LITERAL))
    }

    /// Returns true if it matches a path that git never stores.
    fn names_git(&self) -> bool {
        let text = String::from_utf8_lossy(&self.text);
        text.split('/').any(|part| unescaped(part).eq_ignore_ascii_case(".git"))
    }

    /// Returns true if it certainly matches everything that `other` matches.
    fn covers(&self, other: &PathGlob) -> bool {
        let is_all = !self.is_for_directories && self.text.iter().all(|byte| *byte == b'*');
        is_all || self == other
    }
}

/// Returns a path in git's form, and true if it is written as a directory: `./a/b/`.
pub(crate) fn path_of_text(text: &str) -> (String, bool) {
    let parts: Vec<&str> = text.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    (parts.join("/"), text.ends_with('/'))
}

/// Parses one glob with its braces.
fn read(glob: &str) -> Result<Vec<PathGlob>, String> {
    if glob.len() > GLOB_BYTES_MAX {
        return Err(format!("it is longer than {GLOB_BYTES_MAX} bytes"));
    }
    alternatives(glob)?.iter().map(|one| read_one(one)).collect()
}

fn read_one(glob: &str) -> Result<PathGlob, String> {
    let glob = without_trailing_spaces(glob);
    check_characters(glob)?;
    check_parts(glob)?;
    let text = glob.strip_prefix('/').unwrap_or(glob);
    let inner = text.strip_suffix('/').unwrap_or(text);
    Ok(PathGlob {
        text: inner.as_bytes().to_vec(),
        is_whole: text.len() < glob.len() || inner.contains('/'),
        is_for_directories: inner.len() < text.len(),
    })
}

/// Removes spaces at the end, as git does, except after `\`.
fn without_trailing_spaces(glob: &str) -> &str {
    let short = glob.trim_end_matches(' ');
    let backslashes = short.bytes().rev().take_while(|byte| *byte == b'\\').count();
    let is_escaped = backslashes % 2 == 1 && short.len() < glob.len();
    glob.get(..short.len() + usize::from(is_escaped)).unwrap_or(short)
}

/// Rejects character classes that match nothing, and characters that no path contains.
fn check_characters(glob: &str) -> Result<(), String> {
    let bytes = glob.as_bytes();
    if bytes.contains(&0) {
        return Err("a path cannot contain the character U+0000".to_owned());
    }
    if glob.split('*').filter(|part| !part.is_empty()).count() > STARS_MAX {
        return Err(format!("it has more than {STARS_MAX} `*`"));
    }
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        let end = match byte {
            b'\\' => at + 2,
            b'[' => class_end(bytes, at).unwrap_or(bytes.len()),
            _ => at + 1,
        };
        let class = bytes.get(at..end).filter(|_| *byte == b'[').unwrap_or_default();
        let is_in =
            |letter: u8| wildmatch(class.into(), [letter][..].into(), Mode::NO_MATCH_SLASH_LITERAL);
        if !class.is_empty() && !(1..=u8::MAX).any(is_in) {
            return Err(format!("no character matches `{}`", String::from_utf8_lossy(class)));
        }
        at = end;
    }
    Ok(())
}

/// Rejects parts that no path contains.
fn check_parts(glob: &str) -> Result<(), String> {
    let inner = glob.strip_prefix('/').unwrap_or(glob);
    let inner = inner.strip_suffix('/').unwrap_or(inner);
    let parts: Vec<String> = inner.split('/').map(unescaped).collect();
    let has = |name: &str| parts.iter().any(|part| part == name);
    let why = match () {
        () if inner.is_empty() => "it is empty",
        () if has("..") => "paths are relative to the root of the repository, without `..`",
        () if has(".") => "paths are relative to the root of the repository, without `.`",
        () if has("") => "paths cannot contain `//`",
        () => return Ok(()),
    };
    Err(format!("{why}; write `{}`", suggestion(glob)))
}

/// Removes the `\` of escaped characters from a part.
fn unescaped(part: &str) -> String {
    let mut letters = part.chars();
    let mut plain = String::new();
    while let Some(letter) = letters.next() {
        let letter = if letter == '\\' { letters.next() } else { Some(letter) };
        plain.extend(letter);
    }
    plain
}

/// Returns the glob that was probably meant.
fn suggestion(glob: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in glob.split('/') {
        match unescaped(part).as_str() {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    let end = if glob.ends_with('/') { "/" } else { "" };
    match parts.as_slice() {
        [] | ["**"] => "**".to_owned(),
        // A name without a slash would match anywhere.
        [one] => format!("/{one}{end}"),
        _ => format!("{}{end}", parts.join("/")),
    }
}
