//! What the oracles share out: the pool of a period by observations opened in it.

use crate::money::mul_div_floor;

/// The first epoch of the reward period that `epoch` lies in; it names the period. `None` for periods of no epochs.
pub const fn period_of(epoch: u64, period_epochs: u64) -> Option<u64> {
    match epoch.checked_rem(period_epochs) {
        Some(into) => Some(epoch - into),
        None => None,
    }
}

/// Points a leaf is worth: observations opened since the last one applied, and in one period no more than it has
/// epochs, of which each has one observation. What is beyond that is lost, so that nobody gains by saving leaves up
/// for a fat pool.
pub const fn points(opened_before: u64, opened: u64, points_before: u64, period_epochs: u64) -> u64 {
    let newly_opened = opened.saturating_sub(opened_before);
    let room = period_epochs.saturating_sub(points_before);
    if newly_opened < room {
        newly_opened
    } else {
        room
    }
}

/// Share of `pot_amount` of one who has `points` of `total_points`, rounded down: the remainder stays in the pool, for
/// later periods. `None` when nobody has points, or one more than all.
pub const fn share(pot_amount: u64, points: u64, total_points: u64) -> Option<u64> {
    if points > total_points {
        return None;
    }
    mul_div_floor(pot_amount, points, total_points)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_shares_together_never_exceed_the_pot_and_leave_less_than_one_unit_each(
            pot: u64, points in proptest::collection::vec(0u64..1 << 32, 1..33),
        ) {
            let total: u64 = points.iter().sum();
            prop_assume!(total > 0);
            let paid: u128 = points.iter().map(|own| u128::from(share(pot, *own, total).unwrap())).sum();
            prop_assert!(paid <= u128::from(pot), "rounded down: never more than there is");
            prop_assert!(u128::from(pot) - paid < points.len() as u128);
        }

        #[test]
        fn an_epoch_lies_in_the_period_that_began_last(epoch: u64, period_epochs in 1u64..=64) {
            let begins = period_of(epoch, period_epochs).unwrap();
            prop_assert!(begins <= epoch && epoch - begins < period_epochs);
            prop_assert_eq!(period_of(begins, period_epochs), Some(begins));
        }

        #[test]
        fn however_leaves_are_cut_a_period_counts_the_same_and_never_beyond_its_epochs(
            period_epochs in 1u64..=64, start in 0u64..1 << 40, mut steps in proptest::collection::vec(0u64..200, 1..10),
        ) {
            steps.sort_unstable();
            let last = start + steps[steps.len() - 1];
            let (mut opened, mut counted) = (start, 0);
            for step in steps {
                counted += points(opened, start + step, counted, period_epochs);
                opened = start + step;
            }
            prop_assert!(counted <= period_epochs);
            prop_assert_eq!(counted, points(start, last, 0, period_epochs));
        }
    }

    #[test]
    fn nothing_is_shared_among_nobody_and_nobody_has_more_than_all() {
        assert_eq!(share(100, 0, 0), None);
        assert_eq!(share(100, 3, 2), None);
        assert_eq!(share(100, 0, 3), Some(0));
        assert_eq!(share(100, 1, 3), Some(33));
        assert_eq!(share(u64::MAX, u64::MAX, u64::MAX), Some(u64::MAX));
        assert_eq!(period_of(9, 0), None);
    }

    #[test]
    fn a_counter_that_fell_is_worth_nothing() {
        assert_eq!(points(9, 8, 0, 8), 0);
    }
}
