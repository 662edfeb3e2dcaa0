//! Disputes and oracles with stake, ready to be judged and paid.

use millrace::instructions::ApplyOracleLeafArgs;
use millrace::state::{Dispute, Lease, Oracle, OracleSet, Provider};
use millrace_core::leaves::OracleLeaf;

use crate::{ix, pda, Deal, Instruction, Pubkey, Receipt, Report, Signer, World};

impl World {
    /// A completed lease of `live_secs` seconds, with `bond` base units of its provider locked behind it.
    pub fn bonded(&mut self, live_secs: u64, bond: u64) -> Deal {
        let deal = self.completed(live_secs);
        // What an award of a guaranteed lease books.
        self.rewrite::<Lease>(&deal.lease, |lease| (lease.bond, lease.bond_left) = (bond, bond));
        self.rewrite::<Provider>(&deal.seller.provider, |provider| {
            provider.lock_lease_bond(bond).expect("the seller has free stake");
        });
        deal
    }

    /// The instruction by which the buyer of `deal` calls its result wrong.
    pub fn dispute_of(&self, deal: &Deal) -> Instruction {
        let lease = self.read::<Lease>(&deal.lease);
        ix::open_dispute(&deal.buyer.authority.pubkey(), &deal.lease, &lease, [4; 32])
    }

    /// Has the buyer of `deal` call its result wrong.
    pub fn disputed(&mut self, deal: &Deal) -> Receipt {
        self.must(&[self.dispute_of(deal)], &[&deal.buyer.authority])
    }

    /// Has `seat` vote on the dispute of `deal`.
    pub fn judge(&mut self, deal: &Deal, seat: usize, uphold: bool) -> Receipt {
        let oracle = self.oracles[seat].insecure_clone();
        self.must(&[ix::vote_dispute(&oracle.pubkey(), &deal.lease, uphold)], &[&oracle])
    }

    /// The instruction by which `caller` has the ruling on the dispute of `deal` carried out.
    pub fn resolution(&self, deal: &Deal, caller: &Pubkey) -> Instruction {
        let dispute = self.read::<Dispute>(&pda::dispute(&deal.lease));
        let lease = self.read::<Lease>(&deal.lease);
        let provider = self.read::<Provider>(&deal.seller.provider);
        ix::resolve_dispute(caller, &dispute, &lease, &provider, &self.market())
    }

    /// Base units that disputes of `customer` keep reserved.
    pub fn dispute_bonds(&self, customer: &Pubkey) -> u64 {
        let open = self.all::<Dispute>();
        open.iter().filter(|(_, dispute)| dispute.customer == *customer).map(|(_, dispute)| dispute.bond).sum()
    }

    /// The account of seat `seat`.
    pub fn oracle_of(&self, seat: usize) -> Pubkey {
        pda::oracle(&self.oracles[seat].pubkey())
    }

    /// Puts `amount` base units behind seat `seat`, out of a token account of its key. Returns that account.
    pub fn staked_oracle(&mut self, seat: usize, amount: u64) -> Pubkey {
        let oracle = self.oracles[seat].insecure_clone();
        let tokens = self.oracle_tokens(seat, amount);
        let stake = ix::stake_oracle(&oracle.pubkey(), &tokens, &self.oracle_of(seat), &self.market(), amount);
        self.must(&[stake], &[&oracle]);
        tokens
    }

    /// A token account of the key of seat `seat`, holding `amount`.
    pub fn oracle_tokens(&mut self, seat: usize, amount: u64) -> Pubkey {
        let owner = self.oracles[seat].pubkey();
        self.put_tokens(&format!("tokens of oracle {seat}"), &owner, amount)
    }

    /// Frees the seat of `seat` as governance does.
    pub fn remove_seat(&mut self, seat: usize) {
        let (authority, epoch) = (self.oracles[seat].pubkey(), self.epoch());
        self.rewrite::<OracleSet>(&pda::oracles(), |set| {
            set.remove(&authority).expect("the oracle has a seat");
        });
        self.rewrite::<Oracle>(&pda::oracle(&authority), |oracle| {
            (oracle.is_removed, oracle.removed_epoch) = (1, epoch);
        });
    }

    /// Gives the oracles' pool `amount` base units more, and its ownership to governance.
    pub fn fill_pool(&mut self, amount: u64) {
        const OWNER: std::ops::Range<usize> = 32..64;
        let pool = self.oracle_pool;
        let mut account = self.svm.get_account(&pool).expect("the pool exists");
        account.data[OWNER].copy_from_slice(pda::governance().as_ref());
        self.svm.set_account(pool, account).expect("LiteSVM takes the account");
        self.send_stray_tokens(&pool, amount);
    }

    /// What the oracles say seat `seat` has opened until now.
    pub fn oracle_leaf(&self, seat: usize, opened: u64) -> OracleLeaf {
        OracleLeaf { oracle: self.oracle_of(seat).to_bytes(), signed: opened, opened, at: self.now() }
    }

    /// The instruction that counts the `nth` leaf of `report`.
    pub fn count(&self, report: &Report, nth: usize, leaf: &OracleLeaf) -> Instruction {
        let (index, path) = report.proof(nth);
        let args = ApplyOracleLeafArgs { epoch: report.epoch, index, leaf: leaf.to_bytes(), path };
        ix::apply_oracle_leaf(&Pubkey::new_from_array(leaf.oracle), &self.market(), args)
    }

    /// Has the oracles report what each seat has opened, and counts all of it.
    pub fn opened(&mut self, counters: &[u64]) -> Vec<Receipt> {
        self.unsigned_epoch();
        let leaves: Vec<_> = (0..).zip(counters).map(|(seat, opened)| self.oracle_leaf(seat, *opened)).collect();
        let nodes: Vec<_> = leaves.iter().map(OracleLeaf::tree_node).collect();
        let report = self.report(&nodes);
        let payer = self.deployer.insecure_clone();
        let counted = leaves.iter().enumerate().map(|(nth, leaf)| {
            let count = self.count(&report, nth, leaf);
            self.must(&[count], &[&payer])
        });
        counted.collect()
    }
}
