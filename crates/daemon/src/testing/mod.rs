//! Reads what a daemon exposes, and checks that what dashboards and alerts ask for is among it.
//!
//! Not compiled without the feature `testing`. What cannot happen in a test panics.

mod docs;
mod exposed;
mod process;
mod queries;

use std::path::PathBuf;

pub use docs::check_table;
pub use exposed::Exposed;
pub use process::Process;
pub use queries::{alerts, dashboard, Alert, Query};

/// A file of the checkout.
pub fn checkout(path: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../..", path].iter().collect()
}

/// Reads a file of the checkout.
pub fn read(path: &str) -> String {
    std::fs::read_to_string(checkout(path)).unwrap_or_else(|error| panic!("{path} cannot be read: {error}"))
}

/// Holds a dashboard, and the alerts of `groups`, against what a daemon exposes.
pub fn check_queries(exposed: &Exposed, dashboard_file: &str, groups: &[&str]) {
    let alerts = alerts(&read("deploy/prometheus/alerts.yml")).into_iter();
    let asked = alerts.filter(|alert| groups.contains(&alert.group.as_str()));
    let asked = asked.map(|alert| Query { place: alert.alert, expression: alert.expr });
    let misses: Vec<String> = dashboard(&read(dashboard_file))
        .into_iter()
        .chain(asked)
        .flat_map(|query| {
            let misses = exposed.misses(&query.expression).into_iter();
            misses.map(move |miss| format!("{}: {miss}", query.place)).collect::<Vec<_>>()
        })
        .collect();
    assert!(misses.is_empty(), "{dashboard_file} or an alert asks for what is not there:\n{}", misses.join("\n"));
}
