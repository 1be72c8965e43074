//! How many connections there are.

use telemetry::metrics::{CounterVec, Error, Gauge, GaugeVec, Registry};

/// The metrics of the listeners.
#[derive(Clone)]
pub struct ConnectionMetrics {
    open: GaugeVec,
    refused: CounterVec,
}

impl ConnectionMetrics {
    /// # Errors
    /// If the names are taken.
    pub fn register(registry: &Registry) -> Result<Self, Error> {
        Ok(Self {
            open: registry.gauge_vec(
                "terrane_http_connections",
                "Open connections.",
                &["listener"],
            )?,
            refused: registry.counter_vec(
                "terrane_http_connections_refused_total",
                "Connections closed at once because there were too many.",
                &["listener"],
            )?,
        })
    }

    /// Counts a connection for as long as the result lives.
    pub(super) fn opened(&self, listener: &str) -> OpenConnection {
        let gauge = self.open.with_label_values(&[listener]);
        gauge.inc();
        OpenConnection(gauge)
    }

    pub(super) fn refused(&self, listener: &str) {
        self.refused.with_label_values(&[listener]).inc();
    }
}

pub(super) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
