//! Answers of the command line, read.

use anyhow::{Context, Result};
use millrace_client::amount;
use serde_json::Value;

/// An amount as people write it.
pub fn mill(amount: u64) -> String {
    format!("{} MILL", amount::format_mill(amount))
}

/// A number of an answer.
pub fn number(value: &Value, name: &str) -> Result<u64> {
    value[name].as_u64().with_context(|| format!("no number {name:?} in {value}"))
}

/// A text of an answer.
pub fn text<'a>(value: &'a Value, name: &str) -> Result<&'a str> {
    value[name].as_str().with_context(|| format!("no text {name:?} in {value}"))
}
