//! Every alert says what to do about it, and no runbook is left over.

use std::collections::BTreeSet;

use millrace_daemon::testing::{alerts, checkout, read};

/// `OracleJournalSlow` as `oracle-journal-slow`.
fn kebab(name: &str) -> String {
    let spaced = name.chars().flat_map(|c| if c.is_ascii_uppercase() { vec!['-', c] } else { vec![c] });
    spaced.collect::<String>().trim_start_matches('-').to_ascii_lowercase()
}

#[test]
fn every_alert_has_a_runbook_that_names_it_and_every_runbook_an_alert() {
    let alerts = alerts(&read("deploy/prometheus/alerts.yml"));
    let mut named = BTreeSet::new();
    for alert in &alerts {
        let name = &alert.alert;
        let path = format!("docs/runbooks/{}.md", kebab(name));
        assert!(
            ["millrace", "millrace-oracle", "millrace-agent"].contains(&alert.group.as_str()),
            "{name} is checked by no daemon's test"
        );
        assert!(named.insert(path.clone()), "two alerts are called {name}");
        assert_eq!(alert.annotations.get("runbook"), Some(&path), "the annotation runbook of {name}");
        assert!(alert.annotations.get("summary").is_some_and(|text| !text.is_empty()), "{name} has no summary");
        let severity = alert.labels.get("severity").map(String::as_str);
        assert!(matches!(severity, Some("page" | "ticket")), "the severity of {name} is {severity:?}");
        let text = read(&path);
        assert!(text.starts_with(&format!("# {name}\n")), "{path} does not begin with the name of its alert");
        for heading in ["## What it means", "## How to look", "## What to do", "## When it is harmless"] {
            assert!(text.contains(heading), "{path} has no heading \"{heading}\"");
        }
    }
    let files = std::fs::read_dir(checkout("docs/runbooks")).unwrap();
    let found = files.map(|file| format!("docs/runbooks/{}", file.unwrap().file_name().to_str().unwrap()));
    assert_eq!(found.collect::<BTreeSet<_>>(), named, "runbooks and alerts differ");
}
