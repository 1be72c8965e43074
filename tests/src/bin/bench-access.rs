//! `cargo xtask bench --only access`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("access", tests::bench::access);
}
