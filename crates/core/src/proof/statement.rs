//! What an oracle states and signs of what it alone could see, and the figure that a quorum's statements give.

use super::{commit::take, memory::joined};

/// Bytes of an encoded [`MemoryStatement`], which is also the message that the oracle signs.
pub const MEMORY_STATEMENT_LEN: usize = 8 + 32 + 32 + 32 + 4;

const TAG: &[u8; 8] = b"MRmemsay";

/// Memory of one GPU as one oracle saw it proven, in time by its own clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryStatement {
    /// Fixed in `Config`; no other deployment or cluster has it.
    pub deployment_id: [u8; 32],
    /// The oracle that states it, and signs.
    pub oracle: [u8; 32],
    /// [`super::Commit::id`] of the audit it was proven in.
    pub commit_id: [u8; 32],
    /// Memory that counts, MiB; 0 when it was proven too late, or wrongly.
    pub vram_mib: u32,
}

impl MemoryStatement {
    /// The one encoding: `MRmemsay`, then the fields in their order.
    pub fn to_bytes(&self) -> [u8; MEMORY_STATEMENT_LEN] {
        joined(&[TAG, &self.deployment_id, &self.oracle, &self.commit_id, &self.vram_mib.to_le_bytes()])
    }

    /// Reads [`MemoryStatement::to_bytes`]; None of anything else.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes.strip_prefix(TAG).filter(|_| bytes.len() == MEMORY_STATEMENT_LEN)?;
        Some(Self {
            deployment_id: take(&mut rest),
            oracle: take(&mut rest),
            commit_id: take(&mut rest),
            vram_mib: u32::from_le_bytes(take(&mut rest)),
        })
    }
}

/// Whether oracles of this weight are a quorum of all: `weight × 10,000 > quorum_bps × total_weight`.
pub fn is_quorum(weight: u64, total_weight: u64, quorum_bps: u16) -> bool {
    u128::from(weight) * 10_000 > u128::from(quorum_bps) * u128::from(total_weight)
}

/// The largest figure that a quorum states, or more: `(weight, figure)` of each oracle that stated one; 0 when too few did.
/// Sorts `stated`.
///
/// Whoever is left out counts as 0, so nothing is gained by leaving out the oracle with the lowest figure.
pub fn quorum_figure(stated: &mut [(u64, u32)], total_weight: u64, quorum_bps: u16) -> u32 {
    stated.sort_unstable_by_key(|(_, figure)| core::cmp::Reverse(*figure));
    let mut weight = 0u64;
    for (of_one, figure) in stated {
        weight = weight.saturating_add(*of_one);
        if is_quorum(weight, total_weight, quorum_bps) {
            return *figure;
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_statement_has_one_encoding() {
        let statement =
            MemoryStatement { deployment_id: [1; 32], oracle: [2; 32], commit_id: [3; 32], vram_mib: 0x0403_0201 };
        let bytes = statement.to_bytes();
        assert_eq!((&bytes[..8], &bytes[104..]), (&b"MRmemsay"[..], &[1, 2, 3, 4][..]));
        assert_eq!(MemoryStatement::from_bytes(&bytes), Some(statement));
        assert_eq!(MemoryStatement::from_bytes(&bytes[..107]), None);
        assert_eq!(MemoryStatement::from_bytes(&[&bytes[..], &[0]].concat()), None);
        let mut other = bytes;
        other[0] = 0;
        assert_eq!(MemoryStatement::from_bytes(&other), None);
    }

    #[test]
    fn the_figure_is_what_a_quorum_states_at_least() {
        let figure = |stated: &[(u64, u32)]| quorum_figure(&mut stated.to_vec(), 5, 6_000);
        assert_eq!(figure(&[]), 0);
        assert_eq!(figure(&[(1, 9), (1, 9), (1, 9)]), 0, "three of five are no quorum of 60%");
        assert_eq!(figure(&[(1, 9), (1, 7), (1, 9), (1, 8)]), 7);
        assert_eq!(figure(&[(1, 9), (1, 7), (1, 9), (1, 8), (1, 0)]), 7, "one that saw nothing lowers nothing");
        assert_eq!(figure(&[(1, 9), (1, 7), (1, 9), (1, 0), (1, 0)]), 0);
        assert_eq!(figure(&[(4, 9), (1, 7)]), 9, "by weight");
    }

    proptest! {
        #[test]
        fn less_than_a_quorum_raises_it_by_nothing(honest in 0u32..100, lies in proptest::collection::vec(any::<u32>(), 3)) {
            // Three of five lie: the other two state what they saw.
            let mut stated: Vec<_> = lies.iter().map(|lie| (1, *lie)).chain([(1, honest), (1, honest)]).collect();
            prop_assert!(quorum_figure(&mut stated, 5, 6_000) <= honest);
        }

        #[test]
        fn leaving_an_oracle_out_raises_nothing(stated in proptest::collection::vec((1u64..9, any::<u32>()), 1..9)) {
            let total = stated.iter().map(|(weight, _)| weight).sum();
            let all = quorum_figure(&mut stated.clone(), total, 6_000);
            for i in 0..stated.len() {
                let mut fewer = stated.clone();
                fewer.remove(i);
                prop_assert!(quorum_figure(&mut fewer, total, 6_000) <= all);
            }
        }
    }
}
