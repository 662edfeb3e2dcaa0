//! What an offence costs, and where slashed stake goes: a little to the prover, the rest is burned, nothing to a judge.
//!
//! Amounts are base units, shares basis points up to 10,000, speeds gops.

use crate::money::{share_ceil, share_floor, BPS};

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

/// Penalty of a judged offence: `bps` of what the node answers with, rounded up (against the offender). `None` when
/// `bps` exceeds the whole, so it is never more than `locked_stake`.
pub const fn judged_penalty(locked_stake: u64, bps: u16) -> Option<u64> {
    if bps as u64 > BPS {
        return None;
    }
    share_ceil(locked_stake, bps)
}

/// Most a provider loses by judgement in one epoch: `bps` of `base_amount`, what it could lose at the epoch's first
/// execution. Rounded up: a cap of zero would keep a case open for ever. `None` when `bps` exceeds the whole.
pub const fn judged_cap(base_amount: u64, bps: u16) -> Option<u64> {
    if bps as u64 > BPS {
        return None;
    }
    share_ceil(base_amount, bps)
}

/// Whether an audit found a node to have become worse by more than two honest measurements differ: what it sold
/// before was `before_gops`, and `now_gops` is more than a quarter less. Exact: nothing is rounded.
pub const fn is_downgrade(before_gops: u64, now_gops: u64) -> bool {
    (now_gops as u128) * 4 < (before_gops as u128) * 3
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_judged_penalty_rounds_up_and_never_exceeds_what_the_node_answers_with(locked: u64, bps in 0u16..=10_000) {
            let penalty = judged_penalty(locked, bps).unwrap();
            prop_assert!(penalty <= locked);
            prop_assert!(u128::from(penalty) * 10_000 >= u128::from(locked) * u128::from(bps));
            prop_assert!(u128::from(penalty) * 10_000 < u128::from(locked) * u128::from(bps) + 10_000);
        }

        #[test]
        fn a_cap_rounds_up_so_that_every_case_comes_to_an_end(base in 1u64.., bps in 1u16..=10_000) {
            let cap = judged_cap(base, bps).unwrap();
            prop_assert!((1..=base).contains(&cap));
            prop_assert!(u128::from(cap) * 10_000 < u128::from(base) * u128::from(bps) + 10_000);
        }

        #[test]
        fn a_quarter_less_is_within_what_honest_measurements_differ(before in 0u64..1 << 60) {
            prop_assert!(!is_downgrade(before, before));
            prop_assert!(!is_downgrade(before, before - before / 4));
            prop_assert!(before == 0 || is_downgrade(before, (before * 3).div_ceil(4) - 1));
        }

        #[test]
        fn a_prover_never_gets_more_than_a_twentieth(taken: u64, bps in 0u16..=MAX_BOUNTY_BPS) {
            let split = split_slash(taken, bps).unwrap();
            prop_assert_eq!(split.bounty_amount + split.burn_amount, taken);
            prop_assert!(split.bounty_amount <= taken / 20);
            let exact = u128::from(taken) * u128::from(bps);
            let bounty = u128::from(split.bounty_amount) * 10_000;
            prop_assert!(bounty <= exact && exact < bounty + 10_000, "rounded down, against the prover");
        }
    }

    #[test]
    fn shares_above_the_whole_are_no_penalties() {
        assert_eq!((judged_penalty(100, 10_001), judged_cap(100, 10_001), split_slash(100, 501)), (None, None, None));
    }
}
