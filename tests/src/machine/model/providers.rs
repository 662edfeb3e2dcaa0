//! Providers, their nodes and bids.

use super::{ClaimModel, Creditor, JudgedEpoch, Model};
use crate::books::holds;
use crate::machine::{Actor, Flows, Seen};
use crate::Pubkey;

/// A provider.
#[derive(Clone, Debug)]
pub struct ProviderModel {
    /// Who it is.
    pub actor: Actor,
    /// Its vault.
    pub vault: Pubkey,
    /// Its cold key.
    pub authority: Pubkey,
    /// The cold key proposed, or zeros.
    pub next_authority: Pubkey,
    /// Stake, base units.
    pub stake: u64,
    /// Income, base units.
    pub earned: u64,
    /// Stake on its way out, oldest first: amount, and instant it matures.
    pub unbonding: Vec<(u64, i64)>,
    /// Kept for those its bonds pay, base units.
    pub claims: u64,
    /// Taken out of the stake by judged cases, base units.
    pub frozen: u64,
    /// What it lost by judgement in the last epoch it did.
    pub judged: Option<JudgedEpoch>,
}

impl ProviderModel {
    /// Stake that can be slashed, wherever it is, base units.
    pub fn backing(&self) -> u64 {
        self.stake + self.unbonding.iter().map(|(amount, _)| amount).sum::<u64>() + self.claims
    }
}

/// A bid that holds a node.
#[derive(Clone, Debug)]
pub struct BidModel {
    /// The job.
    pub job: Pubkey,
    /// Price, base units a second.
    pub per_sec: u64,
    /// What stands behind it, base units.
    pub bond: u64,
}

/// A node.
#[derive(Clone, Debug)]
pub struct NodeModel {
    /// Its provider account.
    pub provider: Pubkey,
    /// What it answers with, base units.
    pub answers_with: u64,
    /// What its claim needs, base units.
    pub required: u64,
    /// First epoch whose audit may be judged.
    pub judgeable_from: u64,
    /// Instant it retired.
    pub retired_at: Option<i64>,
    /// Its bid.
    pub bid: Option<BidModel>,
    /// Its lease.
    pub lease: Option<Pubkey>,
    /// `at` of the last audit applied.
    pub last_leaf_at: i64,
}

impl NodeModel {
    /// What it locks of its provider's stake, base units.
    pub fn locks(&self) -> u64 {
        let held = if self.retired_at.is_none() { self.answers_with } else { 0 };
        held + self.bid.as_ref().map_or(0, |bid| bid.bond)
    }
}

impl Model {
    pub(super) fn provider(&mut self, key: &Pubkey) -> Result<&mut ProviderModel, String> {
        self.providers.get_mut(key).ok_or_else(|| format!("there is no provider {key}"))
    }

    pub(super) fn node(&mut self, key: &Pubkey) -> Result<&mut NodeModel, String> {
        self.nodes.get_mut(key).ok_or_else(|| format!("there is no node {key}"))
    }

    /// What of a provider's stake nodes, bids and leases lock, base units.
    pub fn locked(&self, key: &Pubkey) -> u64 {
        let nodes: u64 = self.nodes.values().filter(|node| node.provider == *key).map(NodeModel::locks).sum();
        nodes + self.lease_bonds(key)
    }

    /// What stands behind a provider's leases, base units.
    pub fn lease_bonds(&self, key: &Pubkey) -> u64 {
        self.leases.values().filter(|lease| lease.provider == *key).map(|lease| lease.bond_left).sum()
    }

    pub(super) fn lock(&mut self, key: &Pubkey, amount: u64) -> Result<(), String> {
        let (stake, locked) = (self.provider(key)?.stake, self.locked(key));
        holds!(
            locked + amount <= stake,
            "I3: {amount} base units were locked of {stake}, of which {locked} are already"
        );
        Ok(())
    }

    /// A provider registers with the cold key `authority`.
    pub fn register_provider(&mut self, key: Pubkey, actor: Actor, vault: Pubkey, authority: Pubkey) {
        let provider = ProviderModel {
            actor,
            vault,
            authority,
            next_authority: Pubkey::default(),
            stake: 0,
            earned: 0,
            unbonding: vec![],
            claims: 0,
            frozen: 0,
            judged: None,
        };
        self.providers.insert(key, provider);
    }

    /// A provider's cold key names the next.
    pub fn propose_authority(&mut self, key: &Pubkey, next: Pubkey) -> Result<Flows, String> {
        self.provider(key)?.next_authority = next;
        Ok(vec![])
    }

    /// The cold key that was named takes over.
    pub fn accept_authority(&mut self, key: &Pubkey, signer: &Pubkey) -> Result<Flows, String> {
        let provider = self.provider(key)?;
        let next = std::mem::take(&mut provider.next_authority);
        holds!(next == *signer, "{signer} took a provider over that was promised to {next}");
        provider.authority = next;
        Ok(vec![])
    }

    /// Stake comes in from `source`.
    pub fn stake(&mut self, key: &Pubkey, source: Pubkey, amount: u64) -> Result<Flows, String> {
        let provider = self.provider(key)?;
        provider.stake += amount;
        Ok(vec![(source, -i128::from(amount)), (provider.vault, amount.into())])
    }

    /// Stake sets out.
    pub fn begin_unstake(&mut self, key: &Pubkey, amount: u64, now: i64) -> Result<Flows, String> {
        self.lock(key, amount)?;
        let matures_at = now + self.params.unbonding_secs;
        let provider = self.provider(key)?;
        provider.stake -= amount;
        provider.unbonding.push((amount, matures_at));
        Ok(vec![])
    }

