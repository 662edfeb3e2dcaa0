//! Events of guaranteed leases and of claims on bonds. Amounts are base units after the change, unless they say
//! otherwise.

use anchor_lang::prelude::*;

/// A stand-by took over a position, and its new lease began.
#[event]
pub struct FailedOver {
    /// Number among the failed lease's events.
    pub sequence: u64,
    /// The job account.
    pub job: Pubkey,
    /// The lease that failed; it reserves nothing any more.
    pub failed: Pubkey,
    /// The lease that stood by; no bond is behind it any more.
    pub stand_by: Pubkey,
    /// The new lease.
    pub lease: Pubkey,
    /// The node at work.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Number of the new lease under the job.
    pub index: u8,
    /// Position it serves.
    pub job_position: u8,
    /// Price, base units a second.
    pub per_sec: u64,
    /// Most seconds it may be paid for.
    pub max_secs: u64,
    /// What the new lease may cost at most.
    pub reserve_amount: u64,
    /// Bond it began with.
    pub bond: u64,
    /// What of it is locked.
    pub bond_left: u64,
    /// Most seconds the standing by may be paid for.
    pub stand_by_max_secs: u64,
}

/// A member's lost seconds became a claim on the bond of the lease that failed.
#[event]
pub struct UnkeptClaimed {
    /// Number among the failed lease's events.
    pub sequence: u64,
    /// The lease that failed.
    pub failed: Pubkey,
    /// The lease that lost seconds.
    pub member: Pubkey,
    /// Seconds claimed now.
    pub secs: u64,
    /// The claim account.
    pub claim: Pubkey,
    /// What it is for.
    pub amount: u64,
    /// Instant from which it is paid.
    pub matures_at: i64,
    /// What of the failed lease's bond is left.
    pub bond_left: u64,
    /// Provider account that pays.
    pub provider: Pubkey,
    /// That provider's stake.
    pub provider_stake: u64,
    /// Bonds behind all its guaranteed leases.
    pub provider_lease_bonds: u64,
    /// Stake it has locked.
    pub provider_locked: u64,
    /// What it keeps for claims.
    pub provider_claims: u64,
}

/// A customer's compensation became a claim on the bond of the lease that failed; what was left of it is free.
#[event]
pub struct CompensationClaimed {
    /// Number among the lease's events.
    pub sequence: u64,
    /// The lease that failed; no bond is behind it any more.
    pub lease: Pubkey,
    /// The claim account.
    pub claim: Pubkey,
    /// What it is for.
    pub amount: u64,
    /// What was free stake again.
    pub returned_amount: u64,
    /// Instant from which it is paid.
    pub matures_at: i64,
    /// Provider account that pays.
    pub provider: Pubkey,
    /// That provider's stake.
    pub provider_stake: u64,
    /// Bonds behind all its guaranteed leases.
    pub provider_lease_bonds: u64,
    /// Stake it has locked.
    pub provider_locked: u64,
    /// What it keeps for claims.
    pub provider_claims: u64,
}

/// A claim was paid and its account closed.
#[event]
pub struct ClaimPaid {
    /// Number among the claim's events.
    pub sequence: u64,
    /// The claim account.
    pub claim: Pubkey,
    /// Provider account that paid.
    pub provider: Pubkey,
    /// A [`crate::state::Beneficiary`].
    pub beneficiary_kind: u8,
    /// Customer or provider account that was paid.
    pub beneficiary: Pubkey,
    /// Sent now.
    pub amount: u64,
    /// What slashes had left nothing for.
    pub unpaid_amount: u64,
    /// What the payer keeps for other claims.
    pub provider_claims: u64,
    /// The customer's free money, or what the provider may withdraw.
    pub beneficiary_balance: u64,
}

/// Both sides ended a lease.
#[event]
pub struct LeaseSettledMutually {
    /// Number among the lease's events.
    pub sequence: u64,
    /// The lease account; neither reserve nor bond is behind it any more.
    pub lease: Pubkey,
    /// The job it served.
    pub job: Pubkey,
    /// Seconds paid in all.
    pub paid_secs: u64,
    /// Sent to the provider now.
    pub net_amount: u64,
    /// Held back now.
    pub holdback_amount: u64,
    /// Charged as fee now.
    pub fee_amount: u64,
    /// The customer's free money.
    pub customer_free: u64,
    /// The customer's reserved money.
    pub customer_reserved: u64,
    /// The customer's fees due.
    pub customer_fee_due: u64,
    /// What the provider may withdraw.
    pub provider_earned: u64,
    /// Bonds behind all its guaranteed leases.
    pub provider_lease_bonds: u64,
    /// Stake it has locked.
    pub provider_locked: u64,
}
