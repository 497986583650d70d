//! [`Sharing`]: which other accounts may use what tinyci writes, as git's `core.sharedRepository`
//! says.
//!
//! git changes the modes of what it makes, after it made it, and so does this. Nothing here asks for
//! the umask or sets it: it belongs to the whole process.

use std::{
    fs,
    io::{self, ErrorKind},
    os::fd::AsFd,
    path::Path,
};

use rustix::{
    fs::{CWD, FileType, Mode, OFlags, fchmod, fstat, openat},
    io::Errno,
};
use tempfile::NamedTempFile;

use crate::util::unfinished;

/// What git grants for `group` and `all`.
const GROUP: u32 = 0o660;
const EVERYBODY: u32 = 0o664;

/// What a folder's entries take its group from. BSD systems do that without it.
const SET_GROUP_ID: u32 = if cfg!(target_os = "linux") { 0o2000 } else { 0 };

/// What `core.sharedRepository` asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// What the umask leaves.
    #[default]
    Umask,
    /// At least these permissions, beside what the umask leaves.
    AtLeast(u32),
    /// These permissions, whatever the umask is.
    Exactly(u32),
}

impl Sharing {
    /// Reads a value as git's own `git_config_perm` does; `None` for a key that has none. Gives
    /// nothing for what makes git itself refuse the repository.
    pub(crate) fn parse(value: Option<&str>) -> Option<Sharing> {
        let Some(value) = value else { return Some(Sharing::AtLeast(GROUP)) };
        match value {
            "umask" => return Some(Sharing::Umask),
            "group" => return Some(Sharing::AtLeast(GROUP)),
            "all" | "world" | "everybody" => return Some(Sharing::AtLeast(EVERYBODY)),
            _ => {}
        }
        if value.is_empty() {
            return Some(Sharing::Umask);
        }
        let Some(mode) = octal(value) else {
            return truth(value)
                .map(|is| if is { Sharing::AtLeast(GROUP) } else { Sharing::Umask });
        };
        match mode {
            0 => Some(Sharing::Umask),
            1 => Some(Sharing::AtLeast(GROUP)),
            2 => Some(Sharing::AtLeast(EVERYBODY)),
            // Others never get to write, and who may enter a folder follows from who may read it.
            mode if mode & 0o600 == 0o600 => u32::try_from(mode & 0o666).ok().map(Sharing::Exactly),
            _ => None,
        }
    }

    /// Gives a file or folder that tinyci has just made, or opened as its own, to those who are to
    /// have it. Of another account it is as that account left it.
    ///
    /// # Errors
    ///
    /// Those of the system, where it is this account's and its mode cannot be changed.
    pub(crate) fn adjust_open(self, file: impl AsFd) -> io::Result<()> {
        if self == Sharing::Umask {
            return Ok(());
        }
        let mode = fstat(&file)?.st_mode;
        let is_dir = FileType::from_raw_mode(mode) == FileType::Directory;
        let before = Mode::from_raw_mode(mode);
        // The fields have other widths on other systems.
        #[allow(clippy::unnecessary_cast, reason = "systems differ in the width of this field")]
        let after = Mode::from_bits_retain(self.applied(before.bits() as u32, is_dir) as _);
        if after == before {
            return Ok(());
        }
        match fchmod(&file, after) {
            Err(Errno::PERM) => Ok(()),
            done => Ok(done?),
        }
    }

