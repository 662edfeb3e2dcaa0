//! Other nodes of an accused provider: named behind an instruction's own accounts, since their stake answers too.

use std::cell::RefMut;

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{next, NodeSlashed};
use crate::state::Node;

/// The nodes behind an instruction's own accounts.
pub(super) struct OtherNodes<'info> {
    loaders: Vec<AccountLoader<'info, Node>>,
}

/// What a penalty may take from a node, base units: its locked stake and its bid bond.
pub(super) type Held = (u64, u64);

impl<'info> OtherNodes<'info> {
    /// Checks that `accounts` are nodes of `provider`, none of them `node`, none twice: their numbers rise.
    ///
    /// # Errors
    /// [`MillraceError::WrongAccount`], and Anchor's for an account that is no node.
    pub(super) fn new(accounts: &'info [AccountInfo<'info>], provider: &Pubkey, node: &Pubkey) -> Result<Self> {
        let mut loaders = Vec::with_capacity(accounts.len());
        let mut least_index = 0u32;
        for account in accounts {
            let loader = AccountLoader::<Node>::try_from(account)?;
            let index = {
                let other = loader.load()?;
                let is_another = other.provider == *provider && account.key != node;
                require!(is_another && other.index >= least_index, MillraceError::WrongAccount);
                other.index
            };
            least_index = index.saturating_add(1);
            loaders.push(loader);
        }
        Ok(Self { loaders })
    }

    /// Opens them for writing.
    ///
    /// # Errors
    /// Anchor's, for one that is not writable.
    pub(super) fn load_mut(&self) -> Result<Vec<RefMut<'_, Node>>> {
        self.loaders.iter().map(AccountLoader::load_mut).collect()
    }

    /// What each held, to be compared after a penalty.
    pub(super) fn held(nodes: &[RefMut<Node>]) -> Vec<Held> {
        nodes.iter().map(|node| (node.locked_stake, node.bid_bond)).collect()
    }

    /// The events of those that no longer hold what they held `before`.
    ///
    /// # Errors
    /// Anchor's, for one that is not writable.
    pub(super) fn changes(&self, before: &[Held]) -> Result<Vec<NodeSlashed>> {
        let mut events = vec![];
        for (loader, before) in self.loaders.iter().zip(before) {
            let mut node = loader.load_mut()?;
            if (node.locked_stake, node.bid_bond) != *before {
                events.push(NodeSlashed {
                    sequence: next(&mut node.sequence),
                    node: loader.key(),
                    provider: node.provider,
                    state: node.state,
                    locked_stake: node.locked_stake,
                    bid_bond: node.bid_bond,
                });
            }
        }
        Ok(events)
    }
}
