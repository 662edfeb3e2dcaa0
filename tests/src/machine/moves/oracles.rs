//! Moves of oracles, and of whoever applies what they found.

use std::rc::Rc;

use millrace::constants::REPORT_RING;
use millrace::instructions::{ApplyAuditArgs, ApplyOracleLeafArgs};
use millrace::state::{Beacons, Reports};

use crate::machine::reports::{Draft, Found};
use crate::machine::{Actor, Dice, Market, Plan};
use crate::report::sign_args;
use crate::world::SLOT_HASHES;
use crate::{ix, pda, Keypair, Pubkey, Signer};

/// Oracles sign the draft of `epoch`, in one transaction; the gang's own draft if `is_gangs`.
pub fn sign_report(market: &Market, nths: &[usize], at: (u64, bool)) -> Option<Plan> {
    let draft = market.drafts.get(&at)?.clone();
    let signing: Vec<_> = nths.iter().map(|nth| market.measurers[*nth].clone()).collect();
    let allowed: Vec<Pubkey> = signing.iter().map(|one| one.key.pubkey()).collect();
    let instructions: Vec<_> = allowed.iter().map(|key| ix::sign_report(key, sign_args(&draft.report))).collect();
    let signers = signing.iter().map(|one| one.key.insecure_clone()).collect();
    let epoch = at.0;
    let plan = Plan::of(instructions, signers).only(&allowed).once();
    Some(plan.then(move |model, seen| {
        let leaves: Vec<_> = draft.found.iter().map(Found::tree_node).collect();
        for one in &signing {
            model.sign_report(&one.oracle, epoch, (draft.report.root, &leaves), seen.now)?;
        }
        Ok(vec![])
    }))
}

/// Anyone applies leaf `nth` of a draft.
pub fn apply_audit(market: &Market, at: (u64, bool), nth: usize, caller: &Keypair) -> Option<Plan> {
    let draft = market.drafts.get(&at)?.clone();
    let Found::Node(leaf) = draft.found[nth] else { return None };
    let key = Pubkey::new_from_array(leaf.node);
    let last_leaf_at = market.model.nodes.get(&key)?.last_leaf_at;
    let is_signed = market.model.reports.accepted_with(at.0, &leaf.tree_node()).is_some();
    let (index, path) = draft.report.proof(nth);
    let args = ApplyAuditArgs { epoch: at.0, index, leaf: leaf.to_bytes(), path };
    let plan = Plan::new(ix::apply_audit(&key, args), caller)
        .once()
        .fails_if(!is_signed, "no quorum signed the leaf")
        .fails_if(leaf.at <= last_leaf_at, "the audit is stale");
    Some(plan.then(move |model, _| model.apply_audit(&key, leaf.at)))
}

/// Every node is measured as it claims, and that applied.
///
/// # Errors
/// What the model finds wrong with it.
pub fn verify_all(market: &mut Market) -> Result<(), String> {
    let epoch = market.world.epoch();
    let draft = Draft::of_the_gang(market, epoch);
    let nodes: Vec<usize> = (0..draft.found.len()).filter(|nth| matches!(draft.found[*nth], Found::Node(_))).collect();
    market.drafts.insert((epoch, false), Rc::new(draft));
    for nth in 0..market.world.oracles.len() {
        let plan = sign_report(market, &[nth], (epoch, false)).ok_or("there is a draft")?;
        market.must(plan)?;
    }
    let caller = market.world.deployer.insecure_clone();
    for nth in nodes {
        let plan = apply_audit(market, (epoch, false), nth, &caller).ok_or("there is such a leaf")?;
        market.must(plan)?;
    }
    Ok(())
}

/// The draft of an epoch, made when first asked for.
fn drafted(market: &mut Market, at: (u64, bool), dice: &mut Dice) {
    if !market.drafts.contains_key(&at) {
        let draft = if at.1 { Draft::of_the_gang(market, at.0) } else { Draft::honest(market, at.0, dice) };
        market.drafts.insert(at, Rc::new(draft));
        market.drafts.retain(|(epoch, _), _| epoch + REPORT_RING as u64 > at.0);
    }
}

