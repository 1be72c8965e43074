//! The installation's own certificate authority for runners, and the secrets of its gateway. They
//! lie in the database under the installation's key, so that every replica has the same.

use chrono::TimeDelta;
use domain::Secret;
use link::ca::{RunnerCa, ServerCertificate};
use serde::{Deserialize, Serialize};

use super::error::RunnerError;
use crate::app::App;
use crate::clock::Timestamp;
use crate::problem::Fault;

const CA_LIFE: TimeDelta = TimeDelta::days(20 * 365);
const GATEWAY_LIFE: TimeDelta = TimeDelta::days(90);
/// Clocks differ.
const SKEW: TimeDelta = TimeDelta::minutes(5);

/// The authority, ready to sign.
pub struct Authority {
    pub ca: RunnerCa,
    /// Lets runners notice a crash of the gateway at once.
    pub reset_secret: [u8; 64],
}

#[derive(Serialize, Deserialize)]
struct StoredCa {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

impl Authority {
    /// Takes the authority up, or makes it at the first start.
    ///
    /// # Errors
    /// The database's or the vault's own, or a stored authority that can't be read.
    pub async fn load(app: &App) -> Result<Self, RunnerError> {
        let now = app.clock.now();
        let fresh = fresh_ca(now)?;
        let mut tx = app.db.begin().await?;
        let stored = app
            .keys
            .installation_secret(&mut tx, "runner-ca", now, move || fresh)
            .await?;
        let reset = app
            .keys
            .installation_secret(&mut tx, "gateway-reset", now, || {
                let half: [[u8; 32]; 2] = rand::random();
                half.concat()
            })
            .await?;
        tx.commit().await?;
        let unreadable = || Fault::Unreadable {
            what: "the runner certificate authority",
        };
        let stored: StoredCa = serde_json::from_slice(stored.expose()).map_err(|_| unreadable())?;
        let ca = RunnerCa::from_der(&stored.certificate, &Secret::new(stored.key))
            .map_err(RunnerError::Authority)?;
        let reset_secret = reset
            .expose()
            .as_slice()
            .try_into()
            .map_err(|_| unreadable())?;
        Ok(Self { ca, reset_secret })
    }

    /// A certificate for the gateway itself.
    ///
    /// # Errors
    /// The authority's own.
    pub fn gateway_certificate(
        &self,
        names: &[String],
        now: Timestamp,
    ) -> Result<ServerCertificate, RunnerError> {
        self.ca
            .issue_server(names, now - SKEW, now + GATEWAY_LIFE)
            .map_err(RunnerError::Authority)
    }
}

fn fresh_ca(now: Timestamp) -> Result<Vec<u8>, RunnerError> {
    let ca = RunnerCa::generate(now - SKEW, now + CA_LIFE).map_err(RunnerError::Authority)?;
    let stored = StoredCa {
        certificate: ca.certificate().to_vec(),
        key: ca.key_pkcs8().expose().clone(),
    };
    serde_json::to_vec(&stored).map_err(|_| {
        Fault::Unreadable {
            what: "a new certificate authority",
        }
        .into()
    })
}
