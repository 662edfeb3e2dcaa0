//! Has what this oracle opened counted, once a reward period, and claims what that earned.

use std::sync::Arc;

use millrace::instructions::ApplyOracleLeafArgs;
use millrace::state::Oracle;
use millrace_client::ix::Market;
use millrace_client::token::{balance, open_wallet, wallet};
use millrace_client::{ix, pda, Instruction};
use millrace_core::reward::period_of;
use tokio_util::sync::CancellationToken;

use crate::daemon::{blocking, Daemon};
use crate::view::View;

/// Last epochs of a period in which the newest leaf is applied: two, so that one missed is not the period's pay.
const APPLY_IN_LAST_EPOCHS: u64 = 2;

/// Applies and claims until stopped.
///
/// # Errors
/// When the journal cannot be read.
pub async fn run(daemon: Arc<Daemon>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut views = daemon.view.subscribe();
    let mut done_epoch = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = views.changed() => if changed.is_err() { return Ok(()) },
        }
        let Some(view) = daemon.fresh() else { continue };
        if done_epoch == Some(view.epoch) {
            continue;
        }
        done_epoch = Some(view.epoch);
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            outcome = turn(&daemon, &view) => outcome?,
        }
    }
}

/// One look in each epoch.
async fn turn(daemon: &Daemon, view: &View) -> anyhow::Result<()> {
    let epochs = view.config.params.reward_period_epochs;
    let Some(period) = period_of(view.epoch, epochs) else { return Ok(()) };
    let Some(seat) = view.seat_of(&daemon.me).and_then(|seat| view.seats.get(usize::from(seat))) else { return Ok(()) };
    let Some(oracle) = seat.oracle.as_deref() else { return Ok(()) };
    let pool = match balance(daemon.chain.as_ref(), &view.config.oracle_pool).await {
        Ok(pool) => pool.unwrap_or(0),
        Err(error) => {
            tracing::warn!("the oracles' pool cannot be read: {error}");
            return Ok(());
        }
    };
    if pool_pays(view, oracle, pool) {
        let market = Market::from(&view.config);
        let tokens = wallet(&daemon.me, &market.mint, &market.token_program);
        let claim = [
            open_wallet(&daemon.me, &daemon.me, &market.mint, &market.token_program),
            ix::claim_reward(&pda::oracle(&daemon.me), &tokens, &market),
        ];
        submit(daemon, &format!("claim the reward before epoch {period}"), &claim).await;
    }
    let ends_at = period.saturating_add(epochs);
    if view.epoch.saturating_add(APPLY_IN_LAST_EPOCHS) < ends_at {
        return Ok(());
    }
    let journal = daemon.journal.clone();
    let since = period.saturating_sub(1);
    let newest = (since..view.epoch).rev().find(|epoch| view.reports.accepted(*epoch).is_some());
    let Some(epoch) = newest else { return Ok(()) };
    let Some(set) = blocking(move || journal.accepted(epoch)).await?? else { return Ok(()) };
    let address = pda::oracle(&daemon.me);
    let Some((index, leaf)) = set.oracle(&address.to_bytes()) else { return Ok(()) };
    if leaf.opened <= oracle.opened || leaf.at <= oracle.last_leaf_at {
        return Ok(());
    }
    let path = set.tree().path(u64::from(index)).concat();
    let args = ApplyOracleLeafArgs { epoch, index, leaf: leaf.to_bytes(), path };
    let apply = ix::apply_oracle_leaf(&address, &Market::from(&view.config), args);
    submit(daemon, &format!("apply the oracle leaf of epoch {epoch}"), &[apply]).await;
    Ok(())
}

/// Whether a claim would pay anything now: the program's own answer, on copies.
fn pool_pays(view: &View, oracle: &Oracle, pool_amount: u64) -> bool {
    let (mut set, mut oracle) = (*view.oracles, *oracle);
    set.roll(view.epoch, view.config.params.reward_period_epochs, pool_amount);
    set.claim(&mut oracle).is_ok()
}

/// What does not land is tried again in the next epoch.
async fn submit(daemon: &Daemon, label: &str, instructions: &[Instruction]) {
    match daemon.outbox.submit(daemon.chain.as_ref(), label, instructions, &daemon.key, &[]).await {
        Ok(signature) => tracing::info!(%signature, "{label}"),
        Err(error) => tracing::warn!("cannot {label}: {error}"),
    }
}
