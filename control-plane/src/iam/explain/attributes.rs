//! Access as it is on the wire: `access-entries`.

use domain::access::Scope;
use domain::ids::{GrantId, RoleId};
use domain::permission::Permission;
use serde::Serialize;
use utoipa::ToSchema;

use super::service::{Holder, Source};
use crate::http::jsonapi::Resource;

/// Attributes of type `access-entries`: what somebody has on an object.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct EntryAttributes {
    /// `users`, `teams` or `service-accounts`.
    pub subject_type: &'static str,
    pub subject_name: String,
    pub permissions: Vec<&'static str>,
    /// Where they come from.
    pub sources: Vec<SourceEntry>,
    /// Whether the permission that was asked about is among them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<bool>,
    /// Why, or why not, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}

/// A grant that gives some of it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(super) struct SourceEntry {
    #[schema(value_type = String)]
    pub access_policy_id: GrantId,
    #[schema(value_type = String)]
    pub role_id: RoleId,
    pub role_name: String,
    #[schema(value_type = String)]
    pub scope: Scope,
    /// The team that has the grant, if the subject has it as a member.
    pub via_team: Option<String>,
    pub via_team_id: Option<String>,
    /// Whether it gives the permission that was asked about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub gives_it: Option<bool>,
}

fn source(source: &Source, asked: Option<Permission>) -> SourceEntry {
    let (via_team_id, via_team) = source
        .team
        .as_ref()
        .map(|(id, name)| (id.to_string(), name.clone()))
        .unzip();
    SourceEntry {
        access_policy_id: source.grant.clone(),
        role_id: source.role.clone(),
        role_name: source.role_name.clone(),
        scope: source.scope,
        via_team,
        via_team_id,
        gives_it: asked.map(|it| source.permissions.contains(it)),
    }
}

fn explanation(holder: &Holder, asked: Permission) -> String {
    let name = &holder.name;
    let reasons: Vec<_> = holder
        .sources
        .iter()
        .filter(|it| it.permissions.contains(asked))
        .map(|it| {
            let via = match &it.team {
                Some((_, team)) => format!(" as a member of team {team}"),
                None => String::new(),
            };
            format!("role {} at {} scope{via}", it.role_name, it.scope)
        })
        .collect();
    if reasons.is_empty() {
        return format!("{name} may not {asked} here: no grant that holds here has it");
    }
    format!("{name} may {asked} here by {}", reasons.join("; "))
}

/// A holder as a JSON:API object; its id is the subject's.
pub(super) fn entry(holder: &Holder, asked: Option<Permission>) -> Resource<EntryAttributes> {
    let attributes = EntryAttributes {
        subject_type: holder.subject.kind(),
        subject_name: holder.name.clone(),
        permissions: holder.permissions.iter().map(Permission::as_str).collect(),
        sources: holder.sources.iter().map(|it| source(it, asked)).collect(),
        allowed: asked.map(|it| holder.permissions.contains(it)),
        explanation: asked.map(|it| explanation(holder, it)),
    };
    Resource::new("access-entries", holder.subject.id(), attributes)
}
