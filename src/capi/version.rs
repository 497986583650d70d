//! The version and the features of the library.

use std::ffi::{CStr, c_char};

use super::{guard, text::CText};

/// The version of the header and of its ABI.
pub type VersionConstant = u32;

/// The version of the ABI: the N in `libtinyci.so.N`. It increases only when programs built with an
/// earlier header would no longer run.
pub const TINYCI_ABI: VersionConstant = 1;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version contains no NUL"),
    };

const VERSION_NUMBER: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
    + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
    + number(env!("CARGO_PKG_VERSION_PATCH"));

/// Parses a decimal number at compile time.
#[expect(clippy::panic, reason = "it ends the compilation and not a program")]
const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("not a number"),
    }
}

/// Returns the version of the library, such as `0.1.0`. The version of the header is
/// `TINYCI_VERSION`.
///
/// @return The version. Static: do not free it.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_version() -> *const c_char {
    VERSION.as_ptr()
}

/// Returns the version of the library as a number that increases with it: 1.2.3 is 1002003. The
/// version of the header is `TINYCI_VERSION_NUMBER`. If the library is older than the header,
/// functions may be missing.
///
/// @return The number.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_version_number() -> VersionConstant {
    VERSION_NUMBER
}

/// Returns the ABI version of the library. Do not use a library whose ABI version differs from the
/// `TINYCI_ABI` of your header.
///
/// @return The number.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_abi() -> VersionConstant {
    TINYCI_ABI
}

/// Returns whether the library was built with a feature.
///
/// @param name  The feature, or NULL. The only one today is `rhai`: pipelines that are scripts.
/// @return 1 if it was; 0 if not, for an unknown feature, and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_has_feature(name: CText<'_>) -> i32 {
    guard::answer(|| match name.optional("name") {
        Ok(Some("rhai")) => i32::from(cfg!(feature = "rhai")),
        _ => 0,
    })
}
