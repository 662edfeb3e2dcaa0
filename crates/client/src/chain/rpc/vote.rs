//! What several endpoints say, made into one answer. Pure: no clock, no network.
//!
//! The bar is a strict majority of the endpoints that are configured, not of those that happened to answer: where
//! fewer than half of them lie, no lie is believed, however many of the others are silent.

use crate::chain::BLOCKHASH_BLOCKS;

/// Blocks by which honest endpoints may differ at one moment, and still be taken for the same chain: half a minute.
const SPREAD_BLOCKS: u64 = 75;

/// How many of `configured` endpoints are more than half of them.
pub fn majority(configured: usize) -> usize {
    configured / 2 + 1
}

/// The answer that a strict majority of `configured` endpoints gave.
pub fn agreed<T: PartialEq>(answers: &[T], configured: usize) -> Option<&T> {
    let alike = |answer: &T| answers.iter().filter(|other| *other == answer).count();
    answers.iter().find(|answer| alike(answer) >= majority(configured))
}

/// The last block height at which a blockhash may be used, never below the true one. `heights` are those of the
/// endpoints that hold the blockhash valid, each asked for its height after that.
///
/// The highest height counts that a strict majority of `configured` endpoints stands at or shortly below. One of them is
/// honest and has seen the blockhash's block, so the true last height is at most 150 above it; one that is alone far
/// above has no say, nor has one that is far below.
pub fn last_valid_block_height(heights: &[u64], configured: usize) -> Option<u64> {
    let company = |height: u64| {
        heights.iter().filter(|other| (height.saturating_sub(SPREAD_BLOCKS)..=height).contains(*other)).count()
    };
    let height = heights.iter().copied().filter(|height| company(*height) >= majority(configured)).max()?;
    height.checked_add(BLOCKHASH_BLOCKS)
}

/// The highest slot that a strict majority of `configured` endpoints has reached.
pub fn common_slot(slots: &[u64], configured: usize) -> Option<u64> {
    let mut highest_first = slots.to_vec();
    highest_first.sort_unstable_by(|a, b| b.cmp(a));
    highest_first.get(majority(configured).saturating_sub(1)).copied()
}

/// The middle of what endpoints say; of two middles the lower. `None` without any.
pub fn median(numbers: &[u64]) -> Option<u64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().saturating_sub(1) / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chain::Fate;
    use crate::TransactionError;
    use proptest::prelude::*;

    fn fate(votes: &[Fate], configured: usize) -> Fate {
        agreed(votes, configured).cloned().unwrap_or(Fate::Open)
    }

    #[test]
    fn a_majority_is_of_all_that_are_configured() {
        assert_eq!([1, 2, 3, 4, 5].map(majority), [1, 2, 2, 3, 3]);
        assert_eq!(agreed(&["a", "b", "a"], 3), Some(&"a"));
        assert_eq!(agreed(&["a", "a"], 3), Some(&"a"));
        assert_eq!(agreed(&["a"], 3), None, "one of three answered: that is no majority");
        assert_eq!(agreed(&["a", "a"], 4), None);
        assert_eq!(agreed(&["a"], 1), Some(&"a"));
        assert_eq!(agreed::<u8>(&[], 1), None);
    }

    #[test]
    fn an_end_without_a_majority_is_open() {
        let failed = |code| {
            Fate::Failed(TransactionError::InstructionError(
                0,
                solana_instruction::error::InstructionError::Custom(code),
            ))
        };
        for (votes, configured, fate_of_all) in [
            (vec![Fate::Expired, Fate::Landed, Fate::Open], 3, Fate::Open),
            (vec![Fate::Expired], 2, Fate::Open),
            (vec![Fate::Expired], 1, Fate::Expired),
            (vec![Fate::Expired, Fate::Expired, Fate::Landed], 3, Fate::Expired),
            (vec![Fate::Landed, Fate::Landed], 3, Fate::Landed),
            (vec![failed(1), failed(2)], 3, Fate::Open),
            (vec![failed(1), failed(1)], 3, failed(1)),
            (vec![], 3, Fate::Open),
        ] {
            assert_eq!(fate(&votes, configured), fate_of_all, "{votes:?} of {configured}");
        }
    }

    #[test]
    fn who_is_alone_far_above_or_below_has_no_say_in_the_last_height() {
        assert_eq!(last_valid_block_height(&[1_000, 1_002, 999_999], 3), Some(1_152));
        assert_eq!(last_valid_block_height(&[1_000, 3], 3), None, "nobody knows which of the two is right");
        assert_eq!(last_valid_block_height(&[1_000, 1_001, 3], 3), Some(1_151));
        assert_eq!(last_valid_block_height(&[1_000], 3), None);
        assert_eq!(last_valid_block_height(&[1_000], 1), Some(1_150));
        assert_eq!(last_valid_block_height(&[u64::MAX], 1), None);
    }

    #[test]
    fn the_common_slot_is_one_that_most_have_reached() {
        assert_eq!(common_slot(&[10, 99, 12], 3), Some(12));
        assert_eq!(common_slot(&[10, 99], 3), Some(10));
        assert_eq!(common_slot(&[10], 3), None);
        assert_eq!((median(&[9, 1, 5]), median(&[1, 9]), median(&[])), (Some(5), Some(1), None));
    }

    /// An odd number of endpoints of which fewer than half lie, and how many lie.
    fn crowd() -> impl Strategy<Value = (usize, usize)> {
        (0usize..4).prop_flat_map(|faulty| (Just(2 * faulty + 1), 0..=faulty))
    }

    fn any_fate() -> impl Strategy<Value = Fate> {
        prop_oneof![
            Just(Fate::Landed),
            Just(Fate::Failed(TransactionError::AccountNotFound)),
            Just(Fate::Open),
            Just(Fate::Expired)
        ]
    }

    proptest! {
        /// Honest endpoints see the truth or have not seen it yet; liars and silence never make another end of it.
        #[test]
        fn a_minority_of_liars_never_makes_an_end(
            (configured, liars) in crowd(),
            truth in any_fate(),
            lies in prop::collection::vec(any_fate(), 8),
            behind in prop::collection::vec(any::<(bool, bool)>(), 8),
        ) {
            let mut votes = lies[..liars].to_vec();
            for (is_silent, is_behind) in &behind[..configured - liars] {
                match (is_silent, is_behind) {
                    (true, _) => {}
                    (_, true) => votes.push(Fate::Open),
                    _ => votes.push(truth.clone()),
                }
            }
            let verdict = fate(&votes, configured);
            prop_assert!(verdict == truth || verdict == Fate::Open, "{votes:?} of {configured} made {verdict:?}");
        }

        /// Whatever a minority says of its height, the height noted is never below the true last one, and is not far above.
        #[test]
        fn a_minority_of_liars_never_makes_an_early_last_height(
            (configured, liars) in crowd(),
            block in 1_000u64..1_000_000,
            lies in prop::collection::vec(any::<u64>(), 8),
            ahead in prop::collection::vec((any::<bool>(), 0u64..20), 8),
        ) {
            let honest = ahead[..configured - liars].iter().filter(|(answers, _)| *answers).map(|(_, ahead)| block + ahead);
            let heights: Vec<u64> = lies[..liars].iter().copied().chain(honest).collect();
            if let Some(last) = last_valid_block_height(&heights, configured) {
                prop_assert!(last >= block + BLOCKHASH_BLOCKS);
                prop_assert!(last <= block + 20 + SPREAD_BLOCKS + BLOCKHASH_BLOCKS);
            }
        }
    }
}
