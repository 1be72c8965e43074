//! Money as text: read strictly, shown for people.

use rust_decimal::Decimal;

/// No amount that people give is larger.
const LARGEST: i64 = 1_000_000_000_000;

/// Reads what somebody gave as an amount of USD.
pub(super) fn parse(text: &str) -> Option<Decimal> {
    let text = text.trim();
    // The parser knows more spellings than people mean.
    if !text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
        return None;
    }
    let amount: Decimal = text.parse().ok()?;
    let sane = amount >= Decimal::ZERO && amount <= Decimal::from(LARGEST);
    sane.then(|| amount.normalize())
}

/// As rows and answers have it.
pub(super) fn text(amount: Decimal) -> String {
    amount.normalize().to_string()
}

/// For sentences: two places, thousands apart.
pub(super) fn grouped(amount: Decimal) -> String {
    let plain = cost::cents(amount);
    let (sign, digits) = match plain.strip_prefix('-') {
        Some(digits) => ("-", digits),
        None => ("", plain.as_str()),
    };
    let (whole, cents) = digits.split_once('.').unwrap_or((digits, "00"));
    let mut out = String::from(sign);
    for (place, digit) in whole.chars().enumerate() {
        if place > 0 && (whole.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out.push('.');
    out.push_str(cents);
    out
}

#[cfg(test)]
mod unit {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_are_shown_as_people_write_them() {
        for (amount, shown) in [
            ("0", "0.00"),
            ("999.994", "999.99"),
            ("1240", "1,240.00"),
            ("-1234567.895", "-1,234,567.90"),
        ] {
            assert_eq!(grouped(amount.parse().unwrap()), shown);
        }
    }

    #[test]
    fn only_sane_amounts_are_read() {
        assert_eq!(parse(" 12.50 "), Some(Decimal::new(125, 1)));
        for bad in ["", "-1", "1e3", "1,000", "$5", "1000000000001", "NaN"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn grouping_loses_nothing(cents in -1_000_000_000_000_i64..1_000_000_000_000) {
            let amount = Decimal::new(cents, 2);
            let read: Decimal = grouped(amount).replace(',', "").parse().unwrap();
            prop_assert_eq!(read, amount);
        }
    }
}
