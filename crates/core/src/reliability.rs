//! A provider's record, in basis points from [`RELIABILITY_FLOOR_BPS`] to 10,000, earned with fees that burned, so that
//! dealing with oneself costs.

use crate::money::{mul_div_floor, BPS};

/// Where a new provider starts, and the least a failing one falls to.
pub const RELIABILITY_FLOOR_BPS: u16 = 1_000;

/// After a completed lease whose fee was `fee_amount` base units: moves towards 10,000 by `fee / (fee + half_fee_amount)`
/// of the way, rounded down (against the provider). A fee of zero moves nothing; a fee of `half_fee_amount` goes half the way.
pub const fn after_completion(reliability_bps: u16, fee_amount: u64, half_fee_amount: u64) -> u16 {
    let gap = BPS.saturating_sub(reliability_bps as u64);
    match mul_div_floor(gap, fee_amount, fee_amount.saturating_add(half_fee_amount)) {
        Some(step) => reliability_bps + step as u16,
        None => reliability_bps,
    }
}

/// After a lease the node failed: a quarter is lost, rounded against the provider, never below the floor.
pub const fn after_failure(reliability_bps: u16) -> u16 {
    let kept = reliability_bps - reliability_bps.div_ceil(4);
    if kept < RELIABILITY_FLOOR_BPS {
        RELIABILITY_FLOOR_BPS
    } else {
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn reliability_stays_between_the_floor_and_the_whole(start in RELIABILITY_FLOOR_BPS..=10_000, fee: u64, half: u64) {
            let up = after_completion(start, fee, half);
            prop_assert!((start..=10_000).contains(&up));
            let down = after_failure(start);
            prop_assert!((RELIABILITY_FLOOR_BPS..=start).contains(&down));
        }

        #[test]
        fn a_completion_rounds_down_against_the_provider(start in RELIABILITY_FLOOR_BPS..=10_000, fee in 0u64..1 << 40, half in 1u64..1 << 40) {
            let step = u128::from(after_completion(start, fee, half) - start);
            let (gap, whole) = (u128::from(10_000 - start), u128::from(fee + half));
            prop_assert!(step * whole <= gap * u128::from(fee) && gap * u128::from(fee) < (step + 1) * whole);
        }

        #[test]
        fn a_failure_rounds_the_loss_up_against_the_provider(start in RELIABILITY_FLOOR_BPS..=10_000) {
            let kept = after_failure(start);
            prop_assert!(kept == RELIABILITY_FLOOR_BPS || 4 * (start - kept) >= start);
            prop_assert!(4 * (start - kept) < start + 4);
        }
    }

    #[test]
    fn a_free_lease_earns_no_reliability() {
        assert_eq!(after_completion(1_000, 0, 1), 1_000);
        assert_eq!(after_completion(1_000, 0, 0), 1_000);
        assert_eq!(after_completion(1_000, 7, 7), 5_500);
    }
}
