//! What compiling a group finds, remembered: who uploads a revision, asks what it would do, and puts it
//! in force, asks for the same thing three times.

use std::num::NonZeroUsize;

use lru::LruCache;
use parking_lot::Mutex;
use policy::worker::{Checkup, WorkerError};
use policy::{GroupSource, Problem};
use sha2::{Digest, Sha256};

use crate::app::App;

/// How many groups are remembered.
const REMEMBERED: NonZeroUsize = NonZeroUsize::new(64).unwrap();

/// Checkups of groups that were found free of errors, by the digest of everything they are made of.
pub struct Checkups(Mutex<LruCache<[u8; 32], Checkup>>);

impl Default for Checkups {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(REMEMBERED)))
    }
}

/// Compiles a group in a policy worker, unless that was done before.
///
/// # Errors
/// When no worker can be had. A group without a manifest is `Ok(Err(problem))`.
pub async fn checkup(
    app: &App,
    source: &GroupSource,
) -> Result<Result<Checkup, Problem>, WorkerError> {
    let text = serde_json::to_vec(source).map_err(WorkerError::Answer)?;
    let digest: [u8; 32] = Sha256::digest(&text).into();
    drop(text);
    if let Some(known) = app.checkups.0.lock().get(&digest) {
        return Ok(Ok(known.clone()));
    }
    let (worker, source) = (app.policy_worker.clone(), source.clone());
    let checked = tokio::task::spawn_blocking(move || worker.check(source))
        .await
        .map_err(|_| WorkerError::Refused("its check was cut off".to_owned()))??;
    // An error may come from a limit of the machine, and be gone another time.
    if let Ok(checkup) = &checked
        && is_sound(checkup)
    {
        app.checkups.0.lock().put(digest, checkup.clone());
    }
    Ok(checked)
}

fn is_sound(checkup: &Checkup) -> bool {
    let mut problems = checkup
        .policies
        .iter()
        .flat_map(|policy| &policy.problems)
        .chain(&checkup.problems);
    !problems.any(Problem::is_error)
}
