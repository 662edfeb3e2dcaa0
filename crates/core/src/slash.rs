//! Where slashed stake goes: a little to the prover, the rest is burned, nothing to a judge.

use crate::money::share_floor;

/// The parts of a slashed amount; they sum to it exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SlashSplit {
    /// To whoever proved the fraud, rounded down.
    pub bounty_amount: u64,
    /// Destroyed; owns the remainder.
    pub burn_amount: u64,
}

/// Highest bounty, in basis points of what was taken: a stolen hot key could sign a false commit, so proving
/// one's own fraud must never pay.
pub const MAX_BOUNTY_BPS: u16 = 500;

/// Splits `taken` between the prover's bounty and the fire. `None` when `bounty_bps` exceeds [`MAX_BOUNTY_BPS`].
pub const fn split_slash(taken: u64, bounty_bps: u16) -> Option<SlashSplit> {
    if bounty_bps > MAX_BOUNTY_BPS {
        return None;
    }
    let Some(bounty_amount) = share_floor(taken, bounty_bps) else { return None };
    Some(SlashSplit { bounty_amount, burn_amount: taken - bounty_amount })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_prover_never_gets_more_than_a_twentieth(taken: u64, bps in 0u16..=MAX_BOUNTY_BPS) {
            let split = split_slash(taken, bps).unwrap();
            prop_assert_eq!(split.bounty_amount + split.burn_amount, taken);
            prop_assert!(split.bounty_amount <= taken / 20);
        }
    }
}
