//! An account's own prices, and which of them are acceptable.

use domain::cost::AdjustmentKind;
use domain::ids::CostAdjustmentId;
use rust_decimal::Decimal;
use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::costs::CostError;
use crate::costs::amount;

/// How many an account may have.
pub(super) const MAX_ADJUSTMENTS: i64 = 1000;
const MAX_SUBJECT: usize = 512;
const MAX_DESCRIPTION: usize = 512;

/// A discount or a fixed price.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct Adjustment {
    pub id: CostAdjustmentId,
    pub kind: AdjustmentKind,
    /// A resource type, a prefix with a star, or an address.
    pub subject: String,
    /// Percent or USD a month, as decimal text.
    pub amount: String,
    pub description: String,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// What a create asks for.
#[derive(Debug)]
pub struct NewAdjustment {
    pub kind: AdjustmentKind,
    pub subject: String,
    pub amount: String,
    pub description: String,
}

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub struct AdjustmentChange {
    pub kind: Option<AdjustmentKind>,
    pub subject: Option<String>,
    pub amount: Option<String>,
    pub description: Option<String>,
}

impl Adjustment {
    /// This adjustment with `change` made.
    ///
    /// # Errors
    /// [`CostError::Invalid`], naming the field and what it may be.
    pub(super) fn with(mut self, change: AdjustmentChange) -> Result<Self, CostError> {
        if change.kind.is_some_and(|kind| kind != self.kind) {
            return Err(CostError::invalid(
                "kind",
                "it can't change; delete this one and make another",
            ));
        }
        self.subject = change.subject.unwrap_or(self.subject);
        self.amount = change.amount.unwrap_or(self.amount);
        self.description = change.description.unwrap_or(self.description);
        self.checked()
    }

    /// # Errors
    /// [`CostError::Invalid`], naming the field and what it may be.
    pub(super) fn checked(mut self) -> Result<Self, CostError> {
        let subject = self.subject.as_str();
        let star = subject.find('*');
        let visible = !subject.is_empty() && subject.chars().all(|c| !c.is_control());
        if !visible || subject.len() > MAX_SUBJECT {
            return Err(CostError::invalid(
                "subject",
                "name a resource type or an address, with at most 512 bytes",
            ));
        }
        match self.kind {
            AdjustmentKind::Discount if star.is_some_and(|at| at + 1 != subject.len()) => {
                return Err(CostError::invalid(
                    "subject",
                    "a star stands at the end only: `aws_*`",
                ));
            }
            AdjustmentKind::MonthlyPrice if star.is_some() => {
                return Err(CostError::invalid(
                    "subject",
                    "a price is for one type or one address; prefixes are for discounts",
                ));
            }
            AdjustmentKind::Discount | AdjustmentKind::MonthlyPrice => {}
        }
        let amount = amount::parse(&self.amount).ok_or_else(|| {
            CostError::invalid(
                "amount",
                "must be a decimal text from 0 on, such as \"12.5\"",
            )
        })?;
        if self.kind == AdjustmentKind::Discount && amount > Decimal::ONE_HUNDRED {
            return Err(CostError::invalid(
                "amount",
                "a discount is at most 100 percent",
            ));
        }
        if self.description.len() > MAX_DESCRIPTION {
            return Err(CostError::invalid("description", "use at most 512 bytes"));
        }
        self.amount = amount::text(amount);
        Ok(self)
    }
}
