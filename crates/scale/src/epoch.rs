//! One epoch's report, from what was seen to the signature: by the seat that proposes, and by one that follows.

use std::fs;
use std::path::Path;

use anyhow::{ensure, Context};
use millrace_agreement::check;
use millrace_agreement::median::{median, MEDIAN_OF};
use millrace_agreement::opening::observation_hash;
use millrace_agreement::LeafSet;
use millrace_client::{pda, Signer};
use millrace_oracle::books::{ballot, findings, live_before, own_report, Ballot, Ballots};
use millrace_oracle::decide::report::{from_wire, open_ballot, to_wire};
use millrace_oracle::journal::{Journal, Signing};
use millrace_wire::messages::{Report, BALLOT_DOMAIN};
use millrace_wire::Sealed;
use serde::{Deserialize, Serialize};

use crate::chain::sign_report;
use crate::market::{Market, Seen, AT, EPOCH};
use crate::measure::{peak_mib, Step, Stopwatch};

/// The seat that proposes, and one that follows.
pub const PROPOSER: u8 = 0;
const FOLLOWER: u8 = 1;

/// What a part of an epoch took, and what came of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// Steps in order.
    pub steps: Vec<Step>,
    /// Most memory the process had, MiB.
    pub peak_mib: f64,
    /// Root of the report, in hex.
    pub root: String,
    /// Leaves of it.
    pub leaves: u32,
    /// Bytes of the largest message read.
    pub message_bytes: u64,
    /// Bytes of the journal with this one epoch.
    pub journal_bytes: u64,
}

impl Part {
    /// Time of all steps, seconds.
    pub fn wall_secs(&self) -> f64 {
        self.steps.iter().map(|step| step.wall_secs).sum()
    }

    /// Processor time of all steps, seconds.
    pub fn cpu_secs(&self) -> f64 {
        self.steps.iter().map(|step| step.cpu_secs).sum()
    }
}

fn own_ballot(seen: &Seen) -> Ballot {
    let live = live_before(&seen.on_chain, AT);
    ballot(EPOCH, AT, &live, &seen.leases, &seen.audits, &Ballots::default(), seen.seats.clone())
}

fn ballot_path(folder: &Path, oracle: u8) -> std::path::PathBuf {
    folder.join(format!("ballot-{oracle}.json"))
}

fn proposal_path(folder: &Path) -> std::path::PathBuf {
    folder.join("proposal.json")
}

/// Seats whose ballots a proposer asks for.
fn asked(market: &Market) -> impl Iterator<Item = u8> {
    (0..market.oracles).filter(|oracle| *oracle != PROPOSER).take(MEDIAN_OF.saturating_sub(1))
}

/// Writes down what the seats that are asked answer the proposer, as it is sent.
///
/// # Errors
/// When `folder` cannot be written.
pub fn write_ballots(market: &Market, folder: &Path) -> anyhow::Result<()> {
    for oracle in asked(market) {
        let seen = market.seen_by(oracle);
        let sealed = Sealed::seal(&market.seal_key(oracle), BALLOT_DOMAIN, &to_wire(&own_ballot(&seen).own))?;
        fs::write(ballot_path(folder, oracle), serde_json::to_vec(&sealed)?)?;
    }
    Ok(())
}

