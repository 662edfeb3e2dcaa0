//! How much stake the capacity on sale must carry.

use crate::money::mul_div_ceil;

/// Stake one node locks, base units: a base plus an amount per 1,000 of the `gops` it claims, rounded up (against the node,
/// which would otherwise sell up to 999 gops uncovered). `None` on overflow.
pub const fn required_stake(gops: u64, base_amount: u64, per_1000_gops_amount: u64) -> Option<u64> {
    let Some(scaled) = mul_div_ceil(gops, per_1000_gops_amount, 1_000) else { return None };
    base_amount.checked_add(scaled)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn required_stake_rounds_up_against_the_node(gops in 0u64..1 << 40, base in 0u64..1 << 40, rate in 0u64..1 << 20) {
            let beyond_base = u128::from(required_stake(gops, base, rate).unwrap() - base) * 1_000;
            let exact = u128::from(gops) * u128::from(rate);
            prop_assert!(beyond_base >= exact && beyond_base < exact + 1_000);
        }

        #[test]
        fn two_half_nodes_never_lock_less_than_one_whole(a in 0u64..1 << 40, b in 0u64..1 << 40, base in 0u64..1 << 40, rate in 0u64..1 << 20) {
            let whole = required_stake(a + b, base, rate).unwrap();
            prop_assert!(required_stake(a, base, rate).unwrap() + required_stake(b, base, rate).unwrap() >= whole);
        }
    }

    #[test]
    fn a_started_thousand_counts_as_its_share_rounded_up() {
        assert_eq!(required_stake(1, 10, 5), Some(11));
        assert_eq!(required_stake(1_000, 10, 5), Some(15));
        assert_eq!(required_stake(0, 10, 5), Some(10));
    }
}
