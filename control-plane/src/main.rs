//! `terrane`: the control plane and its administration. See [`control_plane::cli`].

use std::process::ExitCode;

#[cfg(all(feature = "jemalloc", target_os = "linux"))]
mod memory;

fn main() -> ExitCode {
    control_plane::cli::main()
}
