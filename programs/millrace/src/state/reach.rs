//! What a penalty reaches, and in which order: so that stake is slashable wherever its provider put it.

use std::ops::DerefMut;

use anchor_lang::prelude::*;

use super::{Node, Provider};

/// A provider, the node that offended, and others of its nodes. What locks stake and is not here is out of reach: nodes
/// left out, and the bonds of leases, which answer to their customers first.
pub struct Reach<'a, N: DerefMut<Target = Node>> {
    /// The provider.
    pub provider: &'a mut Provider,
    /// The offending node; none when its account is closed.
    pub node: Option<N>,
    /// Others of its nodes.
    pub others: Vec<N>,
}

impl<N: DerefMut<Target = Node>> Reach<'_, N> {
    /// Takes up to `amount`: first what the offending node locks, then free stake, then unbonding, newest first, then
    /// what the other nodes lock, then the bonds of bids, and last what waits to be paid as claims. A node that loses
    /// stake or a bond is suspended; its bid stays where it is, and will be found broken. Returns what was taken, which
    /// is no longer among what the offending node answers with (I7).
    ///
    /// # Errors
    /// [`crate::errors::MillraceError::InvariantBroken`] when nodes lock more than their provider.
    pub fn take(&mut self, amount: u64) -> Result<u64> {
        let mut rest = amount;
        if let Some(node) = self.node.as_deref().filter(|node| !node.is_retired()) {
            let part = rest.min(node.locked_stake);
            self.provider.take_locked(part)?;
            rest = rest.saturating_sub(part);
        }
        rest = rest.saturating_sub(self.provider.take_free(rest));
        rest = rest.saturating_sub(self.provider.take_unbonding(rest));
        for node in self.others.iter_mut().filter(|node| !node.is_retired()) {
            let part = rest.min(node.locked_stake);
            if part > 0 {
                self.provider.take_locked(part)?;
                node.locked_stake = node.locked_stake.saturating_sub(part);
                node.suspend();
                rest = rest.saturating_sub(part);
            }
        }
        for node in self.node.iter_mut().chain(&mut self.others) {
            let part = rest.min(node.bid_bond);
            if part > 0 {
                self.provider.forfeit_bond(part)?;
                node.bid_bond = node.bid_bond.saturating_sub(part);
                node.suspend();
                rest = rest.saturating_sub(part);
            }
        }
        let from_claims = rest.min(self.provider.claims);
        self.provider.claims = self.provider.claims.saturating_sub(from_claims);
        let taken = amount.saturating_sub(rest.saturating_sub(from_claims));
        if let Some(node) = &mut self.node {
            node.locked_stake = node.locked_stake.saturating_sub(taken);
        }
        self.provider.invariant()?;
        Ok(taken)
    }

    /// Whether no further node could be given that locks anything: all of the provider's are here, or as many as one
    /// transaction is sure to carry.
    pub fn is_complete(&self) -> bool {
        let given = u32::try_from(self.others.len()).unwrap_or(u32::MAX);
        given >= MAX_OTHER_NODES || given.saturating_add(1) >= self.provider.open_nodes
    }
}

/// Other nodes one execution need not exceed.
pub const MAX_OTHER_NODES: u32 = 32;
