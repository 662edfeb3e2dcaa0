//! Settles the end of a lease whose agent does not: one that died cannot say so itself.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use millrace::constants::REPORT_RING;
use millrace::instructions::SettleLeaseArgs;
use millrace::state::{AcceptedRoot, Config, Lease, Reports};
use millrace_client::{fetch, ix, pda, Pubkey};
use millrace_core::epoch::epoch_starts_at;
use millrace_wire::SignedClient;

use crate::context::Context;
use crate::reports::{leaves, oracles};

/// Time between two looks at the reports.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// How long an agent has to settle what a report says, seconds.
const PATIENCE_SECS: i64 = 5;

/// Longest an oracle may take to answer.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Looks after leases that nobody else may settle.
#[derive(Default)]
pub struct Settler {
    looked_at: Option<Instant>,
    /// Newest epoch whose report is done with.
    done_epoch: Option<u64>,
}

impl Settler {
    /// Settles the lease at `key` if the newest report says that it ended and its agent let that lie. A step that fails is taken again
    /// at a later look.
    pub async fn look(&mut self, context: &Context, key: &Pubkey, lease: &Lease) {
        if self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return;
        }
        self.looked_at = Some(Instant::now());
        // What went wrong is no news to the customer: the chain is asked again, and the agent may still come.
        let _ = self.try_settle(context, key, lease).await;
    }

    async fn try_settle(&mut self, context: &Context, key: &Pubkey, lease: &Lease) -> Result<()> {
        let chain = context.chain();
        let reports = fetch::<Reports>(chain, &pda::reports()).await?.context("there are no reports")?;
        let (config, now) = (context.market().await?, chain.unix_timestamp().await?);
        let Some(accepted) = let_lie(&reports, config.epoch_at(now)?, now) else { return Ok(()) };
        let is_done = self.done_epoch.is_some_and(|done| accepted.epoch <= done);
        if is_done || is_applied(&config, accepted.epoch, lease) {
            return Ok(());
        }
        let http = SignedClient::unsigned(ANSWER_WITHIN)?;
        let report =
            leaves(&oracles(chain, &http).await?, accepted, |leaf| leaf.lease == key.to_bytes(), |_| false).await?;
        if let Some(proven) = report.leases.first().filter(|proven| proven.leaf.status.is_final()) {
            let args = SettleLeaseArgs {
                epoch: accepted.epoch,
                index: proven.index,
                leaf: proven.bytes,
                path: proven.path.clone(),
            };
            let settle = ix::settle_lease(key, lease, &context.market_accounts().await?, args);
            context.submit(&format!("settle {key} {}", accepted.epoch), &[settle]).await?;
        }
        self.done_epoch = Some(accepted.epoch);
        Ok(())
    }
}

/// The newest report that agents have had time enough for: what it says of a lease's end, every later one says as well.
fn let_lie(reports: &Reports, epoch: u64, now: i64) -> Option<&AcceptedRoot> {
    let ring = (0..REPORT_RING as u64).map_while(|age| epoch.checked_sub(age));
    ring.filter_map(|epoch| reports.accepted(epoch)).find(|accepted| now >= accepted.accepted_at + PATIENCE_SECS)
}

/// Whether the leaf of `epoch` was applied to `lease`: leaves are of the end of their epoch.
fn is_applied(config: &Config, epoch: u64, lease: &Lease) -> bool {
    let ended_at =
        epoch_starts_at(config.base_epoch, config.base_at, config.params.epoch_secs, epoch.saturating_add(1));
    ended_at.is_none_or(|ended_at| lease.last_leaf_at >= ended_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;

    #[test]
    fn a_report_is_looked_at_when_agents_had_their_time_however_short_an_epoch_is() {
        let mut reports = Box::new(Reports::zeroed());
        for epoch in 5..=8 {
            reports.accept(epoch, [epoch as u8; 24], 1, 1, 100 + 4 * epoch as i64);
        }
        let epoch_at = |now| let_lie(&reports, 8, now).map(|accepted| accepted.epoch);
        assert_eq!(epoch_at(124), None);
        assert_eq!(epoch_at(125), Some(5));
        assert_eq!(epoch_at(134), Some(7), "that of epoch 8 is 2 s old");
        assert_eq!(epoch_at(137), Some(8));
    }

    #[test]
    fn a_leaf_is_applied_when_it_is_no_newer_than_the_last() {
        let mut config = Config { base_epoch: 0, base_at: 1_000, ..Config::zeroed() };
        config.params.epoch_secs = 4;
        let lease = |last_leaf_at| Lease { last_leaf_at, ..Lease::zeroed() };
        assert!(!is_applied(&config, 2, &lease(1_011)) && is_applied(&config, 2, &lease(1_012)));
    }
}
