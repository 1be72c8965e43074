//! Finds the terraform or tofu of a version: in the cache, on the search path, or from the
//! configured mirror with its checksum and the signature of its checksum list verified.

use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use url::Url;

use crate::files;
use crate::installed::Installed;
use crate::logs::script::architecture;
use crate::release_keys::ReleaseKeys;

/// A release archive is smaller.
const MOST: usize = 512 * 1024 * 1024;
/// A checksum list and its signature are smaller.
const SMALL: usize = 1024 * 1024;

/// A binary and its exact version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binary {
    pub path: PathBuf,
    pub version: String,
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub enum BinaryError {
    #[error(
        "{engine} {version} is not on this runner: put it into {cache}, install it on the search \
         path, or start the runner with --{engine}-mirror"
    )]
    NotFound {
        engine: String,
        version: String,
        cache: PathBuf,
    },
    #[error("{0:?} is no version: use for example 1.11.4, or latest")]
    Version(String),
    #[error("{engine} {version} could not be downloaded from {mirror}: {reason}")]
    Download {
        engine: String,
        version: String,
        mirror: Url,
        reason: String,
    },
    #[error("{path} could not be stored")]
    Store { path: PathBuf, source: io::Error },
}

/// Where releases come from.
#[derive(Debug, Clone, Default)]
pub struct Mirrors {
    pub terraform: Option<Url>,
    pub tofu: Option<Url>,
    /// In place of the makers' own keys.
    pub keys: Option<ReleaseKeys>,
}

/// The binaries of this runner.
#[derive(Debug)]
pub struct Binaries {
    cache: PathBuf,
    mirrors: Mirrors,
    client: reqwest::Client,
    installed: Installed,
    /// One download at a time, and none twice.
    downloading: Mutex<()>,
}

impl Binaries {
    /// `data` is the runner's data directory.
    pub fn new(data: &Path, mirrors: Mirrors, client: reqwest::Client) -> Self {
        Self {
            cache: data.join("bin"),
            mirrors,
            client,
            installed: Installed::default(),
            downloading: Mutex::new(()),
        }
    }

    /// The binary for `version`, which is exact or `latest` (the newest at hand).
    ///
    /// # Errors
    /// [`BinaryError`], whose sentence names what to do.
    pub async fn find(&self, engine: &str, version: &str) -> Result<Binary, BinaryError> {
        let engine = if engine == "tofu" {
            "tofu"
        } else {
            "terraform"
        };
        if version == "latest" || version.is_empty() {
            return self.newest(engine).await;
        }
        let exact = semver::Version::parse(version.trim_start_matches('v'))
            .map_err(|_| BinaryError::Version(version.to_owned()))?
            .to_string();
        if let Some(found) = self.at_hand(engine, &exact).await {
            return Ok(found);
        }
        let _turn = self.downloading.lock().await;
        if let Some(found) = self.cached(engine, &exact) {
            return Ok(found);
        }
        let mirror = match engine {
            "tofu" => &self.mirrors.tofu,
            _ => &self.mirrors.terraform,
        };
        match mirror {
            Some(mirror) => self.download(engine, &exact, mirror).await,
            None => Err(self.not_found(engine, &exact)),
        }
    }

    fn not_found(&self, engine: &str, version: &str) -> BinaryError {
        BinaryError::NotFound {
            engine: engine.to_owned(),
            version: version.to_owned(),
            cache: self.cache.join(engine).join(version).join(engine),
        }
    }

    async fn at_hand(&self, engine: &str, version: &str) -> Option<Binary> {
        if let Some(found) = self.cached(engine, version) {
            return Some(found);
        }
        self.installed
            .find(engine)
            .await
            .filter(|found| found.version == version)
    }

    fn cached(&self, engine: &str, version: &str) -> Option<Binary> {
        let path = self.cache.join(engine).join(version).join(engine);
        path.is_file().then(|| Binary {
            path,
            version: version.to_owned(),
        })
    }

