//! What it takes to price a plan.

use std::time::Instant;

use cost::{Estimator, Plan, Usage};

use super::Size;
use super::plans::plan;
use super::report::report;
use super::samples::Samples;

/// Seconds for the largest one.
const TARGET: (usize, f64) = (10_000, 1.0);

/// Prices plans of growing size: parsing and the estimate, with the embedded prices loaded once.
pub async fn cost(size: Size) {
    let began = Instant::now();
    let estimator = Estimator::embedded().unwrap();
    report("cost.load_prices", began.elapsed().as_secs_f64(), "s", None);
    let mut first = None;
    for resources in size.pick(&[1_000, 3_000, 10_000][..], &[1_000, 3_000][..]) {
        let text = plan(*resources).to_string().into_bytes();
        let mut times = Samples::default();
        for _ in 0..size.pick(5, 3) {
            let began = Instant::now();
            let parsed = Plan::from_reader(text.as_slice()).unwrap();
            let estimate = estimator.estimate(&parsed, &Usage::default());
            times.add(began.elapsed().as_secs_f64());
            assert_eq!(estimate.resources.len(), *resources);
        }
        let took = times.percentile(50);
        let target = (*resources == TARGET.0).then_some(TARGET.1);
        report(&format!("cost.{resources}_resources"), took, "s", target);
        // One resource, against one of the smallest plan: 1 is linear growth.
        let each = took / *resources as f64 * 1e6;
        let smallest = *first.get_or_insert(each);
        let name = format!("cost.{resources}_resources.each");
        report(&name, each, "us", Some(smallest));
    }
}
