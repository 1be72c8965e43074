//! Wake-ups: "something changed, look again", without saying what.
//!
//! A reconciler reads its work from rows; a wake-up only spares it the wait for the next periodic
//! pass. Within the process listeners are woken right after the commit. Between processes one
//! PostgreSQL channel carries the names of ours, so that one connection listens for all. A lost
//! connection is made again and wakes everybody, because something may have been missed.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The one PostgreSQL channel.
pub(crate) const PG_CHANNEL: &str = "terrane_wake";
/// A connection that has been silent for this long is asked whether it is still there.
const PROBE_AFTER: Duration = Duration::from_secs(30);
const PROBE_LIMIT: Duration = Duration::from_secs(10);
const RECONNECT_PAUSE: Duration = Duration::from_secs(2);

#[derive(Debug)]
pub(crate) struct Wake {
    /// Tells our own notifications from those of other processes.
    process: String,
    channels: Arc<Channels>,
    /// The task that hears other processes; ends with us.
    ear: Mutex<JoinSet<()>>,
}

#[derive(Debug, Default)]
struct Channels(Mutex<HashMap<&'static str, watch::Sender<()>>>);

/// The wake-ups of one channel.
#[derive(Debug)]
pub struct Listener(watch::Receiver<()>);

impl Listener {
    /// Waits for the next wake-up, or returns at once if there was one since the last call.
    /// Never returns once the [`crate::Db`] is gone. Safe to drop and call again.
    pub async fn woken(&mut self) {
        if self.0.changed().await.is_err() {
            std::future::pending().await
        }
    }
}

impl Wake {
    pub(crate) fn new() -> Self {
        Self {
            process: format!("{:016x}", rand::random::<u64>()),
            channels: Arc::default(),
            ear: Mutex::default(),
        }
    }

    pub(crate) fn listen(&self, channel: &'static str) -> Listener {
        let mut channels = self.channels.0.lock();
        let sender = channels
            .entry(channel)
            .or_insert_with(|| watch::channel(()).0);
        Listener(sender.subscribe())
    }

    pub(crate) fn wake<'a>(&self, channels: impl Iterator<Item = &'a str>) {
        self.channels.wake(channels);
    }

    /// What goes through PostgreSQL: our own mark, then the channels.
    pub(crate) fn payload(&self, channels: &BTreeSet<&'static str>) -> String {
        let mut payload = self.process.clone();
        for channel in channels {
            payload.push(' ');
            payload.push_str(channel);
        }
        payload
    }

    /// Starts to listen on PostgreSQL, once. Must be called within a tokio runtime.
    pub(crate) fn hear_other_processes(&self, options: &PgConnectOptions) {
        let mut ear = self.ear.lock();
        if ear.is_empty() {
            ear.spawn(hear(
                options.clone(),
                self.process.clone(),
                self.channels.clone(),
            ));
        }
    }

    pub(crate) fn stop(&self) {
        self.ear.lock().abort_all();
    }
}

impl Channels {
    fn wake<'a>(&self, names: impl Iterator<Item = &'a str>) {
        let channels = self.0.lock();
        for name in names {
            if let Some(sender) = channels.get(name) {
                sender.send_replace(());
            }
        }
    }

    fn wake_all(&self) {
        for sender in self.0.lock().values() {
            sender.send_replace(());
        }
    }
}

async fn hear(options: PgConnectOptions, process: String, channels: Arc<Channels>) {
    loop {
        if let Err(error) = hear_until_lost(&options, &process, &channels).await {
            tracing::warn!(%error, "lost the connection for wake-ups from other processes");
        }
        tokio::time::sleep(RECONNECT_PAUSE).await;
    }
}

async fn hear_until_lost(
    options: &PgConnectOptions,
    process: &str,
    channels: &Channels,
) -> sqlx::Result<()> {
    let pool = PgPoolOptions::new()
        .max_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .connect_with(options.clone())
        .await?;
    let mut listener = PgListener::connect_with(&pool).await?;
    listener.eager_reconnect(false);
    listener.listen(PG_CHANNEL).await?;
    // What was sent before we listened went past us.
    channels.wake_all();
    loop {
        match timeout(PROBE_AFTER, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                let mut words = notification.payload().split(' ');
                if words.next() != Some(process) {
                    channels.wake(words);
                }
            }
            Ok(Ok(None)) => return Err(sqlx::Error::PoolClosed),
            Ok(Err(error)) => return Err(error),
            Err(_silent) => {
                let probe = sqlx::query("SELECT 1").execute(&mut listener);
                timeout(PROBE_LIMIT, probe)
                    .await
                    .map_err(|_| sqlx::Error::PoolTimedOut)??;
            }
        }
    }
}
