//! The block in a hook script that starts a run: pure text.
//!
//! The block is placed after the script's first line, and starts the run in the background. At the
//! end, it might not be reached: scripts end early with `exit`, `exec`, or a failing command under
//! `set -e`. In the foreground, the rest of the script would wait for the build. If the pusher
//! disconnected, the rest would never run. In the background, the script behaves as before, with
//! its exit code. The pusher still sees the whole run: git ends a push only when all processes of
//! the hook have closed their output.
//!
//! The run is not a child of the script, so a `wait` in the script does not wait for it.

use std::{
    ffi::{OsStr, OsString},
    ops::Range,
    os::unix::ffi::{OsStrExt, OsStringExt},
};

const BEGIN: &[u8] = b"# >>> tinyci >>>";
const END: &[u8] = b"# <<< tinyci <<<";

/// The first lines of a script that `install` creates.
const NEW_SCRIPT: &str = "#!/bin/sh
# Made by `tinyci install`. Add your own lines below the block.
";

/// The shells whose scripts can contain the block.
const SHELLS: [&str; 11] =
    ["sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "pdksh", "yash", "posh", "zsh"];

/// Returns the block that runs this command, a name or a path.
pub(super) fn block(tinyci: &OsStr) -> Vec<u8> {
    let tinyci = quoted(tinyci);
    let (before, after) = ("\texec ", " run --hook\n");
    let lines: [&[u8]; 6] = [
        BEGIN,
        b"
# Runs tinyci for the push. `tinyci uninstall` removes only these lines.
tinyci_updates=$(cat)
( (
\t# You see the run live; if you disconnect, it continues.
\ttrap '' HUP INT QUIT
\tcd \"$(git rev-parse --git-common-dir)\" || exit
\tunset $(git rev-parse --local-env-vars)
",
        before.as_bytes(),
        tinyci.as_bytes(),
        after.as_bytes(),
        b") <<tinyci_updates & )
$tinyci_updates
tinyci_updates
# The rest of the hook reads the same input.
exec <<tinyci_updates
$tinyci_updates
tinyci_updates
",
    ];
    [&lines.concat(), END, b"\n"].concat()
}

/// Returns a script that contains only the block.
pub(super) fn new_script(block: &[u8]) -> Vec<u8> {
    [NEW_SCRIPT.as_bytes(), block].concat()
}

/// Returns true if the rest of a script, without the block, is only what `install` wrote.
pub(super) fn is_new_script(rest: &[u8]) -> bool {
    rest == NEW_SCRIPT.as_bytes()
}

/// Adds the block to a script, or replaces an older one.
///
/// # Errors
///
/// Returns the reason, as the end of a sentence that begins with the script's name.
pub(super) fn with_block(script: &[u8], block: &[u8]) -> Result<Vec<u8>, &'static str> {
    if let Some(place) = find(script)? {
        let newline = script[place.clone()].ends_with(b"\n");
        let block = if newline { block } else { block.trim_ascii_end() };
        return Ok([&script[..place.start], block, &script[place.end..]].concat());
    }
    let first_line = script.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    check_first_line(first_line)?;
    if !first_line.ends_with(b"\n") {
        // The newline goes before the block, so that the script still ends without one: see
        // `without_block`.
        return Ok([first_line, b"\n", block.trim_ascii_end()].concat());
    }
    Ok([first_line, block, &script[first_line.len()..]].concat())
}

/// Removes the block from a script. Returns `None` if there is no block.
///
/// # Errors
///
/// Same as [`with_block`].
pub(super) fn without_block(script: &[u8]) -> Result<Option<Vec<u8>>, &'static str> {
    let Some(Range { mut start, end }) = find(script)? else { return Ok(None) };
    if !script[..end].ends_with(b"\n") {
        start = start.saturating_sub(1);
    }
    Ok(Some([&script[..start], &script[end..]].concat()))
}

/// Returns the range of the block, with its last newline if it has one.
fn find(script: &[u8]) -> Result<Option<Range<usize>>, &'static str> {
    let (mut begins, mut ends) = (Vec::new(), Vec::new());
    let mut place = 0;
    for line in script.split_inclusive(|byte| *byte == b'\n') {
        let next = place + line.len();
        match line.strip_suffix(b"\n").unwrap_or(line) {
            BEGIN => begins.push(place),
            END => ends.push(next),
            _ => {}
        }
        place = next;
    }
    match (begins.as_slice(), ends.as_slice()) {
        ([], []) => Ok(None),
        ([begin], [end]) if begin < end => Ok(Some(*begin..*end)),
        _ => Err("contains a damaged tinyci block; remove its lines by hand"),
    }
}

/// Checks by the first line that this is a script of a shell that supports the block.
fn check_first_line(line: &[u8]) -> Result<(), &'static str> {
    if line.starts_with(b"\xef\xbb\xbf") {
        return Err("begins with a byte order mark, so it cannot run");
    }
    let Some(line) = line.strip_prefix(b"#!") else {
        return Err("is not a shell script: its first line has no `#!`");
    };
    if line.ends_with(b"\r\n") {
        return Err("has Windows line endings (CRLF), so it cannot run");
    }
    let text = std::str::from_utf8(line).unwrap_or_default();
    let mut words = text.split_ascii_whitespace().map(|word| word.rsplit('/').next().unwrap_or(""));
    let program = match words.next() {
        Some("env") => words.find(|word| !word.starts_with('-') && !word.contains('=')),
        Some("busybox") => words.next(),
        program => program,
    };
    if program.is_some_and(|program| SHELLS.contains(&program)) {
        return Ok(());
    }
    Err("is not a shell script")
}

