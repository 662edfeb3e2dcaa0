//! What an oracle decides, as pure functions of what it observed. No clock, no network, no disk in here.

pub mod audit;
pub mod beacon;
pub mod intake;
pub mod lease;
pub mod memory;
pub mod report;
pub mod statements;

pub use audit::{AuditKey, AuditRecord, AuditState};
pub use lease::{LeaseFacts, LeaseRules, LeaseWatch, Sighting};
pub use memory::MemoryTest;
