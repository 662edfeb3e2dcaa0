//! One way to print: a value that knows how to be JSON and how to be read.

use std::fmt::Display;

use serde::Serialize;

/// How to print.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Display,
    /// For programs: one JSON document.
    Json,
}

/// Prints `value` to standard output.
pub fn print<T: Serialize + Display>(format: Format, value: &T) {
    match format {
        Format::Display => println!("{value}"),
        Format::Json => println!(
            "{}",
            serde_json::to_string_pretty(value).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"))
        ),
    }
}

/// Prints a failure to standard error, causes and all.
pub fn print_error(format: Format, error: &anyhow::Error) {
    match format {
        Format::Display => eprintln!("error: {error:#}"),
        Format::Json => eprintln!("{}", serde_json::json!({ "error": format!("{error:#}") })),
    }
}

/// A table without vertical noise.
pub fn table<const N: usize>(header: [&str; N]) -> comfy_table::Table {
    let mut table = comfy_table::Table::new();
    table.load_preset(comfy_table::presets::NOTHING).set_header(header);
    table
}

/// Lines of `label  value`, aligned.
pub fn lines<L: AsRef<str>, V: AsRef<str>>(rows: &[(L, V)]) -> String {
    let width = rows.iter().map(|(label, _)| label.as_ref().chars().count()).max().unwrap_or(0);
    let line = |(label, value): &(L, V)| format!("{:<width$}  {}", label.as_ref(), value.as_ref());
    rows.iter().map(line).collect::<Vec<_>>().join("\n")
}
