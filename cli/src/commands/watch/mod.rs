//! `millrace watch`.

mod duties;
mod perform;
mod prove;
mod recheck;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use anyhow::{bail, Context as _, Result};
use indicatif::ProgressBar;
use millrace::state::{Config, FraudCase, Oracle, SlashCase};
use millrace_client::{endpoint, fetch_all, Pubkey};
use millrace_wire::messages::{Evidence, EvidenceSummary};
use millrace_wire::{Pin, SignedClient};
use tokio::time::Instant;

use crate::context::{format_sol, mill, Context, Quote};
use crate::spec;
use duties::OracleAt;
use perform::Performer;
use prove::{prove, Slashed};
use recheck::{Recheck, Rechecker};

/// Recheck what providers committed to, and prove cheats on chain for the bounty.
///
/// Asks the oracles for commits and bundles, believes none of their verdicts, recomputes every opened entry on this
/// machine, and opens a case for what is wrong: three wrong entries, a seed that does not follow, or two commits for one
/// GPU in one epoch. The program checks each itself and takes the node's whole stake. Ctrl-C at any time; a case left half
/// proven is taken up again.
///
/// Every few seconds it also does what anyone may do and no daemon does. For a bounty: takes the stake of oracles that
/// signed for a cheat which they had to find; charges nodes whose answer was withheld, or that are slow again, and executes
/// that when the appeal is over; executes fraud cases that were left. For a fee: applies a bad audit that an agent held back
/// for an epoch. For nothing: the same for cases of others, and pays claims on bonds that have matured.
///
/// What it costs: about 5,000 lamports a transaction, and the priority fee where others pay one; rent of about 0.003 SOL for
/// each charge and each fraud case, back when the case is closed, which it does itself; a deposit for each fraud case, back
/// once an entry is proven. `--only-bounties` leaves out whatever pays it nothing.
#[derive(clap::Args)]
pub struct Args {
    /// Only this node, and nothing but its commits.
    #[arg(long, value_parser = spec::address)]
    node: Option<Pubkey>,
    /// Look, but prove nothing.
    #[arg(long)]
    dry_run: bool,
    /// Of what anyone may do, only what pays this key: a bounty, a fee, or rent it paid before.
    #[arg(long)]
    only_bounties: bool,
    /// Stop after the first cheat was slashed.
    #[arg(long)]
    until_slashed: bool,
    /// Stop after this many seconds; zero is never.
    #[arg(long, default_value_t = 0)]
    for_secs: u64,
}

/// How often the oracles are asked.
const POLL: Duration = Duration::from_millis(700);

/// Time before a commit that is not answered for yet is looked at again.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// How often it is looked whether something else is due.
const DUTIES_EVERY: Duration = Duration::from_secs(5);

/// Time before what failed is tried again.
const RETRY: Duration = Duration::from_secs(20);

/// Watches until told to stop.
pub async fn run(context: &Context, args: Args) -> Result<()> {
    let market = context.market().await?;
    if !args.dry_run {
        context.confirm(&Quote {
            title: "Watch, and prove cheats on chain".into(),
            rows: vec![
                (
                    "deposit a case",
                    format!("{}, back once an entry is proven", format_sol(market.params.case_deposit_lamports)),
                ),
                ("rent a case", context.rent(&[8 + std::mem::size_of::<FraudCase>()]).await?),
                ("bounty", format!("{:.2} % of what is slashed", f64::from(market.params.bounty_bps) / 100.0)),
                ("rent a charge", context.rent(&[8 + std::mem::size_of::<SlashCase>()]).await?),
                ("fee a downgrade", format!("up to {} to you", mill(market.params.downgrade_fee_amount))),
                (
                    "for others",
                    match args.only_bounties {
                        true => "nothing that pays you nothing".into(),
                        false => "what is due, for about 5,000 lamports a transaction".into(),
                    },
                ),
            ],
        })?;
    }
    let deadline = (args.for_secs > 0).then(|| Instant::now() + Duration::from_secs(args.for_secs));
    let mut watch = Watch {
        context,
        market,
        http: SignedClient::unsigned(Duration::from_secs(10))?.with_max_answer(64 << 20),
        spinner: context.spinner("watching"),
        rechecker: Rechecker::default(),
        done: BTreeSet::new(),
        useless: BTreeSet::new(),
        retry_at: HashMap::new(),
        silent: BTreeSet::new(),
        performer: Performer::default(),
        args,
    };
    let mut duties_at = Instant::now();
    loop {
        if watch.round().await? && watch.args.until_slashed {
            watch.spinner.finish_and_clear();
            return Ok(());
        }
        if watch.args.node.is_none() && Instant::now() >= duties_at {
            watch.perform_duties().await;
            duties_at = Instant::now() + DUTIES_EVERY;
        }
        if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            watch.spinner.finish_and_clear();
            if watch.args.until_slashed {
                bail!(
                    "nobody was slashed within {} s; {} commits were rechecked",
                    watch.args.for_secs,
                    watch.done.len()
                );
            }
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            _ = tokio::signal::ctrl_c() => {
                watch.spinner.finish_and_clear();
                eprintln!("stopped; {} commits were rechecked", watch.done.len());
                return Ok(());
            }
        }
    }
}

