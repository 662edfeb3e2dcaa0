//! Fraud cases: what is proven, and what it costs.

use millrace::constants::BEACON_RING;

use super::{share_down, Model, NodeModel, ProviderModel, Why};
use crate::books::holds;
use crate::machine::{Actor, Flows, Seen, BURNT};
use crate::Pubkey;

/// A fraud case.
#[derive(Clone, Debug)]
pub struct CaseModel {
    /// Node accused.
    pub node: Pubkey,
    /// Its provider account.
    pub provider: Pubkey,
    /// Epoch of the commit.
    pub epoch: u64,
    /// Wrong entries proven.
    pub entries: u8,
    /// Whether a false link was proven.
    pub is_link_false: bool,
    /// Who gets the bounty, and where.
    pub bounty: (Actor, Pubkey),
    /// Instant from which what was proven is executed.
    pub closes_at: i64,
    /// What a fraud still costs, base units, once its execution began.
    pub owed: Option<u64>,
    /// Whether nothing is left to do.
    pub is_done: bool,
}

impl CaseModel {
    fn is_fraud(&self) -> bool {
        self.is_link_false || self.entries >= 3
    }
}

impl Model {
    fn case(&self, key: &Pubkey) -> Result<CaseModel, String> {
        self.cases.get(key).cloned().ok_or_else(|| format!("there is no case {key}"))
    }

    /// A case is opened.
    pub fn open_case(&mut self, key: Pubkey, mut case: CaseModel, now: i64) -> Result<Flows, String> {
        case.closes_at = now + self.params.case_window_secs;
        self.cases.insert(key, case);
        Ok(vec![])
    }

    /// A wrong entry or a false link is proven.
    pub fn prove(&mut self, key: &Pubkey, is_link: bool, now: i64) -> Result<Flows, String> {
        let mut case = self.case(key)?;
        let is_over = case.is_done && case.entries == 0;
        let is_open = case.owed.is_none() && !is_over && !case.is_fraud() && now < case.closes_at;
        holds!(is_open, "something was proven in a case that is closed");
        case.is_link_false |= is_link;
        case.entries += u8::from(!is_link);
        // A flipped bit that was paid for is fraud all the same, once two more are found.
        case.is_done &= !case.is_fraud();
        self.cases.insert(*key, case);
        Ok(vec![])
    }

    /// A case is executed. What the program took is seen by its vault; the model says what it had to be.
    pub fn execute_slash(&mut self, key: &Pubkey, seen: &Seen) -> Result<Flows, String> {
        let mut case = self.case(key)?;
        holds!(!case.is_done, "a case was executed twice");
        holds!(case.is_fraud() || seen.now >= case.closes_at, "a case was executed before its close");
        let provider = self.providers.get(&case.provider).ok_or("its provider is gone")?.clone();
        let taken = u64::try_from(-seen.gain(&provider.vault)).map_err(|_| "a slash paid the slashed")?;
        let owed = self.penalty(&mut case, seen.now);
        let wanted = owed.min(self.reachable(&case, &provider));
        holds!(taken == wanted, "I7: a slash took {taken} base units, had to take {wanted} of {owed} due");
        self.take(&case, taken, seen)?;
        let left = owed - taken;
        if case.is_fraud() {
            case.owed = Some(left);
        } else if let Some(node) = self.nodes.get_mut(&case.node) {
            node.answers_with -= taken;
        }
        if case.entries > 0 && !case.is_fraud() {
            // More may still be proven, as long as the commit can be accused at all.
            let window_ends_at = seen.after.cases[key].closes_at;
            case.closes_at = case.closes_at.max(window_ends_at);
        }
        case.is_done = !case.is_fraud() || left == 0 || self.providers[&case.provider].backing() == 0;
        let bounty = share_down(taken, self.params.bounty_bps);
        self.pass(provider.actor, Some(case.bounty.0), bounty, Why::Bounty);
        self.pass(provider.actor, None, taken - bounty, Why::Burn);
        let flows = vec![
            (provider.vault, -i128::from(taken)),
            (case.bounty.1, bounty.into()),
            (BURNT, (taken - bounty).into()),
        ];
        self.cases.insert(*key, case);
        Ok(flows)
    }

    /// What is due now, base units. A fraud's first execution takes the node off the market.
    fn penalty(&mut self, case: &mut CaseModel, now: i64) -> u64 {
        if let Some(owed) = case.owed {
            return owed;
        }
        let flip_penalty = self.params.flip_penalty_amount;
        let Some(node) = self.nodes.get_mut(&case.node) else { return 0 };
        if case.is_fraud() {
            node.retired_at.get_or_insert(now);
            std::mem::take(&mut node.answers_with)
        } else if case.entries > 0 {
            flip_penalty.min(node.answers_with)
        } else {
            0
        }
    }

    /// What an execution that names no other node reaches, base units: all but what other nodes, their bids and leases
    /// lock.
    fn reachable(&self, case: &CaseModel, provider: &ProviderModel) -> u64 {
        let own = self.nodes.get(&case.node).map_or(0, NodeModel::locks);
        // A fraud's penalty is no longer among what its node locks.
        provider.backing() - (self.locked(&case.provider) - own)
    }

    /// Books what was taken. The order within a provider's stake is the program's; that the sum is right, and that
    /// unbonding was only touched from its newest end, is checked here.
    fn take(&mut self, case: &CaseModel, taken: u64, seen: &Seen) -> Result<(), String> {
        let account = &seen.after.providers[&case.provider];
        let provider = self.providers.get_mut(&case.provider).ok_or("its provider is gone")?;
        let before = provider.clone();
        provider.stake = account.stake;
        provider.claims = account.claims;
        provider.unbonding = account.unbonding_entries().iter().map(|entry| (entry.amount, entry.matures_at)).collect();
        let fell = before.backing().checked_sub(provider.backing());
        holds!(fell == Some(taken), "a slash of {taken} base units lowered the stake by {fell:?}");
        let bid_bond = seen.after.nodes.get(&case.node).map(|node| node.bid_bond);
        if let Some(bid) = self.nodes.get_mut(&case.node).and_then(|node| node.bid.as_mut()) {
            bid.bond = bid_bond.filter(|bond| *bond <= bid.bond).ok_or("a slash raised a bond")?;
        }
        let provider = self.provider(&case.provider)?;
        let kept = provider.unbonding.len().saturating_sub(1);
        let is_newest = provider.unbonding.len() <= before.unbonding.len()
            && provider.unbonding.iter().take(kept).eq(before.unbonding.iter().take(kept));
        holds!(is_newest, "a slash took older unbonding before newer");
        Ok(())
    }

    /// A case's account closes.
    pub fn close_case(&mut self, key: &Pubkey, epoch: u64) -> Result<Flows, String> {
        let case = self.case(key)?;
        let is_provider_gone = !self.providers.contains_key(&case.provider);
        holds!(case.is_done || is_provider_gone, "a case was closed that is not executed");
        let is_proven = case.entries > 0 || case.is_link_false;
        let is_old = epoch >= case.epoch + BEACON_RING as u64;
        holds!(!is_proven || is_old, "a proven case was closed while its commit can be accused again");
        self.cases.remove(key);
        Ok(vec![])
    }
}
