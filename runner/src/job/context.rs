//! What all jobs of a runner share.

use std::path::{Path, PathBuf};

use protocol::v1::Job;

use super::cli_config::Providers;
use crate::executor::Executors;
use crate::logs::mask::Secrets;
use crate::terraform_binary::Binaries;
use crate::wire::Wire;

/// Shared by all jobs.
pub struct Context {
    pub wire: Wire,
    pub executors: Executors,
    pub binaries: Binaries,
    pub providers: Providers,
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
            .collect()
    }

    pub(super) fn secrets_of(&self, job: &Job) -> Secrets {
        super::logs::secrets_of(job)
    }
}
