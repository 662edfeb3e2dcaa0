//! No order of calls escapes a penalty, by proof or by judgement (I3, I7).

use bytemuck::Zeroable;
use millrace::state::{FraudCase, Node, NodeState, Params, Provider, Reach, SlashCase};
use millrace_core::leaves::{NodeLeaf, Verdict};
use proptest::prelude::*;

const UNBONDING_SECS: i64 = 1_000;
const JAIL_SECS: i64 = 500;
const NOW: i64 = 10_000;
const CAP_BPS: u16 = 2_000;

fn params() -> Params {
    Params {
        jail_secs: JAIL_SECS,
        unbonding_secs: UNBONDING_SECS,
        withheld_slash_bps: 5_000,
        appeal_window_secs: 100,
        ..Params::zeroed()
    }
}

/// What a provider can try between its offence and the last execution.
#[derive(Clone, Debug)]
enum Move {
    RetireCheat,
    AddNode(u64),
    RetireNode,
    RelockNode,
    Unstake(u64),
    Withdraw,
    Bid(u64),
    ReleaseBid,
    BeginLease(u64),
    EndLease(u64),
    Wait(i64),
    Execute { with_others: bool },
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        Just(Move::RetireCheat),
        (1u64..2_000).prop_map(Move::AddNode),
        Just(Move::RetireNode),
        Just(Move::RelockNode),
        (1u64..2_000).prop_map(Move::Unstake),
        Just(Move::Withdraw),
        (1u64..300).prop_map(Move::Bid),
        Just(Move::ReleaseBid),
        (1u64..300).prop_map(Move::BeginLease),
        (0u64..300).prop_map(Move::EndLease),
        (1i64..UNBONDING_SECS / 4).prop_map(Move::Wait),
        any::<bool>().prop_map(|with_others| Move::Execute { with_others }),
    ];
    prop::collection::vec(one, 0..60)
}

/// A provider with one node that offends, and all it does.
struct Escape {
    provider: Provider,
    cheat: Node,
    others: Vec<Node>,
    lease_bonds: Vec<u64>,
    now: i64,
    paid_out: u64,
}

impl Escape {
    fn new(stake: u64, node_stake: u64) -> Self {
        let mut provider = Provider { max_bonds_amount: u64::MAX, ..Provider::zeroed() };
        provider.add_stake(stake).unwrap();
        provider.add_node(node_stake).unwrap();
        let cheat = node(node_stake);
        Self { provider, cheat, others: vec![], lease_bonds: vec![], now: NOW, paid_out: 0 }
    }

    /// Does what `step` says, as far as the program would let it.
    fn attempt(&mut self, step: &Move) {
        let Self { provider, cheat, others, lease_bonds, now, paid_out } = self;
        match step {
            Move::RetireCheat if !cheat.is_retired() => retire(provider, cheat, *now),
            Move::AddNode(amount) if provider.require_active(*now).is_ok() && provider.add_node(*amount).is_ok() => {
                others.push(node(*amount));
            }
            Move::RetireNode => {
                if let Some(node) = others.iter_mut().find(|node| !node.is_retired() && node.bid_bond == 0) {
                    retire(provider, node, *now);
                }
            }
            Move::RelockNode => {
                for node in others.iter_mut().filter(|node| !node.is_retired()) {
                    if provider.free_stake() >= node.stake_missing() {
                        let missing = node.relock().unwrap_or(0);
                        provider.lock(missing).unwrap();
                    }
                }
            }
            Move::Unstake(amount) => drop(provider.begin_unstake(*amount, *now + UNBONDING_SECS)),
            Move::Withdraw => *paid_out += provider.withdraw(*now).map_or(0, |payout| payout.unbonded_amount),
            Move::Bid(bond) if provider.require_active(*now).is_ok() => {
                let free = others.iter_mut().find(|node| !node.is_retired() && node.bid_bond == 0);
                if let Some(node) = free.filter(|_| provider.lock_bond(*bond).is_ok()) {
                    node.bid_bond = *bond;
                }
            }
            Move::ReleaseBid => {
                if let Some(node) = others.iter_mut().find(|node| node.bid_bond > 0) {
                    provider.unlock_bond(std::mem::take(&mut node.bid_bond)).unwrap();
                }
            }
            Move::BeginLease(bond) if provider.lock_lease_bond(*bond).is_ok() => lease_bonds.push(*bond),
            // A part of the bond becomes a claim of a customer that is the provider's friend.
            Move::EndLease(claimed) => {
                if let Some(bond) = lease_bonds.pop() {
                    provider.unlock_lease_bond(bond).unwrap();
                    provider.open_claim(bond.min(*claimed)).unwrap();
                }
            }
            Move::Wait(secs) => *now += secs,
            _ => {}
        }
        self.provider.invariant().unwrap();
    }

    fn execute(&mut self, case: &mut FraudCase, with_others: bool) {
        let others = if with_others { self.others.iter_mut().collect() } else { vec![] };
        let mut reach = Reach { provider: &mut self.provider, node: Some(&mut self.cheat), others };
        case.execute(&mut reach, &params(), self.now, self.now).unwrap();
    }

    /// Everything the provider has, wherever it put it.
    fn held(&self) -> u64 {
        self.provider.owed() + self.paid_out
    }

