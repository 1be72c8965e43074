//! Many values of one thing.

/// In the order in which they were taken.
#[derive(Debug, Default)]
pub(super) struct Samples(Vec<f64>);

impl Samples {
    pub(super) fn add(&mut self, value: f64) {
        self.0.push(value);
    }

    /// The smallest value that `percent` of all don't exceed (nearest rank); 0 without values.
    pub(super) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_taken() {
        let mut samples = Samples::default();
        assert_eq!(samples.percentile(50), 0.0);
        (1..=200).rev().for_each(|it| samples.add(f64::from(it)));
        assert_eq!(samples.percentile(50), 100.0);
        assert_eq!(samples.percentile(99), 198.0);
        assert_eq!(samples.percentile(100), 200.0);
    }
}
