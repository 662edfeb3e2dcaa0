//! Which bid is better: one integer, so that choosing is no one's privilege.

/// What a customer asks the leaderboard to prefer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Objective {
    /// The lowest price a second.
    Price = 0,
    /// The most verified gops for the money.
    PricePerGops = 1,
    /// The most reliable provider; price decides between equals.
    Reliability = 2,
}

impl TryFrom<u8> for Objective {
    type Error = ();

    fn try_from(byte: u8) -> Result<Self, ()> {
        match byte {
            0 => Ok(Self::Price),
            1 => Ok(Self::PricePerGops),
            2 => Ok(Self::Reliability),
            _ => Err(()),
        }
    }
}

/// Bits of a score that hold the price under [`Objective::Reliability`].
const PRICE_BITS: u32 = 48;

/// The score of a bid; higher is better, and ties go to the earlier bid. `per_sec` is the price in base
/// units a second (zero counts as one), `gops` the node's verified speed, `reliability_bps` its provider's record. By price
/// for speed it is `gops × 2²⁴ / per_sec`, rounded down (against the bidder) and at most 2⁶⁴ − 1.
pub const fn score(objective: Objective, per_sec: u64, gops: u64, reliability_bps: u16) -> u64 {
    let per_sec = if per_sec == 0 { 1 } else { per_sec };
    match objective {
        Objective::Price => u64::MAX - per_sec,
        // 24 fractional bits: two nodes of 1,000 gops are told apart at prices 60 parts in a billion apart.
        Objective::PricePerGops => match gops.checked_mul(1 << 24) {
            Some(scaled) => scaled / per_sec,
            None => {
                let wide = ((gops as u128) << 24) / per_sec as u128;
                if wide > u64::MAX as u128 {
                    u64::MAX
                } else {
                    wide as u64
                }
            }
        },
        Objective::Reliability => {
            let most = (1u64 << PRICE_BITS) - 1;
            let price = if per_sec > most { most } else { per_sec };
            ((reliability_bps as u64) << PRICE_BITS) | (most - price)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_lower_price_never_scores_less(cheap: u64, more: u64, gops: u64, reliability in 0u16..=10_000) {
            let dear = cheap.saturating_add(more);
            for objective in [Objective::Price, Objective::PricePerGops, Objective::Reliability] {
                prop_assert!(score(objective, cheap, gops, reliability) >= score(objective, dear, gops, reliability));
            }
        }

        #[test]
        fn price_for_speed_rounds_down_against_the_bidder(per_sec in 1u64.., gops: u64) {
            let exact = u128::from(gops) << 24;
            let scored = u128::from(score(Objective::PricePerGops, per_sec, gops, 0));
            prop_assert!(scored * u128::from(per_sec) <= exact);
            prop_assert!(scored == u128::from(u64::MAX) || exact < (scored + 1) * u128::from(per_sec));
        }

        #[test]
        fn a_faster_node_at_the_same_price_never_scores_less(per_sec: u64, gops: u64, more: u64) {
            let faster = gops.saturating_add(more);
            prop_assert!(score(Objective::PricePerGops, per_sec, faster, 0) >= score(Objective::PricePerGops, per_sec, gops, 0));
        }

        #[test]
        fn reliability_outranks_any_price(low in 0u16..10_000, cheap: u64, dear: u64) {
            prop_assert!(score(Objective::Reliability, dear, 0, low + 1) > score(Objective::Reliability, cheap, 0, low) || low == u16::MAX);
        }
    }
}
