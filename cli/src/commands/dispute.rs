//! `millrace dispute`.

use std::fmt;

use anyhow::{bail, Context as _, Result};
use millrace::state::{Dispute, Lease, Provider, Ruling};
use millrace_client::{fetch, fetch_agreed, ix, pda, Instruction, Pubkey};
use serde::Serialize;
use sha2::{Digest, Sha256};

use crate::context::{mill, Context, Quote};
use crate::output::lines;
use crate::spec;

/// Call a result wrong; rule on it; have the ruling carried out.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Call the result of an ended lease wrong, within its dispute window. Costs a bond, lost if the result is found good.
    Open {
        /// The lease.
        #[arg(value_parser = spec::address)]
        lease: Pubkey,
        /// File with the evidence; its sha256 goes on chain. Keep it and show it to the oracles.
        #[arg(long, value_name = "FILE")]
        evidence: std::path::PathBuf,
    },
    /// Vote with an oracle's key.
    Vote {
        /// The lease.
        #[arg(value_parser = spec::address)]
        lease: Pubkey,
        /// For whom.
        #[arg(value_enum)]
        side: Side,
    },
    /// Show the dispute of a lease.
    Show {
        /// The lease.
        #[arg(value_parser = spec::address)]
        lease: Pubkey,
    },
    /// Take a dispute as far as it is: end a vote nobody won, or carry out a ruling that can no longer be appealed.
    Resolve {
        /// The lease.
        #[arg(value_parser = spec::address)]
        lease: Pubkey,
    },
}

/// For whom an oracle votes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Side {
    /// The result is wrong or unusable: for the customer.
    Uphold,
    /// The result is good: for the provider.
    Dismiss,
}

#[derive(Serialize)]
struct Shown {
    dispute: String,
    lease: String,
    customer: String,
    provider: String,
    evidence_hash: String,
    bond: u64,
    upheld_weight: u64,
    dismissed_weight: u64,
    ruling: &'static str,
    is_appealed: bool,
    vote_until: i64,
    appeal_until: i64,
}

/// What a person calls a ruling.
fn ruling_name(dispute: &Dispute) -> &'static str {
    const NAMES: [(Ruling, &str); 3] =
        [(Ruling::Upheld, "upheld"), (Ruling::Dismissed, "dismissed"), (Ruling::Lapsed, "lapsed")];
    NAMES.iter().find(|(ruling, _)| *ruling as u8 == dispute.ruling).map_or("none yet", |(_, name)| name)
}

impl Shown {
    fn new(it: &Dispute) -> Self {
        Self {
            dispute: pda::dispute(&it.lease).to_string(),
            lease: it.lease.to_string(),
            customer: it.customer.to_string(),
            provider: it.provider.to_string(),
            evidence_hash: hex::encode(it.evidence_hash),
            bond: it.bond,
            upheld_weight: it.upheld_weight,
            dismissed_weight: it.dismissed_weight,
            ruling: ruling_name(it),
            is_appealed: it.is_appealed > 0,
            vote_until: it.vote_until,
            appeal_until: it.appeal_until,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rows = [
            ("dispute", self.dispute.clone()),
            ("lease", self.lease.clone()),
            ("customer", self.customer.clone()),
            ("provider", self.provider.clone()),
            ("sha256 of the evidence", self.evidence_hash.clone()),
            ("bond", mill(self.bond)),
            ("votes", format!("{} to uphold, {} to dismiss", self.upheld_weight, self.dismissed_weight)),
            ("votes until", format!("{} (Unix seconds)", self.vote_until)),
            ("ruling", format!("{}{}", self.ruling, if self.is_appealed { ", appealed" } else { "" })),
            ("carried out from", format!("{} (Unix seconds; 0 before a ruling)", self.appeal_until)),
        ];
        write!(f, "{}", lines(&rows))
    }
}

pub async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Open { lease, evidence } => open(context, &lease, &evidence).await,
        Command::Vote { lease, side } => vote(context, &lease, side).await,
        Command::Show { lease } => show(context, &lease).await,
        Command::Resolve { lease } => resolve(context, &lease).await,
    }
}

