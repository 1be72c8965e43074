//! What a limit is, and when a plan breaks it.

use domain::cost::LimitAction;
use domain::ids::{CostLimitId, EnvironmentId, WorkspaceId};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use crate::clock::Timestamp;
use crate::costs::CostError;
use crate::costs::amount::{self, grouped};

/// How much a month a workspace may cost, or by how much a plan may raise it.
#[derive(Debug, Clone, PartialEq, Eq, FromRow)]
pub struct CostLimit {
    pub id: CostLimitId,
    pub environment_id: EnvironmentId,
    pub environment_name: String,
    /// None: each workspace of the environment.
    pub workspace_id: Option<WorkspaceId>,
    pub workspace_name: Option<String>,
    /// USD a month, as decimal text.
    pub monthly: Option<String>,
    /// USD a month more than now.
    pub increase: Option<String>,
    pub action: LimitAction,
    /// What whoever meets it is told besides.
    pub message: String,
    pub version: i64,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
}

/// How many an environment may have, and each of its workspaces.
pub(super) const MAX_LIMITS: i64 = 20;
const MAX_MESSAGE: usize = 1000;

/// What a create asks for.
#[derive(Debug)]
pub struct NewLimit {
    pub monthly: Option<String>,
    pub increase: Option<String>,
    pub action: LimitAction,
    pub message: String,
}

/// What an update asks for; `None` leaves a thing as it is.
#[derive(Debug, Default)]
pub struct LimitChange {
    pub monthly: Option<Option<String>>,
    pub increase: Option<Option<String>>,
    pub action: Option<LimitAction>,
    pub message: Option<String>,
}

/// A limit that a plan breaks, as it was when it was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BrokenLimit {
    pub limit: CostLimitId,
    pub action: LimitAction,
    /// A sentence for people.
    pub text: String,
    /// What the limit's owner has to say.
    pub message: String,
}

/// What a limit is held against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::costs) struct Figures {
    pub proposed: Decimal,
    pub delta: Decimal,
    /// Resources that no price is known of.
    pub unanswered: i64,
}

impl CostLimit {
    /// This limit with `change` made.
    ///
    /// # Errors
    /// [`CostError::Invalid`], naming the field and what it may be.
    pub(super) fn with(mut self, change: LimitChange) -> Result<Self, CostError> {
        self.monthly = amount_of("monthly-limit", change.monthly.unwrap_or(self.monthly))?;
        self.increase = amount_of("increase-limit", change.increase.unwrap_or(self.increase))?;
        self.action = change.action.unwrap_or(self.action);
        self.message = change.message.unwrap_or(self.message);
        if self.monthly.is_none() && self.increase.is_none() {
            return Err(CostError::invalid(
                "monthly-limit",
                "give a monthly-limit, an increase-limit, or both",
            ));
        }
        if self.message.len() > MAX_MESSAGE {
            return Err(CostError::invalid("message", "use at most 1000 bytes"));
        }
        Ok(self)
    }

    /// `environment prod`, `workspace web`.
    fn place(&self) -> String {
        match &self.workspace_name {
            Some(name) => format!("workspace {name}"),
            None => format!("environment {}", self.environment_name),
        }
    }

    fn broken(&self, text: String) -> BrokenLimit {
        BrokenLimit {
            limit: self.id.clone(),
            action: self.action,
            text,
            message: self.message.clone(),
        }
    }

    /// What the figures break of it, if anything. A plan that lowers the cost never breaks the
    /// monthly limit: stopping it would keep the cost high.
    fn against(&self, figures: &Figures) -> Option<String> {
        let over = |limit: &Option<String>, amount: Decimal| {
            let limit = limit.as_deref().and_then(amount::parse)?;
            (amount > limit).then_some(limit)
        };
        let monthly =
            over(&self.monthly, figures.proposed).filter(|_| figures.delta >= Decimal::ZERO);
        let increase = over(&self.increase, figures.delta);
        let mut said = Vec::new();
        if let Some(limit) = monthly {
            said.push(format!(
                "proposed {} a month is over the limit {} of {}",
                grouped(figures.proposed),
                grouped(limit),
                self.place()
            ));
        }
        if let Some(limit) = increase {
            said.push(format!(
                "an increase of {} a month is over the limit {} of {}",
                grouped(figures.delta),
                grouped(limit),
                self.place()
            ));
        }
        if said.is_empty() {
            return None;
        }
        let mut text = said.join("; ");
        if figures.unanswered > 0 {
            text.push_str(&format!(
                " ({} resources without a known price are not in it)",
                figures.unanswered
            ));
        }
        Some(text)
    }
}

