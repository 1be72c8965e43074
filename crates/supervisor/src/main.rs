//! `terrane-supervisor`; see the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    supervisor::main(&arguments)
}
