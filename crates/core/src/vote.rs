//! What a vote weighs, and when a proposal has passed.

use crate::money::{mul_div_floor, BPS};

/// Weight of one base unit locked for the voting period, basis points.
pub const MIN_MULTIPLIER_BPS: u64 = 10_000;
/// Weight of one base unit locked for the longest time or longer, basis points.
pub const MAX_MULTIPLIER_BPS: u64 = 40_000;
/// Part of the mint's supply that must vote, whatever the weights, basis points.
pub const MIN_TURNOUT_BPS: u64 = 1_000;

/// Weight of one base unit locked for `lock_secs`, basis points: from one at `voting_secs` in a straight line to four
/// at `max_lock_secs`, rounded down (against the voter); nothing below `voting_secs`, since such a lock could end
/// before the vote it swings.
pub const fn multiplier_bps(lock_secs: i64, voting_secs: i64, max_lock_secs: i64) -> u64 {
    if lock_secs <= 0 || lock_secs < voting_secs {
        return 0;
    }
    if lock_secs >= max_lock_secs {
        return MAX_MULTIPLIER_BPS;
    }
    // voting_secs ≤ lock_secs < max_lock_secs from here on.
    let (Some(span), Some(above)) = (max_lock_secs.checked_sub(voting_secs), lock_secs.checked_sub(voting_secs)) else {
        return MIN_MULTIPLIER_BPS;
    };
    match mul_div_floor(above as u64, MAX_MULTIPLIER_BPS - MIN_MULTIPLIER_BPS, span as u64) {
        Some(extra) => MIN_MULTIPLIER_BPS + extra,
        None => MIN_MULTIPLIER_BPS,
    }
}

/// Weight of `amount` base units, rounded down (against the voter). `None` when it does not fit a `u64`.
pub const fn weight(amount: u64, multiplier_bps: u64) -> Option<u64> {
    mul_div_floor(amount, multiplier_bps, BPS)
}

/// The votes on a proposal, and the figures fixed when it was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// Weight in favour.
    pub yes_weight: u64,
    /// Weight against.
    pub no_weight: u64,
    /// Base units that voted, multipliers left out.
    pub voted_amount: u64,
    /// All weight there was.
    pub total_weight: u64,
    /// Quorum, basis points of `total_weight`.
    pub quorum_bps: u16,
    /// Mint supply, base units.
    pub supply_amount: u64,
}

impl Tally {
    /// Whether enough voted: `quorum_bps` of all weight, and a tenth of the supply itself, so that a few long locks
    /// cannot be a quorum among themselves. Both compare whole products: nothing is rounded.
    pub const fn meets_quorum(&self) -> bool {
        let cast = self.yes_weight as u128 + self.no_weight as u128;
        cast * BPS as u128 >= self.quorum_bps as u128 * self.total_weight as u128
            && self.voted_amount as u128 * BPS as u128 >= MIN_TURNOUT_BPS as u128 * self.supply_amount as u128
    }