pub(super) fn any_signature(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let epoch = market.world.epoch();
    let epoch = if epoch > 0 && dice.once_in(6) { epoch - 1 } else { epoch };
    let is_gangs = dice.once_in(8);
    drafted(market, (epoch, is_gangs), dice);
    let rows = &market.model.reports.rows;
    let weights = market.model.weights();
    let fits = |nth: &usize| {
        let is_theirs = !is_gangs || Actor::Oracle(*nth).is_gang();
        let one = &market.measurers[*nth];
        let is_seated = weights.contains_key(&one.oracle);
        is_theirs && is_seated && market.speaks(&one.key.pubkey()) && !rows.contains_key(&(epoch, one.oracle))
    };
    let mut nths: Vec<usize> = (0..market.measurers.len()).filter(fits).collect();
    // Rarely, one that signed before, or has no seat.
    if dice.once_in(20) {
        nths = (0..market.measurers.len()).collect();
    }
    if nths.is_empty() {
        return None;
    }
    let first = dice.below(nths.len() as u64) as usize;
    nths.rotate_left(first);
    nths.truncate(1 + dice.below(3) as usize);
    let mut oracles = nths.iter().map(|nth| market.measurers[*nth].oracle);
    let is_wrong = oracles.any(|oracle| !weights.contains_key(&oracle) || rows.contains_key(&(epoch, oracle)));
    Some(sign_report(market, &nths, (epoch, is_gangs))?.fails_if(is_wrong, "one signed before, or has no seat"))
}

pub(super) fn any_audit(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let is_careless = dice.once_in(4);
    let mut leaves = vec![];
    for (at, draft) in &market.drafts {
        for (nth, found) in draft.found.iter().enumerate() {
            let Found::Node(leaf) = found else { continue };
            let key = Pubkey::new_from_array(leaf.node);
            let Some(node) = market.model.nodes.get(&key) else { continue };
            let is_signed = market.model.reports.accepted_with(at.0, &leaf.tree_node()).is_some();
            if is_careless || (leaf.at > node.last_leaf_at && is_signed && node.retired_at.is_none()) {
                leaves.push((*at, nth));
            }
        }
    }
    let (at, nth) = dice.pick(&leaves)?;
    let caller = market.anyone(dice);
    apply_audit(market, at, nth, &caller)
}

pub(super) fn any_opening(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let epoch = market.world.epoch();
    let mut beacons = market.world.read::<Beacons>(&pda::beacons());
    let is_pending = beacons
        .opened_mut(epoch)
        .is_some_and(|beacon| beacon.is_latched() || market.world.slot() < beacon.slot + SLOT_HASHES as u64);
    if is_pending && !dice.once_in(16) {
        return None;
    }
    let caller = market.anyone(dice);
    Some(Plan::new(ix::open_beacon(epoch), &caller))
}

pub(super) fn any_latch(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let epoch = market.world.epoch().saturating_sub(dice.below(2));
    let mut beacons = market.world.read::<Beacons>(&pda::beacons());
    let beacon = beacons.opened_mut(epoch)?;
    let now_at = market.world.slot();
    let is_ripe = !beacon.is_latched() && (beacon.slot + 1..beacon.slot + SLOT_HASHES as u64).contains(&now_at);
    if !is_ripe && !dice.once_in(16) {
        return None;
    }
    let caller = market.anyone(dice);
    Some(Plan::new(ix::latch_beacon(epoch), &caller))
}

/// The roots the program keeps are those the model knows.
///
/// # Errors
/// Where they differ.
pub fn check_reports(market: &Market) -> Result<(), String> {
    let reports = market.world.read::<Reports>(&pda::reports());
    let epoch = market.world.epoch();
    [epoch, epoch.saturating_sub(1)].iter().try_for_each(|epoch| market.model.reports.compare(&reports, *epoch))
}

/// Oracle `nth` stakes.
pub fn stake_oracle(market: &Market, nth: usize, amount: u64) -> Plan {
    let one = market.measurers[nth].clone();
    let key = one.key.pubkey();
    let stake = ix::stake_oracle(&key, &one.tokens, &one.oracle, &market.world.market(), amount);
    let plan = Plan::new(stake, &one.key).only(&[key]);
    plan.then(move |model, _| model.stake_oracle(&one.oracle, one.tokens, amount))
}

/// Oracle `nth` begins to unstake.
pub fn begin_oracle_unstake(market: &Market, nth: usize, amount: u64) -> Plan {
    let one = market.measurers[nth].clone();
    let key = one.key.pubkey();
    let plan = Plan::new(ix::begin_oracle_unstake(&key, amount), &one.key).only(&[key]);
    plan.then(move |model, seen| model.begin_oracle_unstake(&one.oracle, amount, seen.now))
}

