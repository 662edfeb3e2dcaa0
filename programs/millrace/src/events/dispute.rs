//! Events of disputes. Amounts are base units after the change, unless they say otherwise.

use anchor_lang::prelude::*;

/// A customer called a result wrong.
#[event]
pub struct DisputeOpened {
    /// Number among the dispute's events.
    pub sequence: u64,
    /// The dispute account.
    pub dispute: Pubkey,
    /// The lease.
    pub lease: Pubkey,
    /// Customer account that opened it.
    pub customer: Pubkey,
    /// Provider account of the lease.
    pub provider: Pubkey,
    /// sha256 of the evidence.
    pub evidence_hash: [u8; 32],
    /// Bond set aside now.
    pub bond: u64,
    /// Instant votes end.
    pub vote_until: i64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
}

/// A seat voted on a dispute.
#[event]
pub struct DisputeVoted {
    /// Number among the dispute's events.
    pub sequence: u64,
    /// The dispute account.
    pub dispute: Pubkey,
    /// Oracle account of the voter.
    pub oracle: Pubkey,
    /// Whether it finds for the customer.
    pub uphold: bool,
    /// Weight for the customer so far.
    pub upheld_weight: u64,
    /// Weight for the provider so far.
    pub dismissed_weight: u64,
    /// A [`crate::state::Ruling`]; not zero once a side has its quorum.
    pub ruling: u8,
    /// Instant from which the ruling may be carried out; zero before there is one.
    pub appeal_until: i64,
}

/// The vote on a dispute ended without a quorum.
#[event]
pub struct DisputeLapsed {
    /// Number among the dispute's events.
    pub sequence: u64,
    /// The dispute account.
    pub dispute: Pubkey,
    /// Instant from which its bond may go back.
    pub appeal_until: i64,
}

/// The ruling on a dispute was carried out, and its account closed.
#[event]
pub struct DisputeResolved {
    /// Number among the dispute's events.
    pub sequence: u64,
    /// The dispute account.
    pub dispute: Pubkey,
    /// The lease.
    pub lease: Pubkey,
    /// The [`crate::state::Ruling`] carried out.
    pub ruling: u8,
    /// Bond of the dispute, which is no longer reserved.
    pub bond: u64,
    /// What of it went to the provider.
    pub forfeited_amount: u64,
    /// Holdback that became the customer's free money now.
    pub holdback_amount: u64,
    /// The claim opened for the customer, zeros if none.
    pub claim: Pubkey,
    /// What it is worth.
    pub claim_amount: u64,
    /// What the lease still holds back.
    pub lease_holdback_amount: u64,
    /// What is still locked behind the lease.
    pub lease_bond_left: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
    /// What the customer still holds back.
    pub customer_holdbacks: u64,
    /// Paid by the customer to providers so far.
    pub customer_paid: u64,
    /// What the provider may withdraw.
    pub provider_earned: u64,
    /// The provider's stake.
    pub provider_stake: u64,
    /// Stake the provider has locked.
    pub provider_locked: u64,
    /// Part of it behind guaranteed leases.
    pub provider_lease_bonds: u64,
    /// Taken out of the provider's stake for claims.
    pub provider_claims: u64,
}
