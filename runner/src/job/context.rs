//! What all jobs of a runner share.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use protocol::v1::Job;

use super::JobDirectory;
use super::cli_config::{Mirror, Providers};
use crate::executor::Executors;
use crate::logs::mask::Secrets;
use crate::providers::{Wishes, installed_in};
use crate::terraform_binary::Binaries;
use crate::wire::Wire;

/// Shared by all jobs.
pub struct Context {
    pub wire: Wire,
    pub executors: Executors,
    pub binaries: Binaries,
    pub providers: Providers,
    /// What earlier jobs have had to download.
    pub provider_cache: Option<Wishes>,
    /// The proxy of the runner and the hosts that are reached without it.
    pub proxy: Option<(url::Url, Option<String>)>,
    /// Proxy settings of the runner, which steps inherit unless they set their own.
    pub proxy_environment: Vec<(String, String)>,
}

impl Context {
    /// What a step may read besides its own directory and the system.
    pub(super) fn read_only(&self, terraform: &Path) -> Vec<PathBuf> {
        let mirrors = self
            .providers
            .mirrors
            .iter()
            .map(|mirror| mirror.path.clone());
        std::iter::once(terraform.to_owned())
            .chain(mirrors)
            .chain(self.provider_cache.as_ref().map(Wishes::mirror))
            .collect()
    }

    /// Where a step installs providers from, with a cache that is what it was.
    pub(super) async fn providers_now(&self) -> Providers {
        let mut providers = self.providers.clone();
        if let Some(wishes) = &self.provider_cache {
            providers.mirrors.push(Mirror {
                path: wishes.checked().await.mirror(),
                only_here: BTreeSet::new(),
            });
        }
        providers
    }

    /// Wishes for what a step has had to install, for the next one.
    pub(super) fn wish_for_installed(&self, directory: &JobDirectory) {
        let (Some(wishes), Ok(step)) = (&self.provider_cache, directory.step()) else {
            return;
        };
        let mut packages = installed_in(&step, &directory.record.working_directory);
        packages.retain(|it| {
            let address = format!("{}/{}/{}", it.host, it.namespace, it.kind);
            let mirrors = &self.providers.mirrors;
            !mirrors.iter().any(|it| it.only_here.contains(&address))
        });
        wishes.wish(packages);
    }

    pub(super) fn secrets_of(&self, job: &Job) -> Secrets {
        super::logs::secrets_of(job)
    }
}
