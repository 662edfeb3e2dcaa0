//! How well one endpoint is. Pure: the caller brings the clock.

use std::time::Duration;

use tokio::time::Instant;

/// Rest after the first failure in a row; each further one doubles it.
const FIRST_REST: Duration = Duration::from_millis(250);
/// Longest rest.
const MAX_REST: Duration = Duration::from_secs(15);
/// How often the first rest is doubled before it is longer than any.
const MAX_DOUBLINGS: u32 = 6;
/// Slots an endpoint may differ from what most have reached, in either direction: ten seconds.
const MAX_APART_SLOTS: u64 = 25;

/// How well one endpoint is.
#[derive(Clone, Copy, Debug, Default)]
pub struct Health {
    failures: u32,
    rests_until: Option<Instant>,
    /// Its slot less the common one, when both were last asked.
    ahead_slots: i64,
}

impl Health {
    /// It answered, be it with a refusal.
    pub fn answered(&mut self) {
        (self.failures, self.rests_until) = (0, None);
    }

    /// It did not answer, or said that it is asked too often.
    pub fn failed(&mut self, now: Instant) {
        let rest = FIRST_REST.saturating_mul(1 << self.failures.min(MAX_DOUBLINGS)).min(MAX_REST);
        self.failures = self.failures.saturating_add(1);
        self.rests_until = now.checked_add(rest);
    }

    /// Its slot and the one that most endpoints have reached, asked at one moment.
    pub fn compared(&mut self, slot: u64, common: u64) {
        self.ahead_slots = i64::try_from(i128::from(slot) - i128::from(common)).unwrap_or(i64::MAX);
    }

    /// Slots it was behind the common one when last asked.
    pub fn behind_slots(&self) -> u64 {
        u64::try_from(self.ahead_slots.saturating_neg()).unwrap_or(0)
    }

    /// Whether it is left alone for now.
    pub fn rests(&self, now: Instant) -> bool {
        self.rests_until.is_some_and(|until| now < until)
    }

    /// Whether it is asked before others.
    pub fn is_well(&self, now: Instant) -> bool {
        !self.rests(now) && self.ahead_slots.unsigned_abs() <= MAX_APART_SLOTS
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_grow_with_failures_in_a_row_up_to_a_cap_and_one_answer_ends_them() {
        let now = Instant::now();
        let mut health = Health::default();
        assert!(health.is_well(now));
        let mut rests = Vec::new();
        for _ in 0..40 {
            health.failed(now);
            let until = health.rests_until.unwrap();
            assert!(health.rests(now) && !health.is_well(now) && !health.rests(until));
            rests.push((until - now).as_millis());
        }
        assert_eq!(rests[..8], [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]);
        assert_eq!(rests[39], 15_000);
        health.answered();
        assert!(health.is_well(now));
        health.failed(now);
        assert_eq!(health.rests_until.unwrap() - now, FIRST_REST, "the count began anew");
    }

    #[test]
    fn who_is_far_from_the_others_is_not_well_in_either_direction() {
        let now = Instant::now();
        let mut health = Health::default();
        for (slot, is_well, behind) in [
            (1_000, true, 0),
            (975, true, 25),
            (974, false, 26),
            (1_026, false, 0),
            (u64::MAX, false, 0),
            (0, false, 1_000),
        ] {
            health.compared(slot, 1_000);
            assert_eq!((health.is_well(now), health.behind_slots()), (is_well, behind), "at slot {slot}");
            assert!(!health.rests(now), "it still answers questions of money");
        }
    }
}
