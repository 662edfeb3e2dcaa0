//! `millrace watch`.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use anyhow::{bail, Context as _, Result};
use millrace::instructions::{OpenCaseArgs, ProveEntryArgs};
use millrace::state::{Beacons, Config, FraudCase, Node, Oracle, Provider};
use millrace_client::token::{open_wallet, wallet};
use millrace_client::{endpoint, fetch, fetch_all, ix, pda, Pubkey};
use millrace_core::proof::Commit;
use millrace_gemm::{verify_bundle, wrong_entries, Bundle, Refusal};
use millrace_wire::messages::{Evidence, EvidenceSummary};
use millrace_wire::SignedClient;
use serde::Serialize;

use crate::context::{format_sol, mill, Context, Quote};
use crate::spec;

/// Recheck what providers committed to, and prove cheats on chain for the bounty.
///
/// Asks the oracles for commits and bundles, believes none of their verdicts, recomputes every opened entry on this
/// machine, and opens a case for a computation with wrong entries: three of them, recomputed by the program itself,
/// take the node's whole stake. Ctrl-C at any time; a case left half proven is taken up again.
#[derive(clap::Args)]
pub struct Args {
    /// Only this node.
    #[arg(long, value_parser = spec::address)]
    node: Option<Pubkey>,
    /// Look, but prove nothing.
    #[arg(long)]
    dry_run: bool,
    /// Stop after the first cheat was slashed.
    #[arg(long)]
    until_slashed: bool,
    /// Stop after this many seconds; zero is never.
    #[arg(long, default_value_t = 0)]
    for_secs: u64,
}

#[derive(Serialize)]
struct Slashed {
    node: String,
    case: String,
    epoch: u64,
    wrong_entries_opened: usize,
    entries_proven: usize,
    slashed_amount: u64,
    bounty_amount: u64,
    burned_amount: u64,
}

impl fmt::Display for Slashed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "node {} cheated in epoch {}: {} of 512 opened entries wrong, {} recomputed by the program; {} slashed: {} burned, {} bounty",
            self.node, self.epoch, self.wrong_entries_opened, self.entries_proven, mill(self.slashed_amount), mill(self.burned_amount), mill(self.bounty_amount)
        )
    }
}

/// How often the oracles are asked.
const POLL: Duration = Duration::from_millis(700);

pub async fn run(context: &Context, args: Args) -> Result<()> {
    let market = context.market().await?;
    let http = SignedClient::unsigned(Duration::from_secs(10))?.with_max_answer(64 << 20);
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
            ],
        })?;
    }
    let deadline = (args.for_secs > 0).then(|| tokio::time::Instant::now() + Duration::from_secs(args.for_secs));
    let spinner = context.spinner("watching");
    let mut checked = BTreeSet::new();
    let mut silent = BTreeSet::new();
    loop {
        for oracle in oracle_urls(context).await? {
            let listed: Vec<EvidenceSummary> = match http.get(&format!("{oracle}/v1/evidence")).await {
                Ok(listed) => listed,
                Err(error) => {
                    // Said once: a watcher needs one honest oracle, not all.
                    if silent.insert(oracle.clone()) {
                        spinner.suspend(|| eprintln!("{error}"));
                    }
                    continue;
                }
            };
            for it in listed {
                let wanted = args.node.is_none_or(|node| node.to_bytes() == it.node);
                if !wanted || checked.contains(&it.commit_id) {
                    continue;
                }
                let url = format!("{oracle}/v1/evidence/{}", hex::encode(it.commit_id));
                match recheck(context, &http, &url).await {
                    Ok(Recheck::NotYet) => continue,
                    Ok(Recheck::Honest) => {}
                    Ok(Recheck::Wrong(cheat)) if args.dry_run => {
                        spinner.suspend(|| {
                            eprintln!(
                                "node {} has {} wrong entries in epoch {}",
                                cheat.node(),
                                cheat.wrong,
                                cheat.commit.epoch
                            )
                        });
                    }
                    Ok(Recheck::Wrong(cheat)) => {
                        spinner.set_message(format!("proving node {}", cheat.node()));
                        let slashed = prove(context, &market, &cheat).await?;
                        spinner.suspend(|| context.print(&slashed));
                        if args.until_slashed {
                            spinner.finish_and_clear();
                            return Ok(());
                        }
                    }
                    Err(error) => spinner.suspend(|| eprintln!("{error:#}")),
                }
                checked.insert(it.commit_id);
                spinner.set_message(format!("watching, {} commits rechecked", checked.len()));
            }
        }
        if deadline.is_some_and(|deadline| tokio::time::Instant::now() >= deadline) {
            spinner.finish_and_clear();
            if args.until_slashed {
                bail!("nobody was slashed within {} s; {} commits were rechecked", args.for_secs, checked.len());
            }
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(POLL) => {}
            _ = tokio::signal::ctrl_c() => {
                spinner.finish_and_clear();
                eprintln!("stopped; {} commits were rechecked", checked.len());
                return Ok(());
            }
        }
    }
}

/// Where the seated oracles answer.
pub async fn oracle_urls(context: &Context) -> Result<Vec<String>> {
    let oracles = fetch_all::<Oracle>(context.chain(), &[]).await?;
    Ok(oracles.iter().filter_map(|(_, oracle)| endpoint::from_bytes(&oracle.endpoint)).collect())
}

