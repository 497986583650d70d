//! Which library this is: what a host asks before anything else.

use std::ffi::{CStr, c_char};

use super::{guard, text::CText};

/// The version of the header and of its ABI.
pub type VersionConstant = u32;

/// The version of the ABI, which is the N in `libtinyci.so.N`: raised whenever a program that was
/// built against an earlier header would not run any more, and only then.
pub const TINYCI_ABI: VersionConstant = 1;

const VERSION: &CStr =
    match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
        Ok(version) => version,
        Err(_) => panic!("a version holds no NUL"),
    };

const VERSION_NUMBER: u32 = number(env!("CARGO_PKG_VERSION_MAJOR")) * 1_000_000
    + number(env!("CARGO_PKG_VERSION_MINOR")) * 1_000
    + number(env!("CARGO_PKG_VERSION_PATCH"));

/// A number in decimal digits, while compiling.
#[expect(clippy::panic, reason = "it ends the compilation and not a program")]
const fn number(digits: &str) -> u32 {
    match u32::from_str_radix(digits, 10) {
        Ok(number) => number,
        Err(_) => panic!("not a number"),
    }
}

/// The version of the library, such as `0.1.0`. The header's own is `TINYCI_VERSION`.
///
/// @return The version. Static: do not free it.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_version() -> *const c_char {
    VERSION.as_ptr()
}

/// The version of the library as a number that rises with it: 1.2.3 is 1002003. The header's own
/// is `TINYCI_VERSION_NUMBER`; a library that is older than the header may lack functions.
///
/// @return The number.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_version_number() -> VersionConstant {
    VERSION_NUMBER
}

/// The version of the library's ABI. A program must not use a library whose ABI is not the
/// `TINYCI_ABI` of the header it was written for.
///
/// @return The number.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_abi() -> VersionConstant {
    TINYCI_ABI
}

/// Whether the library was built with a feature.
///
/// @param name  The feature, or NULL: `rhai` for pipelines that are scripts.
/// @return 1 for yes; 0 for no, for a name that the library does not know, and for NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_has_feature(name: CText<'_>) -> i32 {
    guard::answer(|| match name.optional("name") {
        Ok(Some("rhai")) => i32::from(cfg!(feature = "rhai")),
        _ => 0,
    })
}
