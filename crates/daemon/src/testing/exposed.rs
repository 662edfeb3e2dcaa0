//! What a daemon exposes, as Prometheus would see it.

use std::collections::{BTreeMap, BTreeSet};

use rusty_promql_parser::ast::Expr;
use rusty_promql_parser::parser::selector::{vector_selector, LabelMatchOp, LabelMatcher, VectorSelector};

use crate::metric::{Kind, Metric};

/// Labels that Prometheus itself adds to what it scrapes.
const OF_PROMETHEUS: [&str; 2] = ["job", "instance"];

/// Series that Prometheus itself makes for each target.
const UP: &str = "up";

/// The labels of one series.
type Labels = BTreeMap<String, String>;

/// All series of a daemon.
#[derive(Clone, Debug, Default)]
pub struct Exposed {
    /// Kind by metric: `counter`, `gauge` or `histogram`.
    pub kinds: BTreeMap<String, String>,
    series: BTreeMap<String, Vec<(Labels, f64)>>,
    /// Metrics with labels whose values only a machine with such a device knows.
    elsewhere: BTreeMap<String, BTreeSet<String>>,
}

impl Exposed {
    /// Asks a daemon at `http://host:port/metrics`.
    pub async fn scrape(url: &str) -> Self {
        let response = reqwest::get(url).await.unwrap();
        assert!(response.status().is_success(), "{url} answers {}", response.status());
        Self::parse(&response.text().await.unwrap())
    }

    /// Reads the text format of Prometheus.
    pub fn parse(text: &str) -> Self {
        let mut exposed = Self::default();
        for line in text.lines().filter(|line| !line.is_empty()) {
            if let Some(kind) = line.strip_prefix("# TYPE ") {
                let (name, kind) = kind.split_once(' ').unwrap();
                exposed.kinds.insert(name.to_owned(), kind.to_owned());
            } else if !line.starts_with('#') {
                let (value, series) = vector_selector(line).unwrap_or_else(|error| panic!("{line:?}: {error}"));
                let labels = series.matchers.into_iter().map(|label| (label.name, label.value)).collect();
                let value = value.trim().parse().unwrap_or_else(|error| panic!("{line:?}: {error}"));
                exposed.series.entry(series.name.unwrap()).or_default().push((labels, value));
            }
        }
        exposed
    }

