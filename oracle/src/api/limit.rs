//! How many requests one key may send: a bucket of tokens each, in bounded memory.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Keys remembered at once.
const MAX_KEYS: usize = 10_000;

/// Seconds of the long-run rate a key may spend at once.
const BURST_SECS: f64 = 5.0;

struct Bucket {
    tokens: f64,
    filled: Instant,
}

/// Limits requests by key.
pub struct RateLimit {
    per_sec: f64,
    buckets: Mutex<HashMap<[u8; 32], Bucket>>,
}

impl RateLimit {
    /// At most `per_sec` requests a second for each key in the long run.
    pub fn new(per_sec: f64) -> Self {
        Self { per_sec, buckets: Mutex::default() }
    }

    /// Whether `key` may send one more at `now`. False too when too many keys are at it.
    pub fn admits(&self, key: &[u8; 32], now: Instant) -> bool {
        let burst = (self.per_sec * BURST_SECS).max(1.0);
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let filled_by = |bucket: &Bucket| {
            let since = now.saturating_duration_since(bucket.filled).as_secs_f64();
            (bucket.tokens + since * self.per_sec).min(burst)
        };
        if buckets.len() >= MAX_KEYS && !buckets.contains_key(key) {
            // A full bucket says nothing that a new one would not.
            buckets.retain(|_, bucket| filled_by(bucket) < burst);
            if buckets.len() >= MAX_KEYS {
                return false;
            }
        }
        let bucket = buckets.entry(*key).or_insert(Bucket { tokens: burst, filled: now });
        bucket.tokens = filled_by(bucket);
        bucket.filled = now;
        let is_admitted = bucket.tokens >= 1.0;
        if is_admitted {
            bucket.tokens -= 1.0;
        }
        is_admitted
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_key_has_a_burst_and_a_rate_and_leaves_others_alone() {
        let limit = RateLimit::new(2.0);
        let now = Instant::now();
        let admitted = (0..100).filter(|_| limit.admits(&[1; 32], now)).count();
        assert_eq!(admitted, 10);
        assert!(limit.admits(&[2; 32], now));
        assert!(!limit.admits(&[1; 32], now + Duration::from_millis(400)));
        assert!(limit.admits(&[1; 32], now + Duration::from_millis(1_000)));
    }

    #[test]
    fn a_flood_of_keys_takes_bounded_memory_and_passes() {
        let limit = RateLimit::new(1.0);
        let now = Instant::now();
        let key = |number: usize| {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&(number as u64).to_le_bytes());
            key
        };
        let admitted = (0..MAX_KEYS + 50).filter(|number| limit.admits(&key(*number), now)).count();
        assert_eq!(admitted, MAX_KEYS);
        assert!(limit.admits(&[9; 32], now + Duration::from_secs(10)));
    }
}
