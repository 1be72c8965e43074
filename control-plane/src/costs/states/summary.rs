//! What workspaces cost now, summed up. They are read a few at a time, in one snapshot: sums of groups
//! and the sum of all agree.

use std::collections::HashMap;

use domain::cost::CostPartKind;
use domain::ids::{StateVersionId, WorkspaceId};

use super::figures::{Amounts, Known, Tally};
use super::groups::{Group, Grouping, Groups, Whole};
use super::model::Part;
use super::place::{self, Place};
use super::read_store::{self, PartFilter, WorkspaceRow};
use crate::app::App;
use crate::context::{Context, Tenant};
use crate::costs::CostError;
use crate::costs::estimate::Counts;

type Result<T> = std::result::Result<T, CostError>;

/// Workspaces read at a time.
pub(super) const CHUNK: i64 = 200;

/// What a place costs.
#[derive(Debug)]
pub(super) struct Summary {
    /// Of the environment or the account.
    pub id: String,
    pub total: Tally,
    pub groups: Vec<Group>,
}

/// A workspace with what is known of its cost.
struct Costed {
    row: WorkspaceRow,
    known: Known,
    amounts: Amounts,
    counts: Counts,
}

impl Costed {
    fn whole(&self) -> Whole<'_> {
        Whole {
            known: self.known,
            amounts: self.amounts,
            counts: &self.counts,
        }
    }
}

impl TryFrom<WorkspaceRow> for Costed {
    type Error = CostError;

    fn try_from(mut row: WorkspaceRow) -> Result<Self> {
        let is_current = row.state_version_id == row.current_state_version_id;
        let known = match (&row.current_state_version_id, row.status) {
            (None, _) => Known::Nothing,
            (Some(_), None) => Known::Pending,
            (Some(_), Some(status)) => Known::of(status, is_current),
        };
        Ok(Self {
            known,
            amounts: Amounts::read(
                row.monthly.as_deref(),
                row.hourly.as_deref(),
                row.usage_monthly.as_deref(),
            )?,
            counts: row.counts.take().unwrap_or_default(),
            row,
        })
    }
}

/// What the workspaces of a place cost that the caller may read.
///
/// # Errors
/// [`CostError::NotFound`] or the refusal.
pub(super) async fn summary(
    app: &App,
    ctx: &Context,
    place: &Place,
    grouping: &Grouping,
) -> Result<Summary> {
    let tenant = ctx.tenant();
    let mut tx = app.db.snapshot().await?;
    let found = place::find(&mut tx, ctx, place).await?;
    let (mut total, mut groups) = (Tally::default(), Groups::default());
    let mut after: Option<WorkspaceId> = None;
    loop {
        let environment = found.environment.as_ref();
        let rows =
            read_store::workspaces(&mut tx, &tenant, environment, after.as_ref(), CHUNK).await?;
        let Some(last) = rows.last() else { break };
        after = Some(last.id.clone());
        let readable = |row: &WorkspaceRow| place::counts(ctx, row);
        let costed = rows
            .into_iter()
            .filter(readable)
            .map(Costed::try_from)
            .collect::<Result<Vec<Costed>>>()?;
        for it in &costed {
            total.add(it.known, &it.amounts, &it.counts);
        }
        sum_up(&mut tx, &tenant, grouping, &mut groups, &costed).await?;
    }
    Ok(Summary {
        id: found.id,
        total,
        groups: groups.into_sorted(),
    })
}

async fn sum_up(
    conn: &mut db::Conn,
    tenant: &Tenant,
    grouping: &Grouping,
    groups: &mut Groups,
    costed: &[Costed],
) -> Result<()> {
    match grouping {
        Grouping::Nothing => {}
        Grouping::Workspace => {
            for it in costed {
                groups.add(it.row.id.as_str(), || of_workspace(&it.row), it.whole());
            }
        }
        Grouping::Environment => {
            for it in costed {
                let make = || of_environment(&it.row);
                groups.add(it.row.environment_id.as_str(), make, it.whole());
            }
        }
        Grouping::WorkspaceTag(key) => {
            let ids: Vec<WorkspaceId> = costed.iter().map(|it| it.row.id.clone()).collect();
            let tags = read_store::workspace_tags(conn, tenant, &ids, key).await?;
            let tags: HashMap<WorkspaceId, String> = tags.into_iter().collect();
            for it in costed {
                let value = tags.get(&it.row.id).map_or("", String::as_str);
                groups.add(value, || Group::named(value), it.whole());
            }
        }
        Grouping::Module => {
            by_parts(conn, tenant, CostPartKind::Module, "", groups, costed).await?;
        }
        Grouping::Tag(key) => {
            by_parts(conn, tenant, CostPartKind::Tag, key, groups, costed).await?;
        }
    }
    Ok(())
}

/// Adds up the parts of each state. A state without any is whole in one group: the one for what has no
/// tag, or the remainder if the tag may be one that has no parts.
async fn by_parts(
    conn: &mut db::Conn,
    tenant: &Tenant,
    kind: CostPartKind,
    key: &str,
    groups: &mut Groups,
    costed: &[Costed],
) -> Result<()> {
    let states: Vec<StateVersionId> = costed
        .iter()
        .filter_map(|it| it.row.state_version_id.clone())
        .collect();
    let filter = PartFilter {
        kind: Some(kind),
        key: Some(key),
    };
    let mut parts: HashMap<StateVersionId, Vec<Part>> = HashMap::new();
    for part in read_store::parts(conn, tenant, &states, &filter).await? {
        let state = part.state_version_id.clone();
        parts.entry(state).or_default().push(part);
    }
    for it in costed {
        let own = it.row.state_version_id.as_ref();
        let own = own
            .and_then(|id| parts.get(id))
            .map_or(&[][..], Vec::as_slice);
        for part in own {
            groups.add_part(part, it.known)?;
        }
        let resources = it.counts.matched() + it.counts.unmatched();
        if own.is_empty() && resources > 0 {
            if kind == CostPartKind::Tag && it.row.omitted_tags.unwrap_or(0) == 0 {
                groups.add("", || Group::named(""), it.whole());
            } else {
                groups.add_to_others(it.whole());
            }
        }
    }
    Ok(())
}

fn of_workspace(row: &WorkspaceRow) -> Group {
    Group {
        id: Some(row.id.to_string()),
        environment: Some(row.environment_name.clone()),
        ..Group::named(row.name.clone())
    }
}

fn of_environment(row: &WorkspaceRow) -> Group {
    Group {
        id: Some(row.environment_id.to_string()),
        ..Group::named(row.environment_name.clone())
    }
}