    /// The same with what the catalog declares of devices that this machine may not have.
    pub fn with_devices(mut self, catalogs: &[&[&'static Metric]]) -> Self {
        for metric in catalogs.iter().copied().flatten().filter(|metric| !metric.is_known_ahead()) {
            let labels = metric.labels().iter().map(|(label, _)| (*label).to_owned()).collect();
            self.elsewhere.insert(metric.name.to_owned(), labels);
        }
        self
    }

    /// The value of a series, `None` where there is none such.
    pub fn value(&self, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
        let is_it =
            |series: &Labels| labels.iter().all(|(label, value)| series.get(*label).is_some_and(|it| it == value));
        self.series.get(name)?.iter().find(|(series, _)| is_it(series)).map(|(_, value)| *value)
    }

    /// Whether it has exactly what the catalogs declare, from the start.
    pub fn check(&self, catalogs: &[&[&'static Metric]]) -> Result<(), Vec<String>> {
        let mut wrong = Vec::new();
        for metric in catalogs.iter().copied().flatten().filter(|metric| metric.is_known_ahead()) {
            let (kind, series) = match metric.kind {
                Kind::Counter => ("counter", metric.name.to_owned()),
                Kind::Gauge => ("gauge", metric.name.to_owned()),
                Kind::Histogram(_) => ("histogram", format!("{}_count", metric.name)),
            };
            if self.kinds.get(metric.name).is_none_or(|found| found != kind) {
                wrong.push(format!("{} is no {kind}, it is {:?}", metric.name, self.kinds.get(metric.name)));
            }
            for values in metric.series() {
                let labels: Vec<_> = metric.labels().into_iter().map(|(label, _)| label).zip(values).collect();
                if self.value(&series, &labels).is_none() {
                    wrong.push(format!("{series} has no series {labels:?}"));
                }
            }
        }
        let is_declared = |name: &String| catalogs.iter().copied().flatten().any(|metric| metric.name == name);
        let undeclared = self.kinds.keys().filter(|name| !is_declared(name));
        wrong.extend(undeclared.map(|name| format!("{name} is exposed and in no catalog")));
        if wrong.is_empty() {
            Ok(())
        } else {
            Err(wrong)
        }
    }

    /// What an expression asks for that is not exposed: metrics, labels, and values of labels.
    pub fn misses(&self, expression: &str) -> Vec<String> {
        // Grafana fills these in.
        let filled = ["$__rate_interval", "$__interval", "$__range"]
            .iter()
            .fold(expression.to_owned(), |text, variable| text.replace(variable, "5m"));
        match rusty_promql_parser::expr(filled.trim()) {
            Ok((rest, parsed)) if rest.trim().is_empty() => {
                selectors(&parsed).into_iter().flat_map(|selector| self.misses_of(selector)).collect()
            }
            Ok((rest, _)) => vec![format!("{expression:?} is no PromQL from {rest:?} on")],
            Err(error) => vec![format!("{expression:?} is no PromQL: {error}")],
        }
    }

    fn misses_of(&self, selector: &VectorSelector) -> Vec<String> {
        let Some(name) = selector.name.as_deref() else { return vec![format!("{selector} names no metric")] };
        let of_metric = selector.matchers.iter().filter(|matcher| !OF_PROMETHEUS.contains(&matcher.name.as_str()));
        if name == UP {
            return of_metric.map(|matcher| format!("up has no label {}", matcher.name)).collect();
        }
        if let Some(series) = self.series.get(name) {
            return of_metric.filter_map(|matcher| miss(name, series, matcher)).collect();
        }
        match self.elsewhere.get(name) {
            Some(labels) => of_metric
                .filter(|matcher| !labels.contains(&matcher.name))
                .map(|matcher| format!("{name} has no label {}", matcher.name))
                .collect(),
            None => vec![format!("there is no metric {name}")],
        }
    }
}

/// What of a matcher is in no series: the label, or one of the values.
fn miss(name: &str, series: &[(Labels, f64)], matcher: &LabelMatcher) -> Option<String> {
    let known: BTreeSet<&str> =
        series.iter().filter_map(|(labels, _)| labels.get(&matcher.name)).map(String::as_str).collect();
    if known.is_empty() {
        return Some(format!("{name} has no label {}", matcher.name));
    }
    let is_plain = |value: &str| value.chars().all(|c| c.is_ascii_alphanumeric() || "_|/{}".contains(c));
    let values: Vec<&str> = match matcher.op {
        LabelMatchOp::Equal | LabelMatchOp::NotEqual => vec![&matcher.value],
        // Only alternatives are told apart; what else a pattern may match is not.
        LabelMatchOp::RegexMatch | LabelMatchOp::RegexNotMatch if is_plain(&matcher.value) => {
            matcher.value.split('|').collect()
        }
        _ => vec![],
    };
    let unknown = values.into_iter().find(|value| !value.starts_with('$') && !known.contains(value))?;
    Some(format!("{name} has no {}={unknown:?}, only {known:?}", matcher.name))
}

/// Every selector in an expression.
fn selectors(expression: &Expr) -> Vec<&VectorSelector> {
    match expression {
        Expr::Number(_) | Expr::String(_) => vec![],
        Expr::VectorSelector(selector) => vec![selector],
        Expr::MatrixSelector(matrix) => vec![&matrix.selector],
        Expr::Call(call) => call.args.iter().flat_map(selectors).collect(),
        Expr::Aggregation(aggregation) => {
            let param = aggregation.param.iter().flat_map(selectors);
            selectors(&aggregation.expr).into_iter().chain(param).collect()
        }
        Expr::Binary(binary) => [selectors(&binary.lhs), selectors(&binary.rhs)].concat(),
        Expr::Unary(unary) => selectors(&unary.expr),
        Expr::Paren(inner) => selectors(inner),
        Expr::Subquery(subquery) => selectors(&subquery.expr),
    }
}
