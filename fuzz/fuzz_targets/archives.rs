//! The unpacker of the runner and the look that the control plane takes at an upload. Both modules
//! are compiled by themselves: the programs they belong to would take many minutes to instrument.
#![no_main]
#![allow(
    dead_code,
    unused_imports,
    reason = "each module is made for its program, not for this one"
)]

#[path = "../../runner/src/archive/mod.rs"]
mod archive;
#[path = "../../control-plane/src/runs/configuration/archive.rs"]
mod upload;

use std::io::Write;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    let archive = archive::probe::with_checksums(data.to_vec());
    let _ = archive::probe::archives(data);
    let _ = archive::probe::archives(&archive);
    let _ = upload::check(data);
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::none());
    gzip.write_all(&archive).expect("to memory");
    let _ = upload::check(gzip.finish().expect("to memory").as_slice());
});
