//! `cargo xtask bench --only policy`: see docs/benchmarks.md.

fn main() {
    tests::bench::start("policy", tests::bench::policy);
}
