//! Fills the cache beside the jobs, one package at a time.

use std::collections::BTreeSet;
use std::path::PathBuf;

use tokio::sync::mpsc;

use super::{Package, ProviderCache, registry};

/// Wishes that wait at most; what is over is wished for again by the next job.
const WAITING: usize = 256;

/// Where jobs say what they have had to install.
#[derive(Debug, Clone)]
pub struct Wishes {
    cache: ProviderCache,
    hosts: BTreeSet<String>,
    queue: mpsc::Sender<Package>,
}

impl Wishes {
    /// Wishes for packages that the cache may have and has not.
    pub fn wish(&self, packages: Vec<Package>) {
        for package in packages {
            if self.hosts.contains(&package.host) && !self.cache.has(&package) {
                let _ = self.queue.try_send(package);
            }
        }
    }

    /// What steps may read of the cache.
    pub fn mirror(&self) -> PathBuf {
        self.cache.mirror()
    }

    /// The cache, with every archive looked at.
    pub async fn checked(&self) -> &ProviderCache {
        let cache = self.cache.clone();
        if let Err(error) = tokio::task::spawn_blocking(move || cache.check()).await {
            tracing::warn!(%error, "the provider cache could not be looked at");
        }
        &self.cache
    }
}

/// The task that fulfils the wishes.
#[derive(Debug)]
pub struct Filler {
    cache: ProviderCache,
    client: reqwest::Client,
    queue: mpsc::Receiver<Package>,
    most_bytes: u64,
}

impl Filler {
    /// `hosts`: registries whose providers are kept. `most_bytes`: the cache grows no further.
    pub fn new(
        cache: ProviderCache,
        hosts: BTreeSet<String>,
        client: reqwest::Client,
        most_bytes: u64,
    ) -> (Self, Wishes) {
        let (sender, queue) = mpsc::channel(WAITING);
        let wishes = Wishes {
            cache: cache.clone(),
            hosts,
            queue: sender,
        };
        let filler = Self {
            cache,
            client,
            queue,
            most_bytes,
        };
        (filler, wishes)
    }

    /// Until nobody can wish any more. What failed is tried again when a job wishes for it again.
    pub async fn run(mut self) {
        while let Some(package) = self.queue.recv().await {
            if self.cache.has(&package) {
                continue;
            }
            let name = package.path();
            if self.cache.size() >= self.most_bytes {
                tracing::warn!(
                    provider = %name.display(),
                    "the provider cache is full; remove what is not used from it"
                );
                continue;
            }
            match registry::fetch(&self.client, &self.cache, &package).await {
                Ok(()) => tracing::info!(provider = %name.display(), "cached"),
                Err(error) => {
                    let error: &dyn std::error::Error = &error;
                    tracing::warn!(provider = %name.display(), error, "not cached");
                }
            }
        }
    }
}
