//! Applies git's configuration from the environment of a program: `GIT_CONFIG_GLOBAL`,
//! `GIT_CONFIG_SYSTEM`, `GIT_CONFIG_NOSYSTEM`, `GIT_CONFIG_COUNT` with its keys and values, and
//! `GIT_CONFIG_PARAMETERS`, which `git -c` sets. libgit2 ignores all of them.
//!
//! The variables are read once, when a program requests it at its start. A library must not read an
//! environment that its host may be changing.

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, Seek, Write},
    os::{fd::AsRawFd, unix::ffi::OsStringExt},
    path::{Path, PathBuf},
    sync::{Mutex, OnceLock},
};

use git2::{Config, ConfigLevel, Repository};
use rustix::{fs::Access, io::Errno};

use super::libgit2::searched;
use crate::util::lock::lock;

/// An empty configuration file.
const NOTHING: &str = "/dev/null";

static CAPTURED: OnceLock<Captured> = OnceLock::new();

/// The values of the variables.
#[derive(Debug, PartialEq, Eq)]
struct Environment {
    /// The file that replaces the system's.
    system: Option<PathBuf>,
    /// The file that replaces the user's two files.
    global: Option<PathBuf>,
    /// Values that override those of all files, in the syntax of a file, or the reason why they are
    /// invalid.
    values: Result<Vec<u8>, String>,
}

/// The variables that were read, and an unnamed file with their values, because libgit2 reads only
/// files.
struct Captured {
    environment: Environment,
    file: Option<Mutex<File>>,
}

/// Reads the variables, for all repositories that are opened from now on.
pub(super) fn capture() {
    let mut environment = Environment::read(|name| env::var_os(name).map(OsString::into_vec));
    let file = match &environment.values {
        Ok(text) if !text.is_empty() => match stored(text) {
            Ok(file) => Some(Mutex::new(file)),
            Err(error) => {
                environment.values = Err(format!("cannot write a temporary file: {error}"));
                None
            }
        },
        _ => None,
    };
    let _ = CAPTURED.set(Captured { environment, file });
}

fn stored(text: &[u8]) -> io::Result<File> {
    let mut file = tempfile::tempfile()?;
    file.write_all(text)?;
    Ok(file)
}

/// Returns the user's configuration files that exist but may not be read. git ignores them, but
/// libgit2 fails.
pub(super) fn unreadable_user_files() -> impl Iterator<Item = (ConfigLevel, PathBuf)> {
    let files = [(ConfigLevel::Global, ".gitconfig"), (ConfigLevel::XDG, "config")];
    let files = files.into_iter().flat_map(|(level, name)| {
        searched(level).into_iter().map(move |dir| (level, dir.join(name)))
    });
    files.filter(|(_, path)| is_forbidden(path))
}

/// Returns true if this account may not read the file. Like git, checks the real user, and does not
/// open the file, which may be a FIFO.
fn is_forbidden(path: &Path) -> bool {
    rustix::fs::access(path, Access::READ_OK) == Err(Errno::ACCESS)
}

/// Returns true if a program has read variables that change the user's configuration.
pub(super) fn is_in_use() -> bool {
    let of_user = |it: &Captured| it.environment.global.is_some() || it.file.is_some();
    CAPTURED.get().is_some_and(of_user)
}

/// Returns the file that replaces this level's, if the environment names one.
pub(super) fn file(level: ConfigLevel) -> Option<PathBuf> {
    let environment = &CAPTURED.get()?.environment;
    match level {
        ConfigLevel::System => environment.system.clone(),
        ConfigLevel::Global => environment.global.clone(),
        _ => None,
    }
}

/// Applies the captured environment to this repository's configuration, as git does.
///
/// # Errors
///
/// Fails if git would refuse a variable too, or if a file cannot be read. The error names it in one
/// sentence.
pub(super) fn apply(git: &Repository) -> Result<(), String> {
    let Some(Captured { environment, file }) = CAPTURED.get() else { return Ok(()) };
    environment.values.as_ref().map_err(Clone::clone)?;
    let said = |source: git2::Error| source.message().to_owned();
    let mut config = git.config().map_err(said)?;
    let mut replace = |level, path: &Path| config.add_file(path, level, true).map_err(said);
    if let Some(path) = &environment.system {
        replace(ConfigLevel::System, or_nothing(path))?;
    }
    if let Some(path) = &environment.global {
        let path = if is_forbidden(path) { Path::new(NOTHING) } else { or_nothing(path) };
        replace(ConfigLevel::Global, path)?;
        replace(ConfigLevel::XDG, Path::new(NOTHING))?;
    }
    if let Some(file) = file {
        // On some systems, opening `/dev/fd/N` shares the position of the file, which must then be at
        // the start.
        let mut file = lock(file);
        file.rewind().map_err(|error| error.to_string())?;
        replace(ConfigLevel::App, Path::new(&format!("/dev/fd/{}", file.as_raw_fd())))?;
    }
    Ok(())
}