    /// I3: what nodes and bonds say is what the provider has locked.
    fn assert_locked(&self) {
        let stakes: u64 =
            self.others.iter().chain([&self.cheat]).filter(|node| !node.is_retired()).map(|n| n.locked_stake).sum();
        let bonds: u64 = self.others.iter().map(|node| node.bid_bond).sum();
        let leases: u64 = self.lease_bonds.iter().sum();
        assert_eq!(self.provider.bonds, bonds);
        assert_eq!(self.provider.locked, stakes + bonds + leases);
        self.provider.invariant().unwrap();
    }
}

fn node(locked_stake: u64) -> Node {
    Node { state: NodeState::Verified as u8, locked_stake, stake_required: locked_stake, ..Node::zeroed() }
}

fn retire(provider: &mut Provider, node: &mut Node, now: i64) {
    provider.unlock(node.locked_stake).unwrap();
    node.retire(now);
}

proptest! {
    /// Proof: as long as somebody executes now and then (here: within half of the unbonding time), whatever the provider
    /// does, exactly what the node answered with is taken in the end, and nothing appears or is lost.
    #[test]
    fn no_order_of_calls_escapes_a_proof(stake in 600u64..3_000, node_stake in 1u64..600, moves in moves()) {
        let mut it = Escape::new(stake, node_stake);
        let mut case = FraudCase { entry_count: 3, closes_at: NOW, ..FraudCase::zeroed() };
        let mut last_execution = NOW;
        for step in &moves {
            it.attempt(step);
            let is_due = it.now - last_execution > UNBONDING_SECS / 2;
            let wanted = if let Move::Execute { with_others } = step { Some(*with_others) } else { None };
            if !case.is_done() && (is_due || wanted.is_some()) {
                it.execute(&mut case, wanted.unwrap_or(false));
                last_execution = it.now;
            }
            it.assert_locked();
            prop_assert_eq!(it.held() + case.taken_amount, stake);
        }
        // One execution that names all its nodes leaves at most what stands behind leases.
        if !case.is_done() {
            it.execute(&mut case, true);
            let behind_leases: u64 = it.lease_bonds.iter().sum();
            prop_assert!(case.unpaid_amount == 0 || it.held() - it.paid_out == behind_leases);
        }
        while !it.lease_bonds.is_empty() {
            it.attempt(&Move::EndLease(100));
        }
        if !case.is_done() {
            it.execute(&mut case, true);
        }
        it.assert_locked();
        prop_assert_eq!((case.is_done(), case.unpaid_amount, case.taken_amount), (true, 0, node_stake));
        prop_assert_eq!(it.provider.slashed_total, node_stake);
        prop_assert_eq!(it.held() + node_stake, stake);
    }

    /// Judgement: once opened, with the provider's nodes named, the penalty is out of its hands whatever it does; it is
    /// executed in full, no epoch takes more than the cap, and what is overturned comes back.
    #[test]
    fn no_order_of_calls_escapes_a_judgement(
        stake in 600u64..3_000,
        node_stake in 2u64..600,
        before in moves(),
        after in moves(),
        overturned: bool,
    ) {
        let mut it = Escape::new(stake, node_stake);
        // Within the time a leaf can be shown nothing has unbonded yet.
        before.iter().filter(|step| !matches!(step, Move::Wait(_))).for_each(|step| it.attempt(step));
        let leaf = NodeLeaf {
            node: [0; 32], audit_epoch: 0, super_root: [0; 24], verdict: Verdict::Withheld, gops: 0, vram_mib: 0,
            bandwidth_mbps: 0, at: NOW,
        };
        let mut case = SlashCase::zeroed();
        let others = it.others.iter_mut().collect();
        let mut reach = Reach { provider: &mut it.provider, node: Some(&mut it.cheat), others };
        let opened = case.open(&leaf, &mut reach, &params(), it.now);
        let penalty = node_stake.div_ceil(2);
        let out_of_reach: u64 = it.lease_bonds.iter().sum();
        if opened.is_err() {
            // Only what stands behind leases is safe.
            prop_assert!(it.provider.stake == out_of_reach);
            return Ok(());
        }
        it.assert_locked();
        prop_assert!(case.frozen_amount == penalty || it.provider.stake == out_of_reach);
        prop_assert_eq!(it.provider.frozen, case.frozen_amount);
        prop_assert_eq!(it.held(), stake);
        let frozen = case.frozen_amount;
        after.iter().for_each(|step| it.attempt(step));
        prop_assert_eq!(it.provider.frozen, frozen, "nothing the provider does moves it");
        let mut epoch = 7;
        it.now = it.now.max(case.appeal_until);
        while case.frozen_amount > 0 {
            if overturned && epoch > 7 {
                let left = case.frozen_amount;
                prop_assert_eq!(case.overturn(&mut it.provider).unwrap(), left);
                break;
            }
            let could_lose = it.provider.stake + it.provider.unbonding_amount() + it.provider.frozen;
            let taken = case.execute(&mut it.provider, CAP_BPS, epoch, it.now).unwrap();
            prop_assert!(taken <= could_lose.div_ceil(5));
            if case.frozen_amount > 0 {
                prop_assert!(case.execute(&mut it.provider, CAP_BPS, epoch, it.now).is_err(), "the cap is an epoch's");
            }
            epoch += 1;
        }
        it.assert_locked();
        prop_assert_eq!(it.provider.slashed_total, case.executed_amount);
        prop_assert_eq!(it.held() + case.executed_amount, stake);
        prop_assert!(case.executed_amount <= penalty && it.provider.frozen == 0 && case.require_closable().is_ok());
    }
}
