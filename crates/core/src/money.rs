//! Amounts, shares and the split of a fee.
//!
//! Every division rounds once, against the party the rounding could enrich, and every remainder has an owner. Amounts
//! are base units of MILL, 0 to 2⁶⁴ − 1; shares are basis points, 0 to 10,000. That the fee comes on top of the gross is
//! ADR 2; the limits of each share are the program's (`state::params::limits`).

/// Decimals of the MILL mint.
pub const MILL_DECIMALS: u8 = 6;
/// Base units in one MILL.
pub const MILL: u64 = 1_000_000;
/// Basis points in a whole.
pub const BPS: u64 = 10_000;

/// `a × b / d`, rounded down. `None` when `d` is zero or the result does not fit a `u64`.
///
/// Multiplies in `u64` when the product fits, since a `u128` division costs 1,250 compute units on chain.
pub const fn mul_div_floor(a: u64, b: u64, d: u64) -> Option<u64> {
    if d == 0 {
        return None;
    }
    match a.checked_mul(b) {
        Some(product) => Some(product / d),
        None => narrow(a as u128 * b as u128 / d as u128),
    }
}

/// `a × b / d`, rounded up. `None` when `d` is zero or the result does not fit a `u64`.
pub const fn mul_div_ceil(a: u64, b: u64, d: u64) -> Option<u64> {
    if d == 0 {
        return None;
    }
    match a.checked_mul(b) {
        Some(product) => Some(product.div_ceil(d)),
        None => narrow((a as u128 * b as u128).div_ceil(d as u128)),
    }
}

const fn narrow(wide: u128) -> Option<u64> {
    if wide > u64::MAX as u128 {
        None
    } else {
        Some(wide as u64)
    }
}

/// The share `bps` (0 to 65,535 basis points) of `amount` base units, rounded down: use it where the receiver of the share
/// could gain by rounding.
pub const fn share_floor(amount: u64, bps: u16) -> Option<u64> {
    mul_div_floor(amount, bps as u64, BPS)
}

/// The share `bps` (0 to 65,535 basis points) of `amount` base units, rounded up: use it where the payer of the share could
/// gain by rounding.
pub const fn share_ceil(amount: u64, bps: u16) -> Option<u64> {
    mul_div_ceil(amount, bps as u64, BPS)
}

/// Where a swept fee goes. The parts sum to the fee exactly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FeeSplit {
    /// Destroyed by a `burn`; owns the remainder, so that no one gains from sweeping in crumbs.
    pub burn_amount: u64,
    /// To the oracle pool, rounded down.
    pub oracle_amount: u64,
    /// To the treasury, rounded down.
    pub treasury_amount: u64,
}

/// Splits a fee by `oracle_bps` and `treasury_bps`; the rest burns. `None` when the shares exceed the whole.
pub const fn split_fee(fee_amount: u64, oracle_bps: u16, treasury_bps: u16) -> Option<FeeSplit> {
    if oracle_bps as u64 + treasury_bps as u64 > BPS {
        return None;
    }
    let (Some(oracle_amount), Some(treasury_amount)) =
        (share_floor(fee_amount, oracle_bps), share_floor(fee_amount, treasury_bps))
    else {
        return None;
    };
    Some(FeeSplit { burn_amount: fee_amount - oracle_amount - treasury_amount, oracle_amount, treasury_amount })
}

/// The most one lease can cost its customer, base units: `max_secs` at `max_per_sec` base units a second, and the fee of
/// `fee_bps` on it, rounded up (against the customer, as the fee itself is). `None` when it does not fit a `u64`.
pub const fn max_lease_cost(max_per_sec: u64, max_secs: u64, fee_bps: u16) -> Option<u64> {
    let Some(gross) = max_per_sec.checked_mul(max_secs) else { return None };
    let Some(fee) = share_ceil(gross, fee_bps) else { return None };
    gross.checked_add(fee)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn mul_div_agrees_with_wide_arithmetic(a: u64, b: u64, d in 1u64..) {
            let wide = a as u128 * b as u128;
            prop_assert_eq!(mul_div_floor(a, b, d).map(u128::from), Some(wide / d as u128).filter(|w| *w <= u64::MAX as u128));
            prop_assert_eq!(mul_div_ceil(a, b, d).map(u128::from), Some(wide.div_ceil(d as u128)).filter(|w| *w <= u64::MAX as u128));
        }

        #[test]
        fn a_fee_is_split_to_the_last_unit_and_the_remainder_burns(fee: u64, oracle in 0u16..=5_000, treasury in 0u16..=5_000) {
            let split = split_fee(fee, oracle, treasury).unwrap();
            prop_assert_eq!(split.burn_amount as u128 + split.oracle_amount as u128 + split.treasury_amount as u128, fee as u128);
            prop_assert!(split.oracle_amount as u128 * BPS as u128 <= fee as u128 * oracle as u128);
            prop_assert!(split.treasury_amount as u128 * BPS as u128 <= fee as u128 * treasury as u128);
        }

        #[test]
        fn a_share_rounds_down_for_its_receiver_and_up_for_its_payer(amount: u64, bps in 0u16..=10_000) {
            let exact = amount as u128 * bps as u128;
            let (down, up) = (share_floor(amount, bps).unwrap() as u128, share_ceil(amount, bps).unwrap() as u128);
            prop_assert!(down * 10_000 <= exact && exact < (down + 1) * 10_000);
            prop_assert!(up * 10_000 >= exact && exact + 10_000 > up * 10_000);
            prop_assert!(up <= amount as u128);
        }

        #[test]
        fn the_most_a_lease_can_cost_rounds_up_against_its_customer(per_sec in 0u64..1 << 30, secs in 0u64..1 << 30, fee in 0u16..=10_000) {
            let cost = max_lease_cost(per_sec, secs, fee).unwrap() as u128;
            let exact = per_sec as u128 * secs as u128 * (10_000 + fee as u128);
            prop_assert!(cost * 10_000 >= exact && cost * 10_000 < exact + 10_000);
        }

        #[test]
        fn sweeping_in_parts_never_pays_the_pools_more(a in 0u64..1 << 60, b in 0u64..1 << 60, oracle in 0u16..=5_000, treasury in 0u16..=5_000) {
            let whole = split_fee(a + b, oracle, treasury).unwrap();
            let (first, second) = (split_fee(a, oracle, treasury).unwrap(), split_fee(b, oracle, treasury).unwrap());
            prop_assert!(first.oracle_amount + second.oracle_amount <= whole.oracle_amount);
            prop_assert!(first.treasury_amount + second.treasury_amount <= whole.treasury_amount);
        }
    }

    #[test]
    fn shares_above_the_whole_are_refused() {
        assert_eq!(split_fee(100, 6_000, 4_001), None);
        assert_eq!(mul_div_floor(1, 1, 0), None);
        assert_eq!(mul_div_ceil(1, 1, 0), None);
    }
}
