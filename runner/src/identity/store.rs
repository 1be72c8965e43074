//! Key and certificate on disk: one file, replaced whole, readable by the runner alone.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use domain::Secret;
use link::tls::{ClientIdentity, Trust};
use serde::{Deserialize, Serialize};

const FILE: &str = "identity.json";

/// This runner's identity.
#[derive(Debug, Clone)]
pub struct Identity {
    pub runner_id: String,
    /// PKCS#8.
    pub key: Secret<Vec<u8>>,
    pub certificate_der: Vec<u8>,
    pub ca_der: Vec<u8>,
    /// Seconds since 1970, by this machine's clock.
    pub received_at: i64,
    pub not_after: i64,
}

/// Why the identity could not be kept or found.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("{path} could not be read")]
    Read { path: PathBuf, source: io::Error },
    #[error("{path} could not be written")]
    Write { path: PathBuf, source: io::Error },
    #[error(
        "{path} is damaged; with the pool's join token and without this file the runner enrols anew"
    )]
    Damaged { path: PathBuf },
}

#[derive(Serialize, Deserialize)]
struct OnDisk {
    runner_id: String,
    key: String,
    certificate: String,
    ca: String,
    received_at: i64,
    not_after: i64,
}

impl Identity {
    /// Whether the certificate is one of a revoked runner: good for delivering what its jobs left.
    pub fn delivers_only(&self) -> bool {
        link::ca::parse_peer(&self.certificate_der).is_ok_and(|peer| peer.delivers_only)
    }

    /// The identity kept in the data directory, if there is one.
    ///
    /// # Errors
    /// [`StoreError`]; a damaged file is never silently replaced.
    pub fn load(data: &Path) -> Result<Option<Self>, StoreError> {
        let path = data.join(FILE);
        let found: Option<OnDisk> = step::read_json(&path).map_err(|source| {
            let damaged = [io::ErrorKind::InvalidData, io::ErrorKind::UnexpectedEof];
            let path = path.clone();
            if damaged.contains(&source.kind()) {
                StoreError::Damaged { path }
            } else {
                StoreError::Read { path, source }
            }
        })?;
        found
            .map(|it| {
                let decode = |text: &str| {
                    STANDARD
                        .decode(text)
                        .map_err(|_| StoreError::Damaged { path: path.clone() })
                };
                Ok(Self {
                    runner_id: it.runner_id,
                    key: Secret::new(decode(&it.key)?),
                    certificate_der: decode(&it.certificate)?,
                    ca_der: decode(&it.ca)?,
                    received_at: it.received_at,
                    not_after: it.not_after,
                })
            })
            .transpose()
    }

    /// Keeps it, durably.
    ///
    /// # Errors
    /// When it can't be written; the old one then stays.
    pub fn save(&self, data: &Path) -> Result<(), StoreError> {
        let path = data.join(FILE);
        let content = OnDisk {
            runner_id: self.runner_id.clone(),
            key: STANDARD.encode(self.key.expose()),
            certificate: STANDARD.encode(&self.certificate_der),
            ca: STANDARD.encode(&self.ca_der),
            received_at: self.received_at,
            not_after: self.not_after,
        };
        serde_json::to_vec(&content)
            .map_err(io::Error::from)
            .and_then(|bytes| crate::files::write_private(&path, &bytes))
            .map_err(|source| StoreError::Write { path, source })
    }

    pub fn is_expired(&self, now: i64) -> bool {
        now >= self.not_after
    }

    /// How long until the certificate should be renewed: half its life, give or take a tenth, so
    /// that a fleet enrolled together doesn't renew together. `random` in 0..1.
    pub fn renew_in(&self, now: i64, random: f64) -> Duration {
        let life = (self.not_after - self.received_at).max(0) as f64;
        let due = self.received_at as f64 + life * (0.4 + 0.2 * random.clamp(0.0, 1.0));
        Duration::from_secs_f64((due - now as f64).max(0.0))
    }

    /// For the connector.
    pub fn client(&self) -> ClientIdentity {
        ClientIdentity {
            certificate: self.certificate_der.clone().into(),
            key: self.key.clone(),
        }
    }

    pub fn trust(&self) -> Trust {
        Trust::Ca(self.ca_der.clone().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            runner_id: "runner-1".into(),
            key: Secret::new(vec![1, 2]),
            certificate_der: vec![3],
            ca_der: vec![4],
            received_at: 1_000,
            not_after: 2_000,
        }
    }

    #[test]
    fn is_read_back_and_private() {
        use std::os::unix::fs::PermissionsExt;
        let data = tempfile::tempdir().unwrap();
        assert!(Identity::load(data.path()).unwrap().is_none());
        identity().save(data.path()).unwrap();
        let found = Identity::load(data.path()).unwrap().unwrap();
        assert_eq!(found.key.expose(), &[1, 2]);
        let mode = data
            .path()
            .join(FILE)
            .metadata()
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let data = tempfile::tempdir().unwrap();
        std::fs::write(data.path().join(FILE), "{").unwrap();
        assert!(matches!(
            Identity::load(data.path()),
            Err(StoreError::Damaged { .. })
        ));
    }

    #[test]
    fn renews_about_half_way() {
        assert_eq!(identity().renew_in(1_000, 0.5).as_secs(), 500);
        assert_eq!(identity().renew_in(1_000, 0.0).as_secs(), 400);
        assert_eq!(identity().renew_in(1_900, 1.0).as_secs(), 0);
    }
}
