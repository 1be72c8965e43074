//! Prices as values: scaled, and added up.

use std::rc::Rc;

use rust_decimal::Decimal;

use super::value::Value;
use crate::book::Price;

/// The same price for another unit; thresholds of tiers stay in the meter's own unit.
pub(super) fn scale<'a>(price: &Price, factor: Decimal) -> Value<'a> {
    let tiers: Option<Vec<_>> = price
        .tiers
        .iter()
        .map(|(start, amount)| Some((*start, amount.checked_mul(factor)?)))
        .collect();
    tiers.map_or(Value::Null, |tiers| {
        Value::Price(Rc::new(Price {
            tiers,
            source: price.source.clone(),
        }))
    })
}

/// Two prices that are always paid together.
pub(super) fn add<'a>(one: &Price, other: &Price) -> Value<'a> {
    match (one.tiers.as_slice(), other.tiers.as_slice()) {
        ([(_, a)], [(_, b)]) => a.checked_add(*b).map_or(Value::Null, |sum| {
            Value::Price(Rc::new(Price {
                tiers: vec![(Decimal::ZERO, sum)],
                source: one.source.clone(),
            }))
        }),
        _ => Value::Null,
    }
}

/// How many of the smallest unit one displayed unit is: `1M requests` is a million, `RU/s x 100` a hundred.
pub(super) fn unit_scale(unit: &str) -> Decimal {
    let leading = unit.split(' ').next().unwrap_or_default();
    let digits = leading.trim_end_matches(|c: char| c.is_alphabetic());
    let factor = match leading.trim_start_matches(|c: char| c.is_ascii_digit()) {
        "" => 1_u64,
        "k" | "K" => 1_000,
        "M" => 1_000_000,
        "B" => 1_000_000_000,
        _ => 0,
    };
    if let (Ok(number), true) = (digits.parse::<u64>(), factor > 0) {
        return Decimal::from(number) * Decimal::from(factor);
    }
    let trailing = unit
        .rsplit_once(" x ")
        .and_then(|(_, number)| number.parse::<u64>().ok());
    Decimal::from(trailing.unwrap_or(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_say_how_many_they_are() {
        assert_eq!(unit_scale("1M requests"), Decimal::from(1_000_000));
        assert_eq!(unit_scale("10k operations"), Decimal::from(10_000));
        assert_eq!(unit_scale("100 operations"), Decimal::from(100));
        assert_eq!(unit_scale("RU/s x 100"), Decimal::from(100));
        assert_eq!(unit_scale("GB"), Decimal::ONE);
        assert_eq!(unit_scale("hours"), Decimal::ONE);
    }
}
