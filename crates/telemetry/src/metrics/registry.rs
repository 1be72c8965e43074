//! What is measured in this process, and its text form.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{
    Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, Opts,
    TextEncoder,
};

/// Collects the metrics of one process. Cheap to clone; all clones are the same registry.
#[derive(Clone, Default)]
pub struct Registry {
    inner: prometheus::Registry,
    descriptions: Arc<Mutex<Vec<Description>>>,
}

/// What a metric is for, for the generated table in the documentation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub labels: Vec<&'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("the metric {name} can't be registered")]
    Register {
        name: &'static str,
        source: prometheus::Error,
    },
    #[error("the metrics can't be written as text")]
    Render(#[source] prometheus::Error),
}

impl Registry {
    /// An empty registry.
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty registry that also measures this process: memory, CPU, file descriptors, start.
    /// Nothing of that outside Linux.
    ///
    /// # Errors
    /// [`Error::Register`].
    pub fn with_process() -> Result<Self, Error> {
        let registry = Self::new();
        #[cfg(target_os = "linux")]
        super::process::register(&registry.inner).map_err(|source| Error::Register {
            name: "process_*",
            source,
        })?;
        Ok(registry)
    }

    /// A number that only grows. The name ends in `_total`.
    ///
    /// # Errors
    /// [`Error::Register`] if the name is taken or malformed, here and below.
    pub fn counter(&self, name: &'static str, help: &'static str) -> Result<IntCounter, Error> {
        self.add(name, help, Kind::Counter, &[], IntCounter::new(name, help))
    }

    /// A counter per combination of labels. Labels must have few values: each is a time series.
    ///
    /// # Errors
    /// [`Error::Register`].
    pub fn counter_vec(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&'static str],
    ) -> Result<IntCounterVec, Error> {
        let made = IntCounterVec::new(Opts::new(name, help), labels);
        self.add(name, help, Kind::Counter, labels, made)
    }

    /// A number that rises and falls.
    ///
    /// # Errors
    /// [`Error::Register`].
    pub fn gauge(&self, name: &'static str, help: &'static str) -> Result<Gauge, Error> {
        self.add(name, help, Kind::Gauge, &[], Gauge::new(name, help))
    }

    /// A gauge per combination of labels.
    ///
    /// # Errors
    /// [`Error::Register`].
    pub fn gauge_vec(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&'static str],
    ) -> Result<GaugeVec, Error> {
        let made = GaugeVec::new(Opts::new(name, help), labels);
        self.add(name, help, Kind::Gauge, labels, made)
    }

    /// A gauge per combination of labels whose values are somebody else's: `read` sets them at each
    /// scrape. It must be quick and never wait.
    ///
    /// # Errors
    /// [`Error::Register`].
    pub fn gauges_at_scrape(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&'static str],
        read: impl Fn(&GaugeVec) + Send + Sync + 'static,
    ) -> Result<(), Error> {
        let made = GaugeVec::new(Opts::new(name, help), labels).map(|gauges| AtScrape {
            gauges,
            read: Arc::new(read),
        });
        self.add(name, help, Kind::Gauge, labels, made).map(drop)
    }

    /// A distribution; `buckets` from [`super::seconds`] or [`super::bytes`].
    ///
    /// # Errors
    /// [`Error::Register`].
    pub fn histogram(
        &self,
        name: &'static str,
        help: &'static str,
        buckets: &[f64],
    ) -> Result<Histogram, Error> {
        let made = Histogram::with_opts(HistogramOpts::new(name, help).buckets(buckets.to_vec()));
        self.add(name, help, Kind::Histogram, &[], made)
    }

    /// A distribution per combination of labels.
    ///
    /// # Errors
    /// [`Error::Register`].
    pub fn histogram_vec(
        &self,
        name: &'static str,
        help: &'static str,
        labels: &[&'static str],
        buckets: &[f64],
    ) -> Result<HistogramVec, Error> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.add(
            name,
            help,
            Kind::Histogram,
            labels,
            HistogramVec::new(options, labels),
        )
    }

    /// The text form that Prometheus scrapes (`text/plain; version=0.0.4`).
    ///
    /// # Errors
    /// [`Error::Render`].
    pub fn render(&self) -> Result<String, Error> {
        TextEncoder::new()
            .encode_to_string(&self.inner.gather())
            .map_err(Error::Render)
    }

    /// Everything declared so far, by name. The process's own metrics are standard and left out.
    pub fn descriptions(&self) -> Vec<Description> {
        let mut all = self.descriptions.lock().clone();
        all.sort_by_key(|it| it.name);
        all
    }

    fn add<M: Collector + Clone + 'static>(
        &self,
        name: &'static str,
        help: &'static str,
        kind: Kind,
        labels: &[&'static str],
        made: prometheus::Result<M>,
    ) -> Result<M, Error> {
        let metric = made.map_err(|source| Error::Register { name, source })?;
        self.inner
            .register(Box::new(metric.clone()))
            .map_err(|source| Error::Register { name, source })?;
        self.descriptions.lock().push(Description {
            name,
            help,
            kind,
            labels: labels.to_vec(),
        });
        Ok(metric)
    }
}

#[derive(Clone)]
struct AtScrape {
    gauges: GaugeVec,
    read: Arc<dyn Fn(&GaugeVec) + Send + Sync>,
}

impl Collector for AtScrape {
    fn desc(&self) -> Vec<&Desc> {
        self.gauges.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        (self.read)(&self.gauges);
        self.gauges.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn renders_what_was_counted() {
        let registry = Registry::new();
        let runs = registry
            .counter_vec("runs_total", "Runs.", &["result"])
            .unwrap();
        runs.with_label_values(&["applied"]).inc_by(2);

        let text = registry.render().unwrap();

        assert!(text.contains("# HELP runs_total Runs."), "{text}");
        assert!(text.contains("runs_total{result=\"applied\"} 2"), "{text}");
    }

    #[test]
    fn a_name_is_taken_once() {
        let registry = Registry::new();
        registry.gauge("depth", "Depth.").unwrap();
        let error = registry.gauge("depth", "Depth.").unwrap_err();
        assert!(error.to_string().contains("depth"));
    }

    #[test]
    fn some_values_are_read_at_the_scrape() {
        let registry = Registry::new();
        registry
            .gauges_at_scrape("open", "Open.", &["kind"], |gauges| {
                gauges.with_label_values(&["door"]).inc();
            })
            .unwrap();
        registry.render().unwrap();
        assert!(registry.render().unwrap().contains("open{kind=\"door\"} 2"));
    }

    #[test]
    fn describes_what_has_no_value_yet() {
        let registry = Registry::new();
        registry
            .histogram_vec("wait_seconds", "Wait.", &["pool"], &[1.0])
            .unwrap();
        let described = registry.descriptions();
        assert_eq!(described[0].name, "wait_seconds");
        assert_eq!(described[0].labels, ["pool"]);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn measures_this_process() {
        let text = Registry::with_process().unwrap().render().unwrap();
        for name in [
            "process_resident_memory_bytes",
            "process_virtual_memory_bytes",
            "process_cpu_seconds_total",
            "process_open_fds",
            "process_max_fds",
            "process_threads",
            "process_start_time_seconds",
        ] {
            let line = text.lines().find(|line| line.starts_with(name)).unwrap();
            let value: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
            assert!(value >= 0.0, "{line}");
        }
    }
}
