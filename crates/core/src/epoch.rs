//! The clock of the network: one report an epoch. Instants are unix seconds, spans seconds.

/// The epoch at `now`: `base_epoch + (now − base_at) / epoch_secs`. `None` before `base_at` or when
/// `epoch_secs` is not positive. Rebased on a change of `epoch_secs`, so it never decreases.
pub const fn epoch_at(base_epoch: u64, base_at: i64, epoch_secs: i64, now: i64) -> Option<u64> {
    if epoch_secs <= 0 || now < base_at {
        return None;
    }
    base_epoch.checked_add((now - base_at) as u64 / epoch_secs as u64)
}

/// The instant `epoch` begins. `None` for an epoch before `base_epoch` or out of range.
pub const fn epoch_starts_at(base_epoch: u64, base_at: i64, epoch_secs: i64, epoch: u64) -> Option<i64> {
    let Some(since) = epoch.checked_sub(base_epoch) else { return None };
    if since > i64::MAX as u64 {
        return None;
    }
    let Some(span) = (since as i64).checked_mul(epoch_secs) else { return None };
    base_at.checked_add(span)
}

/// Epochs a fraud can still be proven after it was committed, and the length of the beacon ring.
pub const FRAUD_WINDOW_EPOCHS: u64 = 1_024;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn an_epoch_begins_at_its_start_and_not_before(base in 0u64..1 << 40, at in 0i64..1 << 40, secs in 1i64..100_000, n in 0u64..1 << 20) {
            let starts_at = epoch_starts_at(base, at, secs, base + n).unwrap();
            prop_assert_eq!(epoch_at(base, at, secs, starts_at), Some(base + n));
            if n > 0 {
                prop_assert_eq!(epoch_at(base, at, secs, starts_at - 1), Some(base + n - 1));
            }
        }
    }
}