    /// Whether it has passed: the quorum is met and more are for it than against it; where it `needs_two_thirds`, two
    /// thirds of the votes cast are for it.
    pub const fn is_passed(&self, needs_two_thirds: bool) -> bool {
        let cast = self.yes_weight as u128 + self.no_weight as u128;
        let has_share = !needs_two_thirds || self.yes_weight as u128 * 3 >= cast * 2;
        self.meets_quorum() && self.yes_weight > self.no_weight && has_share
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TALLY: Tally = Tally {
        yes_weight: 150,
        no_weight: 50,
        voted_amount: 100,
        total_weight: 1_000,
        quorum_bps: 2_000,
        supply_amount: 1_000,
    };

    proptest! {
        #[test]
        fn a_longer_lock_never_weighs_less_and_never_beyond_one_to_four(a in 0i64..1 << 40, b in 0i64..1 << 40, voting in 0i64..1 << 30, span in 0i64..1 << 30) {
            let (short, long) = (a.min(b), a.max(b));
            let (least, most) = (multiplier_bps(short, voting, voting + span), multiplier_bps(long, voting, voting + span));
            prop_assert!(least <= most);
            for bps in [least, most] {
                prop_assert!(bps == 0 || (MIN_MULTIPLIER_BPS..=MAX_MULTIPLIER_BPS).contains(&bps));
            }
        }

        #[test]
        fn a_lock_shorter_than_the_vote_weighs_nothing(voting in 1i64..1 << 40, short in 1i64..1 << 40, max in 0i64..1 << 40) {
            prop_assert_eq!(multiplier_bps(voting - short, voting, max), 0);
        }

        #[test]
        fn the_multiplier_is_rounded_down(beyond in 1i64..1 << 30, voting in 0i64..1 << 30, span in 1i64..1 << 30) {
            let lock = voting + beyond % span;
            prop_assume!(lock > 0);
            let extra = u128::from(multiplier_bps(lock, voting, voting + span) - MIN_MULTIPLIER_BPS);
            prop_assert!(extra * span as u128 <= (lock - voting) as u128 * 30_000);
            prop_assert!((extra + 1) * span as u128 > (lock - voting) as u128 * 30_000);
        }

        #[test]
        fn splitting_a_lock_never_weighs_more(a in 0u64..1 << 60, b in 0u64..1 << 60, bps in 0u64..=40_000) {
            let whole = weight(a + b, bps).unwrap();
            prop_assert!(weight(a, bps).unwrap() + weight(b, bps).unwrap() <= whole);
            prop_assert!(u128::from(whole) * 10_000 <= u128::from(a + b) * u128::from(bps));
        }

        #[test]
        fn what_passes_has_its_quorum_and_its_majority(yes: u64, no: u64, voted: u64, total: u64, supply: u64, quorum in 0u16..=10_000, two_thirds: bool) {
            let tally = Tally { yes_weight: yes, no_weight: no, voted_amount: voted, total_weight: total, quorum_bps: quorum, supply_amount: supply };
            let cast = u128::from(yes) + u128::from(no);
            let quorate = cast * 10_000 >= u128::from(total) * u128::from(quorum) && u128::from(voted) * 10 >= u128::from(supply);
            prop_assert_eq!(tally.meets_quorum(), quorate);
            prop_assert_eq!(tally.is_passed(two_thirds), quorate && yes > no && (!two_thirds || u128::from(yes) * 3 >= cast * 2));
        }

        #[test]
        fn a_further_no_never_lets_a_proposal_pass(yes in 0u64..1 << 40, no in 0u64..1 << 40, more in 0u64..1 << 40, two_thirds: bool) {
            let before = Tally { yes_weight: yes, no_weight: no, total_weight: 0, supply_amount: 0, ..TALLY };
            let after = Tally { no_weight: no + more, ..before };
            prop_assert!(before.is_passed(two_thirds) || !after.is_passed(two_thirds));
        }
    }

    #[test]
    fn the_line_runs_from_one_to_four() {
        assert_eq!(multiplier_bps(99, 100, 400), 0);
        assert_eq!(multiplier_bps(100, 100, 400), 10_000);
        assert_eq!(multiplier_bps(250, 100, 400), 25_000);
        assert_eq!(multiplier_bps(400, 100, 400), 40_000);
        assert_eq!(multiplier_bps(i64::MAX, 100, 400), 40_000);
        assert_eq!(multiplier_bps(0, 0, 0), 0);
        assert_eq!(multiplier_bps(100, 100, 100), 40_000);
    }

    #[test]
    fn the_quorum_is_of_weight_and_of_supply() {
        assert!(TALLY.meets_quorum());
        assert!(!Tally { yes_weight: 149, ..TALLY }.meets_quorum());
        assert!(!Tally { voted_amount: 99, ..TALLY }.meets_quorum());
    }

    #[test]
    fn a_tie_fails_and_two_thirds_are_exact() {
        assert!(!Tally { yes_weight: 100, no_weight: 100, ..TALLY }.is_passed(false));
        assert!(Tally { yes_weight: 101, no_weight: 100, ..TALLY }.is_passed(false));
        assert!(Tally { yes_weight: 200, no_weight: 100, ..TALLY }.is_passed(true));
        assert!(!Tally { yes_weight: 199, no_weight: 100, ..TALLY }.is_passed(true));
    }
}
