//! Who signs in when a provider has spoken for somebody: just-in-time users, and their teams.

use std::collections::BTreeSet;

use domain::access::Role;
use domain::ids::{TeamId, UserId};
use domain::permission::Permission;
use serde_json::json;

use super::mapping_store;
use super::model::Provider;
use super::people_store::{self, Said};
use crate::app::App;
use crate::audit;
use crate::context::{Context, Tenant};
use crate::iam::model::{Member, NewUser, checked_username};
use crate::iam::{IamError, Target, authorize};

/// Longest subject (OpenID Connect Core, section 2) and longest other text.
const MAX_SUBJECT: usize = 255;
const MAX_TEXT: usize = 254;
/// Groups beyond these are not looked at: nobody is in more for a reason.
const MAX_GROUPS: usize = 2000;

/// What a provider has proved to say of somebody.
#[derive(Debug, Clone, Default)]
pub(in crate::iam) struct Asserted {
    pub subject: String,
    pub user_name: String,
    pub email: String,
    pub display_name: String,
    /// `None`: it says nothing of groups, so teams stay as they are.
    pub groups: Option<Vec<String>>,
}

/// Why somebody whom the provider knows does not get in.
#[derive(Debug, thiserror::Error)]
pub(in crate::iam) enum Refused {
    #[error("the provider does not say who you are: its answer has no usable subject")]
    NoSubject,
    #[error("you are not known here; ask an administrator of the account to let you in")]
    Unknown,
    #[error("your membership is suspended; ask an administrator of the account")]
    Suspended,
    #[error(transparent)]
    Failed(#[from] IamError),
}

impl From<db::Error> for Refused {
    fn from(error: db::Error) -> Self {
        Self::Failed(error.into())
    }
}

impl Asserted {
    /// Bounded, and without what no database can hold.
    fn cleaned(mut self) -> Result<Self, Refused> {
        let usable = !self.subject.is_empty()
            && self.subject.len() <= MAX_SUBJECT
            && !self.subject.chars().any(char::is_control);
        if !usable {
            return Err(Refused::NoSubject);
        }
        for text in [&mut self.user_name, &mut self.email, &mut self.display_name] {
            *text = text
                .chars()
                .filter(|c| !c.is_control())
                .take(MAX_TEXT)
                .collect();
        }
        if self.user_name.is_empty() {
            self.user_name.clone_from(&self.subject);
        }
        Ok(self)
    }

    fn said(&self) -> Said<'_> {
        Said {
            subject: &self.subject,
            user_name: &self.user_name,
            email: &self.email,
            display_name: &self.display_name,
        }
    }
}

/// The member whom `asserted` is, made if the provider may make users. `ctx` is the control plane's
/// own, in the provider's account.
///
/// # Errors
/// [`Refused`], whose text the person may see.
pub(in crate::iam) async fn sign_in(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    provider: &Provider,
    asserted: Asserted,
) -> Result<Member, Refused> {
    let asserted = asserted.cleaned()?;
    let tenant = Tenant::of_row(&provider.account_id);
    // Two first sign-ins of one person make one user.
    tx.lock_row("identity_providers", provider.id.as_str())
        .await?;
    let known = people_store::by_subject(tx, &tenant, &provider.id, &asserted.subject).await?;
    let (identity, user) = match known {
        Some(known) if known.suspended_at.is_some() => return Err(Refused::Suspended),
        Some(known) => (known.id, known.user_id),
        None if provider.create_users => {
            let user = create(tx, ctx, &asserted).await?;
            let said = asserted.said();
            let id =
                people_store::insert(tx, &tenant, &provider.id, &user, &said, ctx.now()).await?;
            (id, user)
        }
        None => return Err(Refused::Unknown),
    };
    people_store::note_sign_in(tx, &tenant, &identity, &asserted.said(), ctx.now()).await?;
    if let Some(groups) = &asserted.groups {
        let groups = groups.iter().take(MAX_GROUPS).map(String::as_str).collect();
        join_teams(app, tx, ctx, provider, &user, &groups).await?;
    }
    crate::iam::find_member(tx, &tenant, &user)
        .await?
        .ok_or(Refused::Unknown)
}

/// A user with a name like the one the provider gives, a reader: rights come with teams and grants.
async fn create(tx: &mut db::Tx, ctx: &Context, asserted: &Asserted) -> Result<UserId, Refused> {
    let new = NewUser {
        username: free_name(tx, &asserted.user_name).await?,
        email: asserted.email.clone(),
        password: None,
        role: Role::Reader,
    };
    let member = crate::iam::service::insert_user(tx, ctx, new, None).await?;
    Ok(member.id)
}

