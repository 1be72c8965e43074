//! `cargo xtask bench --only restart`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("restart", tests::bench::restart);
}
