//! Findings of the oracles that nobody but a stranger to the node applies: each accepted report is read once, and the
//! leaves from which something follows are kept until it has.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use millrace::state::{AcceptedRoot, Node, Provider, Reports};
use millrace_client::{fetch, fetch_agreed, fetch_all, Chain, Pubkey};
use millrace_core::leaves::NodeLeaf;

use super::reports::{node_leaves, ProvenNode};
use super::{charges, downgrades, Duty, Moment, OracleAt};
use crate::commands::watch::prove::richest_nodes;

/// What was read of the reports in the ring.
#[derive(Default)]
pub struct Findings {
    /// Epochs whose report was read.
    read: BTreeSet<u64>,
    /// Leaves from which something follows, and the epochs of their reports; oldest first, since whoever charges a newer
    /// audit spares the node the older one.
    open: Vec<(u64, ProvenNode)>,
}

/// What follows from a leaf, one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    /// It is applied: a downgrade, or slowness that is charged once it is.
    Apply,
    /// The node is charged by it.
    Charge,
}

impl Findings {
    /// What follows from the reports.
    ///
    /// # Errors
    /// When the chain does not answer. Reports that no oracle has are `troubles`, and asked for again.
    pub async fn due(
        &mut self,
        chain: &dyn Chain,
        moment: &Moment,
        reports: &Reports,
        oracles: &[OracleAt],
        troubles: &mut Vec<String>,
    ) -> Result<Vec<Duty>> {
        self.read.retain(|epoch| reports.accepted(*epoch).is_some());
        self.open.retain(|(epoch, _)| reports.accepted(*epoch).is_some());
        let is_new = |root: &&AcceptedRoot| is_ripe(root, moment) && !self.read.contains(&root.epoch);
        let mut new: Vec<AcceptedRoot> = reports.ring.iter().filter(is_new).copied().collect();
        if !new.is_empty() {
            new.sort_by_key(|root| root.epoch);
            let nodes: HashMap<Pubkey, Node> = fetch_all::<Node>(chain, &[]).await?.into_iter().collect();
            let valid_secs = moment.config.params.audit_valid_secs;
            let is_wanted = |leaf: &NodeLeaf| {
                nodes.get(&Pubkey::from(leaf.node)).is_some_and(|node| next(node, leaf, valid_secs).is_some())
            };
            for accepted in new {
                match node_leaves(oracles, &accepted, is_wanted).await {
                    Ok(leaves) => {
                        self.read.insert(accepted.epoch);
                        self.open.extend(leaves.into_iter().map(|leaf| (accepted.epoch, leaf)));
                    }
                    Err(error) => troubles.push(format!("{error:#}")),
                }
            }
            self.open.sort_by_key(|(epoch, leaf)| (leaf.leaf.audit_epoch, *epoch));
        }
        let mut duties = vec![];
        let mut kept = vec![];
        let mut named = BTreeSet::new();
        for (epoch, proven) in std::mem::take(&mut self.open) {
            // One step of a provider at a time: the next follows from what this one leaves.
            let (is_open, duty) = step(chain, moment, epoch, &proven).await?;
            if is_open {
                kept.push((epoch, proven));
            }
            duties.extend(duty.into_iter().filter(|(provider, _)| named.insert(*provider)).map(|(_, duty)| duty));
        }
        self.open = kept;
        Ok(duties)
    }
}

/// Whether the report was accepted an epoch ago: the node's own agent, if it applies its audits, has by then.
fn is_ripe(root: &AcceptedRoot, moment: &Moment) -> bool {
    root.leaves > 0 && root.accepted_at.saturating_add(moment.config.params.epoch_secs) <= moment.now
}

/// What follows first from `leaf` for `node`, by the program's own rules.
fn next(node: &Node, leaf: &NodeLeaf, audit_valid_secs: i64) -> Option<Next> {
    use millrace::state::slash_case::Offence;
    if downgrades::is_due(node, leaf, audit_valid_secs) {
        return Some(Next::Apply);
    }
    if Offence::of(leaf, node).is_ok() {
        return Some(Next::Charge);
    }
    let mut after = *node;
    let is_charged_then = after.apply_audit(leaf, audit_valid_secs).is_ok() && Offence::of(leaf, &after).is_ok();
    is_charged_then.then_some(Next::Apply)
}