/// Oracle `nth` withdraws.
pub fn withdraw_oracle(market: &Market, nth: usize) -> Plan {
    let one = market.measurers[nth].clone();
    let key = one.key.pubkey();
    let plan = Plan::new(ix::withdraw_oracle(&key, &one.tokens, &market.world.market()), &one.key).only(&[key]);
    plan.then(move |model, seen| model.withdraw_oracle(&one.oracle, one.tokens, seen.now))
}

/// An oracle whose account is open, seated or removed.
pub(super) fn any_open(market: &Market, dice: &mut Dice) -> Option<usize> {
    let is_open = |nth: &usize| market.model.oracles.contains_key(&market.measurers[*nth].oracle);
    dice.pick(&(0..market.measurers.len()).filter(is_open).collect::<Vec<_>>())
}

pub(super) fn any_oracle_stake(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = any_open(market, dice)?;
    Some(stake_oracle(market, nth, dice.below(50 * crate::MILL)))
}

pub(super) fn any_oracle_unstaking(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = any_open(market, dice)?;
    let stake = market.model.oracles[&market.measurers[nth].oracle].stake;
    let amount = dice.below(stake + 2);
    Some(begin_oracle_unstake(market, nth, amount).fails_if(amount > stake, "it is more than is at stake"))
}

pub(super) fn any_oracle_withdrawal(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let nth = any_open(market, dice)?;
    Some(withdraw_oracle(market, nth))
}

pub(super) fn any_oracle_close(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let removed = market.model.oracles.iter().filter(|(_, oracle)| oracle.removed_in.is_some());
    let key = match dice.once_in(6) {
        true => market.measurers[any_open(market, dice)?].oracle,
        false => dice.pick(&removed.map(|(key, _)| *key).collect::<Vec<_>>())?,
    };
    let (caller, epoch) = (market.anyone(dice), market.world.epoch());
    let is_seated = market.model.oracles[&key].removed_in.is_none();
    let plan = Plan::new(ix::close_oracle(&key, &market.books.oracles[&key], &market.world.market()), &caller);
    let plan = plan.about(&[key]).fails_if(is_seated, "it has a seat");
    Some(plan.then(move |model, _| model.close_oracle(&key, epoch)))
}

pub(super) fn any_oracle_leaf(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let mut leaves = vec![];
    for (at, draft) in &market.drafts {
        for (nth, found) in draft.found.iter().enumerate() {
            if let Found::Oracle(leaf) = found {
                leaves.push((*at, nth, *leaf));
            }
        }
    }
    // The newest are the ones that count.
    let newest = leaves.len().saturating_sub(if dice.once_in(4) { leaves.len() } else { 6 });
    let (at, nth, leaf) = dice.pick(&leaves[newest..])?;
    let key = Pubkey::new_from_array(leaf.oracle);
    let known = market.model.oracles.get(&key)?.opened;
    let is_signed = market.model.reports.accepted_with(at.0, &leaf.tree_node()).is_some();
    let (index, path) = market.drafts[&at].report.proof(nth);
    let args = ApplyOracleLeafArgs { epoch: at.0, index, leaf: leaf.to_bytes(), path };
    let caller = market.anyone(dice);
    let plan = Plan::new(ix::apply_oracle_leaf(&key, &market.world.market(), args), &caller)
        .once()
        .fails_if(!is_signed, "no quorum signed the leaf")
        .fails_if(leaf.at <= known.1 || leaf.opened < known.0, "the leaf is stale");
    Some(plan.then(move |model, _| model.apply_oracle_leaf(&key, leaf.opened, leaf.at)))
}

pub(super) fn any_reward(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let one = market.measurers[any_open(market, dice)?].clone();
    let (key, to) = (one.oracle, one.tokens);
    let account = &market.books.oracles[&key];
    let pool = market.books.balance(&market.world.oracle_pool);
    if (account.points + account.closed_points == 0 || pool == 0) && !dice.once_in(12) {
        return None;
    }
    let period_epochs = market.model.params.reward_period_epochs;
    let period = market.world.epoch() / period_epochs;
    let caller = market.anyone(dice);
    // Which of its owner's token accounts is paid is the caller's choice; here each has one.
    let plan = Plan::new(ix::claim_reward(&key, &to, &market.world.market()), &caller);
    Some(plan.then(move |model, seen| model.claim_reward(&key, to, period, seen)))
}