struct Watch<'a> {
    context: &'a Context,
    market: Config,
    http: SignedClient,
    spinner: ProgressBar,
    rechecker: Rechecker,
    /// Commits found honest or slashed.
    done: BTreeSet<[u8; 32]>,
    /// Oracles and commits of which they have nothing that proves anything: others may.
    useless: BTreeSet<(String, [u8; 32])>,
    /// When to look again at what failed.
    retry_at: HashMap<[u8; 32], Instant>,
    /// Oracles that did not answer, said once: a watcher needs one honest oracle, not all.
    silent: BTreeSet<String>,
    performer: Performer,
    args: Args,
}

impl Watch<'_> {
    /// Asks every oracle once for what is new. True when somebody was slashed.
    async fn round(&mut self) -> Result<bool> {
        let mut is_slashed = false;
        for (oracle, http) in self.oracles().await? {
            let listed: Vec<EvidenceSummary> = match http.get(&format!("{oracle}/v1/evidence")).await {
                Ok(listed) => listed,
                Err(error) => {
                    if self.silent.insert(oracle.clone()) {
                        self.tell(&error.to_string());
                    }
                    continue;
                }
            };
            self.silent.remove(&oracle);
            for it in listed {
                let is_wanted = self.args.node.is_none_or(|node| node.to_bytes() == it.node);
                let is_due = self.retry_at.get(&it.commit_id).is_none_or(|at| Instant::now() >= *at);
                let is_known =
                    self.done.contains(&it.commit_id) || self.useless.contains(&(oracle.clone(), it.commit_id));
                if !is_wanted || !is_due || is_known {
                    continue;
                }
                match self.look(&oracle, &http, &it.commit_id).await {
                    Ok(slashed) => is_slashed |= slashed.is_some_and(|slashed| self.say(&slashed)),
                    Err(error) => {
                        self.retry_at.insert(it.commit_id, Instant::now() + RETRY);
                        self.tell(&format!("{oracle}, commit {}: {error:#}", hex::encode(it.commit_id)));
                    }
                }
                self.spinner.set_message(format!("watching, {} commits rechecked", self.done.len()));
            }
        }
        Ok(is_slashed)
    }

    /// Rechecks one commit by what one oracle has of it, and proves what is wrong.
    async fn look(&mut self, oracle: &str, http: &SignedClient, commit_id: &[u8; 32]) -> Result<Option<Slashed>> {
        let evidence: Evidence = http.get(&format!("{oracle}/v1/evidence/{}", hex::encode(commit_id))).await?;
        let slashed = match self.rechecker.recheck(self.context.chain(), evidence).await? {
            Recheck::NotYet => {
                self.retry_at.insert(*commit_id, Instant::now() + ASK_AGAIN);
                return Ok(None);
            }
            Recheck::Useless => {
                self.useless.insert((oracle.to_owned(), *commit_id));
                return Ok(None);
            }
            Recheck::Honest => None,
            Recheck::Cheat(cheat) if self.args.dry_run => {
                self.tell(&format!("node {}: {} in epoch {}", cheat.node(), cheat.what(), cheat.signed.commit.epoch));
                None
            }
            Recheck::Cheat(cheat) => {
                self.spinner.set_message(format!("proving node {}", cheat.node()));
                Some(prove(self.context, &self.market, &cheat).await?)
            }
        };
        self.done.insert(*commit_id);
        Ok(slashed)
    }

    /// Where the oracles answer, and what asks each: over TLS nobody but the holder of its key.
    async fn oracles(&self) -> Result<Vec<OracleAt>> {
        let oracles = fetch_all::<Oracle>(self.context.chain(), &[]).await.context("cannot read the oracles")?;
        let reach = |oracle: &Oracle| {
            let url = endpoint::from_bytes(&oracle.endpoint)?;
            Some((url, self.http.pinned(Pin::Key(oracle.authority.to_bytes()))))
        };
        Ok(oracles.iter().filter_map(|(_, oracle)| reach(oracle)).collect())
    }

    fn tell(&self, what: &str) {
        self.spinner.suspend(|| eprintln!("{what}"));
    }

    fn say(&self, slashed: &Slashed) -> bool {
        self.spinner.suspend(|| self.context.print(slashed));
        true
    }
}
