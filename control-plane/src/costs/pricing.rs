//! What one estimate is made with: the price book, the account's own prices, the assumed usage.

use std::sync::Arc;

use ::cost::{Adjustments, Book, Estimator, Usage, parse_csv};
use domain::cost::AdjustmentKind;
use domain::ids::{EnvironmentId, WorkspaceId};
use serde_json::{Map, Value, json};

use super::book::PriceBook;
use super::prices;
use crate::context::Tenant;
use crate::problem::Fault;

/// As it lies in the database; everything in it was checked when it was given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sources {
    /// Kind, subject, amount.
    pub adjustments: Vec<(AdjustmentKind, String, String)>,
    /// Price rows of the account, as CSV.
    pub rows: Option<String>,
    /// Usage files, the weakest first.
    pub usage: Vec<String>,
}

impl Sources {
    pub(super) async fn load(
        conn: &mut db::Conn,
        tenant: &Tenant,
        environment: &EnvironmentId,
        workspace: &WorkspaceId,
    ) -> Result<Self, db::Error> {
        let mut usage = Vec::new();
        for subject in [environment.as_str(), workspace.as_str()] {
            usage.extend(prices::content(conn, tenant, subject).await?);
        }
        let adjustments = prices::adjustments(conn, tenant).await?;
        Ok(Self {
            adjustments: adjustments
                .into_iter()
                .map(|it| (it.kind, it.subject, it.amount))
                .collect(),
            rows: prices::content(conn, tenant, tenant.account().as_str()).await?,
            usage,
        })
    }

    /// Takes a while: for a thread where blocking is allowed.
    pub(super) fn prepare(&self, book: &PriceBook) -> Result<(Estimator, Usage), Fault> {
        let unreadable = |what| Fault::Unreadable { what };
        let mut estimator = book.estimator()?;
        if let Some(rows) = &self.rows {
            let rows = parse_csv(rows.as_bytes())
                .map_err(|_| unreadable("the price rows of an account"))?;
            let over = Book::over(&rows, Arc::clone(&estimator.book))
                .map_err(|_| unreadable("the price rows of an account"))?;
            estimator.book = Arc::new(over);
        }
        estimator.adjustments = Adjustments::parse(&self.document().to_string())
            .map_err(|_| unreadable("the price adjustments of an account"))?;
        let usage = Usage::layered(self.usage.iter().map(String::as_str))
            .map_err(|_| unreadable("a usage file"))?;
        Ok((estimator, usage))
    }

    /// The adjustments in the form that the estimator reads.
    fn document(&self) -> Value {
        let of = |wanted: AdjustmentKind| -> Map<String, Value> {
            self.adjustments
                .iter()
                .filter(|(kind, ..)| *kind == wanted)
                .map(|(_, subject, amount)| (subject.clone(), json!(amount)))
                .collect()
        };
        json!({
            "discounts": of(AdjustmentKind::Discount),
            "monthly_prices": of(AdjustmentKind::MonthlyPrice),
        })
    }
}
