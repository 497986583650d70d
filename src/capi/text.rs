//! Text and bytes on their way in and out: what is checked, what is replaced, who frees it.

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

/// A C string that the host hands in: NULL, or bytes up to a NUL that stay as they are for as long
/// as the call lasts.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct CText<'call>(*const c_char, PhantomData<&'call c_char>);

// SAFETY: the text is only read, and the call that it came with waits for whoever reads it.
unsafe impl Send for CText<'_> {}
// SAFETY: as above.
unsafe impl Sync for CText<'_> {}

impl<'call> CText<'call> {
    /// The text of an argument that must be there, named so in the error.
    pub(super) fn required(self, name: &str) -> Result<&'call str, Failure> {
        self.optional(name)?.ok_or_else(|| Failure::null(name))
    }

    /// The text of an argument that may be NULL.
    pub(super) fn optional(self, name: &str) -> Result<Option<&'call str>, Failure> {
        let text = self.bytes().map(|bytes| utf8(bytes, name));
        text.transpose()
    }

    /// The text whatever its bytes are, for messages: what is not UTF-8 is U+FFFD.
    pub(super) fn lossy(self) -> Option<String> {
        self.bytes().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
    }

    /// The path that an argument names: any bytes.
    pub(super) fn path(self, name: &str) -> Result<&'call Path, Failure> {
        let bytes = self.bytes().ok_or_else(|| Failure::null(name))?;
        Ok(Path::new(OsStr::from_bytes(bytes)))
    }

    /// So many bytes, with or without a NUL behind them or among them. NULL is none, and stands only
    /// for none.
    pub(super) fn of_length(self, length: usize, name: &str) -> Result<&'call [u8], Failure> {
        CBytes(self.0.cast(), PhantomData).of_length(length, name)
    }

    /// The bytes of an argument that may be NULL.
    pub(super) fn bytes(self) -> Option<&'call [u8]> {
        // SAFETY: such a value comes only from a host, whose strings end with a NUL and live as
        // long as the call.
        (!self.0.is_null()).then(|| unsafe { CStr::from_ptr(self.0) }.to_bytes())
    }
}

/// Bytes that the host hands in with their number beside them.
#[derive(Clone, Copy)]
#[repr(transparent)]
pub struct CBytes<'call>(*const u8, PhantomData<&'call u8>);

// SAFETY: as for CText.
unsafe impl Send for CBytes<'_> {}
// SAFETY: as for CText.
unsafe impl Sync for CBytes<'_> {}

impl<'call> CBytes<'call> {
    /// So many bytes. NULL is none, and stands only for none.
    pub(super) fn of_length(self, length: usize, name: &str) -> Result<&'call [u8], Failure> {
        if length == 0 {
            return Ok(&[]);
        }
        if self.0.is_null() {
            return Err(Failure::null(name));
        }
        if isize::try_from(length).is_err() {
            let message = format!("{length} bytes of `{name}` are more than there can be");
            return Err(Error::new(ErrorKind::InvalidArg, message).into());
        }
        // SAFETY: such a value comes only from a host, which says how many bytes are there; it is
        // not NULL and the number is one that an object can have.
        Ok(unsafe { slice::from_raw_parts(self.0, length) })
    }
}

fn utf8<'call>(bytes: &'call [u8], name: &str) -> Result<&'call str, Failure> {
    std::str::from_utf8(bytes).map_err(|fault| {
        let message = format!("`{name}` is not UTF-8 from byte {} on", fault.valid_up_to());
        Error::new(ErrorKind::InvalidArg, message).into()
    })
}

/// A text for C. What C cannot have in a text, a NUL, is U+FFFD there.
pub(super) fn c_text(text: &str) -> CString {
    let text = match text.contains('\0') {
        true => Cow::Owned(text.replace('\0', "\u{fffd}")),
        false => Cow::Borrowed(text),
    };
    CString::new(text.as_bytes()).unwrap_or_default()
}

/// Texts for C, each a line with its end.
pub(super) fn lines(lines: &[String]) -> CString {
    c_text(&lines.iter().flat_map(|line| [line.as_str(), "\n"]).collect::<String>())
}

/// The same of bytes: what is not UTF-8 is U+FFFD too.
pub(super) fn c_text_lossy(bytes: &[u8]) -> CString {
    c_text(&String::from_utf8_lossy(bytes))
}

/// A path for C: its own bytes.
pub(super) fn c_path(path: &Path) -> CString {
    CString::new(path.as_os_str().as_bytes()).unwrap_or_default()
}

/// A pointer that C may follow for as long as the text is kept; NULL for none.
pub(super) fn borrowed(text: Option<&CString>) -> *const c_char {
    text.map_or(ptr::null(), |text| text.as_ptr())
}

/// Stores how many bytes there are, where the host wants to know it, and gives their address: NULL
/// for none.
pub(super) fn bytes_out(
    bytes: Option<&[u8]>,
    length: Option<&mut MaybeUninit<usize>>,
) -> *const u8 {
    if let Some(length) = length {
        length.write(bytes.map_or(0, <[u8]>::len));
    }
    bytes.map_or(ptr::null(), <[u8]>::as_ptr)
}

/// Frees a text that a function stored in a `char **`.
///
/// @param string  The text, which is gone then, or NULL. Texts that were returned as `const char *`
///                belong to the object they came from: do not free them.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_string_free(string: Owned) {
    drop(string.into_text());
}

/// A text of ours that comes back.
#[repr(transparent)]
pub struct Owned(*mut c_char);

impl Owned {
    fn into_text(self) -> Option<CString> {
        // SAFETY: such a value comes only from a host, which got it from `CString::into_raw` and
        // does not use it again.
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
        assert!(failure.0.to_string().contains("`name` is not UTF-8 from byte 2"));
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
