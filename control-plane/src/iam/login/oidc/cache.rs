//! What providers have said of themselves and their keys, for a while, in this process.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::TimeDelta;
use domain::ids::IdentityProviderId;
use jsonwebtoken::jwk::JwkSet;
use parking_lot::Mutex;

use super::metadata::Metadata;
use crate::clock::Timestamp;
use crate::iam::identity::Provider;

/// How long a document and its keys are used without looking again.
const FRESH: TimeDelta = TimeDelta::minutes(10);
/// How soon keys may be asked for again because one is missing: tokens with made-up key ids must not
/// become a load on the provider.
const PAUSE: TimeDelta = TimeDelta::seconds(10);

/// One provider's.
#[derive(Debug, Clone)]
pub(super) struct Cached {
    /// What has been changed is asked anew.
    version: i64,
    metadata: Metadata,
    fetched_at: Timestamp,
    keys: Option<(Arc<JwkSet>, Timestamp)>,
}

impl Cached {
    pub(super) fn new(provider: &Provider, metadata: Metadata, now: Timestamp) -> Self {
        Self {
            version: provider.version,
            metadata,
            fetched_at: now,
            keys: None,
        }
    }
}

/// All providers'. It grows with the number of providers and no further.
#[derive(Debug, Default)]
pub struct SignInCache(Mutex<HashMap<IdentityProviderId, Cached>>);

/// Why keys are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Want {
    Any,
    /// Those that there are have not got the one that is needed.
    Newer,
}

impl SignInCache {
    pub(super) fn metadata(&self, provider: &Provider, now: Timestamp) -> Option<Metadata> {
        let cached = self.0.lock().get(&provider.id).cloned()?;
        let usable = cached.version == provider.version && now - cached.fetched_at < FRESH;
        usable.then_some(cached.metadata)
    }

    pub(super) fn keep(&self, provider: &Provider, cached: Cached) {
        self.0.lock().insert(provider.id.clone(), cached);
    }

    /// The keys, unless they have to be fetched.
    pub(super) fn keys(
        &self,
        provider: &Provider,
        want: Want,
        now: Timestamp,
    ) -> Option<Arc<JwkSet>> {
        let cached = self.0.lock().get(&provider.id).cloned()?;
        let (keys, at) = cached.keys?;
        let age = now - at;
        let limit = match want {
            Want::Any => FRESH,
            Want::Newer => PAUSE,
        };
        (cached.version == provider.version && age < limit).then_some(keys)
    }

    pub(super) fn keep_keys(&self, provider: &Provider, keys: Arc<JwkSet>, now: Timestamp) {
        if let Some(cached) = self.0.lock().get_mut(&provider.id) {
            cached.keys = Some((keys, now));
        }
    }

    /// As if the keys had been fetched long ago.
    #[cfg(test)]
    pub(in crate::iam) fn forget_keys(&self) {
        for cached in self.0.lock().values_mut() {
            if let Some((_, at)) = &mut cached.keys {
                *at -= PAUSE;
            }
        }
    }

    #[cfg(test)]
    pub(in crate::iam) fn forget(&self) {
        self.0.lock().clear();
    }
}
