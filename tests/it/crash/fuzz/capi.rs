//! Calls the C ABI with arbitrary arguments: any string, any length, and null in any place, in any
//! order.

use std::{
    ffi::{CString, c_char},
    ptr::{null, null_mut},
};

/// An opaque object of the library.
#[repr(C)]
struct Opaque {
    _private: [u8; 0],
}

type Handle = *mut Opaque;

unsafe extern "C" {
    fn tinyci_vars_new() -> Handle;
    fn tinyci_vars_set(
        vars: Handle,
        name: *const c_char,
        value: *const c_char,
        err: *mut Handle,
    ) -> i32;
    fn tinyci_vars_free(vars: Handle);
    fn tinyci_interpolate(
        text: *const c_char,
        vars: Handle,
        out: *mut *mut c_char,
        err: *mut Handle,
    ) -> i32;
    fn tinyci_pipeline_parse(
        engine: Handle,
        text: *const c_char,
        length: usize,
        format: i32,
        name: *const c_char,
        out: *mut Handle,
        err: *mut Handle,
    ) -> i32;
    fn tinyci_pipeline_step_count(pipeline: Handle) -> usize;
    fn tinyci_pipeline_step_name(pipeline: Handle, index: usize) -> *const c_char;
    fn tinyci_pipeline_to_rhai(pipeline: Handle, out: *mut *mut c_char, err: *mut Handle) -> i32;
    fn tinyci_pipeline_free(pipeline: Handle);
    fn tinyci_selection_new() -> Handle;
    fn tinyci_selection_add_hook_lines(
        selection: Handle,
        text: *const c_char,
        length: usize,
        err: *mut Handle,
    ) -> i32;
    fn tinyci_selection_add_revision(
        selection: Handle,
        revision: *const c_char,
        err: *mut Handle,
    ) -> i32;
    fn tinyci_selection_free(selection: Handle);
    fn tinyci_string_free(string: *mut c_char);
    fn tinyci_error_message(error: Handle) -> *const c_char;
    fn tinyci_error_free(error: Handle);
    fn tinyci_has_feature(name: *const c_char) -> i32;
}

/// The objects of a sequence of calls.
struct Program {
    vars: Handle,
    selection: Handle,
    pipeline: Handle,
}

/// Makes one call for each part of the input, up to 64. The byte 0xff separates the parts. The
/// first byte of a part chooses the call, and the rest is its string.
pub(crate) fn call(data: &[u8]) {
    // SAFETY: as the header requires, each object is created and freed once, only by this thread,
    // and strings end with NUL.
    unsafe {
        let mut program = Program {
            vars: tinyci_vars_new(),
            selection: tinyci_selection_new(),
            pipeline: null_mut(),
        };
        for line in data.split(|byte| *byte == 0xff).take(64) {
            program.call(line);
        }
        tinyci_pipeline_free(program.pipeline);
        tinyci_selection_free(program.selection);
        tinyci_vars_free(program.vars);
    }
}

impl Program {
    /// # Safety
    ///
    /// The objects are valid or null.
    unsafe fn call(&mut self, line: &[u8]) {
        let Some((which, rest)) = line.split_first() else { return };
        let text = CString::new(rest.iter().copied().filter(|it| *it != 0).collect::<Vec<_>>());
        let text = text.unwrap_or_default();
        // Some calls get null instead of the string.
        let given = if which & 0x80 == 0 { text.as_ptr() } else { null() };
        let vars = if which & 0x40 == 0 { self.vars } else { null_mut() };
        let (mut error, mut out) = (null_mut(), null_mut());
        // SAFETY: see above. Each length is the length of its slice.
        let code = unsafe {
            match which & 0x07 {
                0 => tinyci_vars_set(vars, given, text.as_ptr(), &mut error),
                1 => tinyci_vars_set(vars, c"x".as_ptr(), given, &mut error),
                2 => tinyci_interpolate(given, vars, &mut out, &mut error),
                3 => self.parse(rest, i32::from(which & 0x38) / 8, &mut error),
                4 => tinyci_pipeline_to_rhai(self.pipeline, &mut out, &mut error),
                5 => {
                    let bytes = rest.as_ptr().cast();
                    tinyci_selection_add_hook_lines(self.selection, bytes, rest.len(), &mut error)
                }
                6 => tinyci_selection_add_revision(self.selection, given, &mut error),
                _ => {
                    tinyci_has_feature(given);
                    0
                }
            }
        };
        // SAFETY: both are null or were stored by the call.
        unsafe {
            assert_eq!(code == 0, error.is_null(), "an error comes with its code");
            if !error.is_null() {
                assert!(!tinyci_error_message(error).is_null());
            }
            tinyci_error_free(error);
            tinyci_string_free(out);
        }
    }

    /// # Safety
    ///
    /// As [`call`](Self::call).
    unsafe fn parse(&mut self, text: &[u8], format: i32, error: *mut Handle) -> i32 {
        // SAFETY: the length is the length of the slice, and the previous pipeline is freed once.
        unsafe {
            tinyci_pipeline_free(self.pipeline);
            self.pipeline = null_mut();
            let (bytes, name) = (text.as_ptr().cast(), c"config".as_ptr());
            let (length, out) = (text.len(), &raw mut self.pipeline);
            let code = tinyci_pipeline_parse(null_mut(), bytes, length, format, name, out, error);
            for index in 0..tinyci_pipeline_step_count(self.pipeline) {
                assert!(!tinyci_pipeline_step_name(self.pipeline, index).is_null());
            }
            code
        }
    }
}
