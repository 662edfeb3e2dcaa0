//! Names of what is counted here. The daemons describe it: `millrace_daemon::common`.

/// Sendings of a transaction after its first.
pub const OUTBOX_RESENT: &str = "millrace_outbox_resent_total";

/// Questions to one RPC endpoint, labelled with it and with one of [`RPC_ENDPOINT_OUTCOMES`].
pub const RPC_ENDPOINT_REQUESTS: &str = "millrace_rpc_endpoint_requests_total";

/// What comes of a question to an endpoint.
pub const RPC_ENDPOINT_OUTCOMES: &[&str] = &["answered", "unreachable", "refused"];

/// Slots by which one RPC endpoint is behind what most have reached.
pub const RPC_ENDPOINT_BEHIND: &str = "millrace_rpc_endpoint_behind_slots";