/// What stands before the `@`, in the letters that names here have, and unique in the installation.
pub(in crate::iam) async fn free_name(
    conn: &mut db::Conn,
    wanted: &str,
) -> Result<String, db::Error> {
    let local = wanted.split('@').next().unwrap_or_default().to_lowercase();
    let letters: String = local
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || "-_.".contains(c) {
                c
            } else {
                '-'
            }
        })
        .take(48)
        .collect();
    let base = checked_username(&letters).unwrap_or_else(|_| "member".to_owned());
    if !people_store::is_name_taken(conn, &base).await? {
        return Ok(base);
    }
    let random = bs58::encode(rand::random::<[u8; 6]>()).into_string();
    Ok(format!("{base}-{}", random.to_lowercase()))
}

/// Puts somebody into the teams that their groups stand for, and takes them out of the provider's
/// other ones. Teams that the provider has no mapping for are none of its business.
pub(in crate::iam) async fn join_teams(
    app: &App,
    tx: &mut db::Tx,
    ctx: &Context,
    provider: &Provider,
    user: &UserId,
    groups: &BTreeSet<&str>,
) -> Result<(), Refused> {
    let tenant = Tenant::of_row(&provider.account_id);
    let mappings = mapping_store::list(tx, &tenant, &provider.id).await?;
    let of = |inside: bool| -> BTreeSet<TeamId> {
        let wanted = mappings
            .iter()
            .filter(|it| groups.contains(it.group_name.as_str()) == inside);
        wanted.map(|it| it.team_id.clone()).collect()
    };
    let (inside, mut outside) = (of(true), of(false));
    outside.retain(|team| !inside.contains(team));
    let (mut added, mut removed) = (Vec::new(), Vec::new());
    for team in inside {
        if mapping_store::add_member(tx, &tenant, &team, user, ctx.now()).await? {
            added.push(team);
        }
    }
    for team in outside {
        if mapping_store::remove_member(tx, &tenant, &team, user).await? {
            removed.push(team);
        }
    }
    if added.is_empty() && removed.is_empty() {
        return Ok(());
    }
    let target = Target::new("users", user);
    let proof = authorize(ctx, Permission::TeamsManage, target).map_err(IamError::from)?;
    let detail = json!({ "provider": provider.id, "added": added, "removed": removed });
    audit::record(tx, ctx, &proof, "user.sync-teams", detail).await?;
    // A run may have waited for one of them to count.
    app.signals.queue.wake();
    Ok(())
}

/// The user who is already linked to this subject.
///
/// # Errors
/// The database's own.
async fn find_linked(
    conn: &mut db::Conn,
    provider: &Provider,
    subject: &str,
) -> Result<Option<UserId>, db::Error> {
    let tenant = Tenant::of_row(&provider.account_id);
    let found = people_store::by_subject(conn, &tenant, &provider.id, subject).await?;
    Ok(found.map(|it| it.user_id))
}

/// Says that `asserted` is this member from now on, unless either is linked otherwise. The caller
/// has seen that both are the same person: one browser that is signed in as both.
///
/// # Errors
/// [`Refused`].
pub(in crate::iam) async fn link(
    tx: &mut db::Tx,
    provider: &Provider,
    user: &UserId,
    asserted: Asserted,
    now: crate::clock::Timestamp,
) -> Result<bool, Refused> {
    let asserted = asserted.cleaned()?;
    let tenant = Tenant::of_row(&provider.account_id);
    tx.lock_row("identity_providers", provider.id.as_str())
        .await?;
    let taken = find_linked(tx, provider, &asserted.subject)
        .await?
        .is_some()
        || people_store::by_user(tx, &tenant, &provider.id, user)
            .await?
            .is_some();
    if taken {
        return Ok(false);
    }
    people_store::insert(tx, &tenant, &provider.id, user, &asserted.said(), now).await?;
    Ok(true)
}

#[cfg(test)]
mod unit {
    use super::*;

    #[test]
    fn what_can_be_no_subject_is_refused() {
        for subject in ["", "a\nb", "a\0b", &"x".repeat(256)] {
            let asserted = Asserted {
                subject: subject.to_owned(),
                ..Asserted::default()
            };
            assert!(asserted.cleaned().is_err(), "{subject:?}");
        }
    }
}
