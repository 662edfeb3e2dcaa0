//! What the walks of the proof of memory take, and what they take of who has not the memory: when they are due.
//!
//! `docs/memory-and-bandwidth.md` derives it.

use super::memory::{MAX_WALKERS, WALK_BYTES};

/// What an oracle allows for the network between its share and the commit to the walks, nanoseconds.
pub const ALLOWANCE_NANOS: u64 = 250_000_000;
/// What the walks take at the rate that is required, nanoseconds: four times the allowance, so that it hides little.
pub const MIN_WALK_NANOS: u64 = 1_000_000_000;
/// Fewest walkers asked for, however slow a GPU is: eight for each that is opened.
pub const MIN_WALKERS: u32 = 1 << 10;
/// Random reads that are required for each gops claimed, bytes a second: half of what the card with the least memory for its
/// arithmetic reads in a row, and so about what it reads at random.
const READ_BYTES_PER_SEC_PER_GOPS: u64 = 500_000;

/// Random reads that a GPU claimed to do `claimed_gops` must do to have its memory counted, bytes a second. A model's name
/// proves nothing, so what is required follows from the speed that is measured: 990 GB/s of a card of 1,979,000 gops.
pub const fn required_read_rate(claimed_gops: u64) -> u64 {
    let rate = claimed_gops.saturating_mul(READ_BYTES_PER_SEC_PER_GOPS);
    if rate == 0 {
        READ_BYTES_PER_SEC_PER_GOPS
    } else {
        rate
    }
}

/// Walkers asked for at a required rate: they take [`MIN_WALK_NANOS`], or there are [`MIN_WALKERS`] of them.
pub const fn required_walkers(read_bytes_per_sec: u64) -> u32 {
    let walkers = read_bytes_per_sec as u128 * MIN_WALK_NANOS as u128 / (BILLION as u128 * WALK_BYTES as u128);
    if walkers > MAX_WALKERS as u128 {
        MAX_WALKERS
    } else if walkers < MIN_WALKERS as u128 {
        MIN_WALKERS
    } else {
        walkers as u32
    }
}

/// Basis points of the whole.
const WHOLE_BPS: u64 = 10_000;
const BILLION: u64 = 1_000_000_000;

/// Bytes that 10⁸ walks must fetch from elsewhere when a fraction f of the words, in basis points, is not in the card's
/// memory: `f·(1 − f)` of all they read.
///
/// Where several missing words follow each other, the other side can take over and send back what became of the walk: one
/// word crosses the link to the card for each time that a missing one is followed by one that is there. So at most a
/// quarter crosses, at f = ½. With more than half, it is the other side that does the work.
const fn fetched_bytes(missing_bps: u32) -> u64 {
    let missing = if missing_bps as u64 > WHOLE_BPS { WHOLE_BPS } else { missing_bps as u64 };
    WALK_BYTES * missing * (WHOLE_BPS - missing)
}

/// Nanoseconds that `walkers` walks take at `read_bytes_per_sec`, rounded up: the rate at which the card reads words at
/// random places. A rate of 0 takes for ever.
pub const fn walk_nanos(walkers: u32, read_bytes_per_sec: u64) -> u64 {
    if read_bytes_per_sec == 0 {
        return u64::MAX;
    }
    // At most 2³¹·2¹⁰·10⁹.
    let nano_bytes = walkers as u128 * WALK_BYTES as u128 * BILLION as u128;
    let nanos = nano_bytes.div_ceil(read_bytes_per_sec as u128);
    if nanos > u64::MAX as u128 {
        u64::MAX
    } else {
        nanos as u64
    }
}

/// When the [`WalkCommit`](super::memory::WalkCommit) is due after an oracle handed out its share: the time of the walks at
/// the rate that is required, and an allowance for the network. Nanoseconds.
pub const fn deadline_nanos(walkers: u32, read_bytes_per_sec: u64, allowance_nanos: u64) -> u64 {
    walk_nanos(walkers, read_bytes_per_sec).saturating_add(allowance_nanos)
}

/// The least time in which the walks can be done by who has a fraction of the words, in basis points, behind a link of
/// `link_bytes_per_sec`, everything else costing nothing. Nanoseconds, rounded down; for ever where there is no link.
pub const fn fetch_nanos(walkers: u32, missing_bps: u32, link_bytes_per_sec: u64) -> u64 {
    // 10⁹ nanoseconds over 10⁸ walks.
    let fetched = walkers as u128 * fetched_bytes(missing_bps) as u128 * (BILLION / (WHOLE_BPS * WHOLE_BPS)) as u128;
    match fetched.checked_div(link_bytes_per_sec as u128) {
        None if fetched == 0 => 0,
        Some(nanos) if nanos <= u64::MAX as u128 => nanos as u64,
        _ => u64::MAX,
    }
}

/// Walkers enough for whoever has a fraction of the words behind a link to be later than [`deadline_nanos`], so that the
/// allowance does not hide it: the fewest, give or take three nanoseconds of rounding. None where no number of walkers
/// is enough: the link is as good as the memory, or it would take more than [`MAX_WALKERS`].
pub const fn walkers_needed(
    read_bytes_per_sec: u64,
    link_bytes_per_sec: u64,
    missing_bps: u32,
    allowance_nanos: u64,
) -> Option<u32> {
    // P·fetched/link > P·read/rate + allowance, all times rate·link. Neither product here is above 2¹⁰⁴.
    let nano_bytes = fetched_bytes(missing_bps) * (BILLION / (WHOLE_BPS * WHOLE_BPS));
    let fetched = nano_bytes as u128 * read_bytes_per_sec as u128;
    let read = WALK_BYTES as u128 * BILLION as u128 * link_bytes_per_sec as u128;
    let gained = fetched.saturating_sub(read);
    let Some(rates) = (read_bytes_per_sec as u128).checked_mul(link_bytes_per_sec as u128) else { return None };
    let Some(allowed) = rates.checked_mul(allowance_nanos as u128 + 3) else { return None };
    match allowed.checked_div(gained) {
        Some(walkers) if walkers < MAX_WALKERS as u128 => Some(walkers as u32 + 1),
        _ => None,
    }
}
