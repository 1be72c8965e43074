//! `cargo xtask bench --only login`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("login", tests::bench::login);
}
