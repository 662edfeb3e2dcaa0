//! What a lease owes for the seconds others saw it live.

use crate::money::share_ceil;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::money::max_lease_cost;
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
        fn the_reserve_covers_every_second_and_a_replay_pays_nothing(
            per_sec in 0u64..1 << 30, max_secs in 0u64..1 << 20, live in 0u64..1 << 20, fee_bps in 0u16..=2_000, holdback_bps in 0u16..=5_000,
        ) {
            let mut lease = meter(per_sec, max_secs, fee_bps);
            let paid = lease.advance(live, max_secs, fee_bps, holdback_bps).unwrap();
            prop_assert!(paid.secs <= live.min(max_secs));
            prop_assert_eq!(lease.advance(live, max_secs, fee_bps, holdback_bps).unwrap(), Payment::default());
        }
    }

    #[test]
    fn an_empty_reserve_pays_nothing_rather_than_too_much() {
        let mut lease = Meter { reserve_amount: 9, ..meter(10, 0, 0) };
        assert_eq!(lease.advance(1, 1, 0, 0), None);
    }
}
