//! What can go wrong with an RPC.

use std::time::Duration;

use rand::seq::IndexedRandom;
use rand::Rng;

/// What the proxy does with requests, those on open connections included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Weather {
    /// It passes them on.
    #[default]
    Clear,
    /// It closes the connection instead of answering.
    Drop,
    /// It holds each back for so long.
    Delay(Duration),
    /// It answers HTTP 429.
    TooManyRequests,
    /// It takes them and never answers.
    HalfOpen,
    /// It passes them on and changes the answers.
    Lie(Lie),
}

/// A lie an RPC may tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lie {
    /// Slots and block heights are so many higher, or lower where negative; so is a blockhash's last height.
    Heights(i64),
    /// The latest blockhash is one that no block has, and it is called valid.
    Blockhash,
    /// No transaction is known.
    NothingLanded,
    /// Every transaction is finalized.
    EverythingLanded,
    /// No transaction is known and the chain is far ahead: whatever was signed seems to have expired. Who believes it pays
    /// twice.
    EverythingExpired,
    /// Transactions are said to be taken, and are thrown away.
    Swallow,
    /// Every second transaction is left out where those of an address are listed.
    OmitSignatures,
    /// Every account has a lamport more than it has.
    Balances,
    /// Recent transactions paid so much for priority, millionths of a lamport a compute unit.
    Prices(u64),
}

impl Weather {
    /// Bad weather by chance: the same for the same state of `rng`.
    pub fn draw(rng: &mut impl Rng) -> Self {
        let lies = [
            Lie::Heights(100_000),
            Lie::Heights(-100_000),
            Lie::Heights(40),
            Lie::Blockhash,
            Lie::NothingLanded,
            Lie::EverythingLanded,
            Lie::EverythingExpired,
            Lie::Swallow,
            Lie::OmitSignatures,
            Lie::Balances,
        ];
        let delay = Self::Delay(Duration::from_millis(rng.random_range(50..800)));
        let faults = [Self::Drop, delay, Self::TooManyRequests, Self::HalfOpen];
        if rng.random_bool(0.5) {
            return faults.choose(rng).copied().unwrap_or_default();
        }
        lies.choose(rng).copied().map_or(Self::Clear, Self::Lie)
    }
}
