//! Filling in `$Format:…$` for the attribute `export-subst`.
//!
//! The supported placeholders give exactly the output of `git archive`. A format stays unchanged if
//! it contains another placeholder, or one whose exact value is not known in this repository.

use std::cell::OnceCell;

use jiff::{Timestamp, civil::DateTime, tz::TimeZone};

use crate::{
    export::encoding::is_utf8,
    model::{commit::CommitId, error::Error},
    repo::{CommitText, Decoration, Repo},
    util::hex,
};

/// Fills in the placeholders of one commit.
pub(super) struct Placeholders<'a> {
    repo: &'a Repo,
    commit: CommitId,
    text: CommitText,
    encoding: Vec<u8>,
    decorations: OnceCell<Vec<Decoration>>,
}

/// The bytes of a placeholder, or `None` if it is not supported.
type FillResult = Result<Option<Vec<u8>>, Error>;

/// The author or committer.
struct Person<'a> {
    name: &'a [u8],
    email: &'a [u8],
    seconds: &'a str,
    zone: i32,
}

impl<'a> Placeholders<'a> {
    pub(super) fn new(repo: &'a Repo, commit: CommitId) -> Result<Self, Error> {
        let text = repo.commit_text(commit)?;
        let encoding = header_line(&text.header, b"encoding ").unwrap_or_default().to_vec();
        Ok(Self { repo, commit, text, encoding, decorations: OnceCell::new() })
    }

    /// Fills in every `$Format:…$`. Calls `unsupported` with the placeholder for each format that
    /// stays unchanged.
    pub(super) fn fill(
        &self,
        contents: &[u8],
        mut unsupported: impl FnMut(&[u8]),
    ) -> Result<Vec<u8>, Error> {
        const START: &[u8] = b"$Format:";
        let mut result = Vec::with_capacity(contents.len());
        let mut rest = contents;
        while let Some(start) = rest.windows(START.len()).position(|window| window == START) {
            let (before, keyword) = rest.split_at(start);
            let format = keyword.get(START.len()..).unwrap_or_default();
            let Some(end) = format.iter().position(|byte| *byte == b'$') else { break };
            let (whole, after) = keyword.split_at(START.len() + end + 1);
            let format = format.get(..end).unwrap_or_default();
            result.extend_from_slice(before);
            match self.expand(format)? {
                Ok(filled) => result.extend(filled),
                Err(placeholder) => {
                    unsupported(placeholder);
                    result.extend_from_slice(whole);
                }
            }
            rest = after;
        }
        result.extend_from_slice(rest);
        Ok(result)
    }