/// Returns a word for a shell: unchanged if it contains nothing special, else in single quotes.
fn quoted(word: &OsStr) -> OsString {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+".contains(byte);
    if word.as_bytes().iter().all(plain) {
        return word.to_owned();
    }
    let mut quoted = vec![b'\''];
    for byte in word.as_bytes() {
        match byte {
            b'\'' => quoted.extend_from_slice(b"'\\''"),
            byte => quoted.push(*byte),
        }
    }
    quoted.push(b'\'');
    OsString::from_vec(quoted)
}

/// Returns true if this is exactly the hook that TinyCI 0.5 installed, with the name of its program
/// or an absolute path.
pub(super) fn is_gem_hook(script: &[u8]) -> bool {
    let script = script.strip_suffix(b"\n").unwrap_or(script);
    let command = script.strip_prefix(b"#!/bin/sh\nunset GIT_DIR\n\n");
    let Some(program) = command.and_then(|line| line.strip_suffix(b" run --all")) else {
        return false;
    };
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"/._-+@".contains(byte);
    let absolute = program.starts_with(b"/") && program.ends_with(b"/tinyci");
    program == b"tinyci" || (absolute && program.iter().all(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn removing_the_block_restores_the_script_byte_for_byte() {
        let block = block("tinyci".as_ref());
        for script in [
            &b"#!/bin/sh\n"[..],
            b"#!/bin/sh",
            b"#!/bin/sh\n\n\n",
            b"#!/bin/sh\nexec true",
            b"#! /usr/bin/env -S FOO=1 bash -e\n\x00\xff\r\n",
            b"#!/bin/busybox ash\ntrue\n",
            NEW_SCRIPT.as_bytes(),
        ] {
            let with = with_block(script, &block).unwrap();
            assert!(with.len() > script.len());
            assert_eq!(with_block(&with, &block).unwrap(), with, "twice is once");
            assert_eq!(without_block(&with).unwrap().unwrap(), script);

            let edited = [&with[..], b"\necho later\n"].concat();
            let expected = [script, b"\necho later\n"].concat();
            assert_eq!(without_block(&edited).unwrap().unwrap(), expected);
        }
        assert_eq!(without_block(b"#!/bin/sh\n").unwrap(), None);
    }

    #[test]
    fn an_older_block_is_replaced_in_its_place() {
        let old = with_block(b"#!/bin/sh\necho\n", &block("tinyci".as_ref())).unwrap();
        let moved = [b"#!/bin/sh\n# other\n", &old[10..]].concat();
        let new = with_block(&moved, &block("/opt/tinyci".as_ref())).unwrap();
        let text = String::from_utf8(new.clone()).unwrap();
        assert!(text.starts_with("#!/bin/sh\n# other\n# >>>") && text.ends_with("<<<\necho\n"));
        assert!(text.contains("exec /opt/tinyci run") && !text.contains("exec tinyci run"));
        assert_eq!(without_block(&new).unwrap().unwrap(), b"#!/bin/sh\n# other\necho\n");
    }

    #[test]
    fn only_scripts_of_posix_shells_take_the_block() {
        let block = block("tinyci".as_ref());
        for (script, reason) in [
            (&b""[..], "has no `#!`"),
            (b"echo hello\n", "has no `#!`"),
            (b"\x7fELF\x02\x01", "has no `#!`"),
            (b"\xef\xbb\xbf#!/bin/sh\n", "byte order mark"),
            (b"#!/bin/sh\r\necho\r\n", "CRLF"),
            (b"#!/usr/bin/python3\n", "not a shell script"),
            (b"#!/usr/bin/env -S python3 -u\n", "not a shell script"),
            (b"#!/usr/bin/fish\n", "not a shell script"),
            (b"#!/bin/csh -f\n", "not a shell script"),
            (b"#!\n", "not a shell script"),
            (b"#!/bin/sh\n# >>> tinyci >>>\n", "damaged"),
            (b"#!/bin/sh\n# <<< tinyci <<<\n# >>> tinyci >>>\n", "damaged"),
        ] {
            let refusal = with_block(script, &block).unwrap_err();
            assert!(refusal.contains(reason), "{}: {refusal}", script.escape_ascii());
        }
    }

    #[test]
    fn only_the_exact_hook_of_the_gem_is_recognized() {
        let text = "#!/bin/sh\nunset GIT_DIR\n\ntinyci run --all\n";
        let absolute = text.replace("tinyci run", "/usr/local/bin/tinyci run");
        for script in [text, text.trim_end(), &absolute] {
            assert!(is_gem_hook(script.as_bytes()), "{script}");
        }
        for other in [
            text.replace("--all", "--all -q"),
            text.replace("tinyci run", "/bin/x; tinyci run"),
            text.replace("tinyci run", "/bin/x/nottinyci run"),
            format!("{text}\n"),
            text.replace("\n\n", "\n"),
        ] {
            assert!(!is_gem_hook(other.as_bytes()), "{other}");
        }
    }

    #[test]
    fn a_path_is_quoted_only_if_needed() {
        assert_eq!(quoted("/opt/a-b/tinyci".as_ref()), "/opt/a-b/tinyci");
        assert_eq!(quoted("/it's here/$x".as_ref()), r"'/it'\''s here/$x'");
    }
}
