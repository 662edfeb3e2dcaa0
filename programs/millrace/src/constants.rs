//! Seeds, versions and the compile-time outer limits no parameter may leave.

/// Layout version written in every account's first byte.
pub const ACCOUNT_VERSION: u8 = 1;

/// Seed of the one [`crate::state::Config`].
pub const CONFIG_SEED: &[u8] = b"config";
/// Seed of a [`crate::state::Provider`], then its authority.
pub const PROVIDER_SEED: &[u8] = b"provider";
/// Seed of a [`crate::state::Node`], then its provider and its index as `u32`.
pub const NODE_SEED: &[u8] = b"node";
/// Seed of a [`crate::state::Customer`], then its authority.
pub const CUSTOMER_SEED: &[u8] = b"customer";
/// Seed of a [`crate::state::Job`], then its customer and its id as `u64`.
pub const JOB_SEED: &[u8] = b"job";
/// Seed of a [`crate::state::Lease`], then its job and its index as one byte.
pub const LEASE_SEED: &[u8] = b"lease";
/// Seed of a token vault, then the account that owns it.
pub const VAULT_SEED: &[u8] = b"vault";
/// Seed of the one [`crate::state::OracleSet`].
pub const ORACLES_SEED: &[u8] = b"oracles";
/// Seed of an [`crate::state::Oracle`], then its authority.
pub const ORACLE_SEED: &[u8] = b"oracle";
/// Seed of the one [`crate::state::Reports`].
pub const REPORTS_SEED: &[u8] = b"reports";
/// Seed of the one [`crate::state::Beacons`].
pub const BEACONS_SEED: &[u8] = b"beacons";
/// Seed of a [`crate::state::FraudCase`], then the sha256 of its commit.
pub const FRAUD_SEED: &[u8] = b"fraud";

/// Seed of a [`crate::state::Claim`], then the provider that pays it and its number there as `u32`.
pub const CLAIM_SEED: &[u8] = b"claim";
/// Seed of a [`crate::state::Dispute`], then its lease.
pub const DISPUTE_SEED: &[u8] = b"dispute";
/// Seed of a [`crate::state::SlashCase`], then its provider and its number there as `u32`.
pub const SLASH_SEED: &[u8] = b"slash";
/// Seed of a [`crate::state::VoterLock`], then its voter.
pub const LOCK_SEED: &[u8] = b"lock";
/// Seed of a [`crate::state::Proposal`], then its id as `u64`.
pub const PROPOSAL_SEED: &[u8] = b"proposal";
/// Seed of a [`crate::state::Vote`], then its proposal and its voter.
pub const VOTE_SEED: &[u8] = b"vote";
/// Seed of the address that signs for governance: it owns treasury and oracle pool and may upgrade the program. It
/// holds no data.
pub const GOVERNANCE_SEED: &[u8] = b"governance";
/// Seed of the treasury's token account.
pub const TREASURY_SEED: &[u8] = b"treasury";
/// Seed of the oracle pool's token account.
pub const ORACLE_POOL_SEED: &[u8] = b"oracle_pool";

/// Most oracle seats.
pub const MAX_SEATS: usize = 32;
/// Accepted roots kept in the ring.
pub const REPORT_RING: usize = 64;
/// Beacons kept in the ring: the fraud window.
pub const BEACON_RING: usize = millrace_core::epoch::FRAUD_WINDOW_EPOCHS as usize;
/// Most unbonding entries of one provider.
pub const MAX_UNBONDING: usize = 8;
/// Most nodes one job may ask for.
pub const MAX_NODE_COUNT: u8 = 16;
/// Longest the guardian may pause new work, seconds.
pub const MAX_PAUSE_SECS: i64 = 7 * 86_400;
/// Time from the begin of one pause to the next, seconds.
pub const PAUSE_PERIOD_SECS: i64 = 30 * 86_400;
/// Epochs between the execution of a vote on parameters and the first in which they hold.
pub const PARAMS_DELAY_EPOCHS: u64 = 2;
/// Epochs that the case window and the oracle outage last at least: a report may be an epoch late, and so may the one
/// that answers it.
pub const MIN_WINDOW_EPOCHS: i64 = 4;
/// Bytes of an endpoint URL, padded with zeros.
pub const ENDPOINT_LEN: usize = 96;
/// Slots between opening a beacon and the slot it names: far enough that no one knows its hash.
pub const BEACON_SLOTS_AHEAD: u64 = 8;
/// Most bytes an account may grow in one call.
pub const MAX_GROWTH: usize = 10_240;