fn amount_of(field: &str, text: Option<String>) -> Result<Option<String>, CostError> {
    let Some(text) = text else {
        return Ok(None);
    };
    let amount = amount::parse(&text).ok_or_else(|| {
        CostError::invalid(
            field,
            "must be an amount of USD as decimal text, such as \"1250.50\"",
        )
    })?;
    Ok(Some(amount::text(amount)))
}

/// Which limits are broken. Without figures (`Err` says why there are none) every limit counts as
/// broken: a gate that can't see must not open.
pub(in crate::costs) fn judge(
    limits: &[CostLimit],
    figures: Result<&Figures, &str>,
) -> Vec<BrokenLimit> {
    let each = |limit: &CostLimit| {
        let text = match figures {
            Ok(figures) => limit.against(figures)?,
            Err(reason) => format!(
                "the limit of {} can't be judged, because the cost of this plan is not known: {reason}",
                limit.place()
            ),
        };
        Some(limit.broken(text))
    };
    limits.iter().filter_map(each).collect()
}

/// What has to happen when all of these are broken; nothing if none is.
pub fn strongest(broken: &[BrokenLimit]) -> Option<LimitAction> {
    broken.iter().map(|it| it.action).max()
}

#[cfg(test)]
mod unit {
    use proptest::prelude::*;

    use super::*;

    fn limit(monthly: Option<&str>, increase: Option<&str>) -> CostLimit {
        let now = Timestamp::UNIX_EPOCH;
        CostLimit {
            id: CostLimitId::random(),
            environment_id: EnvironmentId::random(),
            environment_name: "prod".to_owned(),
            workspace_id: None,
            workspace_name: None,
            monthly: monthly.map(str::to_owned),
            increase: increase.map(str::to_owned),
            action: LimitAction::Block,
            message: "ask finance".to_owned(),
            version: 1,
            created_at: now,
            updated_at: now,
        }
    }

    fn figures(proposed: i64, delta: i64) -> Figures {
        Figures {
            proposed: proposed.into(),
            delta: delta.into(),
            unanswered: 0,
        }
    }

    #[test]
    fn a_broken_limit_says_what_and_whose() {
        let broken = judge(&[limit(Some("1000"), None)], Ok(&figures(1240, 240)));
        assert_eq!(
            broken[0].text,
            "proposed 1,240.00 a month is over the limit 1,000.00 of environment prod"
        );
        assert_eq!(broken[0].message, "ask finance");
        assert_eq!(strongest(&broken), Some(LimitAction::Block));
    }

    #[test]
    fn a_plan_that_lowers_the_cost_passes() {
        assert!(judge(&[limit(Some("1000"), Some("0"))], Ok(&figures(1240, -1))).is_empty());
        assert_eq!(strongest(&[]), None);
    }

    #[test]
    fn what_can_not_be_judged_is_broken() {
        let broken = judge(&[limit(Some("1000"), None)], Err("it is no plan"));
        assert!(
            broken[0].text.ends_with("not known: it is no plan"),
            "{}",
            broken[0].text
        );
    }

    #[test]
    fn what_is_not_in_the_total_is_said() {
        let unsure = Figures {
            unanswered: 3,
            ..figures(11, 11)
        };
        let broken = judge(&[limit(Some("10"), Some("10"))], Ok(&unsure));
        assert!(
            broken[0].text.contains("increase of 11.00"),
            "{}",
            broken[0].text
        );
        assert!(
            broken[0].text.contains("(3 resources"),
            "{}",
            broken[0].text
        );
    }

    proptest! {
        #[test]
        fn a_higher_limit_never_breaks_where_a_lower_one_holds(
            proposed in 0_i64..1000, delta in -1000_i64..1000, low in 0_i64..1000, more in 0_i64..1000
        ) {
            let at = |amount: i64| judge(
                &[limit(Some(&amount.to_string()), Some(&amount.to_string()))],
                Ok(&figures(proposed, delta)),
            ).len();
            prop_assert!(at(low + more) <= at(low));
        }
    }
}
