//! A real daemon, started for as long as a test needs it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// A running daemon; dropping it ends it.
pub struct Process {
    child: Child,
    /// Where it serves metrics, as its log says.
    pub metrics_url: String,
}

impl Process {
    /// Starts `command`, which logs JSON, and waits until it serves metrics.
    pub fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut said = String::new();
        let metrics_url = loop {
            let Some(line) = log.next() else { panic!("{command:?} ended before it served metrics:\n{said}") };
            let line = line.unwrap();
            let fields = serde_json::from_str::<Value>(&line).unwrap_or_default();
            if fields["fields"]["message"] == "metrics" {
                break fields["fields"]["url"].as_str().unwrap().to_owned();
            }
            said += &format!("{line}\n");
        };
        // Read on, so that it never waits for a reader.
        std::thread::spawn(move || log.for_each(drop));
        Self { child, metrics_url }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