    /// Expands one format. The inner error is the placeholder that is not supported.
    fn expand<'f>(&self, format: &'f [u8]) -> Result<Result<Vec<u8>, &'f [u8]>, Error> {
        let mut result = Vec::new();
        // git treats formats as C strings, which end at NUL.
        let mut rest = format.split(|byte| *byte == 0).next().unwrap_or_default();
        while let Some(percent) = rest.iter().position(|byte| *byte == b'%') {
            let (before, placeholder) = rest.split_at(percent);
            result.extend_from_slice(before);
            let length = placeholder_length(placeholder);
            let (one, after) = placeholder.split_at(length);
            match self.fill_one(one)? {
                Some(filled) => result.extend(filled),
                None => return Ok(Err(one)),
            }
            rest = after;
        }
        result.extend_from_slice(rest);
        Ok(Ok(result))
    }

    fn fill_one(&self, placeholder: &[u8]) -> FillResult {
        let commit = self.commit.as_bytes();
        Ok(Some(match placeholder {
            b"%" | b"%%" => b"%".to_vec(),
            b"%n" => b"\n".to_vec(),
            // git knows this placeholder, but does not expand it in an archive.
            b"%N" => b"%N".to_vec(),
            b"%H" => digits(commit),
            b"%T" => digits(&self.text.tree),
            b"%P" => self.text.parents.iter().map(digits).collect::<Vec<_>>().join(&b' '),
            b"%h" => return self.abbreviated(&[*commit]),
            b"%t" => return self.abbreviated(&[self.text.tree]),
            b"%p" => return self.abbreviated(&self.text.parents),
            b"%e" => self.encoding.clone(),
            b"%d" => self.decorated(" (", ")")?,
            b"%D" => self.decorated("", "")?,
            b"%s" => return Ok(self.message(|message| subject(message).join(&b' '))),
            b"%f" => return Ok(self.message(file_name)),
            b"%b" => return Ok(self.message(|message| body(message).to_vec())),
            b"%B" => return Ok(self.message(<[u8]>::to_vec)),
            [b'%', b'x', high, low] => return Ok(hex::decode(&[*high, *low])),
            [b'%', b'a', part] => return Ok(self.person(b"author ", *part)),
            [b'%', b'c', part] => return Ok(self.person(b"committer ", *part)),
            _ => return Ok(None),
        }))
    }

    fn abbreviated(&self, ids: &[[u8; 20]]) -> FillResult {
        let short: Result<Option<Vec<String>>, Error> =
            ids.iter().map(|id| self.repo.abbreviate(id)).collect();
        Ok(short?.map(|ids| ids.join(" ").into_bytes()))
    }

    fn decorated(&self, open: &str, close: &str) -> Result<Vec<u8>, Error> {
        let decorations = match self.decorations.get() {
            Some(known) => known,
            None => {
                let found = self.repo.decorations(self.commit)?;
                self.decorations.get_or_init(|| found)
            }
        };
        let names = decorations.iter().map(|decoration| match decoration {
            Decoration::Head(None) => b"HEAD".to_vec(),
            Decoration::Head(Some(branch)) => [b"HEAD -> ", short_name(branch)].concat(),
            Decoration::Tag(name) => [b"tag: ", short_name(name)].concat(),
            Decoration::Ref(name) => short_name(name).to_vec(),
        });
        let names = names.collect::<Vec<_>>().join(&b", "[..]);
        match names.is_empty() {
            true => Ok(names),
            false => Ok([open.as_bytes(), &names, close.as_bytes()].concat()),
        }
    }

    /// Returns true if the commit's text is UTF-8. git converts other encodings to UTF-8 and back,
    /// which may change the text.
    fn is_plain(&self) -> bool {
        self.encoding.is_empty() || is_utf8(&self.encoding)
    }

    fn message(&self, part: impl FnOnce(&[u8]) -> Vec<u8>) -> Option<Vec<u8>> {
        self.is_plain().then(|| part(&self.text.message))
    }

    fn person(&self, field: &[u8], part: u8) -> Option<Vec<u8>> {
        let person = Person::parse(header_line(&self.text.header, field)?)?;
        let mailmapped = || self.repo.mailmapped(person.name, person.email);
        match part {
            b't' => return Some(person.seconds.as_bytes().to_vec()),
            b'd' | b'D' | b'i' | b'I' | b's' => return person.date(part).map(String::into_bytes),
            _ if !self.is_plain() => return None,
            _ => {}
        }
        let before_at = |email: &[u8]| email.split(|byte| *byte == b'@').next().map(<[u8]>::to_vec);
        match part {
            b'n' => Some(person.name.to_vec()),
            b'e' => Some(person.email.to_vec()),
            b'l' => before_at(person.email),
            b'N' => mailmapped().map(|(name, _)| name),
            b'E' => mailmapped().map(|(_, email)| email),
            b'L' => mailmapped().and_then(|(_, email)| before_at(&email)),
            _ => None,
        }
    }
}

impl<'a> Person<'a> {
    /// Parses `Name <address> seconds zone`. Returns `None` for a line that git would repair or
    /// refuse.
    fn parse(line: &'a [u8]) -> Option<Self> {
        let open = line.iter().position(|byte| *byte == b'<')?;
        let (name, rest) = (line.get(..open)?, line.get(open + 1..)?);
        let close = rest.iter().position(|byte| *byte == b'>')?;
        let (email, time) = (rest.get(..close)?, rest.get(close + 1..)?);
        let (seconds, zone) = str::from_utf8(time).ok()?.trim_ascii().split_once(' ')?;
        let digits = zone.strip_prefix(['+', '-'])?;
        let all_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        let is_exact = digits.len() == 4 && all_digits(digits) && all_digits(seconds);
        let zone = is_exact.then(|| zone.parse().ok()).flatten()?;
        Some(Self { name: name.trim_ascii_end(), email, seconds, zone })
    }

