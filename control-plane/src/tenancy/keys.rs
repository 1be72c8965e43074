//! The keys that seal what belongs to an account: data keys wrapped by the installation's key, kept
//! in rows, unwrapped once per process.

use std::collections::HashMap;
use std::sync::Arc;

use domain::Secret;
use domain::ids::AccountId;
use parking_lot::RwLock;
use vault::sealed::RecipientKey;
use vault::{DataKey, KeyId, secret};

use super::key_store::{self as store, StoredJournalKey};
use crate::clock::Timestamp;
use crate::context::Tenant;
use crate::problem::Fault;

/// Where a sealed value lies: it opens nowhere else.
#[derive(Debug, Clone)]
pub struct SealedPlace {
    kind: &'static str,
    id: String,
}

impl SealedPlace {
    pub fn new(kind: &'static str, id: impl ToString) -> Self {
        Self {
            kind,
            id: id.to_string(),
        }
    }

    fn context<'a>(&'a self, account: &'a str) -> vault::Context<'a> {
        vault::Context {
            account,
            kind: self.kind,
            id: &self.id,
        }
    }
}

/// Deletes a secret of the installation: the next one under its name is another.
///
/// # Errors
/// The database's own.
pub async fn forget_installation_secret(conn: &mut db::Conn, name: &str) -> Result<(), db::Error> {
    store::delete_installation_secret(conn, name).await
}

/// Where a secret of the installation lies.
pub(super) fn installation_context(name: &str) -> vault::Context<'_> {
    vault::Context {
        account: "",
        kind: "installation-secret",
        id: name,
    }
}

/// A key pair that runners seal state journals to.
#[derive(Debug, Clone)]
pub struct JournalKey {
    pub id: String,
    pub public_key: Vec<u8>,
}

/// The installation's key, and the data keys it has unwrapped so far.
pub struct Keyring {
    installation: vault::Keyring,
    unwrapped: RwLock<HashMap<(AccountId, KeyId), Arc<DataKey>>>,
}

impl Keyring {
    pub fn new(installation: vault::Keyring) -> Self {
        Self {
            installation,
            unwrapped: RwLock::default(),
        }
    }

    /// The installation's own key ring, for secrets that belong to no account.
    pub fn installation(&self) -> &vault::Keyring {
        &self.installation
    }

    /// Makes a data key for an account; from now on it seals. Gives its id.
    ///
    /// # Errors
    /// The database's own.
    pub async fn create_key(
        &self,
        conn: &mut db::Conn,
        account: &AccountId,
        now: Timestamp,
    ) -> Result<String, Fault> {
        let key = DataKey::generate();
        let wrapped = self.installation.wrap(account.as_str(), &key);
        let id = key.id().to_string();
        store::insert_key(conn, account, &id, &wrapped, now).await?;
        Ok(id)
    }

    /// The data key that seals for an account today.
    ///
    /// # Errors
    /// The database's own, or the vault's when the installation's key is not the one that wrapped it.
    pub async fn sealing_key(
        &self,
        conn: &mut db::Conn,
        tenant: &Tenant,
    ) -> Result<Arc<DataKey>, Fault> {
        let row = store::newest_key(conn, tenant)
            .await?
            .ok_or(Fault::Unreadable {
                what: "the account has no data key",
            })?;
        self.unwrap(tenant, &row)
    }

    /// The data key with this id.
    ///
    /// # Errors
    /// As [`Keyring::sealing_key`].
    pub async fn opening_key(
        &self,
        conn: &mut db::Conn,
        tenant: &Tenant,
        id: KeyId,
    ) -> Result<Arc<DataKey>, Fault> {
        if let Some(key) = self.unwrapped.read().get(&(tenant.account().clone(), id)) {
            return Ok(Arc::clone(key));
        }
        let row = store::key(conn, tenant, &id.to_string())
            .await?
            .ok_or(Fault::Unreadable {
                what: "the data key of a sealed value is unknown",
            })?;
        self.unwrap(tenant, &row)
    }

    fn unwrap(&self, tenant: &Tenant, row: &store::WrappedKey) -> Result<Arc<DataKey>, Fault> {
        let id: KeyId = row
            .id
            .parse()
            .map_err(|_| Fault::Unreadable { what: "a key's id" })?;
        let place = (tenant.account().clone(), id);
        if let Some(key) = self.unwrapped.read().get(&place) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(self.installation.unwrap(
            tenant.account().as_str(),
            id,
            &row.wrapped,
        )?);
        self.unwrapped.write().insert(place, Arc::clone(&key));
        Ok(key)
    }

