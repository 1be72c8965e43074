//! An account's own prices on the wire.

use domain::cost::AdjustmentKind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::model::{Adjustment, AdjustmentChange, NewAdjustment};
use crate::clock::Timestamp;
use crate::costs::CostError;
use crate::http::attributes::Attributes;
use crate::http::jsonapi::{Resource, nullable, zulu};

/// Attributes of type `cost-adjustments`.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct AdjustmentAttributes {
    /// `discount` (percent) or `monthly-price` (USD).
    #[schema(value_type = String)]
    pub kind: AdjustmentKind,
    /// A resource type; for a discount also a prefix (`aws_*`), for a price also an address.
    pub subject: String,
    /// Decimal text.
    pub amount: String,
    pub description: String,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub created_at: Timestamp,
    #[serde(serialize_with = "zulu")]
    #[schema(value_type = String)]
    pub updated_at: Timestamp,
}

/// An adjustment as a JSON:API object.
pub(super) fn resource(adjustment: &Adjustment) -> Resource<AdjustmentAttributes> {
    let attributes = AdjustmentAttributes {
        kind: adjustment.kind,
        subject: adjustment.subject.clone(),
        amount: adjustment.amount.clone(),
        description: adjustment.description.clone(),
        created_at: adjustment.created_at,
        updated_at: adjustment.updated_at,
    };
    Resource::new("cost-adjustments", &adjustment.id, attributes).link(
        "self",
        format!("/api/v2/cost-adjustments/{}", adjustment.id),
    )
}

/// What a create or update may carry. Absent leaves a thing as it is; the kind never changes.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct AdjustmentInput {
    /// `discount` or `monthly-price`.
    pub kind: Option<String>,
    pub subject: Option<String>,
    pub amount: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub description: Option<Option<String>>,
}

impl Attributes for AdjustmentInput {
    const TYPES: &'static [&'static str] = &["cost-adjustments"];
}

impl AdjustmentInput {
    /// # Errors
    /// [`CostError::Invalid`] without a known kind.
    pub(super) fn into_new(self) -> Result<NewAdjustment, CostError> {
        let kind = match self.kind.as_deref() {
            Some(text) => kind(text)?,
            None => {
                return Err(CostError::invalid(
                    "kind",
                    "say whether it is a `discount` or a `monthly-price`",
                ));
            }
        };
        Ok(NewAdjustment {
            kind,
            subject: self.subject.unwrap_or_default(),
            amount: self.amount.unwrap_or_default(),
            description: self.description.flatten().unwrap_or_default(),
        })
    }

    /// # Errors
    /// [`CostError::Invalid`] if the kind is to change.
    pub(super) fn into_change(self) -> Result<AdjustmentChange, CostError> {
        Ok(AdjustmentChange {
            kind: self.kind.as_deref().map(kind).transpose()?,
            subject: self.subject,
            amount: self.amount,
            description: self.description.map(Option::unwrap_or_default),
        })
    }
}

fn kind(text: &str) -> Result<AdjustmentKind, CostError> {
    text.parse().map_err(|error: domain::UnknownWord| {
        CostError::invalid("kind", format!("{text:?} is not one of: {}", error.known))
    })
}
