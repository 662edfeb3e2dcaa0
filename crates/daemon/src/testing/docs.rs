//! The tables of `docs/metrics.md`, which are made from the catalogs.

use super::{checkout, read};
use crate::metric::{Kind, Metric};

const FILE: &str = "docs/metrics.md";

/// Holds the table under `heading` of `docs/metrics.md` against a catalog; with `UPDATE_METRICS=1` writes it anew.
pub fn check_table(heading: &str, catalog: &[&Metric]) {
    let document = read(FILE);
    let begin = document.find(&format!("## {heading}\n")).unwrap_or_else(|| panic!("{FILE} has no heading {heading}"));
    let section = &document[begin..];
    let section = &section[..section[1..].find("\n## ").map_or(section.len(), |next| next + 2)];
    let at = section.find("\n|").map_or(section.len(), |at| at + 1);
    let (before, written) = section.split_at(at);
    let table = table(catalog);
    if std::env::var_os("UPDATE_METRICS").is_some() {
        let gap = if document.ends_with(section) { "" } else { "\n" };
        std::fs::write(checkout(FILE), document.replace(section, &format!("{before}{table}{gap}"))).unwrap();
        return;
    }
    assert_eq!(written.trim_end(), table.trim_end(), "{FILE} is stale: run the tests once with UPDATE_METRICS=1");
}

fn table(catalog: &[&Metric]) -> String {
    let mut table = "| metric | kind | labels | meaning |\n|---|---|---|---|\n".to_owned();
    for metric in catalog {
        let kind = match metric.kind {
            Kind::Counter => "counter",
            Kind::Gauge => "gauge",
            Kind::Histogram(_) => "histogram",
        };
        let labels: Vec<String> = metric.labels().into_iter().map(label).collect();
        table += &format!("| `{}` | {kind} | {} | {} |\n", metric.name, labels.join("; "), metric.help);
    }
    table
}

fn label((label, values): (&str, &[&str])) -> String {
    match values {
        [] => format!("`{label}`"),
        _ => format!("`{label}`: {}", values.join(", ")),
    }
}
