//! Judged cases, downgrades, and stake put back behind a node.

use millrace_core::leaves::{NodeLeaf, Verdict};

use super::{share_down, share_up, Model, Why};
use crate::books::holds;
use crate::machine::{Actor, Flows, Seen, BURNT};
use crate::Pubkey;

/// A judged case.
#[derive(Clone, Debug)]
pub struct JudgedModel {
    /// Provider account charged.
    pub provider: Pubkey,
    /// Who gets the bounty, and where.
    pub bounty: (Actor, Pubkey),
    /// What is frozen by it, base units.
    pub frozen: u64,
    /// Instant from which anyone may execute it.
    pub appeal_until: i64,
    /// Whether governance gave it back.
    pub is_overturned: bool,
}

/// What a provider lost by judgement in one epoch.
#[derive(Clone, Copy, Debug)]
pub struct JudgedEpoch {
    epoch: u64,
    most: u64,
    lost: u64,
}

impl Model {
    fn judged(&self, key: &Pubkey) -> Result<JudgedModel, String> {
        self.judged.get(key).cloned().ok_or_else(|| format!("there is no judged case {key}"))
    }

    /// A node is charged with what `leaf` says, and the penalty frozen; `others` of its provider's nodes were named.
    pub fn open_slash_case(
        &mut self,
        key: Pubkey,
        (node_key, others): (&Pubkey, &[Pubkey]),
        (leaf, epoch): (&NodeLeaf, u64),
        bounty: (Actor, Pubkey),
        seen: &Seen,
    ) -> Result<Flows, String> {
        self.reports.accepted_with(epoch, &leaf.tree_node()).ok_or("a leaf that no quorum signed")?;
        let node = self.node(node_key)?;
        holds!(leaf.audit_epoch >= node.judgeable_from, "one audit was judged twice");
        node.judgeable_from = leaf.audit_epoch + 1;
        node.last_leaf_at = node.last_leaf_at.max(leaf.at);
        let (provider, answers_with) = (node.provider, node.answers_with);
        let bps = match leaf.verdict {
            Verdict::Withheld => self.params.withheld_slash_bps,
            Verdict::Passed => self.params.capacity_slash_bps,
            Verdict::Refused => return Err("a case was opened on what is no offence".into()),
        };
        let before = self.provider(&provider)?.frozen;
        let frozen = seen.after.providers[&provider].frozen - before;
        let wanted = share_up(answers_with, bps).min(self.reachable(&provider, node_key, others));
        holds!(frozen == wanted, "I7: a case froze {frozen} base units, had to freeze {wanted}");
        self.take(&provider, frozen, seen)?;
        self.provider(&provider)?.frozen += frozen;
        let appeal_until = seen.now + self.params.appeal_window_secs;
        self.judged.insert(key, JudgedModel { provider, bounty, frozen, appeal_until, is_overturned: false });
        Ok(vec![])
    }

    /// A judged case is executed, within what a provider may lose by judgement in one epoch.
    pub fn execute_slash_case(&mut self, key: &Pubkey, epoch: u64, seen: &Seen) -> Result<Flows, String> {
        let mut case = self.judged(key)?;
        let may = seen.now >= case.appeal_until && !case.is_overturned && case.frozen > 0;
        holds!(may, "a judged case was executed before {}, or is overturned or done", case.appeal_until);
        let (cap_bps, bounty_bps) = (self.params.max_slash_per_epoch_bps, self.params.bounty_bps);
        let provider = self.provider(&case.provider)?;
        if provider.judged.is_none_or(|judged| judged.epoch != epoch) {
            let base = provider.backing() - provider.claims + provider.frozen;
            provider.judged = Some(JudgedEpoch { epoch, most: share_up(base, cap_bps), lost: 0 });
        }
        let judged = provider.judged.as_mut().ok_or("it was just set")?;
        let taken = case.frozen.min(judged.most - judged.lost);
        judged.lost += taken;
        holds!(taken > 0, "a judged case was executed beyond the epoch's cap");
        provider.frozen -= taken;
        case.frozen -= taken;
        let (actor, vault) = (provider.actor, provider.vault);
        let bounty = share_down(taken, bounty_bps);
        self.pass(actor, Some(case.bounty.0), bounty, Why::Bounty);
        self.pass(actor, None, taken - bounty, Why::Burn);
        let to = case.bounty.1;
        self.judged.insert(*key, case);
        Ok(vec![(vault, -i128::from(taken)), (to, bounty.into()), (BURNT, (taken - bounty).into())])
    }

    /// Governance gives back what a judged case froze.
    pub fn overturn_slash(&mut self, key: &Pubkey) -> Result<Flows, String> {
        let mut case = self.judged(key)?;
        let frozen = std::mem::take(&mut case.frozen);
        holds!(frozen > 0 && !case.is_overturned, "a judged case was overturned that froze nothing");
        case.is_overturned = true;
        let provider = self.provider(&case.provider)?;
        provider.frozen -= frozen;
        provider.stake += frozen;
        self.judged.insert(*key, case);
        Ok(vec![])
    }

    /// A judged case's account closes.
    pub fn close_slash_case(&mut self, key: &Pubkey) -> Result<Flows, String> {
        let case = self.judged(key)?;
        holds!(case.frozen == 0, "a judged case was closed that holds {} base units", case.frozen);
        self.judged.remove(key);
        Ok(vec![])
    }

    /// An audit is applied by somebody who may be paid for it: a fee, if it is a downgrade, and no more than that.
    pub fn apply_downgrade(
        &mut self,
        key: &Pubkey,
        at: i64,
        (actor, receiver): (Actor, Pubkey),
        seen: &Seen,
    ) -> Result<Flows, String> {
        self.apply_audit(key, at)?;
        let provider_key = self.node(key)?.provider;
        let provider = self.provider(&provider_key)?;
        let (payer, vault) = (provider.actor, provider.vault);
        let fee = u64::try_from(-seen.gain(&vault)).map_err(|_| "a downgrade paid the downgraded")?;
        let (before, after) = (&seen.before.nodes[key], &seen.after.nodes[key]);
        let is_worse = before.state == 1 && (after.state != 1 || after.verified_gops < before.verified_gops);
        let most = if is_worse && payer != actor { self.params.downgrade_fee_amount } else { 0 };
        holds!(fee <= most, "a downgrade cost {fee} base units, may cost {most}");
        self.take(&provider_key, fee, seen)?;
        self.pass(payer, Some(actor), fee, Why::Bounty);
        Ok(vec![(vault, -i128::from(fee)), (receiver, fee.into())])
    }

    /// A node is filled up to the stake its claim needs.
    pub fn relock_node(&mut self, key: &Pubkey) -> Result<Flows, String> {
        let node = self.node(key)?;
        let (provider, missing) = (node.provider, node.required.saturating_sub(node.answers_with));
        holds!(missing > 0 && node.retired_at.is_none(), "a node was filled up that lacks nothing or is retired");
        self.lock(&provider, missing)?;
        self.node(key)?.answers_with += missing;
        Ok(vec![])
    }
}