/// Whether something still follows from a leaf, and the step that is due with the provider it is of.
async fn step(
    chain: &dyn Chain,
    moment: &Moment,
    epoch: u64,
    proven: &ProvenNode,
) -> Result<(bool, Option<(Pubkey, Duty)>)> {
    let key = Pubkey::from(proven.leaf.node);
    let Some(node) = fetch::<Node>(chain, &key).await? else { return Ok((false, None)) };
    let params = &moment.config.params;
    let duty = match next(&node, &proven.leaf, params.audit_valid_secs) {
        None => return Ok((false, None)),
        Some(Next::Apply) => downgrades::duty(&key, &node, epoch, proven, moment),
        Some(Next::Charge) => {
            let Some(provider) = fetch_agreed::<Provider>(chain, &node.provider).await? else {
                return Ok((false, None));
            };
            let charge = |others: &[Node]| charges::charge(&proven.leaf, &node, &provider, others, params, moment.now);
            let mut others = vec![];
            let mut charged = charge(&[]);
            if charged.is_none() {
                others = richest_nodes(chain, &node.provider, &key).await?;
                others.truncate(charges::most_others(proven.path.len()));
                charged = charge(&others.iter().map(|(_, node)| *node).collect::<Vec<_>>());
            }
            let Some(charged) = charged else { return Ok((true, None)) };
            let others: Vec<Pubkey> = others.into_iter().map(|(key, _)| key).collect();
            charges::duty((&key, &node), &provider, epoch, proven, charged, &others, moment)
        }
    };
    Ok((true, Some((node.provider, duty))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use millrace::state::{Config, NodeState};
    use millrace_core::leaves::Verdict;

    fn leaf(verdict: Verdict, gops: u64, audit_epoch: u64, at: i64) -> NodeLeaf {
        let (node, super_root) = ([1; 32], [2; 24]);
        NodeLeaf { node, audit_epoch, super_root, verdict, gops, vram_mib: 0, bandwidth_mbps: 0, at }
    }

    fn selling() -> Node {
        Node { state: NodeState::Verified as u8, claimed_gops: 100, verified_gops: 100, ..Node::zeroed() }
    }

    #[test]
    fn a_withheld_answer_is_applied_for_its_fee_and_then_charged_and_then_nothing_follows() {
        let (mut node, withheld) = (selling(), leaf(Verdict::Withheld, 0, 3, 11));
        assert_eq!(next(&node, &withheld, 60), Some(Next::Apply));
        node.apply_audit(&withheld, 60).unwrap();
        assert_eq!(next(&node, &withheld, 60), Some(Next::Charge));
        node.judgeable_from_epoch = 4;
        assert_eq!(next(&node, &withheld, 60), None);
    }

    #[test]
    fn the_second_slow_audit_of_a_suspended_node_is_applied_without_a_fee_to_be_charged() {
        let mut node = selling();
        let (first, second) = (leaf(Verdict::Passed, 40, 3, 11), leaf(Verdict::Passed, 40, 4, 12));
        node.apply_audit(&first, 60).unwrap();
        assert_eq!(next(&node, &first, 60), None, "once is no offence");
        assert_eq!(next(&node, &second, 60), Some(Next::Apply));
        node.apply_audit(&second, 60).unwrap();
        assert_eq!(next(&node, &second, 60), Some(Next::Charge));
    }

    #[test]
    fn nothing_follows_from_a_good_audit_or_a_refused_one_of_a_node_that_sells_nothing() {
        assert_eq!(next(&selling(), &leaf(Verdict::Passed, 100, 3, 11), 60), None);
        let suspended = Node { state: NodeState::Suspended as u8, ..selling() };
        assert_eq!(next(&suspended, &leaf(Verdict::Refused, 0, 3, 11), 60), None);
    }

    #[test]
    fn an_agent_has_an_epoch_to_apply_its_own_audits() {
        let mut config = Config::zeroed();
        config.params.epoch_secs = 10;
        let at = |now| Moment { config, now, epoch: 0, watcher: Pubkey::default(), wallet: Pubkey::default() };
        let root = AcceptedRoot { leaves: 1, accepted_at: 100, ..AcceptedRoot::zeroed() };
        assert!(!is_ripe(&root, &at(109)) && is_ripe(&root, &at(110)));
        assert!(!is_ripe(&AcceptedRoot { leaves: 0, ..root }, &at(110)), "an unused place");
    }
}