    async fn newest(&self, engine: &str) -> Result<Binary, BinaryError> {
        let mut found: Vec<(semver::Version, Binary)> = std::fs::read_dir(self.cache.join(engine))
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().into_string().ok())
            .filter_map(|name| self.cached(engine, &name))
            .chain(self.installed.find(engine).await)
            .filter_map(|it| Some((semver::Version::parse(&it.version).ok()?, it)))
            .collect();
        found.sort_by(|one, other| one.0.cmp(&other.0));
        found
            .pop()
            .map(|(_, binary)| binary)
            .ok_or_else(|| self.not_found(engine, "latest"))
    }

    async fn download(
        &self,
        engine: &str,
        version: &str,
        mirror: &Url,
    ) -> Result<Binary, BinaryError> {
        let failed = |reason: String| BinaryError::Download {
            engine: engine.to_owned(),
            version: version.to_owned(),
            mirror: mirror.clone(),
            reason,
        };
        let name = format!(
            "{engine}_{version}_{}_{}.zip",
            std::env::consts::OS,
            architecture()
        );
        let base = mirror.as_str().trim_end_matches('/');
        // As each maker's own place for releases is laid out.
        let (directory, ending) = match engine {
            "tofu" => (format!("{base}/v{version}"), "gpgsig"),
            _ => (format!("{base}/{engine}/{version}"), "sig"),
        };
        tracing::info!(engine, version, mirror = %mirror, "downloading");
        let list = format!("{directory}/{engine}_{version}_SHA256SUMS");
        let sums = self.get(&list, SMALL).await.map_err(failed)?;
        let signature = self.get(&format!("{list}.{ending}"), SMALL).await;
        let signature = signature.map_err(failed)?;
        let makers = || ReleaseKeys::of_makers(engine);
        let keys = self.mirrors.keys.clone().unwrap_or_else(makers);
        keys.verify(&sums, &signature).map_err(|error| {
            failed(format!(
                "the signature of its checksum list does not hold ({error}). Copy the release to \
                 the mirror again; if the mirror signs with a key of its own, start the runner \
                 with --release-keys"
            ))
        })?;
        let expected = checksum_of(&String::from_utf8_lossy(&sums), &name)
            .ok_or_else(|| failed(format!("its checksum list has no {name}")))?;
        let archive = self.get(&format!("{directory}/{name}"), MOST).await;
        let archive = archive.map_err(failed)?;
        if hex::encode(Sha256::digest(&archive)) != expected {
            return Err(failed(format!(
                "the checksum of {name} is wrong: the mirror's copy is damaged or was changed. \
                 Copy the release to the mirror again"
            )));
        }
        let content = unzip(&archive, engine).map_err(failed)?;
        let path = self.cache.join(engine).join(version).join(engine);
        store(&path, &content).map_err(|source| BinaryError::Store {
            path: path.clone(),
            source,
        })?;
        Ok(Binary {
            path,
            version: version.to_owned(),
        })
    }

    async fn get(&self, url: &str, most: usize) -> Result<Vec<u8>, String> {
        let response = self
            .client
            .get(url)
            .send()
            .await
            .map_err(|error| error.to_string())?;
        let mut response = response
            .error_for_status()
            .map_err(|error| error.to_string())?;
        let mut content = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| error.to_string())? {
            content.extend_from_slice(&chunk);
            if content.len() > most {
                return Err(format!("{url} is too large"));
            }
        }
        Ok(content)
    }
}

fn checksum_of(sums: &str, name: &str) -> Option<String> {
    sums.lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .find(|(_, file)| file.trim().trim_start_matches('*') == name)
        .map(|(sum, _)| sum.to_ascii_lowercase())
}

fn store(path: &Path, content: &[u8]) -> io::Result<()> {
    let directory = path.parent().unwrap_or_else(|| Path::new("/"));
    files::make_directory(directory, 0o755)?;
    let temporary = directory.join(".download");
    std::fs::write(&temporary, content)?;
    std::fs::set_permissions(
        &temporary,
        <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o755),
    )?;
    std::fs::File::open(&temporary)?.sync_all()?;
    std::fs::rename(&temporary, path)
}

