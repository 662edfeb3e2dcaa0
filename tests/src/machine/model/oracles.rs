//! Oracles: their seats, stake and pay.

use std::collections::BTreeMap;

use millrace::constants::REPORT_RING;
use millrace_core::merkle::TreeNode;

use super::{share_down, Model, Why};
use crate::books::holds;
use crate::machine::{Actor, Flows, Seen, BURNT};
use crate::Pubkey;

/// An oracle.
#[derive(Clone, Debug)]
pub struct OracleModel {
    /// Who it is.
    pub actor: Actor,
    /// Its vault.
    pub vault: Pubkey,
    /// Its seat, from zero.
    pub seat: usize,
    /// Weight of the seat; zero once it is removed.
    pub weight: u64,
    /// First epoch whose report it may sign.
    pub seated_from: u64,
    /// Epoch in which it was removed.
    pub removed_in: Option<u64>,
    /// At stake, base units.
    pub stake: u64,
    /// On its way out, base units.
    pub unbonding: u64,
    /// Instant that matures.
    pub matures_at: i64,
    /// Observations opened, as of the last leaf applied, and that leaf's instant.
    pub opened: (u64, i64),
    /// Reward period it was last paid in.
    pub paid_period: Option<u64>,
}

impl Model {
    /// An oracle takes the first free seat. `place`: its vault, and the first epoch whose report it may sign.
    pub fn seat(&mut self, key: Pubkey, actor: Actor, place: (Pubkey, u64), weight: u64) {
        let is_taken = |seat: &usize| self.oracles.values().any(|other| other.weight > 0 && other.seat == *seat);
        let seat = (0..).find(|seat| !is_taken(seat)).expect("there are seats");
        let oracle = OracleModel {
            actor,
            vault: place.0,
            seat,
            weight,
            seated_from: place.1,
            removed_in: None,
            stake: 0,
            unbonding: 0,
            matures_at: 0,
            opened: (0, 0),
            paid_period: None,
        };
        self.oracles.insert(key, oracle);
    }

    /// An oracle loses its seat.
    pub fn unseat(&mut self, key: &Pubkey, epoch: u64) -> Result<Flows, String> {
        let oracle = self.oracle(key)?;
        holds!(oracle.weight > 0, "an oracle lost a seat it did not have");
        (oracle.weight, oracle.removed_in) = (0, Some(epoch));
        Ok(vec![])
    }

    /// The account of an oracle closes.
    pub fn close_oracle(&mut self, key: &Pubkey, epoch: u64) -> Result<Flows, String> {
        let oracle = self.oracle(key)?.clone();
        let is_out_of_reach = oracle.removed_in.is_some_and(|removed| epoch > removed + REPORT_RING as u64);
        let owed = oracle.stake + oracle.unbonding;
        holds!(
            owed == 0 && is_out_of_reach,
            "an oracle was closed that has {owed} base units, or answers for a report"
        );
        self.oracles.remove(key);
        Ok(self.sweep_dust(&oracle.vault))
    }

    /// An oracle signs the report of `epoch`: its root, and the leaves under it.
    pub fn sign_report(
        &mut self,
        key: &Pubkey,
        epoch: u64,
        report: (TreeNode, &[TreeNode]),
        now: i64,
    ) -> Result<(), String> {
        let weights = self.weights();
        let seated_from = self.oracle(key)?.seated_from;
        holds!(epoch >= seated_from, "an oracle signed for epoch {epoch}, seated from {seated_from} on");
        self.reports.sign(*key, &weights, epoch, report, now)
    }

    /// Weights of all seats, by the oracles that hold them.
    pub fn weights(&self) -> BTreeMap<Pubkey, u64> {
        let seated = self.oracles.iter().filter(|(_, oracle)| oracle.weight > 0);
        seated.map(|(key, oracle)| (*key, oracle.weight)).collect()
    }

