//! One JSON object a line on stdout.

use serde_json::{Value, json};

/// Reports a figure. `baseline` is its target, or the same thing without Terrane.
#[expect(clippy::print_stdout, reason = "what a benchmark is there for")]
pub(super) fn report(name: &str, value: f64, unit: &str, baseline: Option<f64>) {
    let line = json!({
        "name": name,
        "value": rounded(value),
        "unit": unit,
        "baseline": baseline.map(rounded),
        "ratio": baseline.filter(|it| *it > 0.0).map(|it| rounded(value / it)),
    });
    println!("{line}");
}

/// To four significant figures: more is noise.
fn rounded(value: f64) -> Value {
    if value == 0.0 || !value.is_finite() {
        return json!(0.0);
    }
    let digits = 3 - value.abs().log10().floor() as i32;
    let factor = 10_f64.powi(digits);
    json!((value * factor).round() / factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_figures_are_kept() {
        for (given, expected) in [
            (123_456.0, 123_500.0),
            (0.001_234_56, 0.001_235),
            (12.0, 12.0),
        ] {
            assert!((rounded(given).as_f64().unwrap() - expected).abs() < 1e-9);
        }
        assert_eq!(rounded(0.0), json!(0.0));
    }
}
