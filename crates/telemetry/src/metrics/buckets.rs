//! Histogram buckets on a 1-2.5-5 grid, so that dashboards of different metrics line up.

const GRID: [f64; 3] = [1.0, 2.5, 5.0];

/// Upper bounds from `least` to `most`, in seconds.
pub fn seconds(least: f64, most: f64) -> Vec<f64> {
    grid(least, most)
}

/// Upper bounds from `least` to `most`, in bytes.
pub fn bytes(least: f64, most: f64) -> Vec<f64> {
    grid(least, most)
}

fn grid(least: f64, most: f64) -> Vec<f64> {
    let mut bounds = Vec::new();
    // Whole powers of ten by parsing: repeated multiplication would print as 0.30000000000000004.
    for exponent in -9..=15 {
        for step in GRID {
            if let Ok(bound) = format!("{step}e{exponent}").parse::<f64>()
                && bound >= least
                && bound <= most
            {
                bounds.push(bound);
            }
        }
    }
    bounds
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_lie_on_the_grid() {
        assert_eq!(seconds(0.001, 0.01), [0.001, 0.0025, 0.005, 0.01]);
        assert_eq!(bytes(1000.0, 2500.0), [1000.0, 2500.0]);
    }
}