/// The dispute of `lease`.
async fn of(context: &Context, lease: &Pubkey) -> Result<Dispute> {
    let dispute = fetch::<Dispute>(context.chain(), &pda::dispute(lease)).await?;
    dispute.with_context(|| format!("the lease {lease} has no open dispute"))
}

async fn lease_of(context: &Context, lease: &Pubkey) -> Result<Lease> {
    fetch_agreed::<Lease>(context.chain(), lease).await?.with_context(|| format!("there is no open lease at {lease}"))
}

async fn show(context: &Context, lease: &Pubkey) -> Result<()> {
    context.print(&Shown::new(&of(context, lease).await?));
    Ok(())
}

async fn open(context: &Context, lease: &Pubkey, evidence: &std::path::Path) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    let bytes = std::fs::read(evidence).with_context(|| format!("cannot read the evidence {}", evidence.display()))?;
    let state = lease_of(context, lease).await?;
    let (now, ends_at) = (context.chain().unix_timestamp().await?, state.closes_at());
    if !state.has_ended() {
        bail!("the lease still runs; stop it first with `millrace job stop`");
    }
    if now >= ends_at {
        bail!("the dispute window of the lease ended {} s ago", now.saturating_sub(ends_at));
    }
    context.confirm(&Quote {
        title: format!("Call the result of {lease} wrong"),
        rows: vec![
            ("bond", format!("{}, lost if the result is found good", mill(market.params.dispute_bond_amount))),
            ("held back, to win", mill(state.holdback_amount)),
            ("provider's bond, to win", mill(state.bond_left)),
            ("oracles vote for", format!("{} s", market.params.dispute_vote_secs)),
            ("rent", context.rent(&[8 + std::mem::size_of::<Dispute>()]).await?),
        ],
    })?;
    let evidence_hash = Sha256::digest(&bytes).into();
    context.submit("open dispute", &[ix::open_dispute(&authority, lease, &state, evidence_hash)]).await?;
    show(context, lease).await
}

async fn vote(context: &Context, lease: &Pubkey, side: Side) -> Result<()> {
    let authority = context.address()?;
    let dispute = of(context, lease).await?;
    let title = match side {
        Side::Uphold => "Vote that the result is wrong",
        Side::Dismiss => "Vote that the result is good",
    };
    context.confirm(&Quote {
        title: title.into(),
        rows: vec![
            ("lease", lease.to_string()),
            ("sha256 of the evidence", hex::encode(dispute.evidence_hash)),
            ("pays you", "nothing, whatever is ruled".into()),
        ],
    })?;
    context.submit("vote dispute", &[ix::vote_dispute(&authority, lease, side == Side::Uphold)]).await?;
    show(context, lease).await
}

async fn resolve(context: &Context, lease: &Pubkey) -> Result<()> {
    let (caller, market) = (context.address()?, context.market_accounts().await?);
    let dispute = of(context, lease).await?;
    let now = context.chain().unix_timestamp().await?;
    let (title, step) = if dispute.ruling == Ruling::None as u8 {
        if now < dispute.vote_until {
            bail!("the oracles vote for another {} s", dispute.vote_until.saturating_sub(now));
        }
        ("End the vote, which found no quorum", ix::lapse_dispute(lease))
    } else {
        if now < dispute.appeal_until {
            bail!("the ruling ({}) may be appealed for {} s", ruling_name(&dispute), dispute.appeal_until - now);
        }
        let provider =
            fetch_agreed::<Provider>(context.chain(), &dispute.provider).await?.context("the provider is gone")?;
        let state = lease_of(context, lease).await?;
        ("Carry out the ruling", ix::resolve_dispute(&caller, &dispute, &state, &provider, &market))
    };
    submit(context, title, &dispute, step).await
}

async fn submit(context: &Context, title: &str, dispute: &Dispute, step: Instruction) -> Result<()> {
    context.confirm(&Quote {
        title: title.into(),
        rows: vec![("ruling", ruling_name(dispute).into()), ("bond", mill(dispute.bond))],
    })?;
    context.submit("resolve dispute", &[step]).await?;
    let left = fetch::<Dispute>(context.chain(), &pda::dispute(&dispute.lease)).await?;
    context.print(&Shown::new(left.as_ref().unwrap_or(dispute)));
    Ok(())
}
