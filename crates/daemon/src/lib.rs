//! What both daemons are made of: tasks under a supervisor, the HTTP server, the log, the stop signal, and metrics on
//! loopback.
//!
//! A daemon declares its metrics once, with [`catalog!`]: name, kind, help, and every value a label may have. From that
//! one table come the descriptions Prometheus shows, the series that exist from the start, and `docs/metrics.md`.

pub mod chain;
pub mod common;
pub mod endpoint;
pub mod gauges;
pub mod http;
pub mod metric;
pub mod outbox;
pub mod process;
pub mod server;
pub mod supervisor;
#[cfg(feature = "testing")]
pub mod testing;

pub use chain::MeteredChain;
pub use endpoint::{Endpoint, Listeners, MetricsListen};
pub use metric::{Kind, Metric};
pub use outbox::Outbox;
pub use server::Server;
pub use supervisor::{blocking, Supervisor};
