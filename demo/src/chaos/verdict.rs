//! What is left when all is over: are the books right, is any job lost, was anything paid twice?

use std::sync::atomic::Ordering;

use anyhow::{Context, Result};
use millrace::state::LeaseState;
use millrace_client::{pda, Pubkey};
use millrace_demo::answers::number;
use millrace_demo::stage::Stage;
use millrace_demo::{logs, secrets};
use serde_json::Value;

use crate::customers::Counts;
use crate::journals;
use crate::noticed::{self, Harm};
use crate::witness::Witness;

/// Says how it ended, in its last line for machines. Returns whether all is right.
pub fn give(
    stage: &Stage,
    (oracles, agents, customers): (&[String], &[String], &[String]),
    counts: &Counts,
    harms: &[Harm],
) -> Result<bool> {
    let keys: Vec<Pubkey> = customers.iter().map(|customer| pda::customer(&stage.address(customer))).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let witness = runtime.block_on(Witness::hear(&stage.url, &keys))?;
    let journals = runtime.block_on(journals::compare(stage, &stage.url, oracles))?;
    let ledger = stage.millrace("founder", &["ledger"])?;
    let mut paid_twice = witness.wrongly_paid();
    for (customer, key) in customers.iter().zip(keys) {
        let books =
            ledger["customers"].as_array().and_then(|all| all.iter().find(|it| it["customer"] == key.to_string()));
        let paid = number(books.with_context(|| format!("{customer} has no books"))?, "paid")?;
        let due = witness.paid_by(&key);
        if paid != due {
            paid_twice.push(format!("{customer} paid {paid} where its leases were due {due}"));
        }
    }
    let broken: Vec<&Value> =
        ledger["invariants"].as_array().into_iter().flatten().filter(|it| it["holds"] != true).collect();
    let (keys, files) = secrets::require_none_written(&stage.dir)?;
    let count = |it: &std::sync::atomic::AtomicU64| it.load(Ordering::Relaxed);
    let (jobs, completed, lost) = (count(&counts.jobs), count(&counts.completed), count(&counts.lost));
    stage.tell(format!(
        "{} leases: {} completed, {} failed by their nodes, {} otherwise; {} times work was posted anew",
        witness.count(),
        witness.ended_as(LeaseState::Completed),
        witness.ended_as(LeaseState::NodeFailed),
        witness.count() - witness.ended_as(LeaseState::Completed) - witness.ended_as(LeaseState::NodeFailed),
        count(&counts.again)
    ));
    let takeovers = logs::takeovers(&stage.dir, oracles, agents)?;
    let slowest = takeovers.last().map_or(String::new(), |slowest| {
        let median = takeovers.get(takeovers.len() / 2).unwrap_or(slowest);
        let (median, slowest) = (median.as_secs_f64(), slowest.as_secs_f64());
        format!(": half of them within {median:.1} s of the accepted report, all within {slowest:.1} s")
    });
    stage.tell(format!("{} failed leases were taken over by a stand-by{slowest}", witness.taken_over));
    stage.tell(format!("no secret of {keys} keys in {files} files this run wrote"));
    let epochs = journals.accepted.last_key_value().map_or(0, |(last, _)| last + 1);
    stage.tell(format!(
        "{} of {epochs} epochs have an accepted report; {} signatures by {} oracles are held against their journals",
        journals.accepted.len(),
        journals.signatures,
        oracles.len()
    ));
    let delays = noticed::delays(stage, oracles, harms)?;
    if let (Some(median), Some(slowest)) = (delays.get(delays.len() / 2), delays.last()) {
        stage.tell(format!(
            "oracles noticed {} times that an agent was gone: half of them within {:.1} s, all within {:.1} s",
            delays.len(),
            median.as_secs_f64(),
            slowest.as_secs_f64()
        ));
    }
    for wrong in &journals.wrong {
        stage.tell(format!("journals: {wrong}"));
    }
    for wrong in &paid_twice {
        stage.tell(format!("paid wrongly: {wrong}"));
    }
    for invariant in &broken {
        stage.tell(format!("broken: {invariant}"));
    }
    let invariants = if broken.is_empty() { "ok" } else { "broken" };
    println!(
        "chaos: jobs={jobs} completed={completed} lost={lost} paid_twice={} invariants={invariants}",
        paid_twice.len()
    );
    Ok(lost == 0
        && completed == jobs
        && jobs > 0
        && paid_twice.is_empty()
        && broken.is_empty()
        && journals.wrong.is_empty())
}
