//! Moves of who proves frauds.

use std::rc::Rc;

use millrace::instructions::SlashOracleArgs;
use millrace::state::Beacons;
use millrace_client::ix as client;
use millrace_core::proof::{Task, QUERIES};

use crate::fraud::{close_case as close, compute_limit, ed25519, execute_slash_with, SparseRun, Value};
use crate::fraud::{open_case as open, prove_entry as entry, prove_link as link};
use crate::machine::model::CaseModel;
use crate::machine::reports::{task, Found, Overlooked, ROUNDS, WRONG};
use crate::machine::{Actor, Dice, Market, Plan};
use crate::{pda, Keypair, Pubkey, Signer};

/// Cases open at most, so that the dice find the right one often enough.
const CASES: usize = 3;
/// Compute units a proof may use.
const UNITS: u32 = 1_400_000;

/// Watcher `nth` accuses a node of `run`, which its operator signed.
fn open_case(market: &mut Market, nth: usize, run: Rc<SparseRun>, operator: &Keypair) -> Plan {
    let watcher = market.watchers[nth].clone();
    let node = Pubkey::new_from_array(run.commit.node);
    let provider = market.books.nodes[&node].provider;
    let case = pda::fraud_case(&run.commit.id());
    let signature = ed25519(operator, &run.commit.to_bytes());
    let accuse = open(&watcher.authority.pubkey(), &provider, &run.commit, &watcher.tokens);
    let model = CaseModel {
        node,
        provider,
        epoch: run.commit.epoch,
        entries: 0,
        is_link_false: false,
        is_double: false,
        gpu_index: run.commit.gpu_index,
        bounty: (Actor::Watcher(nth), watcher.tokens),
        closes_at: 0,
        owed: None,
        is_done: false,
    };
    market.runs.insert(case, run);
    let signers = vec![watcher.authority.insecure_clone()];
    Plan::of(vec![signature, accuse], signers).then(move |books, seen| books.open_case(case, model, seen.now))
}

/// Anyone executes `case`, from others of the provider's nodes too.
pub fn execute_slash(market: &Market, case: &Pubkey, others: &[Pubkey], caller: &Keypair) -> Plan {
    let key = *case;
    let others = others.to_vec();
    // Which others are named is the caller's choice.
    let chosen: Vec<Pubkey> = others.iter().copied().chain([key]).collect();
    let plan = Plan::new(execute_slash_with(&market.world, &key, &others), caller).about(&chosen);
    plan.then(move |model, seen| model.execute_slash(&key, &others, seen))
}

/// The other nodes of a node's provider, in the order of their numbers.
pub fn other_nodes(market: &Market, node: &Pubkey, provider: &Pubkey) -> Vec<Pubkey> {
    let others = market.books.nodes.iter().filter(|(key, other)| other.provider == *provider && *key != node);
    let mut others: Vec<_> = others.map(|(key, other)| (other.index, *key)).collect();
    others.sort_unstable();
    others.into_iter().map(|(_, key)| key).collect()
}

/// Anyone shows that two cases are of two commits for one work.
fn prove_double(case: &Pubkey, other: &Pubkey, prover: &Keypair) -> Plan {
    let (case, other) = (*case, *other);
    let prove = client::prove_double_commit(&prover.pubkey(), &case, &other);
    let plan = Plan::new(prove, prover).about(&[case, other]).once();
    plan.then(move |model, _| model.prove_double(&case, &other))
}

/// Anyone closes `case`.
pub fn close_case(market: &Market, case: &Pubkey, caller: &Keypair) -> Plan {
    let key = *case;
    let epoch = market.world.epoch();
    let plan = Plan::new(close(&market.world, &key), caller).about(&[key]);
    plan.then(move |model, _| model.close_case(&key, epoch))
}

fn any_case(market: &Market, dice: &mut Dice, fit: impl Fn(&CaseModel) -> bool) -> Option<Pubkey> {
    let is_careless = dice.once_in(8);
    let cases = market.model.cases.iter().filter(|(_, case)| is_careless || fit(case));
    dice.pick(&cases.map(|(key, _)| *key).collect::<Vec<_>>())
}

