//! Use cases: sign in and get a code, then a token for the code.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use domain::Secret;
use domain::access::ActorKind;
use domain::ids::{AccountId, UserId};
use domain::permission::Permission;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;
use url::Url;

use super::error::{ExchangeError, SignInError};
use super::request::AuthorizationRequest;
use super::session::{self, Opening};
use super::site::Site;
use super::sso;
use super::store::{self, Candidate, Code};
use super::throttle::Tried;
use crate::app::App;
use crate::audit;
use crate::context::{Actor, Context, Origin};
use crate::http::LOGIN_CLIENT;
use crate::iam::model::fold_username;
use crate::iam::secret_token::TokenText;
use crate::iam::tokens::{self, NewToken, TokenOwner};
use crate::iam::{
    Authorized, IamError, Target, authorize, hash_token, password, second_factor, service,
};

/// How long a code may wait for the CLI to come and get its token.
const CODE_LIFETIME: TimeDelta = TimeDelta::minutes(5);
const TOKEN_DESCRIPTION: &str = "terraform login";
/// Longer names are nobody's.
const MAX_USERNAME: usize = 60;
/// RFC 7636, section 4.1.
const VERIFIER_LENGTH: std::ops::RangeInclusive<usize> = 43..=128;

/// What a browser gets that has signed in.
pub(super) struct SignedIn {
    /// For the CLI that asked, if one did.
    pub code: Option<Secret>,
    /// For the browser's cookie.
    pub session: Secret,
}

/// A name and a password, and where they come from. The session that the browser has is over if they
/// are right.
pub(super) struct Attempt<'a> {
    pub origin: &'a Origin,
    pub headers: &'a HeaderMap,
    pub site: &'a Site,
    pub username: &'a str,
    pub password: &'a Secret,
    /// Of an authenticator app, or a recovery code; empty if there was none.
    pub one_time_code: &'a str,
}

impl Attempt<'_> {
    fn name(&self) -> String {
        let folded = fold_username(self.username);
        let plain = folded.chars().filter(|c| !c.is_control());
        plain.take(MAX_USERNAME + 1).collect()
    }

    fn account(&self) -> Option<&AccountId> {
        self.site.account.as_ref()
    }
}

/// Checks name and password; gives a code for `request`, if a CLI asks.
///
/// Throttled attempts are logged, not audited: the audit log would grow with every one of them.
pub(super) async fn sign_in(
    app: &App,
    attempt: &Attempt<'_>,
    request: Option<&AuthorizationRequest>,
) -> Result<SignedIn, SignInError> {
    let (origin, username) = (attempt.origin, attempt.name());
    let tried = Tried::new(&username, origin.source_address);
    if let Err(until) = tried.admit(app).await? {
        tracing::warn!(source = ?origin.source_address, "a sign-in attempt was held back");
        return Err(SignInError::TooManyAttempts { until });
    }
    let mut conn = app.db.acquire().await?;
    let candidate = store::candidate(&mut conn, &username, attempt.account()).await?;
    drop(conn);
    let stored = candidate.as_ref().and_then(|it| it.password_hash.clone());
    let right = password::verify(stored, attempt.password).await?;
    if let Some(candidate) = candidate.filter(|_| right) {
        let mut tx = app.db.begin().await?;
        if has_not_changed(&mut tx, &candidate, attempt.account()).await? {
            if candidate.provider_only > 0 {
                return Err(SignInError::ProviderOnly);
            }
            let (user, name, code) = (&candidate.id, &candidate.username, attempt.one_time_code);
            let now = app.clock.now();
            if second_factor::check(app, &mut tx, user, name, code, now)
                .await
                .map_err(IamError::from)?
                == second_factor::Answer::Wrong
            {
                drop(tx);
                record_failure(app, origin, &username, &tried).await?;
                return Err(SignInError::WrongCode);
            }
            tried.succeeded(&mut tx).await?;
            let approval = Approval::of(app, origin, candidate)?;
            if let Some(earlier) = session::sent(app, attempt.headers) {
                session::end(&mut tx, &earlier).await?;
            }
            let (user, now) = (&approval.user, approval.ctx.now());
            let opening = Opening::of(origin, attempt.headers);
            let session = session::begin(&mut tx, user, opening, now).await?;
            let code = match request {
                Some(request) => Some(approval.give_code(&mut tx, request).await?),
                None => None,
            };
            approval.record(&mut tx, "user.sign-in", request).await?;
            tx.commit().await?;
            return Ok(SignedIn { code, session });
        }
    }
    record_failure(app, origin, &username, &tried).await?;
    Err(SignInError::WrongPassword)
}

