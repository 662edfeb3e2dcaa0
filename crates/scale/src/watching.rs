//! What watching leases takes each second: asking their agents, and writing down what was counted.

use anyhow::ensure;
use ed25519_dalek::SigningKey;
use millrace_oracle::decide::lease::{LeaseTally, LeaseWatch, Sighting};
use millrace_oracle::journal::{Journal, StoredLease};
use millrace_oracle::tasks::leases::SAVED_AT_ONCE;
use millrace_wire::messages::{JobPhase, LeaseStatusAnswer, LEASE_STATUS_DOMAIN};
use millrace_wire::signature::{sign, RequestParts};
use millrace_wire::Sealed;
use serde::{Deserialize, Serialize};

use crate::market::{Market, AT};
use crate::measure::cpu_time;

/// Polls made for the measurement.
const POLLS: u32 = 5_000;

/// What a second of watching takes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Watching {
    /// Processor time of one poll without its way through the network: the request signed, the answer checked and counted. Seconds.
    pub poll_cpu_secs: f64,
    /// Processor time of writing down the tallies of one round, seconds.
    pub save_cpu_secs: f64,
}

/// Measures it.
///
/// # Errors
/// When an answer is refused or the journal cannot be written.
pub fn watch(market: &Market) -> anyhow::Result<Watching> {
    let (key, operator) = (market.seal_key(0), SigningKey::from_bytes(&[3; 32]));
    let answer = |phase| {
        let (nonce, detail) = ("00112233445566778899aabbccddeeff".to_owned(), String::new());
        let zeros = [0; 32];
        LeaseStatusAnswer {
            lease: zeros,
            nonce,
            phase,
            exit_code: 0,
            result_root: zeros,
            result_bytes: 0,
            checkpoint_root: zeros,
            detail,
        }
    };
    let body = serde_json::to_vec(&Sealed::seal(&operator, LEASE_STATUS_DOMAIN, &answer(JobPhase::Running))?)?;
    let mut lease = LeaseWatch::begin(LeaseTally::default(), 0, 0, AT);
    let began = cpu_time()?;
    for poll in 0..POLLS {
        let parts = RequestParts {
            method: "GET",
            authority: "203.0.113.7:9001",
            path: "/v1/leases/11111111111111111111111111111111/status",
            query: "nonce=00112233445566778899aabbccddeeff",
        };
        std::hint::black_box(sign(&key, &parts, &[], AT, poll.to_string()));
        let sealed: Sealed = serde_json::from_slice(&body)?;
        let said: LeaseStatusAnswer = sealed.open(LEASE_STATUS_DOMAIN, &operator.verifying_key().to_bytes())?;
        let sighting = Sighting::of(&said);
        lease.hear(sighting, u64::from(poll).saturating_mul(1_000));
    }
    let poll_cpu_secs = cpu_time()?.saturating_sub(began).as_secs_f64() / f64::from(POLLS);
    ensure!(lease.tally().live_millis == u64::from(POLLS - 1) * 1_000, "not every poll was counted");

    let folder = tempfile::tempdir()?;
    let journal = Journal::open(&folder.path().join("journal.db"))?;
    let mut tallies: Vec<StoredLease> = (0..SAVED_AT_ONCE as u32)
        .map(|number| StoredLease { lease: market.lease(number), tally: lease.tally(), watched_until: AT })
        .collect();
    journal.save_leases(&tallies, &[])?;
    tallies.iter_mut().for_each(|stored| stored.watched_until += 1);
    let began = cpu_time()?;
    journal.save_leases(&tallies, &[])?;
    Ok(Watching { poll_cpu_secs, save_cpu_secs: cpu_time()?.saturating_sub(began).as_secs_f64() })
}
