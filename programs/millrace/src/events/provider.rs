//! Events of providers and nodes.

use anchor_lang::prelude::*;

use crate::constants::ENDPOINT_LEN;

/// A provider registered.
#[event]
pub struct ProviderRegistered {
    /// Number among the provider's events.
    pub sequence: u64,
    /// The provider account.
    pub provider: Pubkey,
    /// Its cold key.
    pub authority: Pubkey,
    /// Its hot key.
    pub operator: Pubkey,
}

/// Stake arrived.
#[event]
pub struct Staked {
    /// Number among the provider's events.
    pub sequence: u64,
    /// The provider account.
    pub provider: Pubkey,
    /// What arrived, base units.
    pub amount: u64,
    /// Its stake now, base units.
    pub stake: u64,
    /// Part of it that is locked, base units.
    pub locked: u64,
}

/// Stake began to unbond.
#[event]
pub struct UnstakeBegun {
    /// Number among the provider's events.
    pub sequence: u64,
    /// The provider account.
    pub provider: Pubkey,
    /// What unbonds, base units.
    pub amount: u64,
    /// Instant from which it may be withdrawn.
    pub matures_at: i64,
    /// Its stake now, base units.
    pub stake: u64,
    /// Part of it that is locked, base units.
    pub locked: u64,
    /// All that unbonds now, base units.
    pub unbonding: u64,
}

/// A provider was paid out.
#[event]
pub struct Withdrawn {
    /// Number among the provider's events.
    pub sequence: u64,
    /// The provider account.
    pub provider: Pubkey,
    /// Earnings paid, base units. None are left.
    pub earned_amount: u64,
    /// Matured stake paid, base units.
    pub unbonded_amount: u64,
    /// Its stake now, base units.
    pub stake: u64,
    /// All that still unbonds, base units.
    pub unbonding: u64,
}

/// A provider has another hot key.
#[event]
pub struct OperatorSet {
    /// Number among the provider's events.
    pub sequence: u64,
    /// The provider account.
    pub provider: Pubkey,
    /// The new hot key.
    pub operator: Pubkey,
    /// The one before.
    pub previous_operator: Pubkey,
    /// Epoch from which the new one signs commits.
    pub operator_since_epoch: u64,
}

/// A provider's cold key named another.
#[event]
pub struct AuthorityProposed {
    /// Number among the provider's events.
    pub sequence: u64,
    /// The provider account.
    pub provider: Pubkey,
    /// Its cold key.
    pub authority: Pubkey,
    /// The cold key to be, zeros for none.
    pub pending_authority: Pubkey,
}

/// A provider has another cold key.
#[event]
pub struct AuthorityAccepted {
    /// Number among the provider's events.
    pub sequence: u64,
    /// The provider account.
    pub provider: Pubkey,
    /// Its cold key now.
    pub authority: Pubkey,
    /// The one before.
    pub previous_authority: Pubkey,
}

/// A provider changed its terms.
#[event]
pub struct TermsSet {
    /// Number among the provider's events.
    pub sequence: u64,
    /// The provider account.
    pub provider: Pubkey,
    /// URL of the agent, padded with zeros.
    pub endpoint: [u8; ENDPOINT_LEN],
    /// sha256 of the agent's TLS public key, or zeros.
    pub tls_spki_hash: [u8; 32],
    /// Most the operator may have locked behind bids, base units.
    pub max_bonds_amount: u64,
    /// Least the operator may bid, base units a second.
    pub min_bid_per_sec: u64,
}

/// A provider closed its account.
#[event]
pub struct ProviderClosed {
    /// Number among the provider's events: its last.
    pub sequence: u64,
    /// The provider account.
    pub provider: Pubkey,
    /// Tokens of strangers swept to the treasury, base units.
    pub surplus_amount: u64,
}

/// A node registered.
#[event]
pub struct NodeRegistered {
    /// Number among the node's events.
    pub sequence: u64,
    /// The node account.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Its index under that provider.
    pub index: u32,
    /// A `crate::state::NodeClass`.
    pub class: u8,
    /// Claimed speed, gops.
    pub claimed_gops: u64,
    /// Asking price, base units a second.
    pub ask_per_sec: u64,
    /// Stake it locks, base units.
    pub locked_stake: u64,
    /// All its provider has locked now, base units.
    pub provider_locked: u64,
    /// Its provider's stake, base units.
    pub provider_stake: u64,
}

/// A node has another asking price.
#[event]
pub struct AskSet {
    /// Number among the node's events.
    pub sequence: u64,
    /// The node account.
    pub node: Pubkey,
    /// Asking price now, base units a second.
    pub ask_per_sec: u64,
}

/// A node drains, or bids again.
#[event]
pub struct DrainSet {
    /// Number among the node's events.
    pub sequence: u64,
    /// The node account.
    pub node: Pubkey,
    /// Whether it takes no new work.
    pub draining: bool,
}

/// A node's stake was filled up.
#[event]
pub struct NodeRelocked {
    /// Number among the node's events.
    pub sequence: u64,
    /// The node account.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Stake locked anew, base units.
    pub locked_amount: u64,
    /// Stake the node locks now, base units.
    pub node_locked_stake: u64,
    /// All its provider has locked now, base units.
    pub provider_locked: u64,
    /// Its provider's stake, base units.
    pub provider_stake: u64,
}

/// Someone applied an audit of another's node; a fee was paid if it was a downgrade.
#[event]
pub struct DowngradePaid {
    /// Number among the node's events.
    pub sequence: u64,
    /// The node account.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Token account of whoever applied it.
    pub receiver: Pubkey,
    /// What it was paid, base units.
    pub fee_amount: u64,
    /// The node's state now.
    pub state: u8,
    /// Stake the node locks now, base units.
    pub node_locked_stake: u64,
    /// Its provider's stake, base units.
    pub provider_stake: u64,
    /// All its provider has locked now, base units.
    pub provider_locked: u64,
}

/// A node left the market.
#[event]
pub struct NodeRetired {
    /// Number among the node's events.
    pub sequence: u64,
    /// The node account.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Stake unlocked, base units.
    pub unlocked_amount: u64,
    /// All its provider has locked now, base units.
    pub provider_locked: u64,
    /// Its provider's stake, base units.
    pub provider_stake: u64,
}

/// A node's account was closed.
#[event]
pub struct NodeClosed {
    /// Number among the node's events: its last.
    pub sequence: u64,
    /// The node account.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Nodes of that provider whose account is still open.
    pub open_nodes: u32,
}
