//! The provider's daemon: proves to the oracles what its nodes can do, bids for jobs, runs what it wins in a
//! [`sandbox`], and collects its pay.
//!
//! Tasks under one supervisor, each a loop of *look, decide, act*: what to do is decided by the pure functions of
//! [`decide`] from the chain as last seen ([`view`]); what must survive a crash is in the [`journal`] before it is done.

pub mod agent;
pub mod api;
pub mod decide;
pub mod journal;
pub mod metrics;
pub mod sandbox;
pub mod settings;
pub mod tasks;
pub mod view;

pub use agent::{run_until_signal, Agent};
pub use settings::Settings;
