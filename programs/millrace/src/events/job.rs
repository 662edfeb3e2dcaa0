//! Events of customers, jobs and leases. Amounts are base units after the change, unless they say otherwise.

use anchor_lang::prelude::*;

/// A customer account was opened.
#[event]
pub struct CustomerOpened {
    /// Number among the customer's events.
    pub sequence: u64,
    /// The customer account.
    pub customer: Pubkey,
    /// Who owns the money.
    pub authority: Pubkey,
    /// Its vault.
    pub vault: Pubkey,
}

/// Money arrived in a customer's vault.
#[event]
pub struct Deposited {
    /// Number among the customer's events.
    pub sequence: u64,
    /// The customer account.
    pub customer: Pubkey,
    /// What arrived.
    pub amount: u64,
    /// Free money.
    pub free: u64,
}

/// Free money went back to the customer's authority.
#[event]
pub struct CustomerWithdrawn {
    /// Number among the customer's events.
    pub sequence: u64,
    /// The customer account.
    pub customer: Pubkey,
    /// What was sent.
    pub amount: u64,
    /// Free money.
    pub free: u64,
}

/// Fees due were burned and paid out.
#[event]
pub struct FeesSwept {
    /// Number among the customer's events.
    pub sequence: u64,
    /// The customer account.
    pub customer: Pubkey,
    /// Burned now.
    pub burn_amount: u64,
    /// To the oracle pool now.
    pub oracle_amount: u64,
    /// To the treasury now.
    pub treasury_amount: u64,
    /// Burned by the program since genesis.
    pub burned_total: u64,
}

/// A customer account was closed.
#[event]
pub struct CustomerClosed {
    /// Number among the customer's events.
    pub sequence: u64,
    /// The customer account.
    pub customer: Pubkey,
    /// What strangers had sent to its vault; it went to the treasury.
    pub surplus_amount: u64,
}

/// A job takes bids.
#[event]
pub struct JobPosted {
    /// Number among the job's events.
    pub sequence: u64,
    /// The job account.
    pub job: Pubkey,
    /// Customer account that pays.
    pub customer: Pubkey,
    /// Number under its customer.
    pub id: u64,
    /// sha256 of the manifest.
    pub manifest_hash: [u8; 32],
    /// A [`crate::state::Tier`].
    pub tier: u8,
    /// Nodes wanted.
    pub node_count: u8,
    /// Stand-bys wanted besides.
    pub standby_count: u8,
    /// A [`crate::state::Topology`].
    pub topology: u8,
    /// Highest bid allowed, base units a second.
    pub max_per_sec: u64,
    /// Longest it may run, seconds.
    pub max_secs: u64,
    /// Instant bidding closes.
    pub bidding_ends_at: i64,
    /// Instant from which anyone may cancel it.
    pub award_by: i64,
    /// What it may cost at most.
    pub reserve_amount: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
}

/// A bid entered the leaderboard.
#[event]
pub struct BidPlaced {
    /// Number among the job's events.
    pub sequence: u64,
    /// The job account.
    pub job: Pubkey,
    /// The node offered.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Price, base units a second.
    pub per_sec: u64,
    /// Whether the node would also stand by.
    pub may_stand_by: bool,
    /// Score; higher is better.
    pub score: u64,
    /// Place on the leaderboard, 0 for the best.
    pub rank: u8,
    /// Bond behind it.
    pub bond: u64,
    /// Bonds behind all live bids of the provider.
    pub provider_bonds: u64,
    /// Stake the provider has locked.
    pub provider_locked: u64,
}

/// A bid that no longer counts gave its bond back.
#[event]
pub struct BidReleased {
    /// Number among the node's events.
    pub sequence: u64,
    /// The job account, which may be closed.
    pub job: Pubkey,
    /// The node that is free again.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Bond given back.
    pub bond: u64,
    /// Bonds behind all live bids of the provider.
    pub provider_bonds: u64,
    /// Stake the provider has locked.
    pub provider_locked: u64,
}

/// A place of a job went to a bid, and its lease began.
#[event]
pub struct LeaseAwarded {
    /// Number among the job's events.
    pub sequence: u64,
    /// The job account.
    pub job: Pubkey,
    /// The lease account.
    pub lease: Pubkey,
    /// The node at work.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Its number under the job.
    pub index: u8,
    /// Position it serves, 255 for a stand-by.
    pub job_position: u8,
    /// A [`crate::state::LeaseRole`].
    pub role: u8,
    /// Price, base units a second.
    pub per_sec: u64,
    /// What the lease may cost at most.
    pub reserve_amount: u64,
    /// Bond behind the lease.
    pub bond: u64,
    /// What the job still reserves itself.
    pub job_reserve_amount: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
    /// Bonds behind all live bids of the provider.
    pub provider_bonds: u64,
    /// Bonds behind all guaranteed leases of the provider.
    pub provider_lease_bonds: u64,
    /// Stake the provider has locked.
    pub provider_locked: u64,
}

