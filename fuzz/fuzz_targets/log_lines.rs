#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| terraform::probe::log_lines(data));