/// A committed computation with wrong entries.
struct Cheat {
    commit: Commit,
    signature: [u8; 64],
    /// Up to three encoded entry proofs that share no row and no column.
    proofs: Vec<Vec<u8>>,
    /// Wrong entries among those opened.
    wrong: usize,
}

impl Cheat {
    fn node(&self) -> Pubkey {
        Pubkey::from(self.commit.node)
    }
}

enum Recheck {
    /// The bundle or the next beacon is not there yet.
    NotYet,
    Honest,
    Wrong(Box<Cheat>),
}

async fn recheck(context: &Context, http: &SignedClient, url: &str) -> Result<Recheck> {
    let evidence: Evidence = http.get(url).await?;
    if evidence.bundle.is_empty() {
        return Ok(Recheck::NotYet);
    }
    let commit = Commit::from_bytes(&evidence.commit).with_context(|| format!("{url} is not a commit"))?;
    let beacons =
        fetch::<Beacons>(context.chain(), &pda::beacons()).await?.context("the beacons account is missing")?;
    let Some(next_beacon) = beacons.latched(commit.epoch + 1).map(|beacon| beacon.hash) else {
        return Ok(Recheck::NotYet);
    };
    let bundle =
        Bundle::from_bytes(&commit, &evidence.bundle).with_context(|| format!("the bundle at {url} is malformed"))?;
    let signature =
        <[u8; 64]>::try_from(evidence.signature).map_err(|_| anyhow::anyhow!("the signature at {url} is malformed"))?;
    let check = move || match verify_bundle(&commit, &next_beacon, &bundle) {
        Ok(_) => Recheck::Honest,
        Err(Refusal::WrongEntries(wrong)) => {
            let proofs = wrong_entries(&commit, &bundle).into_iter().map(|entry| entry.proof).collect();
            Recheck::Wrong(Box::new(Cheat { commit, signature, proofs, wrong: wrong.len() }))
        }
        // Malformed in another way: nothing that can be proven on chain.
        Err(_) => Recheck::Honest,
    };
    Ok(tokio::task::spawn_blocking(check).await?)
}

async fn prove(context: &Context, market: &Config, cheat: &Cheat) -> Result<Slashed> {
    let watcher = context.address()?;
    let chain = context.chain();
    let case_key = pda::fraud_case(&cheat.commit.id());
    let node =
        fetch::<Node>(chain, &cheat.node()).await?.with_context(|| format!("node {} is closed", cheat.node()))?;
    let provider = fetch::<Provider>(chain, &node.provider).await?.context("the provider is closed")?;
    let bounty_account = wallet(&watcher, &market.mint, &market.token_program);
    if fetch::<FraudCase>(chain, &case_key).await?.is_none() {
        let operator = provider.operator_at(cheat.commit.epoch);
        let instructions = [
            open_wallet(&watcher, &watcher, &market.mint, &market.token_program),
            ix::ed25519(&operator.to_bytes(), &cheat.signature, &cheat.commit.to_bytes()),
            ix::open_case(
                &watcher,
                &node.provider,
                &cheat.node(),
                OpenCaseArgs { commit: cheat.commit.to_bytes(), bounty_account },
            ),
        ];
        context.submit("open fraud case", &instructions).await?;
    }
    let case = fetch::<FraudCase>(chain, &case_key).await?.context("the case is missing")?;
    if !case.is_done() {
        for proof in cheat.proofs.iter().skip(usize::from(case.entry_count)) {
            context
                .submit("prove entry", &[ix::prove_entry(&watcher, &case_key, ProveEntryArgs { proof: proof.clone() })])
                .await?;
        }
        let case = fetch::<FraudCase>(chain, &case_key).await?.context("the case is missing")?;
        if !case.is_fraud() {
            bail!(
                "only {} wrong entries share no row and no column; the case is executed when it closes",
                case.entry_count
            );
        }
        // A retired node locks nothing: its stake may be behind others.
        let others = if node.is_retired() { richest_nodes(context, &case).await? } else { vec![] };
        let execute = ix::execute_slash(&case_key, &case, &provider, &market.into(), &others);
        context.submit("execute slash", &[execute]).await?;
    }
    let after = fetch::<Provider>(chain, &node.provider).await?.context("the provider is closed")?;
    let slashed_amount = after.slashed_total.saturating_sub(provider.slashed_total);
    let split = millrace_core::slash::split_slash(slashed_amount, market.params.bounty_bps)
        .context("the bounty is out of bounds")?;
    Ok(Slashed {
        node: cheat.node().to_string(),
        case: case_key.to_string(),
        epoch: cheat.commit.epoch,
        wrong_entries_opened: cheat.wrong,
        entries_proven: cheat.proofs.len(),
        slashed_amount,
        bounty_amount: split.bounty_amount,
        burned_amount: split.burn_amount,
    })
}

/// Most other nodes that fit a transaction beside what executes a case.
const MAX_OTHER_NODES: usize = 16;

/// The nodes of the accused provider, but for the accused, that lock most, in the order of their numbers.
async fn richest_nodes(context: &Context, case: &FraudCase) -> Result<Vec<Pubkey>> {
    let mut nodes = fetch_all::<Node>(context.chain(), &[]).await?;
    nodes.retain(|(key, node)| node.provider == case.provider && *key != case.node && !node.is_retired());
    nodes.sort_by_key(|(_, node)| std::cmp::Reverse(node.locked_stake));
    nodes.truncate(MAX_OTHER_NODES);
    nodes.sort_by_key(|(_, node)| node.index);
    Ok(nodes.into_iter().map(|(key, _)| key).collect())
}
