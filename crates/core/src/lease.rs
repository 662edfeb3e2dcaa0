//! What a lease owes for the seconds others saw it live, and what a job has to reserve for its leases.
//!
//! Prices are base units a second, amounts base units, times whole seconds, shares basis points up to 10,000. The fee is
//! ADR 2's.

use crate::money::{max_lease_cost, share_ceil, share_floor};

/// A lease as far as money goes. Cumulative, so a lost epoch costs nothing and a replayed leaf pays nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Meter {
    /// Price in base units a second.
    pub per_sec: u64,
    /// Seconds paid so far.
    pub paid_secs: u64,
    /// Charged so far for those seconds: `per_sec × paid_secs`.
    pub gross_amount: u64,
    /// Fee charged so far, on top of the gross.
    pub fee_amount: u64,
    /// Part of the gross held back until the result is accepted or the dispute window ends.
    pub holdback_amount: u64,
    /// What the customer's escrow still keeps for this lease.
    pub reserve_amount: u64,
}

/// One payment. `reserve` falls by `net + holdback + fee`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Payment {
    /// Seconds paid by it.
    pub secs: u64,
    /// To the provider at once.
    pub net_amount: u64,
    /// Added to the holdback.
    pub holdback_amount: u64,
    /// Added to the customer's fee due.
    pub fee_amount: u64,
}

impl Meter {
    /// Advances to `live_secs` reported live seconds, at most `elapsed_secs`. Returns what to pay; zero when
    /// nothing is new. `None` when the reserve cannot cover it or a product overflows: both mean a broken account.
    ///
    /// Fee and holdback are shares of the **cumulative** gross, rounded up and less what was charged before:
    /// settling every second costs the customer exactly what settling once does. Up is against the customer
    /// for the fee (else crumbs are free) and against the provider for the holdback (it is only later).
    pub fn advance(&mut self, live_secs: u64, elapsed_secs: u64, fee_bps: u16, holdback_bps: u16) -> Option<Payment> {
        let proven_secs = live_secs.min(elapsed_secs);
        let secs = proven_secs.saturating_sub(self.paid_secs);
        if secs == 0 {
            return Some(Payment::default());
        }
        let gross_amount = self.per_sec.checked_mul(proven_secs)?;
        let fee_amount = share_ceil(gross_amount, fee_bps)?;
        let holdback_amount = share_ceil(gross_amount, holdback_bps)?;
        let payment = Payment {
            secs,
            holdback_amount: holdback_amount.checked_sub(self.holdback_amount)?,
            fee_amount: fee_amount.checked_sub(self.fee_amount)?,
            net_amount: gross_amount
                .checked_sub(self.gross_amount)?
                .checked_sub(holdback_amount.checked_sub(self.holdback_amount)?)?,
        };
        self.reserve_amount = self
            .reserve_amount
            .checked_sub(payment.net_amount)?
            .checked_sub(payment.holdback_amount)?
            .checked_sub(payment.fee_amount)?;
        self.paid_secs = proven_secs;
        self.gross_amount = gross_amount;
        self.fee_amount = fee_amount;
        self.holdback_amount = holdback_amount;
        Some(payment)
    }
}

impl Meter {
    /// Raises the fee to what `fee_secs` seconds would have cost, where the sides agreed on fewer. Returns what is
    /// charged for it; zero when those paid bear as much. Up, against the customer: else a deal beside the books
    /// would save the fee. `None` when the reserve cannot cover it or a product overflows.
    pub fn raise_fee(&mut self, fee_secs: u64, fee_bps: u16) -> Option<u64> {
        let fee_amount = share_ceil(self.per_sec.checked_mul(fee_secs)?, fee_bps)?;
        let more_amount = fee_amount.saturating_sub(self.fee_amount);
        self.reserve_amount = self.reserve_amount.checked_sub(more_amount)?;
        self.fee_amount = self.fee_amount.checked_add(more_amount)?;
        Some(more_amount)
    }
}

/// Seconds of a guaranteed lease that its customer owes: kept ones while it runs or when its node failed, all but the
/// lost ones when the job itself came to an end. Lost seconds are paid from the bond of the node that lost them.
pub const fn kept_secs(live_secs: u64, checkpointed_secs: u64, lost_secs: u64, job_ended: bool) -> u64 {
    if job_ended {
        live_secs.saturating_sub(lost_secs)
    } else {
        checkpointed_secs
    }
}

