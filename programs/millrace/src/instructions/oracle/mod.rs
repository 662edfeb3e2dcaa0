//! What the oracles do, and what follows from their reports.

pub mod apply_audit;
pub mod apply_downgrade;
pub mod latch_beacon;
pub mod open_beacon;
pub mod sign_report;
pub(crate) mod slot_hashes;

pub use apply_audit::*;
pub use apply_downgrade::*;
pub use latch_beacon::*;
pub use open_beacon::*;
pub use sign_report::*;
pub use slot_hashes::SLOT_HASHES_ID;
