//! Decimal money.
//!
//! Everything is computed exactly and rounded once, per component, to ten places: then sums of components are
//! sums of what is shown, and the difference of two totals is the total of the differences. Floats were
//! decided against: 0.1 + 0.2 is not a price.

use rust_decimal::Decimal;

/// Places kept of a component's monthly cost.
const PLACES: u32 = 10;

/// Rounds a component's cost to the places that are kept, and drops trailing zeros.
#[must_use]
pub fn settle(amount: Decimal) -> Decimal {
    amount.round_dp(PLACES).normalize()
}

/// An amount for people: two places, half away from zero.
#[must_use]
pub fn cents(amount: Decimal) -> String {
    let rounded =
        amount.round_dp_with_strategy(2, rust_decimal::RoundingStrategy::MidpointAwayFromZero);
    format!("{rounded:.2}")
}

/// Reads a decimal in plain or scientific notation; `None` for what is not a number or too large to be one.
#[must_use]
pub fn parse(text: &str) -> Option<Decimal> {
    let text = text.trim();
    if text.contains(['e', 'E']) {
        return Decimal::from_scientific(text).ok();
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scientific_notation_is_read_exactly() {
        assert_eq!(parse("1.66667e-05"), Some(Decimal::new(166_667, 10)));
        assert_eq!(parse("6e9"), Some(Decimal::from(6_000_000_000_u64)));
        assert_eq!(parse("x"), None);
    }

    #[test]
    fn cents_round_half_away_from_zero() {
        assert_eq!(cents(Decimal::new(16_425, 3)), "16.43");
        assert_eq!(cents(Decimal::from(5)), "5.00");
    }
}
