//! A worker alone, for the tests of this crate; in the product it is `terrane policy-worker`.

fn main() -> std::process::ExitCode {
    policy::worker::serve()
}
