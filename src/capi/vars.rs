//! [`tinyci_vars`] and what they are filled into.

use std::{ffi::c_char, mem::MaybeUninit};

use super::{
    error::ErrorOut,
    guard,
    handle::{Sealed, handle, optional},
    status::tinyci_code,
    text::{CText, c_text},
};
use crate::{Vars, interpolate};

/// Names and values for `tinyci_interpolate`. Owned by the host.
pub struct tinyci_vars(Sealed<Vars>);

handle!(tinyci_vars, Vars, "vars");

/// Makes an empty set of variables.
///
/// @return The set, to be freed with `tinyci_vars_free`; NULL only where memory is short.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_vars_new() -> *mut tinyci_vars {
    guard::fresh(Vars::new)
}

/// Sets a variable, in the place of an older value.
///
/// @param vars   The set.
/// @param name   Its name: `a`-`z`, digits and `_`, not beginning with a digit.
/// @param value  Its value: any text. Copied.
/// @param err    Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, or `TINYCI_INVALID_ARG`.
///
/// One thread at a time. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_vars_set(
    vars: Option<&mut tinyci_vars>,
    name: CText<'_>,
    value: CText<'_>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::set(vars, err, |vars| Ok(vars.set(name.required("name")?, value.required("value")?)?))
}

/// Frees a set of variables.
///
/// @param vars  The set, which is gone then, or NULL.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_vars_free(vars: Option<Box<tinyci_vars>>) {
    guard::free(vars);
}

/// Fills the tags of a template in: `<%= name %>` becomes the variable's value, `<%%` becomes `<%`.
///
/// A value goes in only if a shell can take it for no more than a word: nothing is quoted here, and
/// what would have to be is refused.
///
/// @param tmpl  The template.
/// @param vars  The variables; NULL for none.
/// @param out   Where the text is stored, to be freed with `tinyci_string_free`; NULL on an error.
/// @param err   Where the error is to be stored, or NULL.
/// @return `TINYCI_OK`, `TINYCI_INVALID_ARG`, or `TINYCI_INTERPOLATE` with line and column.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_interpolate(
    tmpl: CText<'_>,
    vars: Option<&tinyci_vars>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make_alone(out, err, || {
        let none = Vars::new();
        let vars = optional(vars)?.unwrap_or(&none);
        Ok(c_text(&interpolate(tmpl.required("tmpl")?, vars)?))
    })
}
