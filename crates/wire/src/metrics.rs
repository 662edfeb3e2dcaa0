//! What is counted here. The daemons describe it: `millrace_daemon::common`.

/// Requests refused before a handler saw them.
pub const REFUSED: &str = "millrace_http_refused_total";

/// Why: the label `reason`. The last two are for the daemons to count.
pub const REASONS: &[&str] = &["signature", "clock", "nonce", "size", "slow", "rate", "busy"];

/// Counts a refusal for one of [`REASONS`].
pub(crate) fn refused(reason: &'static str) {
    metrics::counter!(REFUSED, "reason" => reason).increment(1);
}
