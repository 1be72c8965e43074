//! Custom prices and discounts of an account: what it really pays, where that is not the list price.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use serde::Deserialize;

/// Adjustments that can't be applied.
#[derive(Debug, thiserror::Error)]
pub enum AdjustError {
    /// Not in the expected form.
    #[error("the adjustments are not understood")]
    Json(#[source] serde_json::Error),
    /// Not an amount.
    #[error("{name}: {value:?} is not an amount")]
    Amount {
        /// What it is for.
        name: String,
        /// As it was given.
        value: String,
    },
    /// A discount outside of 0 to 100.
    #[error("{name}: a discount is between 0 and 100 percent")]
    Discount {
        /// What it is for.
        name: String,
    },
}

/// Discounts by resource type or prefix (`aws_*`), and monthly prices by type or address.
#[derive(Debug, Clone, Default)]
pub struct Adjustments {
    /// Percent, by type or prefix.
    discounts: BTreeMap<String, Decimal>,
    /// USD a month, by address or type.
    fixed: BTreeMap<String, Decimal>,
}

/// `{"discounts":{"aws_*":"12.5"},"monthly_prices":{"aws_instance.big":"100"}}`
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    #[serde(default)]
    discounts: BTreeMap<String, String>,
    #[serde(default)]
    monthly_prices: BTreeMap<String, String>,
}

impl Adjustments {
    /// Reads `{"discounts": {TYPE or PREFIX*: percent}, "monthly_prices": {ADDRESS or TYPE: USD}}`, amounts as texts.
    ///
    /// # Errors
    /// What can't be applied.
    pub fn parse(text: &str) -> Result<Self, AdjustError> {
        let document: Document = serde_json::from_str(text).map_err(AdjustError::Json)?;
        let mut adjustments = Self::default();
        for (name, value) in document.discounts {
            let percent = amount(&name, &value)?;
            if percent < Decimal::ZERO || percent > Decimal::ONE_HUNDRED {
                return Err(AdjustError::Discount { name });
            }
            adjustments.discounts.insert(name, percent);
        }
        for (name, value) in document.monthly_prices {
            let price = amount(&name, &value)?;
            adjustments.fixed.insert(name, price);
        }
        Ok(adjustments)
    }

    fn percent(&self, kind: &str) -> Option<Decimal> {
        if let Some(percent) = self.discounts.get(kind) {
            return Some(*percent);
        }
        let longest = self
            .discounts
            .iter()
            .filter_map(|(name, percent)| Some((name.strip_suffix('*')?, percent)))
            .filter(|(prefix, _)| kind.starts_with(prefix))
            .max_by_key(|(prefix, _)| prefix.len())?;
        Some(*longest.1)
    }

    /// What a list price is multiplied with.
    pub(super) fn factor(&self, kind: &str) -> Decimal {
        let percent = self.percent(kind).unwrap_or_default();
        Decimal::ONE - percent / Decimal::ONE_HUNDRED
    }

    /// Says that a discount was applied.
    pub(super) fn note(&self, kind: &str) -> Option<String> {
        let percent = self.percent(kind)?;
        Some(format!(
            "a discount of {} % is applied",
            percent.normalize()
        ))
    }

    pub(super) fn fixed(&self, address: &str, kind: &str) -> Option<Decimal> {
        self.fixed
            .get(address)
            .or_else(|| self.fixed.get(kind))
            .copied()
    }
}

fn amount(name: &str, value: &str) -> Result<Decimal, AdjustError> {
    crate::money::parse(value).ok_or_else(|| AdjustError::Amount {
        name: name.to_owned(),
        value: value.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_discount_applies() {
        let text =
            r#"{"discounts":{"aws_*":"10","aws_instance":"25"},"monthly_prices":{"a.b":"7"}}"#;
        let adjustments = Adjustments::parse(text).unwrap();
        assert_eq!(adjustments.factor("aws_instance"), Decimal::new(75, 2));
        assert_eq!(adjustments.factor("aws_eip"), Decimal::new(9, 1));
        assert_eq!(adjustments.factor("azurerm_lb"), Decimal::ONE);
        assert_eq!(adjustments.fixed("a.b", "a"), Some(Decimal::from(7)));
        assert!(Adjustments::parse(r#"{"discounts":{"aws_*":"101"}}"#).is_err());
    }
}