    /// An oracle loses all its stake for `leaf` of the report of `epoch`, which passed what `case` proves wrong.
    pub fn slash_oracle(&mut self, key: &Pubkey, case: &Pubkey, leaf: (u64, &TreeNode)) -> Result<Flows, String> {
        let (bounty_to, entries) =
            self.cases.get(case).map(|case| (case.bounty, case.entries)).ok_or("no such case")?;
        let has_signed = self.reports.has_signed(key, leaf.0, leaf.1);
        holds!(has_signed && entries > 0, "an oracle lost its stake for what it did not sign, or what is not proven");
        let oracle = self.oracle(key)?;
        let taken = std::mem::take(&mut oracle.stake) + std::mem::take(&mut oracle.unbonding);
        holds!(taken > 0, "an oracle without stake was slashed");
        let (actor, vault) = (oracle.actor, oracle.vault);
        let bounty = share_down(taken, self.params.bounty_bps);
        self.pass(actor, Some(bounty_to.0), bounty, Why::Bounty);
        self.pass(actor, None, taken - bounty, Why::Burn);
        Ok(vec![(vault, -i128::from(taken)), (bounty_to.1, bounty.into()), (BURNT, (taken - bounty).into())])
    }

    fn oracle(&mut self, key: &Pubkey) -> Result<&mut OracleModel, String> {
        self.oracles.get_mut(key).ok_or_else(|| format!("there is no oracle {key}"))
    }

    /// Stake comes in from `source`.
    pub fn stake_oracle(&mut self, key: &Pubkey, source: Pubkey, amount: u64) -> Result<Flows, String> {
        let oracle = self.oracle(key)?;
        holds!(oracle.removed_in.is_none(), "an oracle without a seat staked");
        oracle.stake += amount;
        Ok(vec![(source, -i128::from(amount)), (oracle.vault, amount.into())])
    }

    /// Stake sets out: all that does so far matures anew.
    pub fn begin_oracle_unstake(&mut self, key: &Pubkey, amount: u64, now: i64) -> Result<Flows, String> {
        // As long as the reports it signed are in the ring, it can be slashed for them.
        let answerable = self.params.epoch_secs * (REPORT_RING as i64 + 1);
        let (kept, secs) = (self.params.oracle_stake_amount, self.params.unbonding_secs.max(answerable));
        let oracle = self.oracle(key)?;
        let kept = if oracle.removed_in.is_some() { 0 } else { kept };
        holds!(amount + kept <= oracle.stake, "an oracle took out {amount} of {}", oracle.stake);
        oracle.stake -= amount;
        oracle.unbonding += amount;
        oracle.matures_at = now + secs;
        Ok(vec![])
    }

    /// Matured stake goes out to `destination`.
    pub fn withdraw_oracle(&mut self, key: &Pubkey, destination: Pubkey, now: i64) -> Result<Flows, String> {
        let oracle = self.oracle(key)?;
        let matures_at = oracle.matures_at;
        holds!(now >= matures_at, "an oracle's stake was withdrawn at {now}, before {matures_at}");
        let amount = std::mem::take(&mut oracle.unbonding);
        Ok(vec![(oracle.vault, -i128::from(amount)), (destination, amount.into())])
    }

    /// A leaf counts what an oracle opened.
    pub fn apply_oracle_leaf(&mut self, key: &Pubkey, opened: u64, at: i64) -> Result<Flows, String> {
        let oracle = self.oracle(key)?;
        let before = oracle.opened;
        holds!(at > before.1 && opened >= before.0, "a stale leaf of {at} of an oracle was applied");
        oracle.opened = (opened, at);
        Ok(vec![])
    }

    /// An oracle is paid, once a period, out of the pool and no more than is there. How much is the program's formula,
    /// which has its own tests; that it is tokens of the pool and goes to the oracle is seen here.
    pub fn claim_reward(
        &mut self,
        key: &Pubkey,
        destination: Pubkey,
        period: u64,
        seen: &Seen,
    ) -> Result<Flows, String> {
        let pool = self.oracle_pool;
        let amount = u64::try_from(-seen.gain(&pool)).map_err(|_| "a reward filled the pool")?;
        let oracle = self.oracle(key)?;
        holds!(oracle.paid_period != Some(period), "an oracle was paid twice in period {period}");
        oracle.paid_period = Some(period);
        let actor = oracle.actor;
        self.pass(None, Some(actor), amount, Why::Reward);
        Ok(vec![(pool, -i128::from(amount)), (destination, amount.into())])
    }
}