/// The epoch of the seat that proposes: commits to what it sees, makes its ballot, reads the others', proposes, writes down, signs,
/// and shows it. Takes [`write_ballots`] in `folder`, and leaves its proposal there.
///
/// # Errors
/// When a file cannot be used, or the report is refused.
pub fn propose(market: &Market, folder: &Path) -> anyhow::Result<Part> {
    let seen = market.seen_by(PROPOSER);
    let key = market.seat_key(PROPOSER);
    let journal_path = folder.join("proposer.db");
    let journal = Journal::open(&journal_path)?;
    let mut watch = Stopwatch::default();
    let mut message_bytes = 0;

    let observed = watch.step("commit to what is seen", || {
        let live = live_before(&seen.on_chain, AT);
        let own = own_report(EPOCH, AT, &live, &seen.leases, &seen.audits, &Ballots::default());
        let (salt, own) = journal.observe_once(&own, [7; 16])?;
        Ok(observation_hash(&pda::oracle(&key.pubkey()).to_bytes(), &own, &salt))
    })?;
    let ballot = watch.step("make the ballot", || Ok(own_ballot(&seen)))?;
    let others = watch.step("read the ballots of the others", || {
        // All have arrived before the first is read: the most memory it can take.
        let bodies: Vec<(u8, Vec<u8>)> = asked(market)
            .map(|oracle| Ok((oracle, fs::read(ballot_path(folder, oracle))?)))
            .collect::<anyhow::Result<_>>()?;
        message_bytes = bodies.iter().map(|(_, body)| body.len() as u64).max().unwrap_or(0);
        let read = bodies.into_iter().map(|(oracle, body)| {
            let sealed: Sealed = serde_json::from_slice(&body)?;
            drop(body);
            let authority = market.seal_key(oracle).verifying_key().to_bytes();
            open_ballot(&sealed, &authority, EPOCH).context("no ballot")
        });
        read.collect::<anyhow::Result<Vec<LeafSet>>>()
    })?;
    let set = watch.step("take the median of them", || {
        let mut all: Vec<(u64, &LeafSet)> = others.iter().map(|set| (1, set)).collect();
        all.push((1, &ballot.own));
        let found = median(EPOCH, ballot.at, &all);
        Ok(check::retain(&found, ballot.at, &findings(&ballot, &seen.leases, &seen.audits)))
    })?;
    watch.step("write it down", || {
        ensure!(journal.sign_once(&set)? == Signing::Sign, "another report was written down");
        Ok(())
    })?;
    watch.step("sign its root", || sign_report(&key, &set, observed))?;
    watch.step("show it", || {
        let shown = journal.signed(EPOCH)?.context("it was not written down")?;
        Ok(fs::write(proposal_path(folder), serde_json::to_vec(&to_wire(&shown))?)?)
    })?;
    part(watch, &set, message_bytes, &journal_path)
}

/// The epoch of a seat that follows: makes its ballot, reads the proposal, compares, writes down, signs, and keeps the report once it
/// is accepted.
///
/// # Errors
/// When a file cannot be used, or the proposal is refused.
pub fn follow(market: &Market, folder: &Path) -> anyhow::Result<Part> {
    let seen = market.seen_by(FOLLOWER);
    let key = market.seat_key(FOLLOWER);
    let journal_path = folder.join("follower.db");
    let journal = Journal::open(&journal_path)?;
    let mut watch = Stopwatch::default();
    let mut message_bytes = 0;

    let ballot = watch.step("make the ballot", || Ok(own_ballot(&seen)))?;
    let (set, root) = watch.step("read the proposal", || {
        let body = fs::read(proposal_path(folder))?;
        message_bytes = body.len() as u64;
        let report: Report = serde_json::from_slice(&body)?;
        let set = from_wire(&report)?;
        let root = set.root();
        Ok((set, root))
    })?;
    let (own, differences) = watch.step("compare it", || {
        let own = findings(&ballot, &seen.leases, &seen.audits);
        let differences = check::check(&set, EPOCH, AT, &own).err().unwrap_or_default();
        Ok((own, differences))
    })?;
    let accounts: Vec<[u8; 32]> = differences.iter().filter_map(|difference| difference.key()).collect();
    ensure!(differences.len() < check::MAX_LISTED, "it differs in too much");
    ensure!(accounts.len() == differences.len(), "the proposal is refused: {:?}", differences.first());
    // The others answer; theirs is not this oracle's time.
    let told: Vec<LeafSet> = match accounts.is_empty() {
        true => vec![],
        false => (0..market.oracles).filter(|it| *it != FOLLOWER).map(|it| market.told_by(it, &accounts)).collect(),
    };
    watch.step("yield where the others saw it so", || {
        let told: Vec<(u64, &LeafSet)> = told.iter().map(|set| (1, set)).collect();
        let backed = check::backed(&set, AT, &own, &told, 1, market.oracles.into());
        let refused = accounts.iter().find(|account| !backed.contains(*account));
        ensure!(refused.is_none(), "the proposal is refused: {:?}", differences.first());
        Ok(())
    })?;
    watch.step("write it down", || {
        ensure!(journal.sign_once(&set)? == Signing::Sign, "another report was written down");
        Ok(())
    })?;
    watch.step("sign its root", || sign_report(&key, &set, [0; 32]))?;
    watch.step("keep the accepted report", || Ok(journal.accept(&set)?))?;
    let part = part(watch, &set, message_bytes, &journal_path)?;
    ensure!(part.root == hex::encode(root), "another root was signed than read");
    Ok(part)
}

fn part(watch: Stopwatch, set: &LeafSet, message_bytes: u64, journal: &Path) -> anyhow::Result<Part> {
    let mut journal_bytes = fs::metadata(journal)?.len();
    journal_bytes += fs::metadata(journal.with_extension("db-wal")).map_or(0, |wal| wal.len());
    Ok(Part {
        steps: watch.steps(),
        peak_mib: peak_mib()?,
        root: hex::encode(set.root()),
        leaves: set.len(),
        message_bytes,
        journal_bytes,
    })
}