/// Price of a stand-by whose full price is `per_sec`, base units a second: its share rounded down, against the
/// stand-by; at least one, since nobody works for nothing.
pub const fn standby_per_sec(per_sec: u64, standby_bps: u16) -> Option<u64> {
    match share_floor(per_sec, standby_bps) {
        Some(0) => Some(1),
        share => share,
    }
}

/// The most one stand-by can cost, base units: every second at its share of the highest price, rounded up, and the
/// fee on it.
pub const fn max_standby_cost(max_per_sec: u64, max_secs: u64, standby_bps: u16, fee_bps: u16) -> Option<u64> {
    match share_ceil(max_per_sec, standby_bps) {
        Some(0) => max_lease_cost(1, max_secs, fee_bps),
        Some(per_sec) => max_lease_cost(per_sec, max_secs, fee_bps),
        None => None,
    }
}

/// The most one position of a job with `standbys` can cost, base units, whoever takes it over in the end: a fee in
/// parts is rounded up once more at each hand-over.
pub const fn max_position_cost(max_per_sec: u64, max_secs: u64, standbys: u8, fee_bps: u16) -> Option<u64> {
    match max_lease_cost(max_per_sec, max_secs, fee_bps) {
        Some(cost) => cost.checked_add(standbys as u64),
        None => None,
    }
}

