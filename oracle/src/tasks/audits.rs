//! Judges the commits nobody answered for, and forgets what is old.

use std::sync::Arc;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use crate::daemon::{blocking, Daemon};
use crate::decide::{AuditRecord, AuditState};
use crate::metrics;
use crate::view::View;

/// Judges until stopped.
///
/// # Errors
/// When the journal cannot be written.
pub async fn run(daemon: Arc<Daemon>, stop: CancellationToken) -> anyhow::Result<()> {
    let mut views = daemon.view.subscribe();
    let mut judged_epoch = None;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            changed = views.changed() => if changed.is_err() { return Ok(()) },
        }
        let Some(view) = daemon.fresh() else { continue };
        if judged_epoch != Some(view.epoch) {
            judge(&daemon, &view).await?;
            judged_epoch = Some(view.epoch);
        }
    }
}

/// Judges what is overdue in the view's epoch.
///
/// # Errors
/// When the journal or the evidence cannot be written.
pub async fn judge(daemon: &Arc<Daemon>, view: &View) -> anyhow::Result<()> {
    let up_since_epoch = daemon.up_since_epoch.get().copied().unwrap_or(view.epoch);
    let overdue: Vec<AuditRecord> = {
        let mut audits = daemon.audits();
        audits.prune(view.epoch, u64::try_from(view.epoch_secs()).unwrap_or(1));
        let judged = audits.records_mut().filter(|entry| !entry.is_verifying).filter_map(|entry| {
            let next_beacon_known = view.beacon(entry.record.commit.epoch.saturating_add(1)).is_some();
            let state = entry.record.overdue(view.epoch, next_beacon_known, up_since_epoch)?;
            Some(AuditRecord { state, ..entry.record })
        });
        judged.collect()
    };
    for record in overdue {
        settle(daemon, record, None).await?;
    }
    Ok(())
}

/// Writes a verdict down, then lets it be reported.
///
/// # Errors
/// When the journal or the evidence cannot be written: then there is no verdict.
pub async fn settle(daemon: &Arc<Daemon>, record: AuditRecord, bundle: Option<Vec<u8>>) -> anyhow::Result<()> {
    let (journal, evidence) = (daemon.journal.clone(), daemon.evidence.clone());
    let commit_id = record.commit.id();
    let verdict = verdict_name(record.state);
    blocking(move || -> anyhow::Result<()> {
        evidence.keep_verdict(&commit_id, verdict, bundle.as_deref()).context("cannot keep the evidence")?;
        Ok(journal.save_audit(&record)?)
    })
    .await??;
    daemon.audits().advance(&record.key(), record.state);
    metrics::judged(record.state);
    let node = bs58::encode(record.commit.node).into_string();
    tracing::info!(node, epoch = record.commit.epoch, gpu = record.commit.gpu_index, verdict, "audit judged");
    Ok(())
}

/// How evidence names a state.
pub fn verdict_name(state: AuditState) -> &'static str {
    match state {
        AuditState::Pending => "pending",
        AuditState::Passed { .. } => "passed",
        AuditState::Refused => "refused",
        AuditState::Withheld => "withheld",
        AuditState::Void => "void",
    }
}