/// Whether the password that was checked is the user's still: checking takes its time, and a new
/// password ends what the old one opened. It stays so until `tx` ends.
async fn has_not_changed(
    tx: &mut db::Tx,
    candidate: &Candidate,
    account: Option<&AccountId>,
) -> Result<bool, db::Error> {
    tx.lock_row("users", candidate.id.as_str()).await?;
    let now = store::candidate(tx, &candidate.username, account).await?;
    Ok(now.is_some_and(|it| it.id == candidate.id && it.password_hash == candidate.password_hash))
}

/// Gives a code for `request` to a browser that is signed in and was asked; `None` if it is not
/// signed in any more.
pub(super) async fn approve(
    app: &App,
    origin: &Origin,
    site: &Site,
    request: &AuthorizationRequest,
    session: &Secret,
) -> Result<Option<Secret>, SignInError> {
    let now = app.clock.now();
    let mut tx = app.db.begin().await?;
    let Some(user) = session::user(&mut tx, session, site, now).await? else {
        return Ok(None);
    };
    // A new password ends sessions: after it, or before it.
    tx.lock_row("users", user.id.as_str()).await?;
    let Some(user) = session::user(&mut tx, session, site, now).await? else {
        return Ok(None);
    };
    let approval = Approval::of(app, origin, user)?;
    let code = approval.give_code(&mut tx, request).await?;
    approval
        .record(&mut tx, "user.approve", Some(request))
        .await?;
    tx.commit().await?;
    Ok(Some(code))
}

/// Ends a session. Gives where the browser goes on so that its identity provider ends its own too.
pub(super) async fn sign_out(
    app: &App,
    origin: &Origin,
    site: &Site,
    session: &Secret,
) -> Result<Option<Url>, SignInError> {
    let mut tx = app.db.begin().await?;
    let user = session::user(&mut tx, session, site, app.clock.now()).await?;
    let foreign = session::provider(&mut tx, session).await?;
    session::end(&mut tx, session).await?;
    if let Some(user) = user {
        let approval = Approval::of(app, origin, user)?;
        approval.record(&mut tx, "user.sign-out", None).await?;
    }
    tx.commit().await?;
    match foreign {
        Some(foreign) => Ok(sso::logout_address(app, site, foreign).await?),
        None => Ok(None),
    }
}

/// Somebody who may have a token, and asks for one.
struct Approval {
    ctx: Context,
    proof: Authorized,
    user: UserId,
}

impl Approval {
    fn of(app: &App, origin: &Origin, candidate: Candidate) -> Result<Self, SignInError> {
        let ctx = Context::from_origin(caller(candidate), origin, app.clock.clone());
        let target = Target::new("users", &ctx.actor.id);
        let proof = authorize(&ctx, Permission::TokensManageOwn, target)
            .map_err(crate::iam::IamError::from)?;
        let user = ctx.actor.user().ok_or(SignInError::WrongPassword)?;
        Ok(Self { ctx, proof, user })
    }

    async fn give_code(
        &self,
        tx: &mut db::Tx,
        request: &AuthorizationRequest,
    ) -> Result<Secret, SignInError> {
        let text = Secret::new(URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>()));
        let now = self.ctx.now();
        let code = Code {
            user_id: self.user.clone(),
            account_id: self.ctx.actor.account.clone(),
            client_id: request.params.client_id.clone(),
            redirect_uri: request.params.redirect_uri.clone(),
            code_challenge: request.params.code_challenge.clone(),
            expires_at: now + CODE_LIFETIME,
        };
        let hash = hash_token(text.expose());
        store::insert_code(tx, &self.ctx.tenant(), &hash, &code, now).await?;
        Ok(text)
    }

    async fn record(
        &self,
        tx: &mut db::Tx,
        action: &'static str,
        request: Option<&AuthorizationRequest>,
    ) -> Result<(), SignInError> {
        let detail = match request {
            Some(request) => json!({ "client": request.params.client_id }),
            None => json!({}),
        };
        Ok(audit::record(tx, &self.ctx, &self.proof, action, detail).await?)
    }
}