/// A bid was passed over: its node can no longer be awarded.
#[event]
pub struct BidDropped {
    /// Number among the job's events.
    pub sequence: u64,
    /// The job account.
    pub job: Pubkey,
    /// The node that could not serve.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Bond that stood behind it.
    pub bond: u64,
    /// Of it, what became the customer's claim; the rest is free stake.
    pub forfeited_amount: u64,
    /// That claim's account; not opened where nothing was forfeited.
    pub claim: Pubkey,
    /// Instant from which the claim is paid.
    pub matures_at: i64,
    /// The provider's stake.
    pub provider_stake: u64,
    /// Bonds behind all live bids of the provider.
    pub provider_bonds: u64,
    /// Stake the provider has locked.
    pub provider_locked: u64,
    /// What the provider keeps for claims.
    pub provider_claims: u64,
}

/// A job was withdrawn, or not awarded in time.
#[event]
pub struct JobCancelled {
    /// Number among the job's events.
    pub sequence: u64,
    /// The job account.
    pub job: Pubkey,
    /// What the customer got back.
    pub released_amount: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
}

/// A job account was closed.
#[event]
pub struct JobClosed {
    /// Number among the job's events.
    pub sequence: u64,
    /// The job account.
    pub job: Pubkey,
    /// Its customer account.
    pub customer: Pubkey,
    /// What it still reserved and the customer got back.
    pub released_amount: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
    /// Content root of its results, zeros if none.
    pub result_root: [u8; 32],
}

/// A leaf was applied to a lease.
#[event]
pub struct LeaseSettled {
    /// Number among the lease's events.
    pub sequence: u64,
    /// The lease account.
    pub lease: Pubkey,
    /// The job it serves.
    pub job: Pubkey,
    /// How it stands, a [`crate::state::LeaseState`].
    pub state: u8,
    /// Exit code of the job, once it ended.
    pub exit_code: i32,
    /// Seconds the oracles saw it live.
    pub live_secs: u64,
    /// Of these, seconds whose work was kept; counted for Guaranteed leases only.
    pub checkpointed_secs: u64,
    /// Of these, seconds lost by another's failure; counted for Guaranteed leases only.
    pub lost_secs: u64,
    /// Seconds paid so far.
    pub paid_secs: u64,
    /// Sent to the provider now.
    pub net_amount: u64,
    /// Held back now.
    pub holdback_amount: u64,
    /// Charged as fee now.
    pub fee_amount: u64,
    /// What the lease may still cost.
    pub reserve_amount: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
    /// The customer's fees due.
    pub customer_fee_due: u64,
    /// What the provider may withdraw.
    pub provider_earned: u64,
}

/// The customer asked a lease to stop.
#[event]
pub struct LeaseStopped {
    /// Number among the lease's events.
    pub sequence: u64,
    /// The lease account.
    pub lease: Pubkey,
    /// Most seconds it is paid for.
    pub max_secs: u64,
}

/// One side left a lease the oracles were silent about, or a lease of a cancelled job was unwound.
#[event]
pub struct LeaseExited {
    /// Number among the lease's events.
    pub sequence: u64,
    /// The lease account.
    pub lease: Pubkey,
    /// Seconds paid in all.
    pub paid_secs: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
}

/// A lease account was closed and its holdback paid out.
#[event]
pub struct LeaseClosed {
    /// Number among the lease's events.
    pub sequence: u64,
    /// The lease account.
    pub lease: Pubkey,
    /// The job it served.
    pub job: Pubkey,
    /// Whether the customer accepted the result before the dispute window was over.
    pub accepted: bool,
    /// Sent to the provider now.
    pub holdback_amount: u64,
    /// What was left of the reserve, the customer's again.
    pub released_amount: u64,
    /// What was left of the bond, free stake again.
    pub bond_amount: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
    /// What the customer still holds back from others.
    pub customer_holdbacks: u64,
    /// Bonds behind all guaranteed leases of the provider.
    pub provider_lease_bonds: u64,
    /// Stake the provider has locked.
    pub provider_locked: u64,
    /// What the provider may withdraw.
    pub provider_earned: u64,
}
