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
    /// Score; higher is better.
    pub score: u64,
    /// Place on the leaderboard, 0 for the best.
    pub rank: u8,
    /// Bond behind it.
    pub bond: u64,
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
    /// Stake the provider has locked.
    pub provider_locked: u64,
}

/// A position of a job went to a bid, and its lease began.
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
    /// Price, base units a second.
    pub per_sec: u64,
    /// What the lease may cost at most.
    pub reserve_amount: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
    /// Stake the provider has locked.
    pub provider_locked: u64,
}

/// A bid was not kept: its bond went to the customer.
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
    /// Bond forfeited.
    pub bond: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The provider's stake.
    pub provider_stake: u64,
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

/// One side left a lease the oracles were silent about.
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
    /// What the customer still holds back from others.
    pub customer_holdbacks: u64,
    /// What the provider may withdraw.
    pub provider_earned: u64,
}