    /// Returns the time in one of git's formats.
    fn date(&self, format: u8) -> Option<String> {
        let (hours, minutes) = (self.zone / 100, self.zone % 100);
        let local = self.seconds.parse::<i64>().ok()?.checked_add(local_seconds(hours, minutes))?;
        // git does not support times before 1970.
        let local = Timestamp::from_second(local).ok().filter(|_| local >= 0)?;
        let time: DateTime = TimeZone::UTC.to_datetime(local);
        let zone = format!("{:+05}", self.zone);
        let text = match format {
            b'd' => format!("{} {zone}", time.strftime("%a %b %-d %H:%M:%S %Y")),
            b'D' => format!("{} {zone}", time.strftime("%a, %-d %b %Y %H:%M:%S")),
            b'i' => format!("{} {zone}", time.strftime("%Y-%m-%d %H:%M:%S")),
            b's' => time.strftime("%Y-%m-%d").to_string(),
            b'I' if self.zone == 0 => time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            b'I' => {
                let (hours, minutes) = zone.split_at_checked(3)?;
                format!("{}{hours}:{minutes}", time.strftime("%Y-%m-%dT%H:%M:%S"))
            }
            _ => return None,
        };
        Some(text)
    }
}

fn local_seconds(hours: i32, minutes: i32) -> i64 {
    i64::from(hours) * 3600 + i64::from(minutes) * 60
}

/// Returns the length in bytes of the placeholder at the start of this text.
fn placeholder_length(text: &[u8]) -> usize {
    let length = match text.get(1) {
        None => 1,
        Some(b'x') => 4,
        Some(b'a' | b'c') => 3,
        // The form is `%(name:options)`.
        Some(b'(') => text.iter().position(|byte| *byte == b')').map_or(2, |end| end + 1),
        Some(_) => 2,
    };
    length.min(text.len())
}

fn header_line<'h>(header: &'h [u8], field: &[u8]) -> Option<&'h [u8]> {
    header.split(|byte| *byte == b'\n').find_map(|line| line.strip_prefix(field))
}

fn digits(id: &[u8; 20]) -> Vec<u8> {
    hex::encode(id).into_bytes()
}

fn short_name(name: &[u8]) -> &[u8] {
    let prefixes: [&[u8]; 3] = [b"refs/heads/", b"refs/tags/", b"refs/remotes/"];
    prefixes.iter().find_map(|prefix| name.strip_prefix(*prefix)).unwrap_or(name)
}

/// Removes white space at the end of a line, as git does.
fn trimmed(line: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
    let length = line.iter().rposition(|byte| !is_space(byte)).map_or(0, |last| last + 1);
    line.get(..length).unwrap_or_default()
}

/// Removes blank lines at the start.
fn without_blank_lines(mut text: &[u8]) -> &[u8] {
    while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = text.split_at(end + 1);
        if !trimmed(line).is_empty() {
            break;
        }
        text = rest;
    }
    if trimmed(text).is_empty() { &[] } else { text }
}

/// Returns the lines of the first paragraph.
fn subject(message: &[u8]) -> Vec<&[u8]> {
    let lines = without_blank_lines(message).split(|byte| *byte == b'\n');
    lines.map(trimmed).take_while(|line| !line.is_empty()).collect()
}

/// Returns the text after the first paragraph.
fn body(message: &[u8]) -> &[u8] {
    let mut text = without_blank_lines(message);
    while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = text.split_at(end + 1);
        if trimmed(line).is_empty() {
            return without_blank_lines(text);
        }
        text = rest;
    }
    &[]
}

/// Returns the first line as a part of a file name.
fn file_name(message: &[u8]) -> Vec<u8> {
    let text = without_blank_lines(message);
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let mut result = Vec::new();
    let mut has_gap = false;
    for byte in line {
        if !byte.is_ascii_alphanumeric() && !matches!(byte, b'.' | b'_') {
            has_gap = true;
        } else {
            if has_gap && !result.is_empty() {
                result.push(b'-');
            }
            let is_second_dot = *byte == b'.' && !has_gap && result.last() == Some(&b'.');
            if !is_second_dot {
                result.push(*byte);
            }
            has_gap = false;
        }
    }
    while matches!(result.last(), Some(b'.' | b'-')) {
        result.pop();
    }
    result
}
