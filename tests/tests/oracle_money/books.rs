//! Stake and rewards as pure books: at random.

use bytemuck::Zeroable;
use millrace::state::{Oracle, OracleSet};
use millrace_tests::{local_params, MillraceError};
use proptest::prelude::*;

use super::refusal;

proptest! {
    #[test]
    fn stake_is_at_work_or_leaving_and_the_least_stays_beside_a_seat(
        steps in proptest::collection::vec((0u8..3, 0u64..1_000, 0i64..20_000), 1..60), least in 0u64..500,
        removed_at in 0usize..60,
    ) {
        let params = millrace::state::Params { oracle_stake_amount: least, ..local_params() };
        let mut oracle = Oracle::zeroed();
        let (mut now, mut paid_in, mut paid_out) = (0i64, 0u64, 0u64);
        for (place, (kind, amount, secs)) in steps.into_iter().enumerate() {
            now += secs;
            oracle.is_removed = u8::from(place >= removed_at);
            match kind {
                0 => match oracle.add_stake(amount) {
                    Ok(()) => paid_in += amount,
                    Err(error) => prop_assert_eq!(refusal(Err::<(), _>(error)), MillraceError::OracleRemoved),
                },
                1 => {
                    let before = oracle.stake;
                    let outcome = oracle.begin_unstake(amount, &params, now);
                    let free = if oracle.is_removed == 1 { before } else { before.saturating_sub(least) };
                    prop_assert_eq!(outcome.is_ok(), amount <= free);
                    if outcome.is_ok() {
                        prop_assert!(oracle.is_removed == 1 || amount == 0 || oracle.stake >= least);
                        prop_assert!(oracle.unbonding_matures_at >= now + params.unbonding_secs);
                    }
                }
                _ => {
                    let is_due = oracle.unbonding_amount > 0 && now >= oracle.unbonding_matures_at;
                    let outcome = oracle.withdraw(now);
                    prop_assert_eq!(outcome.is_ok(), is_due);
                    paid_out += outcome.unwrap_or(0);
                }
            }
            prop_assert_eq!(oracle.owed(), paid_in - paid_out);
        }
    }

    #[test]
    fn rewards_never_exceed_the_pool_whoever_counts_claims_or_sleeps(
        steps in proptest::collection::vec((0usize..4, 0u64..6, any::<bool>(), 0u64..5, 0u64..1_000), 1..200),
        lengths in proptest::collection::vec(1u64..=64, 1..5),
    ) {
        let mut set = OracleSet::zeroed();
        let mut oracles = vec![Oracle::zeroed(); 4];
        let mut opened = [0u64; 4];
        let (mut epoch, mut pool, mut at, mut paid_in) = (0u64, 0u64, 0i64, 0u64);
        for (place, (seat, more, claims, epochs, fees)) in steps.into_iter().enumerate() {
            let length = lengths[place * lengths.len() / 200];
            (epoch, at, pool, paid_in) = (epoch + epochs, at + 1, pool + fees, paid_in + fees);
            let oracle = &mut oracles[seat];
            set.roll(epoch, length, pool);
            if claims {
                let (old_set, old_oracle) = (set, *oracle);
                match set.claim(oracle) {
                    Ok(reward) => {
                        prop_assert!(reward.amount > 0 && reward.amount <= pool);
                        pool -= reward.amount;
                    }
                    Err(error) => {
                        prop_assert_eq!(refusal(Err::<(), _>(error)), MillraceError::NothingToClaim);
                        (set, *oracle) = (old_set, old_oracle);
                    }
                }
            } else {
                opened[seat] += more;
                set.count(oracle, opened[seat], at, length).unwrap();
            }
            prop_assert!(set.closed_claimed_amount <= set.closed_pot_amount);
            prop_assert_eq!(pool + set.rewarded_total, paid_in);
            let under_way = oracles.iter().filter(|oracle| oracle.reward_period == set.reward_period);
            prop_assert_eq!(set.period_points, under_way.map(|oracle| oracle.points).sum::<u64>());
        }
    }
}