    /// Income and matured stake go out to `destination`, and nothing else.
    pub fn withdraw(&mut self, key: &Pubkey, destination: Pubkey, now: i64) -> Result<Flows, String> {
        let provider = self.provider(key)?;
        let (out, kept): (Vec<_>, Vec<_>) = provider.unbonding.drain(..).partition(|(_, at)| *at <= now);
        provider.unbonding = kept;
        let amount = std::mem::take(&mut provider.earned) + out.iter().map(|(amount, _)| amount).sum::<u64>();
        Ok(vec![(provider.vault, -i128::from(amount)), (destination, amount.into())])
    }

    /// A provider closes: nothing may be its own any more, nor come to it.
    pub fn close_provider(&mut self, key: &Pubkey) -> Result<Flows, String> {
        let provider = self.provider(key)?.clone();
        let left = provider.backing() + provider.earned + provider.frozen;
        let nodes = self.nodes.values().filter(|node| node.provider == *key).count();
        let leases = self.leases.values().filter(|lease| lease.provider == *key).count();
        let concerns = |claim: &&ClaimModel| claim.provider == *key || claim.to == Creditor::Provider(*key);
        let claims = self.claims.values().filter(concerns).count();
        let judged = self.judged.values().filter(|case| case.provider == *key).count();
        let is_empty = left == 0 && nodes == 0 && leases == 0 && claims == 0 && judged == 0;
        holds!(
            is_empty,
            "a provider was closed with {left} base units, {nodes} nodes, {leases} leases, {claims} claims"
        );
        self.providers.remove(key);
        Ok(self.sweep_dust(&provider.vault))
    }

    /// A node that claims `gops` registers.
    pub fn register_node(&mut self, key: Pubkey, provider: Pubkey, gops: u64) -> Result<Flows, String> {
        let scaled = u128::from(gops) * u128::from(self.params.stake_per_1000_gops_amount);
        let answers_with = self.params.stake_base_amount + scaled.div_ceil(1_000) as u64;
        self.lock(&provider, answers_with)?;
        let node = NodeModel {
            provider,
            answers_with,
            required: answers_with,
            judgeable_from: 0,
            retired_at: None,
            bid: None,
            lease: None,
            last_leaf_at: 0,
        };
        self.nodes.insert(key, node);
        Ok(vec![])
    }

    /// A node retires.
    pub fn retire(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let node = self.node(key)?;
        let is_free = node.retired_at.is_none() && node.bid.is_none() && node.lease.is_none();
        holds!(is_free, "a node was retired that is retired, bids or works");
        node.retired_at = Some(now);
        Ok(vec![])
    }

    /// A retired node's account closes.
    pub fn close_node(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let judged_within = self.params.judged_within_secs();
        let node = self.node(key)?;
        let retired_at = node.retired_at.ok_or("a node was closed that is not retired")?;
        let is_free = node.bid.is_none() && node.lease.is_none();
        holds!(is_free, "a node was closed that bids or works");
        let closes_at = retired_at + judged_within;
        holds!(now >= closes_at, "a node was closed at {now}, while its frauds can be judged until {closes_at}");
        self.nodes.remove(key);
        Ok(vec![])
    }

    /// An audit is applied.
    pub fn apply_audit(&mut self, key: &Pubkey, at: i64) -> Result<Flows, String> {
        let node = self.node(key)?;
        let last = node.last_leaf_at;
        holds!(at > last, "a stale audit of {at} was applied after {last}");
        node.last_leaf_at = at;
        Ok(vec![])
    }

    /// A node bids.
    pub fn place_bid(&mut self, job_key: &Pubkey, key: &Pubkey, per_sec: u64, now: i64) -> Result<Flows, String> {
        let job = self.jobs.get(job_key).ok_or("there is no such job")?;
        holds!(job.is_open && now < job.bidding_ends_at, "a bid came in after bidding");
        let bond = job.bid_bond();
        let provider = self.node(key)?.provider;
        self.lock(&provider, bond)?;
        let node = self.node(key)?;
        let is_free = node.retired_at.is_none() && node.bid.is_none() && node.lease.is_none();
        holds!(is_free, "a node bid that is retired, bids or works");
        node.bid = Some(BidModel { job: *job_key, per_sec, bond });
        Ok(vec![])
    }

    /// A bid is given up; its bond is free stake again.
    pub fn release_bid(&mut self, key: &Pubkey) -> Result<Flows, String> {
        self.node(key)?.bid.take().ok_or("a bid was released that a node did not have")?;
        Ok(vec![])
    }

    /// A bid was not kept. If by fault, its bond will be the customer's, by `claim`; else it is free stake again.
    pub fn drop_broken_bid(
        &mut self,
        job_key: &Pubkey,
        key: &Pubkey,
        claim: &Pubkey,
        seen: &Seen,
    ) -> Result<Flows, String> {
        let job = self.jobs.get(job_key).ok_or("there is no such job")?.clone();
        let is_due = (job.bidding_ends_at..job.award_by).contains(&seen.now);
        holds!(is_due, "a bid was dropped outside of the time to award");
        let node = self.node(key)?;
        let provider = node.provider;
        let bond = node.bid.take_if(|bid| bid.job == *job_key).map_or(0, |bid| bid.bond);
        if seen.after.claims.contains_key(claim) {
            let matures_at = seen.now + job.terms.unbonding_secs;
            let claim_model = ClaimModel { provider, to: Creditor::Customer(job.customer), amount: bond, matures_at };
            self.open_claim(*claim, claim_model)?;
        }
        Ok(vec![])
    }
}
