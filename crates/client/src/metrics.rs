//! Names of what is counted here. The daemons describe it: `millrace_daemon::common`.

/// Sendings of a transaction after its first.
pub const OUTBOX_RESENT: &str = "millrace_outbox_resent_total";
