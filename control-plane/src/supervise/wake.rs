//! The signal that there may be work.

use std::sync::Arc;

use tokio::sync::Notify;

/// Wakes one reconciler. Carries nothing: the reconciler looks for itself. Signals given while a
/// pass is under way lead to one more pass, however many they were.
#[derive(Clone, Default)]
pub struct Wake(Arc<Notify>);

impl Wake {
    pub fn new() -> Self {
        Self::default()
    }

    /// There may be work. Call it after the commit that made the work visible.
    pub fn wake(&self) {
        self.0.notify_one();
    }

    /// Resolves at the next signal; one that came since the last wait counts.
    pub async fn woken(&self) {
        self.0.notified().await;
    }
}