/// Seconds whose fee a lease bears that both sides end early: at least those agreed, at least those a leaf proves and
/// all since it or, without one, all since the award; at most `elapsed_secs`, the length of the lease included.
pub fn mutual_fee_secs(agreed_secs: u64, live_secs: u64, since_leaf_secs: u64, elapsed_secs: u64) -> u64 {
    agreed_secs.max(live_secs.saturating_add(since_leaf_secs)).min(elapsed_secs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn meter(per_sec: u64, max_secs: u64, fee_bps: u16) -> Meter {
        Meter {
            per_sec,
            paid_secs: 0,
            gross_amount: 0,
            fee_amount: 0,
            holdback_amount: 0,
            reserve_amount: max_lease_cost(per_sec, max_secs, fee_bps).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn settling_often_costs_exactly_what_settling_once_does(
            per_sec in 0u64..1 << 30, fee_bps in 0u16..=2_000, holdback_bps in 0u16..=5_000,
            mut steps in proptest::collection::vec(0u64..10_000, 1..20),
        ) {
            steps.sort_unstable();
            let last = *steps.last().unwrap();
            let (mut often, mut once) = (meter(per_sec, last, fee_bps), meter(per_sec, last, fee_bps));
            let mut total = Payment::default();
            for step in steps {
                let paid = often.advance(step, u64::MAX, fee_bps, holdback_bps).unwrap();
                total.secs += paid.secs;
                total.net_amount += paid.net_amount;
                total.holdback_amount += paid.holdback_amount;
                total.fee_amount += paid.fee_amount;
            }
            prop_assert_eq!(once.advance(last, u64::MAX, fee_bps, holdback_bps).unwrap(), total);
            prop_assert_eq!(often, once);
        }

        #[test]
        fn the_fee_rounds_up_against_the_customer_and_the_holdback_against_the_provider(
            per_sec in 0u64..1 << 30, secs in 1u64..1 << 20, fee_bps in 0u16..=2_000, holdback_bps in 0u16..=5_000,
        ) {
            let mut lease = meter(per_sec, secs, fee_bps);
            let paid = lease.advance(secs, secs, fee_bps, holdback_bps).unwrap();
            let gross = u128::from(per_sec) * u128::from(secs);
            let is_up = |part: u64, bps: u16| {
                let (rounded, exact) = (u128::from(part) * 10_000, gross * u128::from(bps));
                rounded >= exact && rounded < exact + 10_000
            };
            prop_assert!(is_up(paid.fee_amount, fee_bps) && is_up(paid.holdback_amount, holdback_bps));
            prop_assert_eq!(u128::from(paid.net_amount + paid.holdback_amount), gross, "no second is paid in part");
        }

        #[test]
        fn the_reserve_covers_every_second_and_a_replay_pays_nothing(
            per_sec in 0u64..1 << 30, max_secs in 0u64..1 << 20, live in 0u64..1 << 20, fee_bps in 0u16..=2_000, holdback_bps in 0u16..=5_000,
        ) {
            let mut lease = meter(per_sec, max_secs, fee_bps);
            let paid = lease.advance(live, max_secs, fee_bps, holdback_bps).unwrap();
            prop_assert!(paid.secs <= live.min(max_secs));
            prop_assert_eq!(lease.advance(live, max_secs, fee_bps, holdback_bps).unwrap(), Payment::default());
        }
    }

    proptest! {
        #[test]
        fn a_position_is_covered_through_every_hand_over(
            max_per_sec in 1u64..1 << 30, max_secs in 1u64..1 << 20, fee_bps in 0u16..=2_000, holdback_bps in 0u16..=5_000,
            hands in proptest::collection::vec((0u64..=10_000, 0u64..=10_000), 1..=17),
        ) {
            let standbys = hands.len() as u8 - 1;
            let mut reserve_amount = max_position_cost(max_per_sec, max_secs, standbys, fee_bps).unwrap();
            let mut left_secs = max_secs;
            for (price, part) in hands {
                let per_sec = 1 + (max_per_sec - 1) * price / 10_000;
                let mut lease = Meter { reserve_amount, ..meter(per_sec, 0, fee_bps) };
                lease.advance(left_secs * part / 10_000, left_secs, fee_bps, holdback_bps).expect("the reserve covers it");
                // And it would have covered every second left.
                prop_assert!(lease.clone().advance(left_secs, left_secs, fee_bps, holdback_bps).is_some());
                left_secs -= lease.paid_secs;
                reserve_amount = lease.reserve_amount;
            }
        }

        #[test]
        fn a_standby_is_covered_and_never_gains_by_rounding(
            max_per_sec in 1u64..1 << 30, cheaper in 0u64..1 << 30, max_secs in 0u64..1 << 20, standby_bps in 0u16..=5_000, fee_bps in 0u16..=2_000,
        ) {
            let bid = max_per_sec.saturating_sub(cheaper).max(1);
            let per_sec = standby_per_sec(bid, standby_bps).unwrap();
            prop_assert!(per_sec >= 1);
            prop_assert!(per_sec == 1 || per_sec as u128 * 10_000 <= bid as u128 * u128::from(standby_bps));
            let cost = max_lease_cost(per_sec, max_secs, fee_bps).unwrap();
            prop_assert!(cost <= max_standby_cost(max_per_sec, max_secs, standby_bps, fee_bps).unwrap());
        }

        #[test]
        fn kept_seconds_never_fall_and_never_reach_into_lost_ones(
            live in 0u64..1 << 20, kept_part in 0u64..=100, lost_part in 0u64..=100,
        ) {
            let checkpointed = live * kept_part / 100;
            let lost = (live - checkpointed) * lost_part / 100;
            let running = kept_secs(live, checkpointed, lost, false);
            let ended = kept_secs(live, checkpointed, lost, true);
            prop_assert!(running <= ended && ended + lost <= live);
        }

        #[test]
        fn ending_early_together_never_saves_the_fee_on_what_was_proven(
            per_sec in 1u64..1 << 20, max_secs in 1u64..1 << 16, agreed in 0u64..1 << 16, live in 0u64..1 << 16, fee_bps in 0u16..=2_000,
        ) {
            let (agreed, live) = (agreed.min(max_secs), live.min(max_secs));
            let mut together = meter(per_sec, max_secs, fee_bps);
            together.advance(agreed, max_secs, fee_bps, 0).unwrap();
            together.raise_fee(mutual_fee_secs(agreed, live, 0, max_secs), fee_bps).expect("the reserve covers it");
            let mut proven = meter(per_sec, max_secs, fee_bps);
            proven.advance(live, max_secs, fee_bps, 0).unwrap();
            prop_assert!(together.fee_amount >= proven.fee_amount);
        }
    }

    #[test]
    fn an_empty_reserve_pays_nothing_rather_than_too_much() {
        let mut lease = Meter { reserve_amount: 9, ..meter(10, 0, 0) };
        assert_eq!(lease.advance(1, 1, 0, 0), None);
    }
}
