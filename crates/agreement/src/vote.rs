//! One epoch's vote, seen from one seat: whose report it signs, and when.
//!
//! A seat follows what it sees signed on chain, never what it is merely shown: the program takes one root an epoch from each
//! seat, so a proposer cannot show every seat another report.

use std::cmp::Reverse;

use millrace_core::hash::sha256;

/// The seat that proposes first: drawn by the beacon of the epoch, or the epoch's number modulo the seats where its beacon
/// was missed. `None` without seats.
pub fn first_proposer(epoch: u64, beacon: Option<&[u8; 32]>, seats: u8) -> Option<u8> {
    let seats = u64::from(seats);
    // Hashed, since not every network's beacons differ in all their bytes.
    let chance = beacon.map_or(epoch, |hash| {
        let drawn = sha256(&[b"millrace first proposer", &epoch.to_le_bytes(), hash]);
        let mut head = [0; 8];
        head.copy_from_slice(&drawn[..8]);
        u64::from_le_bytes(head)
    });
    chance.checked_rem(seats).map(|seat| seat as u8)
}

/// What a vote needs to know of a report.
pub trait Report: Clone {
    /// What is signed.
    type Root: Copy + Eq;

    /// The root of its leaves.
    fn root(&self) -> Self::Root;
}

impl Report for crate::LeafSet {
    type Root = millrace_core::merkle::TreeNode;

    fn root(&self) -> Self::Root {
        Self::root(self)
    }
}

/// What does not change while an epoch is voted on.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Terms {
    /// This seat.
    pub seat: u8,
    /// Weight of each seat.
    pub weights: Vec<u64>,
    /// Seat that proposes first.
    pub first: u8,
    /// Time a proposer has before the next may propose too, milliseconds.
    pub fallback_millis: u64,
    /// Whether this process was up when the epoch ended. If not, an earlier one may have signed what no journal here tells
    /// of: a backup was put back, the disk was lost. Then only what the journal holds is signed.
    pub was_up: bool,
}

impl Terms {
    /// Weight of `seat`; zero where there is none.
    pub fn weight(&self, seat: u8) -> u64 {
        self.weights.get(usize::from(seat)).copied().unwrap_or(0)
    }
}

/// The chain as last seen, and the time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Look<Root> {
    /// Time since the epoch ended, by this oracle's clock, milliseconds.
    pub elapsed_millis: u64,
    /// The root each seat signed for the epoch.
    pub signed: Vec<Option<Root>>,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step<R, Root> {
    /// This seat's signature is on chain.
    Done,
    /// Sign this on chain.
    Sign(R),
    /// Ask these seats for the leaves of what they signed and give the answers to [`Vote::choose`]. If none will do and
    /// `is_due`, it is this seat's turn: ask others for what they saw and propose. May be neither: wait for the next look.
    Ask {
        /// Seats and the roots they signed, best first.
        roots: Vec<(u8, Root)>,
        /// Whether this seat may propose.
        is_due: bool,
    },
}

/// An epoch's vote. What was chosen is written down by the caller before [`Vote::keep`], and given back after a restart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Vote<R> {
    terms: Terms,
    kept: Option<R>,
}

impl<R: Report> Vote<R> {
    /// A vote on these terms, with what was written down before.
    pub fn new(terms: Terms, kept: Option<R>) -> Self {
        Self { terms, kept }
    }

    /// The report chosen, if one is: shown to whoever asks. It never changes.
    pub fn kept(&self) -> Option<&R> {
        self.kept.as_ref()
    }

    /// Takes the report that was written down. The first one stands.
    pub fn keep(&mut self, report: R) {
        self.kept.get_or_insert(report);
    }

    /// What to do now.
    pub fn step(&self, look: &Look<R::Root>) -> Step<R, R::Root> {
        let own = look.signed.get(usize::from(self.terms.seat)).copied().flatten();
        match (&self.kept, own) {
            // The chain knows better than any journal.
            (_, Some(_)) => Step::Done,
            (Some(kept), None) => Step::Sign(kept.clone()),
            (None, None) if self.terms.was_up => {
                let is_due = self.is_due(self.terms.seat, look);
                Step::Ask { roots: self.candidates(look), is_due }
            }
            (None, None) => Step::Ask { roots: Vec::new(), is_due: false },
        }
    }

