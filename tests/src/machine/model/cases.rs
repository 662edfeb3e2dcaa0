//! Fraud cases: what is proven, and what it costs.

use millrace::constants::BEACON_RING;

use super::{share_down, Model, Why};
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
    /// Whether another commit for the same work was shown.
    pub is_double: bool,
    /// GPU of the commit.
    pub gpu_index: u32,
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
    /// Whether what is proven is fraud rather than a flipped bit.
    pub fn is_fraud(&self) -> bool {
        self.is_link_false || self.is_double || self.entries >= 3
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

    /// Two cases are of two commits for one node, GPU and epoch.
    pub fn prove_double(&mut self, key: &Pubkey, other: &Pubkey) -> Result<Flows, String> {
        let (mut one, mut two) = (self.case(key)?, self.case(other)?);
        let is_same = one.node == two.node && one.epoch == two.epoch && one.gpu_index == two.gpu_index && key != other;
        holds!(is_same, "two commits were called one work twice that are not");
        for (key, case) in [(key, &mut one), (other, &mut two)] {
            case.is_double = true;
            case.is_done &= case.owed.is_some();
            self.cases.insert(*key, case.clone());
        }
        Ok(vec![])
    }

    /// A case is executed, `others` of the provider's nodes being named. What the program took is seen by its vault; the
    /// model says what it had to be.
    pub fn execute_slash(&mut self, key: &Pubkey, others: &[Pubkey], seen: &Seen) -> Result<Flows, String> {
        let mut case = self.case(key)?;
        holds!(!case.is_done, "a case was executed twice");
        holds!(case.is_fraud() || seen.now >= case.closes_at, "a case was executed before its close");
        let provider = self.provider(&case.provider)?.clone();
        let taken = u64::try_from(-seen.gain(&provider.vault)).map_err(|_| "a slash paid the slashed")?;
        let flip_penalty = self.params.flip_penalty_amount;
        let answers_with = self.nodes.get(&case.node).map_or(0, |node| node.answers_with);
        let owed = match (case.is_fraud(), case.owed) {
            (true, Some(owed)) => owed,
            (true, None) => answers_with,
            (false, _) if case.entries > 0 => flip_penalty.min(answers_with),
            (false, _) => 0,
        };
        let wanted = owed.min(self.reachable(&case.provider, &case.node, others));
        holds!(taken == wanted, "I7: a slash took {taken} base units, had to take {wanted} of {owed} due");
        self.take(&case.provider, taken, seen)?;
        if let Some(node) = self.nodes.get_mut(&case.node) {
            let left = if case.is_fraud() { 0 } else { answers_with - taken };
            holds!(node.answers_with == left, "a node answers with {}, should with {left}", node.answers_with);
            if case.is_fraud() {
                node.retired_at.get_or_insert(seen.now);
            } else if case.entries > 0 {
                node.last_leaf_at = node.last_leaf_at.max(seen.now);
            }
        }
        let left = owed - taken;
        if case.is_fraud() {
            case.owed = Some(left);
        } else if case.entries > 0 {
            // More may still be proven, as long as the commit can be accused at all.
            case.closes_at = case.closes_at.max(seen.after.cases[key].closes_at);
        }
        let rest = &self.providers[&case.provider];
        case.is_done = !case.is_fraud() || left == 0 || rest.backing() + rest.frozen == 0;
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

    /// What a penalty on `node` reaches, base units: all that backs its provider but the bonds of leases, and what nodes
    /// lock that were not named.
    pub(super) fn reachable(&self, provider: &Pubkey, node: &Pubkey, others: &[Pubkey]) -> u64 {
        let out_of_reach = self
            .nodes
            .iter()
            .filter(|(key, other)| other.provider == *provider && *key != node && !others.contains(key));
        let locked: u64 = out_of_reach.map(|(_, other)| other.locks()).sum();
        self.providers[provider].backing() - self.lease_bonds(provider) - locked
    }

    /// Books what was taken. The order within a provider's stake is the program's; that the sum is right, that nothing
    /// grew by it, and that unbonding was only touched from its newest end, is checked here.
    pub(super) fn take(&mut self, key: &Pubkey, taken: u64, seen: &Seen) -> Result<(), String> {
        let account = &seen.after.providers[key];
        let provider = self.provider(key)?;
        let before = provider.clone();
        (provider.stake, provider.claims) = (account.stake, account.claims);
        provider.unbonding = account.unbonding_entries().iter().map(|entry| (entry.amount, entry.matures_at)).collect();
        let fell = before.backing().checked_sub(provider.backing());
        holds!(fell == Some(taken), "a slash of {taken} base units lowered the stake by {fell:?}");
        let kept = provider.unbonding.len().saturating_sub(1);
        let is_newest = provider.unbonding.len() <= before.unbonding.len()
            && provider.unbonding.iter().take(kept).eq(before.unbonding.iter().take(kept));
        holds!(is_newest, "a slash took older unbonding before newer");
        for (node_key, node) in self.nodes.iter_mut().filter(|(_, node)| node.provider == *key) {
            let account = &seen.after.nodes[node_key];
            let bond = node.bid.as_ref().map_or(0, |bid| bid.bond);
            let has_grown = account.locked_stake > node.answers_with || account.bid_bond > bond;
            holds!(!has_grown, "a slash left node {node_key} with more than before");
            node.answers_with = account.locked_stake;
            if let Some(bid) = &mut node.bid {
                bid.bond = account.bid_bond;
            }
        }
        Ok(())
    }

    /// A case's account closes.
    pub fn close_case(&mut self, key: &Pubkey, epoch: u64) -> Result<Flows, String> {
        let case = self.case(key)?;
        let is_provider_gone = !self.providers.contains_key(&case.provider);
        holds!(case.is_done || is_provider_gone, "a case was closed that is not executed");
        let is_proven = case.entries > 0 || case.is_fraud();
        let is_old = epoch >= case.epoch + BEACON_RING as u64;
        holds!(!is_proven || is_old, "a proven case was closed while its commit can be accused again");
        self.cases.remove(key);
        Ok(vec![])
    }
}