fn or_nothing(path: &Path) -> &Path {
    if path.exists() { path } else { Path::new(NOTHING) }
}

impl Environment {
    fn read(variable: impl Fn(&str) -> Option<Vec<u8>>) -> Self {
        let path = |name| variable(name).map(|bytes| PathBuf::from(OsString::from_vec(bytes)));
        let without_system = variable("GIT_CONFIG_NOSYSTEM").is_some_and(|value| is_true(&value));
        let system = match without_system {
            true => Some(PathBuf::from(NOTHING)),
            false => path("GIT_CONFIG_SYSTEM"),
        };
        Self { system, global: path("GIT_CONFIG_GLOBAL"), values: values(&variable) }
    }
}

fn is_true(value: &[u8]) -> bool {
    std::str::from_utf8(value).is_ok_and(|value| Config::parse_bool(value).unwrap_or(false))
}

/// Returns the counted values, followed by those of `git -c`, which override them.
fn values(variable: &impl Fn(&str) -> Option<Vec<u8>>) -> Result<Vec<u8>, String> {
    let mut values = Vec::new();
    if let Some(count) = variable("GIT_CONFIG_COUNT").filter(|count| !count.is_empty()) {
        let count = std::str::from_utf8(&count).ok().and_then(|count| count.trim().parse().ok());
        let count: u16 = count.ok_or("`GIT_CONFIG_COUNT` is not a count")?;
        for number in 0..count {
            let wanted = |kind: &str| {
                let name = format!("GIT_CONFIG_{kind}_{number}");
                variable(&name).ok_or(format!("`{name}` is missing"))
            };
            values.extend(entry(&wanted("KEY")?, Some(&wanted("VALUE")?))?);
        }
    }
    let parameters = variable("GIT_CONFIG_PARAMETERS").unwrap_or_default();
    let mut rest = parameters.trim_ascii_start();
    while !rest.is_empty() {
        let (first, after) = unquoted(rest).ok_or(MALFORMED)?;
        rest = match after.strip_prefix(b"=") {
            // `'key'='value'`. A key without a value is true.
            Some(quoted) if quoted.starts_with(b"'") => {
                let (value, after) = unquoted(quoted).ok_or(MALFORMED)?;
                values.extend(entry(&first, Some(&value))?);
                after
            }
            Some(after) => {
                values.extend(entry(&first, None)?);
                after
            }
            // `'key=value'`, as older versions wrote it.
            None => {
                let mut parts = first.splitn(2, |byte| *byte == b'=');
                let key = parts.next().unwrap_or_default();
                values.extend(entry(key, parts.next())?);
                after
            }
        }
        .trim_ascii_start();
    }
    Ok(values)
}

const MALFORMED: &str = "`GIT_CONFIG_PARAMETERS` is malformed";

/// Returns the lines of a file that set this key. A key without a value is true.
fn entry(key: &[u8], value: Option<&[u8]>) -> Result<Vec<u8>, String> {
    let dots = (key.iter().position(|it| *it == b'.'), key.iter().rposition(|it| *it == b'.'));
    let (Some(first), Some(last)) = dots else {
        return Err(format!("`{}` has no section", String::from_utf8_lossy(key)));
    };
    let (section, name) = (key.get(..first), key.get(last + 1..));
    let mut lines = [b"[", section.unwrap_or_default()].concat();
    if let Some(subsection) = key.get(first + 1..last) {
        lines.extend([b" ", quoted(subsection).as_slice()].concat());
    }
    lines.extend([b"]\n\t", name.unwrap_or_default()].concat());
    lines
        .extend(value.map(|value| [b" = ", quoted(value).as_slice()].concat()).unwrap_or_default());
    lines.push(b'\n');
    Ok(lines)
}

