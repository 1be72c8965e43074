//! The two stages of stopping.

use tokio_util::sync::CancellationToken;

/// Tells a task to stop. First it is *asked*: take nothing new, finish what is under way. Later,
/// when the soft deadline has passed or a second signal came, it is *cut off*: let go of
/// everything at once.
#[derive(Clone, Default)]
pub struct Stop {
    soft: CancellationToken,
    hard: CancellationToken,
}

impl Stop {
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins an orderly stop of the whole process.
    pub fn ask(&self) {
        self.soft.cancel();
    }

    /// Ends the patience: whoever still works lets go.
    pub fn cut_off(&self) {
        self.soft.cancel();
        self.hard.cancel();
    }

    /// Resolves when an orderly stop has begun.
    pub async fn asked(&self) {
        self.soft.cancelled().await;
    }

    /// Resolves when there is no time left.
    pub async fn out_of_time(&self) {
        self.hard.cancelled().await;
    }

    pub fn is_asked(&self) -> bool {
        self.soft.is_cancelled()
    }

    /// A token for code that knows only tokens; cancelled when the stop is asked for.
    pub fn asked_token(&self) -> CancellationToken {
        self.soft.child_token()
    }

    /// A token for code that knows only tokens; cancelled when there is no time left.
    pub fn out_of_time_token(&self) -> CancellationToken {
        self.hard.child_token()
    }
}
