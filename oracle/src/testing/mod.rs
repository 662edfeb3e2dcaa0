//! An oracle for tests: real HTTP, the real clock, and a chain in memory that executes what oracles send.
//!
//! Not compiled without the feature `testing`. What cannot happen in a test panics.

mod chain;
mod stage;

pub use chain::{
    client, cpu_node, listener, operator, oracle_key, provider_and_node, register, seat, settings, ToyChain,
    DEPLOYMENT_ID, GENESIS_AT,
};
pub use stage::{audit_task, commit_request, Stage, BEACON, NEXT_BEACON};