fn caller(candidate: Candidate) -> Actor {
    Actor::themselves(&candidate.account_id, &candidate.id, &candidate.username)
}

/// Records an attempt with a wrong password. The name is written down only if it is a user's:
/// people type passwords into the wrong field.
async fn record_failure(
    app: &App,
    origin: &Origin,
    username: &str,
    tried: &Tried,
) -> Result<(), SignInError> {
    let mut tx = app.db.begin().await?;
    tried.failed(app, &mut tx).await?;
    let actor = match store::candidate(&mut tx, username, None).await? {
        Some(candidate) => Some(caller(candidate)),
        None => store::default_account(&mut tx).await?.map(|account| Actor {
            kind: ActorKind::User,
            id: "unknown".to_owned(),
            ..Actor::system(&account, "unknown")
        }),
    };
    if let Some(actor) = actor {
        let target = Target::new("users", &actor.id);
        let ctx = Context::from_origin(actor, origin, app.clock.clone());
        audit::record_attempt(&mut tx, &ctx, target, "user.sign-in", "failed", json!({})).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// What the CLI sends to get its token.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct TokenRequest {
    pub grant_type: String,
    pub client_id: String,
    pub code: String,
    pub code_verifier: String,
    pub redirect_uri: String,
}

/// Makes an API token for a code. The code is used up, whatever comes of it.
pub(super) async fn exchange(
    app: &App,
    origin: &Origin,
    request: TokenRequest,
) -> Result<TokenText, ExchangeError> {
    if request.grant_type != "authorization_code" {
        return Err(ExchangeError::UnsupportedGrantType);
    }
    if request.client_id != LOGIN_CLIENT {
        return Err(ExchangeError::InvalidClient);
    }
    if !VERIFIER_LENGTH.contains(&request.code_verifier.len()) {
        return Err(ExchangeError::InvalidRequest(
            "code_verifier must have 43 to 128 characters",
        ));
    }
    let mut tx = app.db.begin().await?;
    let code = store::take_code(&mut tx, &hash_token(&request.code)).await?;
    tx.commit().await?;
    let code = code
        .filter(|code| code.expires_at > app.clock.now() && fits(code, &request))
        .ok_or(ExchangeError::InvalidGrant)?;
    make_token(app, origin, code).await
}

fn fits(code: &Code, request: &TokenRequest) -> bool {
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(request.code_verifier.as_bytes()));
    code.client_id == request.client_id
        && code.redirect_uri == request.redirect_uri
        && bool::from(challenge.as_bytes().ct_eq(code.code_challenge.as_bytes()))
}

async fn make_token(app: &App, origin: &Origin, code: Code) -> Result<TokenText, ExchangeError> {
    let tenant = crate::context::Tenant::of_row(&code.account_id);
    let mut tx = app.db.begin().await?;
    let member = service::find_member(&mut tx, &tenant, &code.user_id)
        .await?
        .ok_or(ExchangeError::InvalidGrant)?;
    let ctx = Context::from_origin(member.actor(&code.account_id), origin, app.clock.clone());
    let proof = authorize(
        &ctx,
        Permission::TokensManageOwn,
        Target::new("users", &member.id),
    )
    .map_err(crate::iam::IamError::from)?;
    let new = NewToken {
        owner: TokenOwner::User(member.id),
        description: TOKEN_DESCRIPTION.to_owned(),
        expires_at: None,
    };
    let (token, text) = tokens::insert_token(&mut tx, &tenant, new, ctx.now()).await?;
    tokens::record_token(&mut tx, &ctx, &proof, "token.create", &token).await?;
    tx.commit().await?;
    Ok(text)
}