/// One file out of a zip archive: enough of the format for release archives, whose few entries are
/// stored or deflated and have their sizes in the central directory.
fn unzip(archive: &[u8], wanted: &str) -> Result<Vec<u8>, String> {
    let bad = || "it is no zip archive that can be read".to_owned();
    let end = archive
        .windows(4)
        .rposition(|it| it == b"PK\x05\x06")
        .ok_or_else(bad)?;
    let count = u16_at(archive, end + 10).ok_or_else(bad)?;
    let mut at = u32_at(archive, end + 16).ok_or_else(bad)?;
    for _ in 0..count {
        let method = u16_at(archive, at + 10).ok_or_else(bad)?;
        let packed = u32_at(archive, at + 20).ok_or_else(bad)?;
        let size = u32_at(archive, at + 24).ok_or_else(bad)?;
        let lengths = [28, 30, 32].map(|offset| u16_at(archive, at + offset));
        let [Some(name), Some(extra), Some(comment)] = lengths else {
            return Err(bad());
        };
        let local = u32_at(archive, at + 42).ok_or_else(bad)?;
        if archive.get(at + 46..at + 46 + name) == Some(wanted.as_bytes()) && size <= MOST {
            let start = local
                + 30
                + u16_at(archive, local + 26).ok_or_else(bad)?
                + u16_at(archive, local + 28).ok_or_else(bad)?;
            let content = archive.get(start..start + packed).ok_or_else(bad)?;
            return inflate(content, method, size).ok_or_else(bad);
        }
        at += 46 + name + extra + comment;
    }
    Err(format!("it does not hold {wanted}"))
}

fn inflate(content: &[u8], method: usize, size: usize) -> Option<Vec<u8>> {
    use std::io::Read;
    let mut out = Vec::new();
    match method {
        0 => out.extend_from_slice(content),
        8 => {
            let limit = u64::try_from(size).ok()? + 1;
            flate2::read::DeflateDecoder::new(content)
                .take(limit)
                .read_to_end(&mut out)
                .ok()?;
        }
        _ => return None,
    }
    (out.len() == size).then_some(out)
}

fn u16_at(bytes: &[u8], at: usize) -> Option<usize> {
    let found: [u8; 2] = bytes.get(at..at + 2)?.try_into().ok()?;
    Some(usize::from(u16::from_le_bytes(found)))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<usize> {
    let found: [u8; 4] = bytes.get(at..at + 4)?.try_into().ok()?;
    usize::try_from(u32::from_le_bytes(found)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_found_by_name() {
        let sums =
            "AA11  terraform_1.0.0_linux_amd64.zip\nbb22 *terraform_1.0.0_darwin_arm64.zip\n";
        assert_eq!(
            checksum_of(sums, "terraform_1.0.0_linux_amd64.zip").as_deref(),
            Some("aa11")
        );
        assert_eq!(
            checksum_of(sums, "terraform_1.0.0_darwin_arm64.zip").as_deref(),
            Some("bb22")
        );
        assert_eq!(checksum_of(sums, "x"), None);
    }

    #[test]
    fn no_archive_breaks_the_reader() {
        assert!(unzip(b"", "a").is_err());
        assert!(unzip(&[b'P', b'K', 5, 6], "a").is_err());
        let mut odd = b"PK\x05\x06".to_vec();
        odd.extend([0xff; 18]);
        assert!(unzip(&odd, "a").is_err());
    }

    #[tokio::test]
    async fn a_missing_version_says_what_to_do() {
        let client = crate::http_client::for_downloads(None, None).unwrap();
        let data = tempfile::tempdir().unwrap();
        let binaries = Binaries::new(data.path(), Mirrors::default(), client);
        let error = binaries
            .find("terraform", "0.0.1")
            .await
            .unwrap_err()
            .to_string();
        assert!(error.contains("--terraform-mirror"), "{error}");
        assert!(binaries.find("terraform", "one").await.is_err());
    }
}
