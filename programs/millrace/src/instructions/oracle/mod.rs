//! What the oracles do, what follows from their reports, and what they answer and are paid with.

pub mod apply_audit;
pub mod apply_downgrade;
pub mod apply_oracle_leaf;
pub mod begin_oracle_unstake;
pub mod claim_reward;
pub mod close_oracle;
pub mod latch_beacon;
pub mod open_beacon;
pub mod sign_report;
pub(crate) mod slot_hashes;
pub mod stake_oracle;
pub mod withdraw_oracle;

pub use apply_audit::*;
pub use apply_downgrade::*;
pub use apply_oracle_leaf::*;
pub use begin_oracle_unstake::*;
pub use claim_reward::*;
pub use close_oracle::*;
pub use latch_beacon::*;
pub use open_beacon::*;
pub use sign_report::*;
pub use slot_hashes::SLOT_HASHES_ID;
pub use stake_oracle::*;
pub use withdraw_oracle::*;
