//! One metric: its name, what it means, and every label value it may have.

use std::time::{Duration, Instant};

use metrics::{Key, Label, Level, Metadata};

/// How a metric behaves.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows; from zero again when the process starts.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts durations by their upper bounds, seconds.
    Histogram(&'static [f64]),
}

/// Bounds of what takes from a millisecond to ten seconds: disks, networks, proofs.
pub const SECONDS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Bounds of what takes from a tenth of a second to ten minutes: computations of an audit.
pub const LONG_SECONDS: &[f64] = &[0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0];

/// A metric as declared in a [`catalog!`](crate::catalog).
#[derive(Clone, Copy, Debug)]
pub struct Metric {
    /// Its name, with the unit.
    pub name: &'static str,
    /// How it behaves.
    pub kind: Kind,
    /// What it means.
    pub help: &'static str,
    labels: [Option<Values>; 2],
    free_labels: &'static [&'static str],
}

/// A label and every value it may have.
type Values = (&'static str, &'static [&'static str]);

static METADATA: Metadata<'static> = Metadata::new("millrace", Level::INFO, None);

impl Metric {
    const fn new(name: &'static str, kind: Kind, help: &'static str) -> Self {
        Self { name, kind, help, labels: [None, None], free_labels: &[] }
    }

    /// A counter; its name ends in `_total`.
    pub const fn counter(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Counter, help)
    }

    /// A gauge.
    pub const fn gauge(name: &'static str, help: &'static str) -> Self {
        Self::new(name, Kind::Gauge, help)
    }

    /// A histogram of seconds; its name ends in `_seconds`.
    pub const fn histogram(name: &'static str, bounds: &'static [f64], help: &'static str) -> Self {
        Self::new(name, Kind::Histogram(bounds), help)
    }

    /// The same with a label that has one of `values`; at most two.
    pub const fn by(mut self, label: &'static str, values: &'static [&'static str]) -> Self {
        self.labels = match self.labels {
            [None, _] => [Some((label, values)), None],
            [first, _] => [first, Some((label, values))],
        };
        self
    }

    /// The same with labels whose values only this machine knows, such as those of its GPUs: there are no series of it
    /// before the first value.
    pub const fn by_what_is_here(mut self, labels: &'static [&'static str]) -> Self {
        self.free_labels = labels;
        self
    }

    /// Whether its series exist from the start.
    pub fn is_known_ahead(&self) -> bool {
        self.free_labels.is_empty()
    }

    /// Its labels; with the values that each may have, none where only the machine knows them.
    pub fn labels(&self) -> Vec<(&'static str, &'static [&'static str])> {
        let free = self.free_labels.iter().map(|label| (*label, [].as_slice()));
        self.labels.into_iter().flatten().chain(free).collect()
    }

    /// Every combination of label values.
    pub fn series(&self) -> Vec<Vec<&'static str>> {
        self.labels.iter().flatten().fold(vec![vec![]], |series, (_, values)| {
            let each = |known: Vec<&'static str>| values.iter().map(move |value| [&known[..], &[*value]].concat());
            series.into_iter().flat_map(each).collect()
        })
    }

    /// A value nobody declared would be a series nobody bounded: in tests it panics.
    fn key(&self, values: &[&str]) -> Key {
        let labels = self.labels();
        let is_declared = |(_, known): &(&str, &[&str]), value: &str| known.is_empty() || known.contains(&value);
        debug_assert!(
            labels.len() == values.len() && labels.iter().zip(values).all(|(label, value)| is_declared(label, value)),
            "{} has the labels {labels:?}, not the values {values:?}",
            self.name
        );
        let labels = labels.iter().zip(values).map(|((label, _), value)| Label::new(*label, (*value).to_owned()));
        Key::from_parts(self.name, labels.collect::<Vec<_>>())
    }

    /// Counts `count` more.
    pub fn add(&self, count: u64, values: &[&str]) {
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_counter(&key, &METADATA).increment(count));
    }

    /// Counts one more.
    pub fn inc(&self, values: &[&str]) {
        self.add(1, values);
    }

    /// Sets a counter that something else counts.
    pub fn count_to(&self, total: u64, values: &[&str]) {
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_counter(&key, &METADATA).absolute(total));
    }

    /// Sets a gauge.
    pub fn set(&self, value: f64, values: &[&str]) {
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_gauge(&key, &METADATA).set(value));
    }

    /// Adds a duration to a histogram.
    pub fn observe(&self, took: Duration, values: &[&str]) {
        let key = self.key(values);
        metrics::with_recorder(|recorder| recorder.register_histogram(&key, &METADATA).record(took.as_secs_f64()));
    }

    /// Adds to a histogram what time passes until the timer is dropped.
    pub fn time(&'static self) -> Timer {
        Timer { metric: self, began: Instant::now() }
    }

    /// Makes its series exist, at zero.
    pub(crate) fn register(&self) {
        if !self.is_known_ahead() {
            return;
        }
        for values in self.series() {
            let key = self.key(&values);
            metrics::with_recorder(|recorder| match self.kind {
                Kind::Counter => recorder.register_counter(&key, &METADATA).increment(0),
                Kind::Gauge => recorder.register_gauge(&key, &METADATA).set(0.0),
                Kind::Histogram(_) => drop(recorder.register_histogram(&key, &METADATA)),
            });
        }
    }

    /// Says what it means to whoever scrapes it.
    pub(crate) fn describe(&self) {
        metrics::with_recorder(|recorder| match self.kind {
            Kind::Counter => recorder.describe_counter(self.name.into(), None, self.help.into()),
            Kind::Gauge => recorder.describe_gauge(self.name.into(), None, self.help.into()),
            Kind::Histogram(_) => recorder.describe_histogram(self.name.into(), None, self.help.into()),
        });
    }
}

/// Measures until it is dropped.
#[must_use = "it measures until it is dropped"]
pub struct Timer {
    metric: &'static Metric,
    began: Instant,
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.metric.observe(self.began.elapsed(), &[]);
    }
}

/// Declares the metrics of a daemon, each a `static`, and all of them as one table.
///
/// ```ignore
/// catalog! {
///     /// All metrics.
///     pub static CATALOG;
///     WALKS = Metric::counter("walks_total", "Walks taken.").by("outcome", &["in_time", "late"]);
/// }
/// ```
#[macro_export]
macro_rules! catalog {
    ($(#[$about:meta])* pub static $catalog:ident; $($name:ident = $metric:expr;)*) => {
        $(
            #[allow(missing_docs, reason = "its help says what it is")]
            pub static $name: $crate::Metric = $metric;
        )*
        $(#[$about])*
        pub static $catalog: &[&$crate::Metric] = &[$(&$name),*];
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    static PLAIN: Metric = Metric::counter("plain_total", "");
    static CROSSED: Metric = Metric::counter("crossed_total", "").by("a", &["1", "2"]).by("b", &["x", "y"]);

    #[test]
    fn every_combination_of_label_values_is_a_series() {
        assert_eq!(PLAIN.series(), [vec![""; 0]]);
        assert_eq!(CROSSED.series(), [["1", "x"], ["1", "y"], ["2", "x"], ["2", "y"]]);
    }

    #[test]
    #[should_panic(expected = "not the values [\"1\", \"z\"]")]
    fn a_label_value_that_was_not_declared_fails_in_tests() {
        CROSSED.inc(&["1", "z"]);
    }
}
