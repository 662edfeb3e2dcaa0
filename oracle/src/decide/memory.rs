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
        /// What they took, percent of the time there was.
        walks_percent: u32,
    },
    /// The answer is checked.
    Answered(MemoryFinding),
}

/// What a proof of memory showed. The default is no proof.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryFinding {
    /// Memory filled as it should be, MiB.
    pub proven_mib: u32,
    /// What the walks took, percent of the time there was.
    pub walks_percent: u32,
}

impl MemoryFinding {
    /// Memory that counts: none whose walks came late.
    pub fn counted_mib(&self) -> u32 {
        match self.walks_percent <= 100 {
            true => self.proven_mib,
            false => 0,
        }
    }

    /// Whether another oracle may count `mib`: by its clock the walks may have taken up to twice or half as long.
    pub fn allows(&self, mib: u32) -> bool {
        (mib == self.proven_mib && self.walks_percent <= 200) || (mib == 0 && self.walks_percent >= 50)
    }

    /// What two GPUs of a node show together: each has to have the memory that is claimed for it.
    pub fn and(&self, other: &Self) -> Self {
        Self {
            proven_mib: self.proven_mib.min(other.proven_mib),
            walks_percent: self.walks_percent.max(other.walks_percent),
        }
    }
}

/// Why a fill is not taken. Nothing follows for the node but that its memory does not count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FillRefusal {
    /// It is not of the GPU, the epoch and the shares of the audit.
    #[error(
        "the fill is of another task than the audit; take deployment, node, GPU, epoch, beacon and nonce of its commit"
    )]
    OtherAudit,
    /// They would be walked too quickly to be timed.
    #[error("{got} walkers are too few; at the speed claimed it takes {needed}")]
    TooFewWalkers {
        /// Walkers of the fill.
        got: u32,
        /// Fewest.
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
    match walkers >= needed {
        true => Ok(()),
        false => Err(FillRefusal::TooFewWalkers { got: walkers, needed }),
    }
}

/// Time there is for so many walks of a GPU that claims `claimed_gops`, nanoseconds.
pub fn time_for(walkers: u32, claimed_gops: u64) -> u64 {
    deadline_nanos(walkers, required_read_rate(claimed_gops), ALLOWANCE_NANOS)
}

/// `nanos` in percent of `of`, rounded up.
pub fn percent(nanos: u64, of: u64) -> u32 {
    let percent = (u128::from(nanos) * 100).div_ceil(u128::from(of.max(1)));
    u32::try_from(percent).unwrap_or(u32::MAX)
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
    fn a_fill_is_of_the_audit_and_of_walkers_enough() {
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
        let few = MemoryTask { walkers: 1_023, ..FILL };
        assert_eq!(check_fill(&few, &COMMIT, 1), Err(FillRefusal::TooFewWalkers { got: 1_023, needed: 1_024 }));
        // 500 GB/s for a second.
        let needed = 488_281_250;
        assert_eq!(check_fill(&FILL, &COMMIT, 1_000_000), Err(FillRefusal::TooFewWalkers { got: 1_024, needed }));
        assert_eq!(check_fill(&MemoryTask { walkers: needed, ..FILL }, &COMMIT, 1_000_000), Ok(()));
    }

    #[test]
    fn walks_at_the_required_rate_leave_the_network_a_quarter_of_a_second() {
        let walkers = required_walkers(required_read_rate(1_000_000));
        assert_eq!(time_for(walkers, 1_000_000).div_ceil(1_000_000), 1_250);
        assert_eq!((percent(0, 9), percent(9, 9), percent(10, 9), percent(5, 0)), (0, 100, 112, 500));
    }

    #[test]
    fn memory_counts_when_its_walks_were_in_time_and_oracles_may_differ_by_a_factor_of_two() {
        let finding = |walks_percent| MemoryFinding { proven_mib: 64, walks_percent };
        for (percent, counted, allows_it, allows_none) in [
            (49, 64, true, false),
            (50, 64, true, true),
            (100, 64, true, true),
            (101, 0, true, true),
            (201, 0, false, true),
        ] {
            let finding = finding(percent);
            assert_eq!(finding.counted_mib(), counted, "at {percent} %");
            assert_eq!((finding.allows(64), finding.allows(0)), (allows_it, allows_none), "at {percent} %");
            assert!(!finding.allows(63) && !finding.allows(65), "at {percent} %");
        }
        let none = MemoryFinding::default();
        assert!(none.allows(0) && !none.allows(1) && none.counted_mib() == 0);
    }

    #[test]
    fn a_node_has_what_each_of_its_gpus_has() {
        let one = MemoryFinding { proven_mib: 64, walks_percent: 30 };
        let other = MemoryFinding { proven_mib: 60, walks_percent: 120 };
        assert_eq!(one.and(&other), MemoryFinding { proven_mib: 60, walks_percent: 120 });
        assert_eq!(one.and(&MemoryFinding::default()).counted_mib(), 0);
    }
}
