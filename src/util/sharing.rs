//! [`Sharing`]: which other accounts may use the files that tinyci writes. git's setting
//! `core.sharedRepository` decides.
//!
//! Like git, this module changes the mode of a file after it was created. It neither reads nor sets
//! the umask, because the umask belongs to the whole process.

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

/// The permissions that git grants for `group` and for `all`.
const GROUP: u32 = 0o660;
const ALL: u32 = 0o664;

/// The bit that makes new entries of a directory inherit its group. BSD systems do that without it.
const SET_GROUP_ID: u32 = if cfg!(target_os = "linux") { 0o2000 } else { 0 };

/// The value of `core.sharedRepository`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sharing {
    /// Only the permissions that the umask leaves.
    #[default]
    Umask,
    /// At least these permissions, in addition to those that the umask leaves.
    AtLeast(u32),
    /// Exactly these permissions, independent of the umask.
    Exactly(u32),
}

impl Sharing {
    /// Parses a value as git's `git_config_perm` does. `None` as a value is a key without a value.
    /// Returns `None` if git would refuse the repository because of this value.
    pub(crate) fn parse(value: Option<&str>) -> Option<Sharing> {
        let Some(value) = value else { return Some(Sharing::AtLeast(GROUP)) };
        match value {
            "umask" => return Some(Sharing::Umask),
            "group" => return Some(Sharing::AtLeast(GROUP)),
            "all" | "world" | "everybody" => return Some(Sharing::AtLeast(ALL)),
            _ => {}
        }
        if value.is_empty() {
            return Some(Sharing::Umask);
        }
        let Some(mode) = parse_octal(value) else {
            return parse_bool(value)
                .map(|on| if on { Sharing::AtLeast(GROUP) } else { Sharing::Umask });
        };
        match mode {
            0 => Some(Sharing::Umask),
            1 => Some(Sharing::AtLeast(GROUP)),
            2 => Some(Sharing::AtLeast(ALL)),
            // git never lets others write. The right to enter a directory follows from the right to
            // read it.
            mode if mode & 0o600 == 0o600 => u32::try_from(mode & 0o666).ok().map(Sharing::Exactly),
            _ => None,
        }
    }

    /// Applies the permissions to a file or directory that tinyci has just created or opened.
    /// Leaves a file of another account unchanged.
    ///
    /// # Errors
    ///
    /// Fails if this account owns the file and its mode cannot be changed.
    pub(crate) fn adjust_open(self, file: impl AsFd) -> io::Result<()> {
        if self == Sharing::Umask {
            return Ok(());
        }
        let mode = fstat(&file)?.st_mode;
        let is_dir = FileType::from_raw_mode(mode) == FileType::Directory;
        let before = Mode::from_raw_mode(mode);
        // The width of this field differs between systems.
        #[allow(clippy::unnecessary_cast, reason = "systems differ in the width of this field")]
        let after = Mode::from_bits_retain(self.applied(before.bits() as u32, is_dir) as _);
        if after == before {
            return Ok(());
        }
        match fchmod(&file, after) {
            Err(Errno::PERM) => Ok(()),
            result => Ok(result?),
        }
    }

    /// Does the same for the file or directory at this path. Ignores a missing path and a symbolic
    /// link.
    ///
    /// # Errors
    ///
    /// Same as [`adjust_open`](Self::adjust_open).
    pub(crate) fn adjust(self, path: &Path) -> io::Result<()> {
        if self == Sharing::Umask {
            return Ok(());
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        match openat(CWD, path, flags, Mode::empty()) {
            Ok(file) => self.adjust_open(file),
            // A file that this account may not even read belongs to another account.
            Err(Errno::NOENT | Errno::LOOP | Errno::MLINK | Errno::ACCESS) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Creates a temporary file in this directory. The caller writes it and renames it to its final
    /// name.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be created or its mode cannot be changed.
    pub(crate) fn new_file_in(self, dir: &Path) -> io::Result<NamedTempFile> {
        let file = unfinished::create(dir, 0o666)?;
        self.adjust_open(file.as_file())?;
        Ok(file)
    }

    /// Creates a directory and its missing parents. Leaves existing directories unchanged.
    ///
    /// # Errors
    ///
    /// Fails if a directory cannot be created or its mode cannot be changed.
    pub(crate) fn create_dir_all(self, dir: &Path) -> io::Result<()> {
        if self == Sharing::Umask || dir.is_dir() {
            return fs::create_dir_all(dir);
        }
        if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            self.create_dir_all(parent)?;
        }
        match fs::create_dir(dir) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists && dir.is_dir() => Ok(()),
            result => result.and_then(|()| self.adjust(dir)),
        }
    }

    /// Creates a directory and its missing parents below one that must exist. So a repository that
    /// was moved away is not created again, empty, in its old place.
    ///
    /// # Errors
    ///
    /// Fails if `base` does not exist, or as [`create_dir_all`](Self::create_dir_all) does.
    pub(crate) fn create_dir_below(self, base: &Path, dir: &Path) -> io::Result<()> {
        fs::metadata(base)?;
        self.create_dir_all(dir)
    }

    /// Returns the mode that git would give to a file or directory with this mode.
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

/// Parses a whole string as C's `strtol` does in base 8.
fn parse_octal(text: &str) -> Option<i64> {
    let text = text.trim_start();
    let (digits, sign) = match text.strip_prefix('-') {
        Some(digits) => (digits, -1),
        None => (text.strip_prefix('+').unwrap_or(text), 1),
    };
    let is_octal = !digits.is_empty() && digits.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
    // git truncates a number that does not fit to one with all bits set.
    is_octal.then(|| i64::from_str_radix(digits, 8).map_or(-1, |number| sign * number))
}

/// Parses a boolean as git does: a word or a number.
fn parse_bool(text: &str) -> Option<bool> {
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
        // A leading zero means an octal number, and the caller has already found that this is not
        // one.
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

    /// Values that git accepts, and some that it refuses.
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

    /// Creates a repository with git and these settings. Returns the modes of a directory, an
    /// object and a ref in it.
    fn modes_of_git(dir: &Path, value: &str, umask: &str) -> Option<(u32, u32, u32)> {
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
                let expected = modes_of_git(dir.path(), value, &format!("{umask:03o}"));
                let granted = Sharing::parse(Some(value)).map(|sharing| {
                    let applied = |mode: u32, is_dir| sharing.applied(mode & !umask, is_dir);
                    (applied(0o777, true), applied(0o444, false), applied(0o666, false))
                });
                assert_eq!(granted, expected, "{value} with umask {umask:03o}");
            }
        }
        assert_eq!(Sharing::parse(None), Some(Sharing::AtLeast(GROUP)));
        assert_eq!(Sharing::parse(Some("")), Some(Sharing::Umask));
        for refused in ["nonsense", "0440", "9z"] {
            assert_eq!(Sharing::parse(Some(refused)), None, "{refused}");
        }
    }

    #[test]
    fn a_directory_is_created_only_below_one_that_exists() {
        let dir = tempfile::tempdir().unwrap();
        let base = dir.path().join("moved.git");
        for sharing in [Sharing::Umask, Sharing::AtLeast(GROUP)] {
            let error = sharing.create_dir_below(&base, &base.join("a/b")).unwrap_err();
            assert_eq!((error.kind(), base.exists()), (ErrorKind::NotFound, false));
        }
        Sharing::Umask.create_dir_below(dir.path(), &base.join("a/b")).unwrap();
        assert!(base.join("a/b").is_dir());
    }

    #[test]
    fn existing_directories_and_targets_of_links_stay_unchanged() {
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
