//! The file `format` of the state directory. tinyci reads it when it opens a repository and before
//! it changes anything in the directory.

use std::{
    io::{self, Write as _},
    path::PathBuf,
};

use crate::util::state_file;
use crate::{
    model::{
        error::{Error, ErrorKind},
        stored_names::state,
    },
    repo::repository::Repo,
    wire::StateFormat,
};

impl Repo {
    /// Checks that this version can read the state.
    ///
    /// # Errors
    ///
    /// [`NewerFormat`](ErrorKind::NewerFormat) if only a newer version of tinyci can read the
    /// state; [`Io`](ErrorKind::Io) if the file is damaged.
    pub(in crate::repo) fn check_readable(&self) -> Result<(), Error> {
        match self.state_format()? {
            Some(format) => format.check_read(&self.to_string()),
            None => Ok(()),
        }
    }

    /// Checks that this version may change the state, and writes the file if it does not exist.
    ///
    /// # Errors
    ///
    /// [`NewerFormat`](ErrorKind::NewerFormat) if only a newer version of tinyci can write the
    /// state; [`Io`](ErrorKind::Io) if the file is damaged or cannot be written.
    pub(crate) fn check_writable(&self) -> Result<(), Error> {
        match self.state_format()? {
            Some(format) => format.check_write(&self.to_string()),
            None => self.write_state_format(),
        }
    }

    /// Returns true if this version may change the state. Read-only calls update their caches only
    /// then.
    pub(crate) fn may_cache(&self) -> bool {
        let format = self.state_format();
        format.is_ok_and(|it| it.is_none_or(|it| it.check_write(&self.to_string()).is_ok()))
    }

    /// Reads the file, or returns `None` if it does not exist because tinyci has changed nothing
    /// yet.
    fn state_format(&self) -> Result<Option<StateFormat>, Error> {
        let path = self.format_path();
        let absent = [io::ErrorKind::NotFound, io::ErrorKind::NotADirectory];
        let text = match state_file::read(&path) {
            Err(error) if absent.contains(&error.kind()) => return Ok(None),
            text => text.map_err(|source| Error::io("read", &path, source))?,
        };
        let format = std::str::from_utf8(&text).ok().and_then(StateFormat::parse);
        format.map(Some).ok_or_else(|| {
            let shown = path.display();
            let message = format!(
                "cannot find out which versions of tinyci may use this repository: `{shown}` is \
                 damaged"
            );
            let hint = format!("if no newer version of tinyci ever used it, `rm '{shown}'`");
            Error::new(ErrorKind::Io, message).with_path(&path).with_hint(hint)
        })
    }

    /// Writes the file atomically and syncs it to the disk, because an empty file would stop every
    /// program. Does not replace an existing file.
    fn write_state_format(&self) -> Result<(), Error> {
        let (sharing, path) = (self.sharing()?, self.format_path());
        let dir = path.parent().unwrap_or(&path);
        let write = || {
            sharing.create_dir_below(self.common_dir(), dir)?;
            let mut file = sharing.new_file_in(dir)?;
            file.write_all(StateFormat::current().text().as_bytes())?;
            file.as_file().sync_all()?;
            match file.persist_noclobber(&path) {
                Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
                written => Ok(written.map(drop)?),
            }
        };
        write().map_err(|source: io::Error| Error::io("write", &path, source))
    }

    fn format_path(&self) -> PathBuf {
        self.common_dir().join(state::DIR).join(state::FORMAT)
    }
}
