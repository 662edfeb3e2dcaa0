//! When a node that stands by takes over.

use std::collections::HashMap;

use millrace::state::Lease;
use millrace_client::lease::stands_by;
use millrace_client::Pubkey;

/// Time each stand-by leaves to those that stand before it, seconds: two that send for one position pay a fee for nothing.
const TURN_SECS: i64 = 3;

/// Whether a stand-by may take over from `lease`, by the rules of the program.
fn is_vacant(lease: &Lease, now: i64) -> bool {
    lease.is_failed_member()
        && lease.is_replaced == 0
        && lease.stop_at == 0
        && lease.max_secs > lease.paid_secs
        && now < lease.closes_at()
}

/// The failed lease that `own`, which stands by, takes over now. `others` are leases of any job. The stand-bys of a job have
/// their turns in the order of their indices, beginning when the lease was settled as failed.
pub fn takes_over(own: &Lease, others: &HashMap<Pubkey, Lease>, now: i64) -> Option<Pubkey> {
    if !stands_by(own) {
        return None;
    }
    let of_job = || others.iter().filter(|(_, other)| other.job == own.job);
    let before = of_job().filter(|(_, other)| stands_by(other) && other.index < own.index).count();
    let patience_secs = TURN_SECS.saturating_mul(i64::try_from(before).unwrap_or(i64::MAX));
    of_job()
        .filter(|(_, other)| is_vacant(other, now) && now >= other.ended_at.saturating_add(patience_secs))
        .min_by_key(|(_, other)| other.index)
        .map(|(key, _)| *key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use millrace::state::{LeaseRole, LeaseState, Tier};

    const JOB: Pubkey = Pubkey::new_from_array([1; 32]);
    const NOW: i64 = 500;

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    fn stand_by(index: u8) -> Lease {
        let (role, state) = (LeaseRole::StandBy as u8, LeaseState::Active as u8);
        Lease { job: JOB, index, role, state, tier: Tier::Guaranteed as u8, max_secs: 60, ..Lease::zeroed() }
    }

    fn failed(index: u8) -> Lease {
        let (role, state) = (LeaseRole::Member as u8, LeaseState::NodeFailed as u8);
        let mut lease = Lease { role, state, ended_at: NOW, paid_secs: 59, ..stand_by(index) };
        lease.terms.dispute_window_secs = 50;
        lease
    }

    fn takes(own: Lease, others: impl IntoIterator<Item = Lease>, now: i64) -> Option<Pubkey> {
        let others = (10..).map(key).zip(others).collect();
        takes_over(&own, &others, now)
    }

    #[test]
    fn the_first_failed_position_is_taken_over_at_once() {
        assert_eq!(takes(stand_by(2), [failed(1), failed(0)], NOW), Some(key(11)));
    }

    #[test]
    fn nothing_is_taken_over_that_the_program_would_refuse() {
        let running = Lease { state: LeaseState::Active as u8, ..failed(0) };
        for (why, other) in [
            ("it runs", running),
            ("it is replaced", Lease { is_replaced: 1, ..failed(0) }),
            ("its customer stopped it", Lease { stop_at: 400, ..failed(0) }),
            ("nothing is left to do", Lease { paid_secs: 60, ..failed(0) }),
            ("it is of another job", Lease { job: key(2), ..failed(0) }),
            ("it is Spot", Lease { tier: Tier::Spot as u8, ..failed(0) }),
            ("it stood by", Lease { role: LeaseRole::StandBy as u8, ..failed(0) }),
        ] {
            assert_eq!(takes(stand_by(1), [other], NOW), None, "{why}");
        }
        assert_eq!(takes(stand_by(1), [failed(0)], NOW + 49), Some(key(10)));
        assert_eq!(takes(stand_by(1), [failed(0)], NOW + 50), None, "the dispute window is over");
    }

    #[test]
    fn who_works_or_was_asked_to_stop_takes_nothing_over() {
        assert_eq!(takes(Lease { role: LeaseRole::Member as u8, ..stand_by(1) }, [failed(0)], NOW), None);
        assert_eq!(takes(Lease { stop_at: 400, ..stand_by(1) }, [failed(0)], NOW), None);
        assert_eq!(takes(Lease { state: LeaseState::Stopped as u8, ..stand_by(1) }, [failed(0)], NOW), None);
    }

    #[test]
    fn stand_bys_have_their_turns_so_that_a_silent_one_stops_nobody() {
        let before_it = [failed(0), stand_by(1), Lease { job: key(2), ..stand_by(2) }];
        assert_eq!(takes(stand_by(3), before_it, NOW + 2), None);
        assert_eq!(takes(stand_by(3), before_it, NOW + 3), Some(key(10)));
        let none_left = [failed(0), Lease { stop_at: 400, ..stand_by(1) }];
        assert_eq!(takes(stand_by(3), none_left, NOW), Some(key(10)));
    }
}
