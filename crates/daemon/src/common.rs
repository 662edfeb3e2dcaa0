//! The metrics that both daemons have. Prometheus tells them apart by its label `job`.

use std::time::{SystemTime, UNIX_EPOCH};

use millrace_client::metrics as client;

use crate::chain::{METHODS, OUTCOMES as RPC_OUTCOMES};
use crate::metric::{Metric, SECONDS};
use crate::outbox::OUTCOMES as OUTBOX_OUTCOMES;
use crate::server::REASONS as SERVER_REASONS;

crate::catalog! {
    /// Of both daemons.
    pub static COMMON;

    BUILD_INFO = Metric::gauge("millrace_build_info", "Always 1; the label is the program's version.")
        .by("version", &[env!("CARGO_PKG_VERSION")]);
    EPOCH = Metric::gauge("millrace_epoch", "Current epoch, as last read from the chain; 0 before the first look.");
    EPOCH_SECONDS = Metric::gauge("millrace_epoch_seconds", "Length of an epoch.");
    VIEW_TIMESTAMP = Metric::gauge("millrace_view_timestamp_seconds",
        "When the chain was last read whole, Unix time; 0 before the first look.");
    PAYER_LAMPORTS = Metric::gauge("millrace_payer_lamports",
        "SOL of the key that pays transaction fees, lamports; read once a minute. NaN before the first reading.");
    DATA_FREE = Metric::gauge("millrace_data_free_bytes", "Free space of the file system the data directory lies on.");
    DATABASE_BYTES = Metric::gauge("millrace_database_bytes", "Size of a SQLite file with its write-ahead log.")
        .by_what_is_here(&["database"]);
    JOURNAL_WRITE_SECONDS = Metric::histogram("millrace_journal_write_seconds", SECONDS,
        "Time a write to the journal took until it was safe on disk.");

    RPC_REQUESTS = Metric::counter("millrace_rpc_requests_total", "Questions to the chain's RPC, by what came of them.")
        .by("method", METHODS).by("outcome", RPC_OUTCOMES);
    RPC_SECONDS = Metric::histogram("millrace_rpc_request_seconds", SECONDS,
        "Time the chain's RPC took to answer, whatever the answer.").by("method", METHODS);
    RPC_ENDPOINT_REQUESTS = Metric::counter(client::RPC_ENDPOINT_REQUESTS,
        "Requests to one RPC endpoint, by what came of them; those of questions that others decided first are not counted.")
        .by("outcome", client::RPC_ENDPOINT_OUTCOMES).by_what_is_here(&["endpoint"]);
    RPC_ENDPOINT_BEHIND = Metric::gauge(client::RPC_ENDPOINT_BEHIND,
        "Slots by which an RPC endpoint is behind what most of them have reached; where there are several.")
        .by_what_is_here(&["endpoint"]);

    OUTBOX_SUBMISSIONS = Metric::counter("millrace_outbox_submissions_total",
        "Transactions submitted, by what came of them: landed, refused by the program or the cluster, expired in no block, \
         undecided because the chain fell silent, failed before they were sent.")
        .by("outcome", OUTBOX_OUTCOMES);
    OUTBOX_PENDING = Metric::gauge("millrace_outbox_pending", "Transactions under way whose end is not known.");
    OUTBOX_OLDEST_SECONDS = Metric::gauge("millrace_outbox_oldest_pending_seconds",
        "Age of the oldest transaction under way; 0 without any.");
    OUTBOX_RESENT = Metric::counter(client::OUTBOX_RESENT, "Sendings of a transaction after its first.");

    CONNECTIONS = Metric::gauge("millrace_http_connections", "Connections of other daemons and customers open now.");
    CONNECTIONS_CUT = Metric::counter("millrace_http_connections_cut_total",
        "Connections cut before they brought a request: an address with too many, one that sent nothing, a TLS handshake that \
         failed or took too long.")
        .by("reason", SERVER_REASONS);
    HTTP_REFUSED = Metric::counter(millrace_wire::metrics::REFUSED,
        "Requests refused before they were looked at: no or a bad signature, a clock too far off, a nonce seen before, a body \
         too large or too slow, a key that asks too often, too many requests at once.")
        .by("reason", millrace_wire::metrics::REASONS);
}

/// Unix seconds by this machine's clock.
pub fn unix_secs() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64()
}

/// Notes that the chain was read whole.
pub fn seen(epoch: u64, epoch_secs: i64) {
    EPOCH.set(epoch as f64, &[]);
    EPOCH_SECONDS.set(epoch_secs as f64, &[]);
    VIEW_TIMESTAMP.set(unix_secs(), &[]);
}

/// Notes that a request was refused for one of [`millrace_wire::metrics::REASONS`].
pub fn refused(reason: &'static str) {
    HTTP_REFUSED.inc(&[reason]);
}
