//! The proof of memory of one GPU: what it must be about, and what it shows.

use std::time::Instant;

use millrace_core::proof::deadline::{deadline_nanos, required_read_rate, required_walkers, ALLOWANCE_NANOS};
use millrace_core::proof::memory::{MemoryCommit, MemoryTask, WalkCommit};
use millrace_core::proof::Commit;

/// How far the proof of memory of an audit has come. It does not survive a restart: its clock would not either.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MemoryTest {
    /// Nothing came yet.
    #[default]
    Unfilled,
    /// The fill is committed.
    Filled {
        /// The fill.
        commit: MemoryCommit,
        /// This oracle's share of the walks.
        share: [u8; 16],
        /// When it was handed out; None until all GPUs of the node are full.
        since: Option<Instant>,
    },
    /// The walks are committed.
    Walked {
        /// The fill.
        commit: MemoryCommit,
        /// The walks.
        walks: WalkCommit,
        /// Whether they came before the deadline.
        in_time: bool,
    },
    /// The answer is checked.
    Answered {
        /// Memory that counts, MiB.
        vram_mib: u32,
    },
}

/// Why a fill is not taken. Nothing follows for the node but that its memory does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillRefusal {
    /// It is not of the GPU, the epoch and the shares of the audit.
    #[error(
        "the fill is of another task than the audit; take deployment, node, GPU, epoch, beacon and nonce of its commit"
    )]
    OtherAudit,
    /// Fewer could not be timed; more would have more time.
    #[error("{got} walkers are not what is asked for; at the speed claimed it is {needed}")]
    Walkers {
        /// Walkers of the fill.
        got: u32,
        /// What is asked for.
        needed: u32,
    },
}

/// Checks that a fill is the one that the audit of `commit` asks for, of a GPU that claims `claimed_gops`.
///
/// # Errors
/// [`FillRefusal`].
pub fn check_fill(fill: &MemoryTask, commit: &Commit, claimed_gops: u64) -> Result<(), FillRefusal> {
    let Commit { deployment_id, node, gpu_index, epoch, beacon, nonce, .. } = *commit;
    let MemoryTask { words, walkers, .. } = *fill;
    if *fill != (MemoryTask { deployment_id, node, gpu_index, epoch, beacon, nonce, words, walkers }) {
        return Err(FillRefusal::OtherAudit);
    }
    let needed = required_walkers(required_read_rate(claimed_gops));
    match walkers == needed {
        true => Ok(()),
        false => Err(FillRefusal::Walkers { got: walkers, needed }),
    }
}

/// Time there is for so many walks of a GPU that claims `claimed_gops`, nanoseconds.
pub fn time_for(walkers: u32, claimed_gops: u64) -> u64 {
    deadline_nanos(walkers, required_read_rate(claimed_gops), ALLOWANCE_NANOS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const COMMIT: Commit = Commit {
        deployment_id: [1; 32],
        node: [2; 32],
        gpu_index: 3,
        epoch: 4,
        beacon: [5; 32],
        nonce: [6; 32],
        n: 256,
        rounds: 1,
        super_root: [7; 24],
    };

    const FILL: MemoryTask = MemoryTask {
        deployment_id: [1; 32],
        node: [2; 32],
        gpu_index: 3,
        epoch: 4,
        beacon: [5; 32],
        nonce: [6; 32],
        words: 1 << 14,
        walkers: 1 << 10,
    };

    #[test]
    fn a_fill_is_of_the_audit_and_of_as_many_walkers_as_are_asked_for() {
        assert_eq!(check_fill(&FILL, &COMMIT, 1), Ok(()));
        for other in [
            MemoryTask { deployment_id: [9; 32], ..FILL },
            MemoryTask { node: [9; 32], ..FILL },
            MemoryTask { gpu_index: 0, ..FILL },
            MemoryTask { epoch: 5, ..FILL },
            MemoryTask { beacon: [9; 32], ..FILL },
            MemoryTask { nonce: [9; 32], ..FILL },
        ] {
            assert_eq!(check_fill(&other, &COMMIT, 1), Err(FillRefusal::OtherAudit));
        }
        // 500 GB/s for a second, and the fewest there are.
        for (claimed_gops, needed) in [(1, 1_024), (1_000_000, 488_281_250)] {
            assert_eq!(check_fill(&MemoryTask { walkers: needed, ..FILL }, &COMMIT, claimed_gops), Ok(()));
            for got in [needed - 1, needed + 1] {
                let refused = check_fill(&MemoryTask { walkers: got, ..FILL }, &COMMIT, claimed_gops);
                assert_eq!(refused, Err(FillRefusal::Walkers { got, needed }));
            }
        }
    }

    #[test]
    fn walks_at_the_required_rate_leave_the_network_a_quarter_of_a_second() {
        let walkers = required_walkers(required_read_rate(1_000_000));
        assert_eq!(time_for(walkers, 1_000_000).div_ceil(1_000_000), 1_250);
    }
}
