//! Token holders, their locks, and proposals brought to where a test begins.

use anchor_lang::AnchorSerialize;
use millrace::instructions::ProposeArgs;
use millrace::state::{Proposal, ProposalKind};
use millrace_client::ix;
use millrace_core::money::MILL;

use crate::keys::key_where;
use crate::{pda, Instruction, Keypair, Pubkey, Receipt, Signer, World};

/// What [`World::voter`] locks: a fifth of the supply, so that one alone meets both quorums.
pub const VOTES: u64 = 200_000_000 * MILL;

/// The account of no proposal's target.
pub const NO_TARGET: Pubkey = Pubkey::new_from_array([0; 32]);

/// A token holder.
#[derive(Debug)]
pub struct Voter {
    /// Its key.
    pub key: Keypair,
    /// Its lock account, made or not.
    pub lock: Pubkey,
    /// The lock's vault.
    pub vault: Pubkey,
    /// Token account of the key.
    pub tokens: Pubkey,
}

impl World {
    /// A holder of `amount` base units and as much again for deposits, nothing locked. Its lock, its vault and its vote
    /// on the first proposal have bump 255.
    pub fn holder(&mut self, name: &str, amount: u64) -> Voter {
        let first = pda::proposal(0);
        let key = key_where(name, |voter| {
            let find = |seeds: &[&[u8]]| Pubkey::find_program_address(seeds, &millrace::ID);
            let (lock, bump) = find(&[millrace::constants::LOCK_SEED, voter.as_ref()]);
            let (_, vote_bump) = find(&[millrace::constants::VOTE_SEED, first.as_ref(), voter.as_ref()]);
            bump == 255 && vote_bump == 255 && pda::vault_and_bump(&lock).1 == 255
        });
        self.fund(&key.pubkey());
        let tokens = self.put_tokens(&format!("{name} tokens"), &key.pubkey(), amount + 1_000 * MILL);
        let lock = pda::lock(&key.pubkey());
        Voter { lock, vault: pda::vault(&lock), tokens, key }
    }

    /// A holder who locked `amount` for the longest time a second ago.
    pub fn voter(&mut self, name: &str, amount: u64) -> Voter {
        let voter = self.holder(name, amount);
        let lock = self.lock_votes(&voter, amount, self.config().params.max_lock_secs);
        self.must(&[lock], &[&voter.key]);
        self.warp_secs(1);
        voter
    }

    /// Locks `amount` base units of `voter` for `lock_secs`.
    pub fn lock_votes(&self, voter: &Voter, amount: u64, lock_secs: i64) -> Instruction {
        ix::lock_votes(&voter.key.pubkey(), &voter.tokens, &self.market(), amount, lock_secs)
    }

    /// Adds `amount` base units to the lock of `voter`, and locks all of it for `lock_secs` anew.
    pub fn extend_lock(&self, voter: &Voter, amount: u64, lock_secs: i64) -> Instruction {
        ix::extend_lock(&voter.key.pubkey(), &voter.tokens, &self.market(), amount, lock_secs)
    }

    /// Takes everything out of the lock of `voter`.
    pub fn unlock_votes(&self, voter: &Voter) -> Instruction {
        let key = voter.key.pubkey();
        ix::unlock_votes(&key, &voter.tokens, &key, &self.market())
    }

    /// The next proposal, by `voter`.
    pub fn proposal(&self, voter: &Voter, kind: ProposalKind, target: &Pubkey, payload: Vec<u8>) -> Instruction {
        let id = self.config().next_proposal_id;
        let args = ProposeArgs { kind: kind as u8, payload };
        ix::propose(&voter.key.pubkey(), &voter.tokens, &self.market(), id, target, args)
    }

    /// Makes a proposal and returns its address.
    pub fn propose(
        &mut self,
        voter: &Voter,
        kind: ProposalKind,
        target: &Pubkey,
        payload: &impl AnchorSerialize,
    ) -> Pubkey {
        let proposal = pda::proposal(self.config().next_proposal_id);
        let make = self.proposal(voter, kind, target, encoded(payload));
        self.must(&[make], &[&voter.key]);
        proposal
    }

    /// Votes with the lock of `voter`.
    pub fn cast(&mut self, voter: &Voter, proposal: &Pubkey, is_yes: bool) -> Receipt {
        self.must(&[ix::vote(&voter.key.pubkey(), proposal, is_yes)], &[&voter.key])
    }

    /// Has `voter` propose and carry it, and lets time pass until it may be executed.
    pub fn passed(
        &mut self,
        voter: &Voter,
        kind: ProposalKind,
        target: &Pubkey,
        payload: &impl AnchorSerialize,
    ) -> Pubkey {
        let proposal = self.propose(voter, kind, target, payload);
        self.cast(voter, &proposal, true);
        self.warp_to(self.read::<Proposal>(&proposal).eta);
        proposal
    }

    /// Closes `proposal`, which `voter` made.
    pub fn close_proposal(&self, proposal: &Pubkey, voter: &Voter) -> Instruction {
        ix::close_proposal(proposal, &voter.tokens, &voter.key.pubkey(), &self.market())
    }

    /// Closes the vote of `voter` on `proposal`.
    pub fn close_vote(&self, proposal: &Pubkey, voter: &Voter) -> Instruction {
        ix::close_vote(proposal, &voter.key.pubkey(), &voter.key.pubkey())
    }
}

/// A value as a payload carries it.
pub fn encoded(value: &impl AnchorSerialize) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.serialize(&mut bytes).expect("a vector takes every byte");
    bytes
}
