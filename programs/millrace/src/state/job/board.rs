//! The leaderboard: who stands where, and whose turn it is.

use anchor_lang::prelude::*;

use super::{Bid, Job, JobState, Topology};
use crate::errors::MillraceError;

/// Regions there are: bits of a job's mask.
const REGIONS: usize = 64;

impl Job {
    /// Puts `group`, bids of one score, in its place among `bids`: after every entry that scores as much. As many as
    /// find no room behind fall off. Returns the place of the first, 0 for the best.
    ///
    /// # Errors
    /// [`MillraceError::BidTooLow`] when the whole group would not stand on the board.
    pub fn place(&mut self, bids: &mut [Bid], group: &[Bid]) -> Result<u8> {
        let score = group.first().ok_or(MillraceError::BadNodeCount)?.score;
        let count = usize::from(self.bid_count).min(bids.len());
        let rank = bids.iter().take(count).position(|entry| entry.score < score).unwrap_or(count);
        let end = rank.saturating_add(group.len());
        require!(end <= bids.len(), MillraceError::BidTooLow);
        let kept = count.min(bids.len().saturating_sub(group.len()));
        bids.copy_within(rank..kept, end);
        bids[rank..end].copy_from_slice(group);
        self.bid_count = kept.saturating_add(group.len()) as u8;
        Ok(rank as u8)
    }

    /// Entries no award has passed.
    fn waiting(&self, bids: &[Bid]) -> std::ops::Range<usize> {
        usize::from(self.award_cursor)..usize::from(self.bid_count).min(bids.len())
    }

    /// Whether the award has positions, or stand-bys beside them, left to give. A job of which a lease is closed has
    /// come to its end: it takes on no more stand-bys.
    pub fn has_places(&self) -> bool {
        self.is_open() || (self.is_awarded() && self.wants_standbys())
    }

    fn is_awarded(&self) -> bool {
        self.state == JobState::Awarded as u8
    }

    fn wants_standbys(&self) -> bool {
        self.standbys_opened < self.requirements.standby_count && self.leases_open == self.leases_opened
    }

    /// Region its leases must be in, plus one; zero for any. `None` while no region has bids enough. Of the regions
    /// that have, it is the one whose last needed bid stands earliest.
    fn region_wanted(&self, bids: &[Bid]) -> Option<u8> {
        if self.requirements.topology != Topology::SameRegion as u8 {
            return Some(0);
        }
        if self.region_fixed > 0 {
            return Some(self.region_fixed);
        }
        let mut counts = [0u8; REGIONS];
        let waiting = bids.get(self.waiting(bids))?;
        waiting.iter().find_map(|bid| {
            let count = counts.get_mut(usize::from(bid.region))?;
            *count = count.saturating_add(1);
            (*count == self.requirements.node_count).then(|| bid.region.saturating_add(1))
        })
    }

    fn suits(&self, bid: &Bid, region: u8) -> bool {
        (region == 0 || bid.region.saturating_add(1) == region) && (self.is_open() || bid.may_stand_by == 1)
    }

    /// Place of the entry the next award looks at, if one is left: entries of other regions and, once all positions
    /// are given, those that would not stand by are passed over without penalty.
    pub fn next_entry(&self, bids: &[Bid]) -> Option<usize> {
        let region = self.region_wanted(bids)?;
        self.waiting(bids).find(|entry| bids.get(*entry).is_some_and(|bid| self.suits(bid, region)))
    }

    /// Whether a bid of `node` may still be awarded.
    pub fn may_award(&self, bids: &[Bid], node: &Pubkey) -> bool {
        let region = self.region_fixed;
        let waiting = bids.get(self.waiting(bids)).unwrap_or(&[]);
        self.has_places() && waiting.iter().any(|bid| bid.node == *node && self.suits(bid, region))
    }

    /// The bid the next award looks at, and its place.
    ///
    /// # Errors
    /// [`MillraceError::JobNotOpen`], [`MillraceError::BiddingOpen`], [`MillraceError::AwardLate`],
    /// [`MillraceError::NoBids`].
    pub fn next_bid(&self, bids: &[Bid], now: i64) -> Result<(usize, Bid)> {
        require!(self.has_places(), MillraceError::JobNotOpen);
        require!(now >= self.bidding_ends_at, MillraceError::BiddingOpen);
        require!(now < self.award_by, MillraceError::AwardLate);
        let entry = self.next_entry(bids).ok_or(MillraceError::NoBids)?;
        let bid = bids.get(entry).ok_or(MillraceError::InvariantBroken)?;
        Ok((entry, *bid))
    }

    /// Whether its customer may still withdraw it: nothing was awarded, or what was cannot be completed.
    pub fn may_withdraw(&self, bids: &[Bid], now: i64) -> bool {
        let is_short = now >= self.bidding_ends_at && self.next_entry(bids).is_none();
        self.positions_filled == 0 || is_short
    }

    /// Takes the entry at `entry` off the board. At one site it takes its whole group along: the others cannot make
    /// up the number any more, nor can another site once a position is given.
    pub fn drop_entry(&mut self, bids: &mut [Bid], entry: usize) {
        let count = usize::from(self.bid_count).min(bids.len());
        let (start, end) = if self.requirements.topology != Topology::SameSite as u8 {
            (entry, entry.saturating_add(1))
        } else if self.positions_filled == 0 {
            (entry, entry.saturating_add(usize::from(self.requirements.node_count)).min(count))
        } else {
            (entry, count)
        };
        bids.copy_within(end..count, start);
        self.bid_count = count.saturating_sub(end.saturating_sub(start)) as u8;
    }
}
