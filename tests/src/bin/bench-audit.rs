//! `cargo xtask bench --only audit`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("audit", tests::bench::audit);
}
