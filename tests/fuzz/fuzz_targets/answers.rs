#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| tinyci_fuzz::run("answers", data));
