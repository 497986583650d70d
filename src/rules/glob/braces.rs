//! `{a,b}`: one glob for several, which `.gitignore` does not support.

/// The maximum number of alternatives of one glob. More are probably a mistake, and each costs a
/// comparison for every path.
const ALTERNATIVES_MAX: usize = 1_000;

/// A special character of a glob with braces.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mark {
    Open,
    Comma,
    Close,
}

/// Expands the braces of a glob: `src/*.{c,h}` becomes `src/*.c` and `src/*.h`, in this order.
///
/// # Errors
///
/// What is not closed or too long, as the end of a sentence.
pub(super) fn alternatives(glob: &str) -> Result<Vec<String>, String> {
    let mut whole = Vec::new();
    let mut left = vec![glob.to_owned()];
    while let Some(glob) = left.pop() {
        match first_group(&glob)? {
            None => whole.push(glob),
            Some(Group { before, parts, behind }) => {
                let parts = parts.into_iter().rev();
                left.extend(parts.map(|part| format!("{before}{part}{behind}")));
            }
        }
        if whole.len() + left.len() > ALTERNATIVES_MAX {
            return Err(format!("its braces expand to more than {ALTERNATIVES_MAX} globs"));
        }
    }
    Ok(whole)
}

/// The first braces of a glob, and the text around them.
struct Group<'g> {
    before: &'g str,
    parts: Vec<&'g str>,
    behind: &'g str,
}

fn first_group(glob: &str) -> Result<Option<Group<'_>>, String> {
    let (mut depth, mut begin, mut open, mut parts) = (0_usize, 0, 0, Vec::new());
    for (at, mark) in marks(glob)? {
        match mark {
            Mark::Open => {
                depth += 1;
                if depth == 1 {
                    (open, begin) = (at, at + 1);
                }
            }
            Mark::Comma if depth == 1 => {
                parts.push(glob.get(begin..at).unwrap_or_default());
                begin = at + 1;
            }
            Mark::Close if depth == 1 => {
                let last = glob.get(begin..at).unwrap_or_default();
                refuse_range(last, parts.is_empty())?;
                parts.push(last);
                let before = glob.get(..open).unwrap_or_default();
                let behind = glob.get(at + 1..).unwrap_or_default();
                return Ok(Some(Group { before, parts, behind }));
            }
            Mark::Close => depth = depth.saturating_sub(1),
            Mark::Comma => {}
        }
    }
    match depth {
        0 => Ok(None),
        _ => Err("its `{` is not closed; write `\\{` for the character".to_owned()),
    }
}

/// Rejects `{1..3}`, which a shell expands to numbers. Here it would be the name `1..3`.
fn refuse_range(part: &str, is_alone: bool) -> Result<(), String> {
    let range = part.split_once("..").filter(|_| is_alone && !part.contains('/'));
    match range {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => {
            Err(format!("`{{{part}}}` is not a range; list each value, as in `{{{from},{to}}}`"))
        }
        _ => Ok(()),
    }
}

/// Returns the braces and commas of a glob, except after `\` and within `[…]`.
fn marks(glob: &str) -> Result<Vec<(usize, Mark)>, String> {
    let bytes = glob.as_bytes();
    let (mut at, mut found) = (0, Vec::new());
    while let Some(byte) = bytes.get(at) {
        let mark = match byte {
            b'\\' if at + 1 == bytes.len() => {
                return Err("it ends with `\\`; write `\\\\` for the character".to_owned());
            }
            b'\\' => {
                at += 2;
                continue;
            }
            b'[' => {
                at = class_end(bytes, at)
                    .ok_or("its `[` is not closed; write `\\[` for the character")?;
                continue;
            }
            b'{' => Some(Mark::Open),
            b',' => Some(Mark::Comma),
            b'}' => Some(Mark::Close),
            _ => None,
        };
        found.extend(mark.map(|mark| (at, mark)));
        at += 1;
    }
    Ok(found)
}

/// Returns the position after the `]` that ends the character class at `open`. As in git, a `]` at
/// the start of a class is one of its characters.
pub(super) fn class_end(glob: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    if matches!(glob.get(at), Some(b'!' | b'^')) {
        at += 1;
    }
    loop {
        at += match glob.get(at)? {
            b'\\' => 2,
            b'[' if glob.get(at + 1) == Some(&b':') => {
                let rest = glob.get(at + 2..)?;
                let end = rest.iter().position(|byte| *byte == b']')?;
                // Without the second colon, it is a `[` among the characters.
                if end > 0 && rest.get(end - 1) == Some(&b':') { end + 3 } else { 1 }
            }
            _ => 1,
        };
        if glob.get(at) == Some(&b']') {
            return Some(at + 1);
        }
    }
}