pub(super) fn any_accusation(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    if market.books.cases.len() >= CASES {
        return None;
    }
    if dice.once_in(2) {
        if let Some(plan) = any_accusation_of_overlooked(market, dice) {
            return Some(plan);
        }
    }
    let (beacons, now) = (market.world.read::<Beacons>(&pda::beacons()), market.world.epoch());
    let latched: Vec<_> = (now.saturating_sub(30)..=now).filter_map(|epoch| beacons.latched(epoch)).collect();
    let (epoch, beacon) = dice.pick(&latched).map(|beacon| (beacon.epoch, beacon.hash))?;
    // Now and then the same work as in a case that is open, so that there are two commits for it.
    let again = market.model.cases.values().filter(|case| case.epoch == epoch).map(|case| case.node);
    let again =
        dice.pick(&again.collect::<Vec<_>>()).filter(|node| dice.once_in(2) && market.books.nodes.contains_key(node));
    let node = again.or_else(|| dice.pick(&market.books.nodes.keys().copied().collect::<Vec<_>>()))?;
    let provider = &market.books.providers[&market.books.nodes[&node].provider];
    let operator = market.keys.get(&provider.operator_at(epoch))?.insecure_clone();
    let task = Task { gpu_index: dice.below(2) as u32, ..task(market, &node, epoch, beacon) };
    let run = match dice.below(5) {
        0 => SparseRun::new(&task, &[], Value::Right),
        1 => SparseRun::with_seed_0(&task, [9; 32], &[], Value::Right),
        2 => SparseRun::new(&task, &[(1, 2), (1, 3), (5, 2), (7, 8)], Value::Wrong),
        _ => SparseRun::new(&task, &WRONG, Value::Wrong),
    };
    let nth = dice.below(market.watchers.len() as u64) as usize;
    Some(open_case(market, nth, Rc::new(run), &operator))
}

/// What reports pass that they should not: where the report is, which of its leaves, and the case about it.
fn overlooked(market: &Market) -> Vec<((u64, bool), Overlooked, Pubkey)> {
    let all = market.drafts.iter().flat_map(|(at, draft)| draft.overlooked.iter().map(|one| (*at, one.clone())));
    all.map(|(at, one)| (at, pda::fraud_case(&one.run.commit.id()), one))
        .map(|(at, case, one)| (at, one, case))
        .collect()
}

/// A watcher accuses a node of what oracles overlooked.
fn any_accusation_of_overlooked(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let fit = overlooked(market).into_iter().filter(|(_, one, case)| {
        let node = Pubkey::new_from_array(one.run.commit.node);
        !market.books.cases.contains_key(case) && market.books.nodes.contains_key(&node)
    });
    let run = dice.pick(&fit.map(|(_, one, _)| one.run).collect::<Vec<_>>())?;
    let provider = market.books.nodes[&Pubkey::new_from_array(run.commit.node)].provider;
    let operator = market.keys.get(&market.books.providers[&provider].operator_at(run.commit.epoch))?.insecure_clone();
    let nth = dice.below(market.watchers.len() as u64) as usize;
    Some(open_case(market, nth, run, &operator))
}

fn prover(market: &Market, dice: &mut Dice) -> Keypair {
    let nth = dice.below(market.watchers.len() as u64) as usize;
    market.watchers[nth].authority.insecure_clone()
}

pub(super) fn any_entry(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let key = any_case(market, dice, |case| case.owed.is_none() && case.entries < 3 && now < case.closes_at)?;
    let run = market.runs.get(&key)?.clone();
    let prover = prover(market, dice);
    // First of all what the oracles overlooked.
    let asked =
        overlooked(market).into_iter().find(|(_, _, case)| *case == key && market.model.cases[&key].entries == 0);
    let round = match asked {
        Some((_, one, _)) if !dice.once_in(4) => one.round,
        _ => dice.below(u64::from(ROUNDS)) as u32,
    };
    let prove = entry(&prover.pubkey(), &key, run.entry_proof(round));
    let plan = Plan::of(vec![compute_limit(UNITS), prove], vec![prover]).about(&[key]).once();
    Some(plan.then(move |model, seen| model.prove(&key, false, seen.now)))
}

