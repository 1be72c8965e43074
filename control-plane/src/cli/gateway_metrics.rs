//! What the runner gateway counts, as metrics.

use link::server::GatewayHandle;
use telemetry::metrics::{Error, Registry};

/// # Errors
/// If the names are taken.
pub(super) fn register(registry: &Registry, handle: &GatewayHandle) -> Result<(), Error> {
    let gateway = handle.clone();
    registry.gauges_at_scrape(
        "terrane_gateway_connections",
        "Connections of runners, by transport.",
        &["transport"],
        move |gauges| {
            let stats = gateway.stats();
            gauges.with_label_values(&["quic"]).set(stats.quic as f64);
            gauges.with_label_values(&["tcp"]).set(stats.tcp as f64);
        },
    )?;
    let gateway = handle.clone();
    registry.gauges_at_scrape(
        "terrane_gateway_connection_attempts",
        "Connections since the start of the process, by what became of them.",
        &["outcome"],
        move |gauges| {
            let stats = gateway.stats();
            let counts = [
                ("accepted", stats.accepted),
                ("handshake-failed", stats.handshakes_failed),
                ("refused", stats.refused),
            ];
            for (outcome, count) in counts {
                gauges.with_label_values(&[outcome]).set(count as f64);
            }
        },
    )
}
