//! Strings and bytes in and out: checks, replacements and ownership.

use std::{
    borrow::Cow,
    ffi::{CStr, CString, OsStr, c_char},
    marker::PhantomData,
    mem::MaybeUninit,
    os::unix::ffi::OsStrExt,
    path::Path,
    ptr, slice,
};

use super::error::Failure;
use crate::{Error, ErrorKind, deploy::DeployRules};

/// A string argument: NULL, or bytes up to a NUL that do not change during the call.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct CText<'call>(*const c_char, PhantomData<&'call c_char>);

// SAFETY: the string is only read, and its call waits for every thread that reads it.
unsafe impl Send for CText<'_> {}
// SAFETY: as above.
unsafe impl Sync for CText<'_> {}

impl<'call> CText<'call> {
    /// Returns the string of a required argument. The name is for the error.
    pub(super) fn required(self, name: &str) -> Result<&'call str, Failure> {
        self.optional(name)?.ok_or_else(|| Failure::null(name))
    }

    /// Returns the string of an optional argument.
    pub(super) fn optional(self, name: &str) -> Result<Option<&'call str>, Failure> {
        let text = self.bytes().map(|bytes| utf8(bytes, name));
        text.transpose()
    }

    /// Returns the string for messages: U+FFFD replaces what is not UTF-8.
    pub(super) fn lossy(self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// Returns the path of an argument: any bytes.
    pub(super) fn path(self, name: &str) -> Result<&'call Path, Failure> {
        let bytes = self.bytes().ok_or_else(|| Failure::null(name))?;
        Ok(Path::new(OsStr::from_bytes(bytes)))
    }

    /// Returns the given number of bytes, which may contain NULs. NULL is allowed only for a length
    /// of 0.
    pub(super) fn of_length(self, length: usize, name: &str) -> Result<&'call [u8], Failure> {
        CBytes(self.0.cast(), PhantomData).of_length(length, name)
    }

    /// Returns the bytes of an optional argument.
    pub(super) fn bytes(self) -> Option<&'call [u8]> {
        // SAFETY: such a value comes only from a caller in C, whose strings end with a NUL and are
        // valid during the call.
        (!self.0.is_null()).then(|| unsafe { CStr::from_ptr(self.0) }.to_bytes())
    }
}

/// An argument of bytes that comes with a length.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct CBytes<'call>(*const u8, PhantomData<&'call u8>);

// SAFETY: as for CText.
unsafe impl Send for CBytes<'_> {}
// SAFETY: as for CText.
unsafe impl Sync for CBytes<'_> {}

impl<'call> CBytes<'call> {
    /// Returns the given number of bytes. NULL is allowed only for a length of 0.
    pub(super) fn of_length(self, length: usize, name: &str) -> Result<&'call [u8], Failure> {
        if length == 0 {
            return Ok(&[]);
        }
        if self.0.is_null() {
            return Err(Failure::null(name));
        }
        if isize::try_from(length).is_err() {
            let message = format!("invalid length {length} of `{name}`: no object is that large");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        // SAFETY: such a value comes only from a caller in C, which passes its length. It is not
        // NULL, and an object can have this length.
        Ok(unsafe { slice::from_raw_parts(self.0, length) })
    }
}

fn utf8<'call>(bytes: &'call [u8], name: &str) -> Result<&'call str, Failure> {
    std::str::from_utf8(bytes).map_err(|fault| {
        let message = format!("`{name}` is not valid UTF-8 at byte {}", fault.valid_up_to());
        Error::new(ErrorKind::InvalidArg, message).into()
    })
}

/// Returns a string for C. U+FFFD replaces NUL characters.
pub(super) fn c_text(text: &str) -> CString {
    let text = match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    };
    CString::new(text.as_bytes()).unwrap_or_default()
}

/// Lines for C, each with its newline.
pub(super) fn lines(lines: &[String]) -> CString {
    c_text(&lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>())
}

/// Bytes as a string for C. U+FFFD replaces NUL characters and what is not UTF-8.
pub(super) fn c_text_lossy(bytes: &[u8]) -> CString {
    c_text(&String::from_utf8_lossy(bytes))
}

/// Returns a path for C: its own bytes.
pub(super) fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

/// Returns a pointer that is valid as long as the string is kept; NULL for none.
pub(super) fn borrowed(text: Option<&CString>) -> *const c_char {
    text.map_or(ptr::null(), |text| text.as_ptr())
}

/// Stores the number of bytes if the caller wants it, and returns their address; NULL for none.
pub(super) fn bytes_out(
    bytes: Option<&[u8]>,
    length: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    if let Some(length) = length {
        length.write(bytes.map_or(0, <[u8]>::len));
    }
    bytes.map_or(ptr::null(), <[u8]>::as_ptr)
}

/// Frees a string that a function stored in a `char **`. Do not free strings that were returned as
/// `const char *`: they belong to the object they came from.
///
/// @param string  The string, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_string_free(string: Owned) {
    drop(string.into_text());
}

/// A string of this library that the caller returns to be freed.
#[repr(transparent)]
pub struct Owned(*mut c_char);

impl Owned {
    fn into_text(self) -> Option<CString> {
        // SAFETY: such a value comes only from a caller in C, which got it from
        // `CString::into_raw` and does not use it again.
        (!self.0.is_null()).then(|| unsafe { CString::from_raw(self.0) })
    }
}

/// Returns the environment that a caller named, or the usual one.
pub(super) fn environment_of(environment: CText<'_>) -> Result<&str, Failure> {
    Ok(environment.optional("environment")?.unwrap_or(DeployRules::PRODUCTION))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &CStr) -> CText<'_> {
        CText(text.as_ptr(), PhantomData)
    }

    #[test]
    fn text_that_is_not_utf8_is_refused_with_its_place() {
        let failure = text(c"ab\xff").required("name").unwrap_err();
        assert!(failure.0.to_string().contains("`name` is not valid UTF-8 at byte 2"));
        assert_eq!(text(c"ab").required("name").ok(), Some("ab"));
        assert!(CText(ptr::null(), PhantomData).required("name").is_err());
        assert!(matches!(CText(ptr::null(), PhantomData).optional("name"), Ok(None)));
    }

    #[test]
    fn lengths_that_no_object_has_are_refused() {
        let bytes = CBytes(b"abc".as_ptr(), PhantomData);
        assert_eq!(bytes.of_length(3, "data").ok(), Some(&b"abc"[..]));
        assert!(bytes.of_length(usize::MAX, "data").is_err());
        let none = CBytes(ptr::null(), PhantomData);
        assert_eq!(none.of_length(0, "data").ok(), Some(&b""[..]));
        assert!(none.of_length(1, "data").is_err());
    }

    #[test]
    fn what_c_cannot_read_is_replaced() {
        assert_eq!(c_text("a\0b").to_str().unwrap(), "a\u{fffd}b");
        assert_eq!(c_text_lossy(b"a\xff\0").to_str().unwrap(), "a\u{fffd}\u{fffd}");
    }
}
