//! A provider's archive from its registry: discovered, downloaded, and compared with the list of
//! checksums that the provider's maker signed (the provider registry protocol, as terraform's own
//! init speaks it).

use std::io::Write;

use serde::Deserialize;
use sha2::{Digest, Sha256};
use url::Url;

use super::{Package, ProviderCache};
use crate::release_keys::{ReleaseKeys, SignatureError};

/// No document of a registry is larger.
const MOST_TEXT: u64 = 4 * 1024 * 1024;
/// Nor any archive.
const MOST_ARCHIVE: u64 = 2 * 1024 * 1024 * 1024;

/// Why a package is not in the cache.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegistryError {
    #[error("{url} can't be had")]
    Http { url: Url, source: reqwest::Error },
    #[error("{url} is larger than a registry's answer may be")]
    Large { url: Url },
    #[error("{url} makes no sense: {reason}")]
    Answer { url: Url, reason: String },
    #[error("the registry says {0:?}, which is no https address")]
    Address(String),
    #[error("the signature of the list of checksums does not hold: {0}")]
    Signature(#[from] SignatureError),
    #[error("the checksum of {0} is not the one that was signed")]
    Checksum(String),
    #[error("the archive could not be stored")]
    Store(#[from] std::io::Error),
}

#[derive(Deserialize)]
struct Services {
    #[serde(rename = "providers.v1")]
    providers: Option<String>,
}

#[derive(Deserialize)]
struct Download {
    download_url: String,
    shasum: String,
    shasums_url: String,
    shasums_signature_url: String,
    signing_keys: SigningKeys,
}

#[derive(Deserialize)]
struct SigningKeys {
    gpg_public_keys: Vec<SigningKey>,
}

#[derive(Deserialize)]
struct SigningKey {
    ascii_armor: String,
}

/// Brings a package into the cache.
pub(super) async fn fetch(
    client: &reqwest::Client,
    cache: &ProviderCache,
    package: &Package,
) -> Result<(), RegistryError> {
    let said = address(&format!(
        "https://{}/.well-known/terraform.json",
        package.host
    ))?;
    let services: Services = json(client, &said).await?;
    let providers = services.providers.ok_or_else(|| RegistryError::Answer {
        url: said.clone(),
        reason: "it has no providers".to_owned(),
    })?;
    let base = below(&said, &format!("{}/", providers.trim_end_matches('/')))?;
    let (os, arch) = (std::env::consts::OS, crate::logs::script::architecture());
    let Package {
        namespace,
        kind,
        version,
        ..
    } = package;
    let asked = format!("{namespace}/{kind}/{version}/download/{os}/{arch}");
    let asked = below(&base, &asked)?;
    let download: Download = json(client, &asked).await?;
    let expected = signed_checksum(client, &asked, &download, package).await?;
    let url = below(&asked, &download.download_url)?;
    let mut file = cache.begin()?;
    let found = stream(client, &url, MOST_ARCHIVE, &mut file).await?;
    if found != expected || found != download.shasum.to_ascii_lowercase() {
        return Err(RegistryError::Checksum(package.file_name()));
    }
    let (cache, package) = (cache.clone(), package.clone());
    let stored = tokio::task::spawn_blocking(move || cache.finish(&package, file, &found));
    stored.await.map_err(std::io::Error::other)??;
    Ok(())
}

async fn signed_checksum(
    client: &reqwest::Client,
    asked: &Url,
    download: &Download,
    package: &Package,
) -> Result<String, RegistryError> {
    let list = below(asked, &download.shasums_url)?;
    let signature = below(asked, &download.shasums_signature_url)?;
    let (mut sums, mut made) = (Vec::new(), Vec::new());
    stream(client, &list, MOST_TEXT, &mut sums).await?;
    stream(client, &signature, MOST_TEXT, &mut made).await?;
    let keys: Vec<&str> = download
        .signing_keys
        .gpg_public_keys
        .iter()
        .map(|key| key.ascii_armor.as_str())
        .collect();
    ReleaseKeys::parse(&keys.join("\n"))?.verify(&sums, &made)?;
    let name = package.file_name();
    let text = String::from_utf8_lossy(&sums);
    let line = text.lines().find_map(|line| {
        let (sum, file) = line.split_once(char::is_whitespace)?;
        (file.trim().trim_start_matches('*') == name).then(|| sum.to_ascii_lowercase())
    });
    line.ok_or(RegistryError::Checksum(name))
}

fn address(text: &str) -> Result<Url, RegistryError> {
    Url::parse(text)
        .ok()
        .filter(|url| url.scheme() == "https")
        .ok_or_else(|| RegistryError::Address(text.to_owned()))
}

/// An address that may be relative to the answer that names it.
fn below(base: &Url, text: &str) -> Result<Url, RegistryError> {
    let url = base
        .join(text)
        .map_err(|_| RegistryError::Address(text.to_owned()))?;
    address(url.as_str())
}

async fn json<T: serde::de::DeserializeOwned>(
    client: &reqwest::Client,
    url: &Url,
) -> Result<T, RegistryError> {
    let mut text = Vec::new();
    stream(client, url, MOST_TEXT, &mut text).await?;
    serde_json::from_slice(&text).map_err(|error| RegistryError::Answer {
        url: url.clone(),
        reason: error.to_string(),
    })
}

/// Writes what an address has to `out`; gives its SHA-256 in hex.
async fn stream(
    client: &reqwest::Client,
    url: &Url,
    most: u64,
    out: &mut (impl Write + Send),
) -> Result<String, RegistryError> {
    let failed = |source| RegistryError::Http {
        url: url.clone(),
        source,
    };
    let answer = client.get(url.clone()).send().await.map_err(failed)?;
    let mut answer = answer.error_for_status().map_err(failed)?;
    let mut hasher = Sha256::new();
    let mut length = 0_u64;
    while let Some(chunk) = answer.chunk().await.map_err(failed)? {
        length += chunk.len() as u64;
        if length > most {
            return Err(RegistryError::Large { url: url.clone() });
        }
        hasher.update(&chunk);
        out.write_all(&chunk)?;
    }
    out.flush()?;
    Ok(hex::encode(hasher.finalize()))
}
