//! [`tinyci_vars`], and replacing placeholders.

use std::{ffi::c_char, mem::MaybeUninit};

use super::{
    code::tinyci_code,
    error::ErrorOut,
    guard,
    handle::{Sealed, handle, optional},
    text::{CText, c_text},
};
use crate::{Vars, interpolate};

/// Placeholder names and values for `tinyci_interpolate`. You own it.
pub struct tinyci_vars(Sealed<Vars>);

handle!(tinyci_vars, Vars, "vars");

/// Creates an empty set of variables.
///
/// @return The variables; free them with `tinyci_vars_free`. NULL only if out of memory.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_vars_new() -> *mut tinyci_vars {
    guard::fresh(Vars::new)
}

/// Sets a variable, replacing an earlier value.
///
/// @param vars   The variables.
/// @param name   The name: `a`-`z`, digits and `_`, not beginning with a digit.
/// @param value  The value: any string. Copied.
/// @param err    Where to store the error, or NULL.
/// @return `TINYCI_OK` or `TINYCI_INVALID_ARG`.
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
/// @param vars  The variables, or NULL; consumed.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_vars_free(vars: Option<Box<tinyci_vars>>) {
    guard::free(vars);
}

/// Replaces the placeholders of a template: `<%= name %>` becomes the value of the variable, `<%%`
/// becomes `<%`.
///
/// tinyci never quotes values. It refuses a value that a shell could take for more than one word.
///
/// @param text  The template.
/// @param vars  The variables; NULL for none.
/// @param out   Where to store the result; free it with `tinyci_string_free`. NULL on an error.
/// @param err   Where to store the error, or NULL.
/// @return `TINYCI_OK`; `TINYCI_INVALID_ARG`; `TINYCI_INTERPOLATE` with line and column.
///
/// Any thread. Since 0.1.0.
#[unsafe(no_mangle)]
pub extern "C" fn tinyci_interpolate(
    text: CText<'_>,
    vars: Option<&tinyci_vars>,
    out: Option<&mut MaybeUninit<*mut c_char>>,
    err: ErrorOut<'_>,
) -> tinyci_code {
    guard::make_alone(out, err, || {
        let none = Vars::new();
        let vars = optional(vars)?.unwrap_or(&none);
        Ok(c_text(&interpolate(text.required("text")?, vars)?))
    })
}