    /// The same for what stands at this path, and is neither there any more nor a link: neither
    /// is an error.
    ///
    /// # Errors
    ///
    /// As [`adjust_open`](Self::adjust_open).
    pub(crate) fn adjust(self, path: &Path) -> io::Result<()> {
        if self == Sharing::Umask {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(CWD, path, flags, Mode::empty()) {
            Ok(file) => self.adjust_open(file),
            // What this account may not even read is another's.
            Err(Errno::NOENT | Errno::LOOP | Errno::MLINK | Errno::ACCESS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// A new file in this folder, to be written and then put in its place whole.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn new_file_in(self, dir: &Path) -> io::Result<NamedTempFile> {
        let file = unfinished::create(dir, 0o666)?;
        self.adjust_open(file.as_file())?;
        Ok(file)
    }

    /// Makes a folder and those above it that are missing. A folder that was there stays as it is.
    ///
    /// # Errors
    ///
    /// Those of the system.
    pub(crate) fn create_dir_all(self, dir: &Path) -> io::Result<()> {
        if self == Sharing::Umask || dir.is_dir() {
            return fs::create_dir_all(dir);
        }
        if let Some(above) = dir.parent().filter(|above| !above.as_os_str().is_empty()) {
            self.create_dir_all(above)?;
        }
        match fs::create_dir(dir) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            made => made.and_then(|()| self.adjust(dir)),
        }
    }

    /// The mode that git would give to what has this one.
    fn applied(self, mode: u32, is_dir: bool) -> u32 {
        let (granted, exactly) = match self {
            Sharing::Umask => return mode,
            Sharing::AtLeast(granted) => (granted, false),
            Sharing::Exactly(granted) => (granted, true),
        };
        let mut granted = if mode & 0o200 == 0 { granted & !0o222 } else { granted };
        let executable = |readable: u32| (readable & 0o444) >> 2;
        if mode & 0o100 != 0 {
            granted |= executable(granted);
        }
        let mut mode = if exactly { mode & !0o777 | granted } else { mode | granted };
        if is_dir {
            mode |= executable(mode);
            if mode & 0o060 != 0 {
                mode |= SET_GROUP_ID;
            }
        }
        mode
    }
}

/// A whole text as C's `strtol` reads it in base 8.
fn octal(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (digits, sign) = match text.strip_prefix('-') {
        Some(digits) => (digits, -1),
        None => (text.strip_prefix('+').unwrap_or(text), 1),
    };
    let is_octal = !digits.is_empty() && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    // What does not fit git cuts to all ones.
    is_octal.then(|| i64::from_str_radix(digits, 8).map_or(-1, |number| sign * number))
}

/// A text as git reads a boolean: a word, or a number.
fn truth(text: &str) -> Option<bool> {
    let is = |words: &[&str]| words.iter().any(|word| word.eq_ignore_ascii_case(text));
    if is(&["true", "yes", "on"]) {
        return Some(true);
    }
    if is(&["false", "no", "off"]) {
        return Some(false);
    }
    let digits = text.trim_start().trim_start_matches(['-', '+']);
    let digits = digits.strip_suffix(['k', 'K', 'm', 'M', 'g', 'G']).unwrap_or(digits);
    let number = match digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        Some(digits) => u64::from_str_radix(digits, 16),
        // With a leading zero it would be octal, and was found not to be.
        None if digits.starts_with('0') && digits.len() > 1 => return None,
        None => digits.parse(),
    };
    number.ok().map(|number| number != 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use std::process::Command;

    use super::*;

    /// The values that git knows, and some that it refuses.
    const VALUES: [&str; 28] = [
        "umask",
        "group",
        "all",
        "world",
        "everybody",
        "true",
        "false",
        "yes",
        "no",
        "on",
        "off",
        "TRUE",
        "0",
        "1",
        "2",
        "3",
        "8",
        "0x10",
        "0660",
        "660",
        "0640",
        "0664",
        "0666",
        "0600",
        "0777",
        "0400",
        "Group",
        "08",
    ];

    fn mode_of(path: &Path) -> u32 {
        fs::symlink_metadata(path).unwrap().permissions().mode() & 0o7777
    }

    /// Folders and files of a new repository of git's with these settings: the modes that git gives.
    fn by_git(dir: &Path, value: &str, umask: &str) -> Option<(u32, u32, u32)> {
        let script = format!(
            "umask {umask} && git init -q --bare r && cd r && git config core.sharedRepository \
             '{value}' && id=$(echo x | git hash-object -w --stdin) && git -c user.name=a -c \
             user.email=a@b.c update-ref refs/a/b \"$(git -c user.name=a -c user.email=a@b.c \
             commit-tree -m x \"$(git mktree </dev/null)\")\" && echo $id"
        );
        let done = Command::new("sh").args(["-c", &script]).current_dir(dir).output().unwrap();
        let id = String::from_utf8(done.stdout).unwrap();
        let (fan_out, file) = id.trim().split_at_checked(2)?;
        let objects = dir.join("r/objects").join(fan_out);
        let reference = dir.join("r/refs/a/b");
        Some((mode_of(&objects), mode_of(&objects.join(file)), mode_of(&reference)))
    }

    #[test]
    fn every_value_gives_the_modes_that_git_gives() {
        for umask in [0o022, 0o077, 0o002] {
            for value in VALUES {
                let dir = tempfile::tempdir().unwrap();
                let expected = by_git(dir.path(), value, &format!("{umask:03o}"));
                let ours = Sharing::parse(Some(value)).map(|sharing| {
                    let applied = |mode: u32, is_dir| sharing.applied(mode & !umask, is_dir);
                    (applied(0o777, true), applied(0o444, false), applied(0o666, false))
                });
                assert_eq!(ours, expected, "{value} with umask {umask:03o}");
            }
        }
        assert_eq!(Sharing::parse(None), Some(Sharing::AtLeast(GROUP)));
        assert_eq!(Sharing::parse(Some("")), Some(Sharing::Umask));
        for refused in ["nonsense", "0440", "9z"] {
            assert_eq!(Sharing::parse(Some(refused)), None, "{refused}");
        }
    }

    #[test]
    fn folders_that_were_there_and_what_links_lead_to_stay_as_they_are() {
        let dir = tempfile::tempdir().unwrap();
        let (old, file) = (dir.path().join("old"), dir.path().join("file"));
        fs::create_dir(&old).unwrap();
        fs::write(&file, "").unwrap();
        for path in [&old, &file] {
            let mode = fs::metadata(path).unwrap().permissions().mode() & 0o100 | 0o600;
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let sharing = Sharing::AtLeast(GROUP);
        sharing.create_dir_all(&old.join("a/b")).unwrap();
        assert_eq!((mode_of(&old), mode_of(&old.join("a"))), (0o700, mode_of(&old.join("a/b"))));
        assert_eq!(mode_of(&old.join("a")) & 0o070, 0o070);
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        sharing.adjust(&link).unwrap();
        sharing.adjust(&dir.path().join("absent")).unwrap();
        assert_eq!(mode_of(&file), 0o600);
        sharing.adjust(&file).unwrap();
        assert_eq!(mode_of(&file), 0o660);
    }
}
