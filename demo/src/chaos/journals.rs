//! What the oracles' journals say, held against each other and against the chain.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use millrace_client::{pda, Chain, MillraceEvent, RpcChain};
use millrace_demo::stage::Stage;
use rusqlite::{Connection, OpenFlags};

type Root = [u8; 24];

/// What was found.
#[derive(Default)]
pub struct Comparison {
    /// Epochs with an accepted report.
    pub accepted: BTreeMap<u64, Root>,
    /// Signatures under reports, on chain.
    pub signatures: usize,
    /// What does not fit.
    pub wrong: Vec<String>,
}

/// Compares the chain at `url` with the journals of `oracles`, which must have ended.
///
/// # Errors
/// When the chain or a journal cannot be read.
pub async fn compare(stage: &Stage, url: &str, oracles: &[String]) -> Result<Comparison> {
    let (chain, mut found) = (RpcChain::new(&[url.to_owned()])?, Comparison::default());
    let mut signed: BTreeMap<(usize, u64), Root> = BTreeMap::new();
    for (place, name) in oracles.iter().enumerate() {
        for signature in chain.signatures_of(&pda::oracle(&stage.address(name)), None).await? {
            for event in chain.transaction_events(&signature).await? {
                let MillraceEvent::ReportSigned(it) = event else { continue };
                found.signatures += 1;
                if signed.insert((place, it.epoch), it.root).is_some() {
                    found.wrong.push(format!("{name} signed epoch {} twice", it.epoch));
                }
                if it.is_accepted && found.accepted.insert(it.epoch, it.root).is_some_and(|root| root != it.root) {
                    found.wrong.push(format!("epoch {} has two accepted reports", it.epoch));
                }
            }
        }
    }
    for (place, name) in oracles.iter().enumerate() {
        let dir = stage.dir.join(format!("{name}-data"));
        let chosen = roots(&dir.join("journal.db"), "signed")?;
        // What is older is forgotten.
        let oldest = chosen.first_key_value().map_or(0, |(epoch, _)| *epoch);
        for ((_, epoch), root) in signed.range((place, oldest)..=(place, u64::MAX)) {
            // Written down before it was signed, whatever happened in between.
            if chosen.get(epoch) != Some(root) {
                found.wrong.push(format!("{name} signed for epoch {epoch} what its journal has not"));
            }
        }
        for (epoch, root) in roots(&dir.join("journal.db"), "accepted")? {
            if found.accepted.get(&epoch) != Some(&root) {
                found.wrong.push(format!("the journal of {name} has a report of epoch {epoch} that was not accepted"));
            }
        }
        let second: i64 = open(&dir.join("evidence.db"))?.query_row(
            "SELECT count(*) FROM evidence WHERE verdict = 'second'",
            [],
            |row| row.get(0),
        )?;
        if second > 0 {
            found.wrong.push(format!("{name} holds {second} second commits of a GPU in an epoch"));
        }
    }
    Ok(found)
}

fn open(path: &Path) -> Result<Connection> {
    Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)
        .with_context(|| format!("cannot read {}", path.display()))
}

fn roots(path: &Path, table: &str) -> Result<BTreeMap<u64, Root>> {
    let db = open(path)?;
    let mut query = db.prepare(&format!("SELECT epoch, root FROM {table}"))?;
    let rows = query.query_map([], |row| Ok((row.get::<_, i64>(0)? as u64, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
