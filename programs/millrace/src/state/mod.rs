//! One file per account: fields with units, transitions as methods, and an `invariant()`.
//!
//! Every account is zero-copy, `repr(C)`, without padding the compiler chose: what the bytes mean is what the
//! struct says. Each begins with a version byte and keeps 64 reserved bytes.

use std::cell::RefMut;

use anchor_lang::prelude::*;
use anchor_lang::{Owner, ZeroCopy};

pub mod beacons;
pub mod claim;
pub mod config;
pub mod customer;
pub mod dispute;
pub mod fraud_case;
pub mod job;
pub mod lease;
pub mod node;
pub mod oracle;
pub mod params;
pub mod proposal;
pub mod provider;
pub mod reach;
pub mod reports;
pub mod slash_case;
pub mod voter_lock;

pub use beacons::{Beacon, Beacons};
pub use claim::{Beneficiary, Claim};
pub use config::Config;
pub use customer::Customer;
pub use dispute::{Dispute, Ruling, Settlement};
pub use fraud_case::{FraudCase, Outcome, ProvenEntry};
pub use job::{Awarded, Bid, Job, JobState, Requirements, Standing, Tier, Topology};
pub use lease::{Closing, Lease, LeaseRole, LeaseState, Opening, Takeover, NO_POSITION};
pub use node::{Node, NodeClass, NodeState};
pub use oracle::{Oracle, OracleSet, Seat};
pub use params::{DurationBounds, LeaseTerms, Params, Span};
pub use proposal::{Draft, Proposal, ProposalKind, Vote, MAX_PAYLOAD};
pub use provider::{Provider, ProviderStatus, Unbonding};
pub use reach::Reach;
pub use reports::{AcceptedRoot, Reports, SeatRow};
pub use slash_case::{Offence, SlashCase};
pub use voter_lock::VoterLock;

/// Bytes of an account that holds a `T` and nothing else, discriminator included.
pub const fn space<T>() -> usize {
    8usize.saturating_add(std::mem::size_of::<T>())
}

/// An account of the program of which only the address was known, for writing: what `AccountLoader` would check.
///
/// # Errors
/// Anchor's, when the account is not a `T` or not writable.
pub fn load_mut<'a, T: ZeroCopy + Owner>(account: &'a AccountInfo) -> Result<RefMut<'a, T>> {
    require!(account.is_writable, ErrorCode::AccountNotMutable);
    require_keys_eq!(*account.owner, T::owner(), ErrorCode::AccountOwnedByWrongProgram);
    let data = account.try_borrow_mut_data()?;
    require!(data.starts_with(T::DISCRIMINATOR), ErrorCode::AccountDiscriminatorMismatch);
    require!(data.len() >= space::<T>(), ErrorCode::AccountDidNotDeserialize);
    Ok(RefMut::map(data, |data| bytemuck::from_bytes_mut(&mut data[8..space::<T>()])))
}
