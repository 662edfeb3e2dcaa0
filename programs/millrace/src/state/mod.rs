//! One file per account: fields with units, transitions as methods, and an `invariant()`.
//!
//! Every account is zero-copy, `repr(C)`, without padding the compiler chose: what the bytes mean is what the
//! struct says. Each begins with a version byte and keeps 64 reserved bytes.

pub mod beacons;
pub mod config;
pub mod customer;
pub mod fraud_case;
pub mod job;
pub mod lease;
pub mod node;
pub mod oracle;
pub mod params;
pub mod provider;
pub mod reports;

pub use beacons::{Beacon, Beacons};
pub use config::Config;
pub use customer::Customer;
pub use fraud_case::{FraudCase, Outcome, ProvenEntry};
pub use job::{Bid, Job, JobState, Requirements};
pub use lease::{Lease, LeaseState};
pub use node::{Node, NodeClass, NodeState};
pub use oracle::{Oracle, OracleSet, Seat};
pub use params::{DurationBounds, LeaseTerms, Params, Span};
pub use provider::{Provider, ProviderStatus, Unbonding};
pub use reports::{AcceptedRoot, Reports, SeatRow};

/// Bytes of an account that holds a `T` and nothing else, discriminator included.
pub const fn space<T>() -> usize {
    8usize.saturating_add(std::mem::size_of::<T>())
}
