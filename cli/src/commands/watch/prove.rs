//! From a cheat to its slash: a case with the signed commit, what is wrong with it, and the execution. Each step looks at
//! the chain first, so that one that was interrupted, or that another watcher took, is not taken again.

use std::fmt;

use anyhow::{bail, Context as _, Result};
use millrace::instructions::{OpenCaseArgs, ProveEntryArgs, ProveLinkArgs};
use millrace::state::{Config, FraudCase, Node, Provider};
use millrace_client::token::{open_wallet, wallet};
use millrace_client::{fetch, fetch_agreed, fetch_all, field_offset, ix, pda, Chain, Pubkey};
use millrace_core::proof::Query;
use millrace_gemm::wrong_entries_beside;
use serde::Serialize;

use super::recheck::{Cheat, Fraud, Signed};
use crate::context::{mill, Context};

/// Most other nodes that fit a transaction beside what executes a case.
const MAX_OTHER_NODES: usize = 16;

/// A cheat that was slashed.
#[derive(Serialize)]
pub struct Slashed {
    node: String,
    case: String,
    epoch: u64,
    fraud: String,
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
            "node {} cheated in epoch {}: {}, which the program checked itself; {} slashed: {} burned, {} bounty",
            self.node,
            self.epoch,
            self.fraud,
            mill(self.slashed_amount),
            mill(self.burned_amount),
            mill(self.bounty_amount)
        )
    }
}

/// Proves a cheat on chain and takes the stake.
///
/// # Errors
/// When a step fails; the next call goes on from there.
pub async fn prove(context: &Context, market: &Config, cheat: &Cheat) -> Result<Slashed> {
    let chain = context.chain();
    let node =
        fetch::<Node>(chain, &cheat.node()).await?.with_context(|| format!("node {} is closed", cheat.node()))?;
    let provider = fetch_agreed::<Provider>(chain, &node.provider).await?.context("the provider is closed")?;
    let case_key = open(context, market, &node.provider, &cheat.signed).await?;
    let case = read(context, &case_key).await?;
    if !case.is_done() {
        show(context, market, &node.provider, &case_key, &case, cheat).await?;
        let case = read(context, &case_key).await?;
        if !case.is_fraud() {
            bail!(
                "only {} wrong entries share no row and no column; the case is executed when it closes",
                case.entry_count
            );
        }
        // A retired node locks nothing: its stake may be behind others.
        let others = if node.is_retired() { richest_nodes(chain, &case.provider, &case.node).await? } else { vec![] };
        let others: Vec<Pubkey> = others.into_iter().map(|(key, _)| key).collect();
        let execute = ix::execute_slash(&case_key, &case, &provider, &market.into(), &others);
        context.submit("execute slash", &[execute]).await?;
    }
    let after = fetch_agreed::<Provider>(chain, &node.provider).await?.context("the provider is closed")?;
    let slashed_amount = after.slashed_total.saturating_sub(provider.slashed_total);
    let split = millrace_core::slash::split_slash(slashed_amount, market.params.bounty_bps)
        .context("the bounty is out of bounds")?;
    let wrong_entries_opened = match &cheat.fraud {
        Fraud::WrongEntries { found, .. } => *found,
        Fraud::FalseSeed(_) | Fraud::SecondCommit(_) => 0,
    };
    Ok(Slashed {
        node: cheat.node().to_string(),
        case: case_key.to_string(),
        epoch: cheat.signed.commit.epoch,
        fraud: cheat.what(),
        wrong_entries_opened,
        entries_proven: usize::from(read(context, &case_key).await?.entry_count),
        slashed_amount,
        bounty_amount: split.bounty_amount,
        burned_amount: split.burn_amount,
    })
}

async fn read(context: &Context, case: &Pubkey) -> Result<FraudCase> {
    fetch::<FraudCase>(context.chain(), case).await?.context("the case is missing")
}

/// The case of a commit, opened now if nobody has yet.
async fn open(context: &Context, market: &Config, provider: &Pubkey, signed: &Signed) -> Result<Pubkey> {
    let case = pda::fraud_case(&signed.commit.id());
    if fetch::<FraudCase>(context.chain(), &case).await?.is_some() {
        return Ok(case);
    }
    let watcher = context.address()?;
    let bounty_account = wallet(&watcher, &market.mint, &market.token_program);
    let commit = signed.commit.to_bytes();
    let node = Pubkey::from(signed.commit.node);
    let instructions = [
        open_wallet(&watcher, &watcher, &market.mint, &market.token_program),
        ix::ed25519(&signed.operator, &signed.signature, &commit),
        ix::open_case(&watcher, provider, &node, OpenCaseArgs { commit, bounty_account }),
    ];
    context.submit("open fraud case", &instructions).await?;
    Ok(case)
}

/// Shows the program what is wrong, as far as it has not seen it.
async fn show(
    context: &Context,
    market: &Config,
    provider: &Pubkey,
    case_key: &Pubkey,
    case: &FraudCase,
    cheat: &Cheat,
) -> Result<()> {
    let watcher = context.address()?;
    match &cheat.fraud {
        Fraud::WrongEntries { bundle, .. } => {
            let known = case.entries.iter().take(usize::from(case.entry_count));
            let known: Vec<Query> = known.map(|it| Query { round: it.round, row: it.row, col: it.col }).collect();
            for entry in wrong_entries_beside(&cheat.signed.commit, bundle, &known) {
                let args = ProveEntryArgs { proof: entry.proof };
                context.submit("prove entry", &[ix::prove_entry(&watcher, case_key, args)]).await?;
            }
        }
        Fraud::FalseSeed(proof) if case.link_proven == 0 => {
            let args = ProveLinkArgs { proof: proof.clone() };
            context.submit("prove false seed", &[ix::prove_link(&watcher, case_key, args)]).await?;
        }
        Fraud::SecondCommit(first) if case.double_commit == 0 => {
            let other = open(context, market, provider, first).await?;
            context.submit("prove two commits", &[ix::prove_double_commit(&watcher, case_key, &other)]).await?;
        }
        Fraud::FalseSeed(_) | Fraud::SecondCommit(_) => {}
    }
    Ok(())
}

/// The nodes of `provider`, but for the one accused, that lock most: as many as fit beside an execution, in the order of
/// their numbers.
pub async fn richest_nodes(chain: &dyn Chain, provider: &Pubkey, accused: &Pubkey) -> Result<Vec<(Pubkey, Node)>> {
    let of_provider = [(field_offset!(Node, provider), provider.to_bytes().to_vec())];
    let mut nodes = fetch_all::<Node>(chain, &of_provider).await?;
    nodes.retain(|(key, node)| key != accused && !node.is_retired());
    nodes.sort_by_key(|(_, node)| std::cmp::Reverse(node.locked_stake));
    nodes.truncate(MAX_OTHER_NODES);
    nodes.sort_by_key(|(_, node)| node.index);
    Ok(nodes)
}
