#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| terraform::probe::states(data));
