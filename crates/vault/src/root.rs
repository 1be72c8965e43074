//! Where the installation key comes from: the seam for key services (KMS).

use std::fmt;

use domain::Secret;

use crate::installation::InstallationKey;

/// Something that has the installation key: a setting, a file, a command, a key service.
///
/// It is asked once, when a process starts. From then on the key is in memory, and account keys are
/// wrapped with it here: a key service that is away keeps processes from starting, and nothing from
/// running; nobody pays for a call to it per object.
///
/// For a key service: make an installation key, have the service encrypt it (`Encrypt` of AWS and
/// Google, `wrapKey` of Azure, `transit/encrypt` of Vault), keep what it gives beside the
/// configuration, and let [`RootKeySource::fetch`] have it decrypted. Who may start a control plane is
/// then said by the service, which also has a log of it. Rotating the service's own key is encrypting
/// the same installation key anew; rotating the installation key is `terrane keys rotate`, as ever.
pub trait RootKeySource: fmt::Debug {
    /// What messages call it.
    fn name(&self) -> String;

    /// The key, in a spelling that [`InstallationKey::parse`] reads.
    ///
    /// # Errors
    /// A sentence for the operator, in which there is nothing of the key.
    fn fetch(&self) -> Result<Secret, String>;
}

/// The installation key can't be had.
#[derive(Debug, thiserror::Error)]
#[error("{name} gives no installation key: {reason}")]
pub struct RootKeyError {
    pub name: String,
    pub reason: String,
}

impl InstallationKey {
    /// The key that a source has.
    ///
    /// # Errors
    /// [`RootKeyError`], when it gives none, or something else.
    pub fn of(source: &dyn RootKeySource) -> Result<Self, RootKeyError> {
        let wrong = |reason: String| RootKeyError {
            name: source.name(),
            reason,
        };
        let text = source.fetch().map_err(wrong)?;
        Self::parse(text.expose()).map_err(|error| wrong(error.to_string()))
    }
}