pub(super) fn any_link(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let key = any_case(market, dice, |case| case.owed.is_none() && !case.is_done && case.entries == 0)?;
    let run = market.runs.get(&key)?.clone();
    let prover = prover(market, dice);
    let round = dice.below(2) as u32;
    let prove = link(&prover.pubkey(), &key, run.link_proof(round));
    let plan = Plan::of(vec![compute_limit(UNITS), prove], vec![prover]).about(&[key]).once();
    Some(plan.then(move |model, seen| model.prove(&key, true, seen.now)))
}

pub(super) fn any_execution(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let now = market.world.now();
    let key = any_case(market, dice, |case| !case.is_done && (case.is_fraud() || now >= case.closes_at))?;
    if !market.books.providers.contains_key(&market.model.cases[&key].provider) {
        return None;
    }
    let case = &market.model.cases[&key];
    let mut others = other_nodes(market, &case.node, &case.provider);
    if dice.once_in(2) {
        others.clear();
    }
    let caller = market.anyone(dice);
    Some(execute_slash(market, &key, &others, &caller))
}

pub(super) fn any_close(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let key = any_case(market, dice, |case| case.is_done)?;
    let caller = market.anyone(dice);
    Some(close_case(market, &key, &caller))
}

pub(super) fn any_double(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let cases: Vec<_> = market.model.cases.iter().map(|(key, case)| (*key, case.node, case.epoch)).collect();
    let (key, node, epoch) = dice.pick(&cases)?;
    let is_careless = dice.once_in(8);
    let fit =
        |(other, on, at): &&(Pubkey, Pubkey, u64)| *other != key && (is_careless || (*on == node && *at == epoch));
    let (other, ..) = dice.pick(&cases.iter().filter(fit).copied().collect::<Vec<_>>())?;
    Some(prove_double(&key, &other, &prover(market, dice)))
}

pub(super) fn any_oracles_slash(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let mut proven = vec![];
    for (at, one, case) in overlooked(market) {
        let Some(state) = market.books.cases.get(&case) else { continue };
        let (row, col) = WRONG[one.round as usize];
        let entries = &state.entries[..usize::from(state.entry_count)];
        let place = entries.iter().position(|entry| (entry.round, entry.row, entry.col) == (one.round, row, col));
        if let Some(entry) = place {
            proven.push((at, one, case, entry as u8));
        }
    }
    let (at, one, case, entry) = dice.pick(&proven)?;
    let draft = market.drafts[&at].clone();
    let Found::Node(leaf) = draft.found[one.nth] else { return None };
    let (leaf_node, reports) = (leaf.tree_node(), &market.model.reports);
    let with_stake = market.model.oracles.iter().filter(|(_, oracle)| oracle.stake + oracle.unbonding > 0);
    let is_careless = dice.once_in(4);
    let fit = with_stake.filter(|(key, _)| is_careless || reports.has_signed(key, at.0, &leaf_node));
    let oracle = dice.pick(&fit.map(|(key, _)| *key).collect::<Vec<_>>())?;
    let is_wrong_query = dice.once_in(8);
    let query = (one.query + u16::from(is_wrong_query)) % QUERIES as u16;
    let (index, path) = draft.report.proof(one.nth);
    let args = SlashOracleArgs { epoch: at.0, index, leaf: leaf.to_bytes(), path, query, entry };
    let has_signed = reports.has_signed(&oracle, at.0, &leaf_node);
    let slash = client::slash_oracle(&case, &market.books.cases[&case], &oracle, &market.world.market(), args);
    let plan = Plan::new(slash, &market.anyone(dice))
        .about(&[case])
        .fails_if(!has_signed, "it did not sign that report")
        .fails_if(is_wrong_query, "no query asks for that");
    Some(plan.then(move |model, _| model.slash_oracle(&oracle, &case, (at.0, &leaf_node))))
}