    /// The report to write down and sign, and the seat it is from: the first answer that is what that seat signed, and that this
    /// seat agrees with.
    pub fn choose<'a>(
        &self,
        roots: &[(u8, R::Root)],
        answer: impl Fn(u8) -> Option<&'a R>,
        mut agrees: impl FnMut(u8, &R) -> bool,
    ) -> Option<(u8, &'a R)> {
        let shown =
            |(seat, root): &(u8, R::Root)| Some((*seat, answer(*seat).filter(|report| report.root() == *root)?));
        roots.iter().filter_map(shown).find(|(seat, report)| agrees(*seat, report))
    }

    /// What others signed and may be followed, the heaviest root first, then in the order of their turns: once a vote is cast,
    /// following it reaches quorum and anything else splits it. A root may be followed if a seat whose turn has come signed
    /// it, or more than a third of the weight: else a seat that signs early, out of turn, would split the vote at will.
    fn candidates(&self, look: &Look<R::Root>) -> Vec<(u8, R::Root)> {
        let total: u128 = self.terms.weights.iter().map(|weight| u128::from(*weight)).sum();
        let signed: Vec<(u8, u128, R::Root)> = (0u8..)
            .zip(look.signed.iter().zip(&self.terms.weights))
            .filter_map(|(seat, (root, weight))| Some((seat, u128::from(*weight), (*root)?)))
            .collect();
        let weight_of = |root: R::Root| -> u128 {
            signed.iter().filter(|(_, _, other)| *other == root).map(|(_, weight, _)| weight).sum()
        };
        let may_follow = |root: R::Root| {
            let had_turn = |(seat, _, other): &(u8, u128, R::Root)| *other == root && self.is_due(*seat, look);
            weight_of(root).saturating_mul(3) > total || signed.iter().any(had_turn)
        };
        let mut roots: Vec<(u8, R::Root)> =
            signed.iter().filter(|(_, _, root)| may_follow(*root)).map(|(seat, _, root)| (*seat, *root)).collect();
        roots.sort_unstable_by_key(|(seat, root)| (Reverse(weight_of(*root)), self.rank(*seat)));
        roots
    }

    /// Places between the first proposer and `seat`.
    fn rank(&self, seat: u8) -> u8 {
        let seats = u16::try_from(self.terms.weights.len().max(1)).unwrap_or(u16::MAX);
        ((u16::from(seat) + seats - u16::from(self.terms.first) % seats) % seats) as u8
    }

    fn is_due(&self, seat: u8, look: &Look<R::Root>) -> bool {
        u64::from(self.rank(seat)).saturating_mul(self.terms.fallback_millis) <= look.elapsed_millis
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report that is nothing but its root.
    type Root = u8;

    impl Report for Root {
        type Root = Root;

        fn root(&self) -> Root {
            *self
        }
    }

    /// Seat `seat` of five that weigh one each, in an epoch whose first proposer is seat 2.
    fn vote(seat: u8) -> Vote<Root> {
        Vote::new(Terms { seat, weights: vec![1; 5], first: 2, fallback_millis: 600, was_up: true }, None)
    }

    fn look(elapsed_millis: u64, signed: &[(u8, Root)]) -> Look<Root> {
        let mut all = vec![None; 5];
        signed.iter().for_each(|(seat, root)| all[usize::from(*seat)] = Some(*root));
        Look { elapsed_millis, signed: all }
    }

    fn asked(vote: &Vote<Root>, look: &Look<Root>) -> (Vec<u8>, bool) {
        match vote.step(look) {
            Step::Ask { roots, is_due } => (roots.into_iter().map(|(seat, _)| seat).collect(), is_due),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_beacon_names_the_proposer_and_a_missed_one_is_no_gap() {
        let hash = [7; 32];
        let drawn: std::collections::BTreeSet<Option<u8>> =
            (0..50).map(|epoch| first_proposer(epoch, Some(&hash), 8)).collect();
        assert_eq!(drawn.len(), 8, "beacons that are alike name all seats in turn");
        assert_eq!(first_proposer(9, None, 3), Some(0));
        assert_eq!(first_proposer(9, None, 0), None);
    }

    #[test]
    fn the_next_seat_proposes_after_each_timeout() {
        assert_eq!(asked(&vote(2), &look(0, &[])), (vec![], true));
        assert_eq!(asked(&vote(3), &look(599, &[])), (vec![], false));
        assert_eq!(asked(&vote(3), &look(600, &[])), (vec![], true));
        assert_eq!(asked(&vote(0), &look(1_799, &[])), (vec![], false));
        assert_eq!(asked(&vote(1), &look(u64::MAX, &[])), (vec![], true));
    }

    #[test]
    fn a_root_is_followed_once_a_seat_whose_turn_it_is_has_signed_it() {
        assert_eq!(asked(&vote(0), &look(0, &[(2, 9)])), (vec![2], false));
        assert_eq!(asked(&vote(0), &look(599, &[(3, 9)])), (vec![], false), "its turn has not come");
        assert_eq!(asked(&vote(0), &look(600, &[(3, 9)])), (vec![3], false));
        assert_eq!(asked(&vote(2), &look(700, &[(3, 9)])), (vec![3], true), "the late proposer follows too");
        assert_eq!(asked(&vote(0), &look(600, &[(3, 9), (2, 8)])), (vec![2, 3], false), "in the order of their turns");
    }

    #[test]
    fn a_root_signed_out_of_turn_is_followed_at_more_than_a_third() {
        assert_eq!(asked(&vote(0), &look(0, &[(4, 9)])), (vec![], false));
        assert_eq!(asked(&vote(0), &look(0, &[(4, 9), (1, 9)])), (vec![4, 1], false));
    }

    #[test]
    fn the_heaviest_root_comes_first() {
        let split = look(0, &[(2, 1), (3, 3), (4, 3)]);
        assert_eq!(asked(&vote(0), &split), (vec![3, 4, 2], false));
    }

    #[test]
    fn what_was_kept_is_signed_until_the_chain_has_it_and_never_another() {
        let mut vote = vote(0);
        vote.keep(7);
        vote.keep(8);
        assert_eq!(vote.step(&look(0, &[(2, 9)])), Step::Sign(7));
        assert_eq!(vote.step(&look(0, &[(0, 7)])), Step::Done);
    }

    #[test]
    fn a_process_that_was_not_there_signs_what_is_written_down_or_nothing() {
        let terms = Terms { was_up: false, ..vote(2).terms };
        assert_eq!(asked(&Vote::new(terms.clone(), None), &look(900, &[(3, 9)])), (vec![], false));
        assert_eq!(Vote::new(terms.clone(), Some(7)).step(&look(900, &[])), Step::Sign(7));
        assert_eq!(
            Vote::<Root>::new(terms, None).step(&look(900, &[(2, 5)])),
            Step::Done,
            "a signature the journal lost"
        );
    }

    #[test]
    fn the_first_answer_that_is_what_was_signed_and_fits_is_chosen() {
        let answers = [(2u8, 20u8), (3, 30)];
        let answer = |seat: u8| answers.iter().find(|(from, _)| *from == seat).map(|(_, report)| report);
        let roots = [(4, 40), (3, 30), (2, 20)];
        assert_eq!(vote(0).choose(&roots, answer, |_, _| true), Some((3, &30)));
        assert_eq!(vote(0).choose(&roots, answer, |_, report| *report == 20), Some((2, &20)));
        assert_eq!(vote(0).choose(&roots, answer, |_, _| false), None);
        assert_eq!(vote(0).choose(&[(3, 31), (2, 20)], answer, |_, _| true), Some((2, &20)), "not what seat 3 signed");
    }
}