    /// Seals a small secret for its place.
    ///
    /// # Errors
    /// As [`Keyring::sealing_key`].
    pub async fn seal(
        &self,
        conn: &mut db::Conn,
        tenant: &Tenant,
        place: &SealedPlace,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, Fault> {
        let key = self.sealing_key(conn, tenant).await?;
        Ok(secret::seal(
            &key,
            &place.context(tenant.account().as_str()),
            plaintext,
        ))
    }

    /// Opens what [`Keyring::seal`] made for the same place.
    ///
    /// # Errors
    /// The database's own, or the vault's when the value is not what was sealed for this place.
    pub async fn open(
        &self,
        conn: &mut db::Conn,
        tenant: &Tenant,
        place: &SealedPlace,
        sealed: &[u8],
    ) -> Result<Secret<Vec<u8>>, Fault> {
        let key = self
            .opening_key(conn, tenant, secret::key_of(sealed)?)
            .await?;
        Ok(secret::open(
            &key,
            &place.context(tenant.account().as_str()),
            sealed,
        )?)
    }

    /// As [`Keyring::open`], for text.
    ///
    /// # Errors
    /// As [`Keyring::open`].
    pub async fn open_text(
        &self,
        conn: &mut db::Conn,
        tenant: &Tenant,
        place: &SealedPlace,
        sealed: &[u8],
    ) -> Result<Secret, Fault> {
        let bytes = self.open(conn, tenant, place, sealed).await?;
        String::from_utf8(bytes.expose().clone())
            .map(Secret::new)
            .map_err(|_| Fault::Unreadable {
                what: "a sealed text",
            })
    }

    /// The key that runners seal this account's journals to; made at first need.
    ///
    /// # Errors
    /// As [`Keyring::seal`].
    pub async fn journal_key(
        &self,
        conn: &mut db::Conn,
        tenant: &Tenant,
        now: Timestamp,
    ) -> Result<JournalKey, Fault> {
        if let Some(key) = store::journal_key(conn, tenant, None).await? {
            return Ok(JournalKey {
                id: key.id,
                public_key: key.public_key,
            });
        }
        let pair = RecipientKey::generate();
        let id = pair.id().to_string();
        let place = SealedPlace::new("journal-key", &id);
        let sealed_private = self
            .seal(conn, tenant, &place, pair.to_bytes().expose())
            .await?;
        let public_key = pair.public().to_bytes().to_vec();
        let row = StoredJournalKey {
            id: id.clone(),
            public_key: public_key.clone(),
            sealed_private,
        };
        store::insert_journal_key(conn, tenant, &row, now).await?;
        Ok(JournalKey { id, public_key })
    }

    /// The private half of a journal key, to open what a runner brings back.
    ///
    /// # Errors
    /// As [`Keyring::open`]; unknown keys are unreadable.
    pub async fn journal_private_key(
        &self,
        conn: &mut db::Conn,
        tenant: &Tenant,
        id: &str,
    ) -> Result<RecipientKey, Fault> {
        let row = store::journal_key(conn, tenant, Some(id))
            .await?
            .ok_or(Fault::Unreadable {
                what: "the journal key is unknown",
            })?;
        let place = SealedPlace::new("journal-key", id);
        let private = self.open(conn, tenant, &place, &row.sealed_private).await?;
        Ok(RecipientKey::from_bytes(private.expose())?)
    }

    /// A secret of the installation, made by `make` at first need; the same in every replica.
    ///
    /// # Errors
    /// The database's own, or the vault's.
    pub async fn installation_secret(
        &self,
        tx: &mut db::Tx,
        name: &str,
        now: Timestamp,
        make: impl FnOnce() -> Vec<u8>,
    ) -> Result<Secret<Vec<u8>>, Fault> {
        let context = installation_context(name);
        if let Some(sealed) = store::installation_secret(tx, name).await? {
            return Ok(self.installation.open(&context, &sealed)?);
        }
        let sealed = self.installation.seal(&context, &make());
        store::insert_installation_secret(tx, name, &sealed, now).await?;
        let kept = store::installation_secret(tx, name)
            .await?
            .ok_or(Fault::Unreadable {
                what: "an installation secret",
            })?;
        Ok(self.installation.open(&context, &kept)?)
    }
}
