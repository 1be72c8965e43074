//! An account's own prices, and which of them are acceptable.

use domain::cost::AdjustmentKind;
use domain::ids::CostAdjustmentId;
use sqlx::FromRow;

use crate::clock::Timestamp;

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
