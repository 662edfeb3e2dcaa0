//! `millrace job list` and `millrace job show`.

use std::fmt;

use anyhow::Result;
use millrace::state::{Bid, Job, JobState, Lease, LeaseRole, LeaseState};
use millrace_client::{fetch_all, fetch_job, pda, Pubkey};
use serde::Serialize;

use super::leases::leases_of;
use crate::context::{mill, Context};
use crate::output::{lines, table};

/// A bid as it is printed.
#[derive(Serialize)]
pub struct ShownBid {
    node: String,
    provider: String,
    per_sec: u64,
    score: u64,
}

impl From<&Bid> for ShownBid {
    fn from(bid: &Bid) -> Self {
        Self { node: bid.node.to_string(), provider: bid.provider.to_string(), per_sec: bid.per_sec, score: bid.score }
    }
}

#[derive(Serialize)]
struct ShownLease {
    lease: String,
    role: &'static str,
    state: &'static str,
    is_replaced: bool,
    node: String,
    provider: String,
    per_sec: u64,
    paid_secs: u64,
    gross_amount: u64,
    fee_amount: u64,
    holdback_amount: u64,
    exit_code: i32,
    result_root: String,
}

#[derive(Serialize)]
struct Shown {
    id: u64,
    job: String,
    state: &'static str,
    max_per_sec: u64,
    max_secs: u64,
    bidding_ends_at: i64,
    award_by: i64,
    manifest_hash: String,
    bids: Vec<ShownBid>,
    leases: Vec<ShownLease>,
}

impl From<&(Pubkey, Lease)> for ShownLease {
    fn from((key, it): &(Pubkey, Lease)) -> Self {
        Self {
            lease: key.to_string(),
            role: if it.role == LeaseRole::StandBy as u8 { "stand-by" } else { "member" },
            state: lease_state_name(it),
            is_replaced: it.is_replaced == 1,
            node: it.node.to_string(),
            provider: it.provider.to_string(),
            per_sec: it.per_sec,
            paid_secs: it.paid_secs,
            gross_amount: it.gross_amount,
            fee_amount: it.fee_amount,
            holdback_amount: it.holdback_amount,
            exit_code: it.exit_code,
            result_root: hex::encode(it.result_root),
        }
    }
}

/// What a job's state is called.
pub fn state_name(job: &Job, now: i64) -> &'static str {
    match job.state {
        s if s == JobState::Open as u8 && now < job.bidding_ends_at => "bidding",
        s if s == JobState::Open as u8 => "to be awarded",
        s if s == JobState::Awarded as u8 && job.leases_open > 0 => "awarded",
        s if s == JobState::Awarded as u8 => "ended",
        _ => "cancelled",
    }
}

/// What a lease's state is called.
pub fn lease_state_name(lease: &Lease) -> &'static str {
    match lease.state {
        s if s == LeaseState::Awarded as u8 => "awarded",
        s if s == LeaseState::Active as u8 => "running",
        s if s == LeaseState::Completed as u8 => "completed",
        s if s == LeaseState::JobFailed as u8 => "job failed",
        s if s == LeaseState::NodeFailed as u8 => "node failed",
        s if s == LeaseState::Stopped as u8 => "stopped",
        s if s == LeaseState::Mutual as u8 => "ended together",
        _ => "left",
    }
}

impl Shown {
    fn new(key: &Pubkey, job: &Job, bids: &[Bid], leases: &[(Pubkey, Lease)], now: i64) -> Self {
        Self {
            id: job.id,
            job: key.to_string(),
            state: state_name(job, now),
            max_per_sec: job.max_per_sec,
            max_secs: job.max_secs,
            bidding_ends_at: job.bidding_ends_at,
            award_by: job.award_by,
            manifest_hash: hex::encode(job.manifest_hash),
            bids: bids.iter().map(ShownBid::from).collect(),
            leases: leases.iter().map(ShownLease::from).collect(),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut rows = vec![
            ("job", format!("{} at {}", self.id, self.job)),
            ("state", self.state.to_owned()),
            ("at most", format!("{} a second for {} s", mill(self.max_per_sec), self.max_secs)),
            ("inputs", self.manifest_hash.clone()),
        ];
        for (rank, bid) in self.bids.iter().enumerate() {
            rows.push((
                if rank == 0 { "bids, best first" } else { "" },
                format!("{} a second by node {}", mill(bid.per_sec), bid.node),
            ));
        }
        for lease in &self.leases {
            let replaced = if lease.is_replaced { ", replaced by a stand-by" } else { "" };
            let name = if lease.role == "member" { "lease" } else { "stand-by" };
            rows.push((name, format!("{}, {}{replaced}", lease.lease, lease.state)));
            rows.push(("node", lease.node.clone()));
            rows.push((
                "paid",
                format!(
                    "{} s, {} (of it {} held back), fee {}",
                    lease.paid_secs,
                    mill(lease.gross_amount),
                    mill(lease.holdback_amount),
                    mill(lease.fee_amount)
                ),
            ));
        }
        write!(f, "{}", lines(&rows))
    }
}

/// `millrace job show`.
pub async fn show(context: &Context, customer: &Pubkey, id: u64) -> Result<()> {
    let key = pda::job(&pda::customer(customer), id);
    let Some((job, bids)) = fetch_job(context.chain(), &key).await? else {
        anyhow::bail!(
            "{customer} has no open job {id}; it was never posted, or is closed already; see `millrace job list`"
        );
    };
    let leases = leases_of(context, &key, &job).await?;
    context.print(&Shown::new(&key, &job, &bids, &leases, context.chain().unix_timestamp().await?));
    Ok(())
}

#[derive(Serialize)]
struct Line {
    id: u64,
    job: String,
    customer: String,
    state: &'static str,
    bids: u8,
    max_per_sec: u64,
    max_secs: u64,
}

#[derive(Serialize)]
#[serde(transparent)]
struct Listed(Vec<Line>);

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut rows = table(["id", "job", "state", "bids", "at most a second", "for at most"]);
        for it in &self.0 {
            rows.add_row([
                it.id.to_string(),
                it.job.clone(),
                it.state.into(),
                it.bids.to_string(),
                mill(it.max_per_sec),
                format!("{} s", it.max_secs),
            ]);
        }
        write!(f, "{rows}")
    }
}

/// `millrace job list`.
pub async fn list(context: &Context, all: bool) -> Result<()> {
    let now = context.chain().unix_timestamp().await?;
    let own = if all { None } else { Some(pda::customer(&context.address()?)) };
    let jobs = fetch_all::<Job>(context.chain(), &[]).await?;
    let line = |(key, it): &(Pubkey, Job)| Line {
        id: it.id,
        job: key.to_string(),
        customer: it.customer.to_string(),
        state: state_name(it, now),
        bids: it.bid_count,
        max_per_sec: it.max_per_sec,
        max_secs: it.max_secs,
    };
    context.print(&Listed(jobs.iter().filter(|(_, it)| own.is_none_or(|own| own == it.customer)).map(line).collect()));
    Ok(())
}

#[derive(Serialize)]
struct Closed {
    closed: u64,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "job {} is closed", self.closed)
    }
}

/// Says that a job is closed.
pub fn closed(context: &Context, id: u64) {
    context.print(&Closed { closed: id });
}
