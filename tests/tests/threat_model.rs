//! `docs/threat-model.md` promises tests: they are there.

use std::path::Path;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
const MODEL: &str = include_str!("../../docs/threat-model.md");
/// Threats of the design; a row may go only with its threat.
const THREATS: usize = 28;

/// Cells of every row of every table, header and ruler left out.
fn rows() -> Vec<Vec<&'static str>> {
    let lines = MODEL.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| threat |"));
    lines.map(|line| line.trim_matches('|').split(" | ").map(str::trim).collect()).collect()
}

/// The texts between backquotes that name a test.
fn tests_in(cell: &str) -> Vec<(&str, &str)> {
    cell.split('`').skip(1).step_by(2).filter_map(|code| code.split_once("::")).collect()
}

/// Whether `source` has a test of this name: a function right behind an attribute, or within `proptest!`.
fn has_test(source: &str, name: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {name}(")) else { return false };
    let attributes = before.rsplit("\n\n").next().unwrap_or_default();
    attributes.contains("#[test]") || attributes.contains("#[tokio::test")
}

#[test]
fn every_threat_has_its_tests() {
    let rows = rows();
    assert!(rows.len() >= THREATS, "{} rows, the design has {THREATS} threats", rows.len());
    for row in &rows {
        let [threat, counter, shown] = row[..] else { panic!("a row has three cells: {row:?}") };
        assert!(!threat.is_empty() && !counter.is_empty(), "{row:?}");
        assert!(!tests_in(shown).is_empty() || shown.contains("*not a test here*"), "nothing shows: {threat}");
    }
}

#[test]
fn every_test_named_in_the_threat_model_exists() {
    let missing: Vec<String> = tests_in(MODEL)
        .into_iter()
        .filter(|(file, _)| file.ends_with(".rs"))
        .filter(|(file, name)| {
            let source = std::fs::read_to_string(Path::new(ROOT).join(file)).unwrap_or_default();
            !has_test(&source, name)
        })
        .map(|(file, name)| format!("{file}::{name}"))
        .collect();
    assert!(missing.is_empty(), "docs/threat-model.md names what is no test: {missing:#?}");
}