fn quoted(text: &[u8]) -> Vec<u8> {
    let mut quoted = vec![b'"'];
    for byte in text {
        match byte {
            b'\n' => quoted.extend(b"\\n"),
            b'"' | b'\\' => quoted.extend([b'\\', *byte]),
            _ => quoted.push(*byte),
        }
    }
    quoted.push(b'"');
    quoted
}

/// Parses a string in single quotes. Returns it and the bytes after it.
fn unquoted(text: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let (mut plain, mut rest) = (Vec::new(), text.strip_prefix(b"'")?);
    loop {
        let end = rest.iter().position(|byte| *byte == b'\'')?;
        let (inside, after) = rest.split_at(end);
        plain.extend(inside);
        let after = after.get(1..)?;
        match after {
            [b'\\', escaped @ (b'\'' | b'!'), b'\'', more @ ..] => {
                plain.push(*escaped);
                rest = more;
            }
            _ => return Some((plain, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Environment {
        let find = |name: &str| variables.iter().find(|(known, _)| *known == name);
        Environment::read(|name| find(name).map(|(_, value)| value.as_bytes().to_vec()))
    }

    /// Returns the values as libgit2 reads them.
    fn values_of(environment: &Environment) -> Vec<(String, String)> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), environment.values.as_ref().unwrap()).unwrap();
        let config = Config::open(file.path()).unwrap();
        let (mut entries, mut found) = (config.entries(None).unwrap(), Vec::new());
        while let Some(entry) = entries.next() {
            let entry = entry.unwrap();
            let value = if entry.has_value() { entry.value().unwrap() } else { "true" };
            found.push((entry.name().unwrap().to_owned(), value.to_owned()));
        }
        found
    }

    #[test]
    fn files_are_those_that_the_variables_name() {
        assert_eq!(read(&[]), Environment { system: None, global: None, values: Ok(vec![]) });
        let files = [("GIT_CONFIG_GLOBAL", "/g"), ("GIT_CONFIG_SYSTEM", "/s")];
        let (given, path) = (read(&files), |text| Some(PathBuf::from(text)));
        assert_eq!((given.global, given.system), (path("/g"), path("/s")));
        for (value, system) in [("1", "/dev/null"), ("yes", "/dev/null"), ("0", "/s"), ("", "/s")] {
            let all = [files[0], files[1], ("GIT_CONFIG_NOSYSTEM", value)];
            assert_eq!(read(&all).system, path(system), "{value}");
        }
    }

    #[test]
    fn values_are_read_as_git_writes_them() {
        let given = read(&[
            ("GIT_CONFIG_COUNT", "2"),
            ("GIT_CONFIG_KEY_0", "TinyCI.Jobs"),
            ("GIT_CONFIG_VALUE_0", "2"),
            ("GIT_CONFIG_KEY_1", "Url.https://A.example/.insteadOf"),
            ("GIT_CONFIG_VALUE_1", ""),
            (
                "GIT_CONFIG_PARAMETERS",
                "'a.b'='it'\\''s' 'C.d'= 'old.E=x=y' 'bare.f' 'q.\"r\\.s'='a \"b\\\n# c'",
            ),
        ]);
        let expected = [
            ("tinyci.jobs", "2"),
            ("url.https://A.example/.insteadof", ""),
            ("a.b", "it's"),
            ("c.d", "true"),
            ("old.e", "x=y"),
            ("bare.f", "true"),
            ("q.\"r\\.s", "a \"b\\\n# c"),
        ];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(values_of(&given), expected);
    }

    #[test]
    fn what_git_refuses_is_named() {
        for (variables, expected) in [
            (&[("GIT_CONFIG_COUNT", "x")][..], "`GIT_CONFIG_COUNT` is not a count"),
            (&[("GIT_CONFIG_COUNT", "1")], "`GIT_CONFIG_KEY_0` is missing"),
            (&[("GIT_CONFIG_PARAMETERS", "'a.b")], "`GIT_CONFIG_PARAMETERS` is malformed"),
            (&[("GIT_CONFIG_PARAMETERS", "'nothing'='x'")], "`nothing` has no section"),
        ] {
            assert_eq!(read(variables).values, Err(expected.to_owned()));
        }
    }
}
