//! Moves of oracles, and of whoever applies what they found.

use std::rc::Rc;

use millrace::constants::REPORT_RING;
use millrace::instructions::{ApplyAuditArgs, ApplyOracleLeafArgs};
use millrace::state::{Beacons, Reports};

use crate::machine::market::WEIGHTS;
use crate::machine::reports::{Draft, Found};
use crate::machine::{Actor, Dice, Market, Plan};
use crate::report::sign_args;
use crate::world::SLOT_HASHES;
use crate::{ix, pda, Keypair, Pubkey, Signer};

/// Seats sign the draft of `epoch`, in one transaction; the gang's own draft if `is_gangs`.
pub fn sign_report(market: &Market, seats: &[usize], at: (u64, bool)) -> Option<Plan> {
    let draft = market.drafts.get(&at)?.clone();
    let keys: Vec<&Keypair> = seats.iter().map(|seat| &market.world.oracles[*seat]).collect();
    let instructions: Vec<_> =
        keys.iter().map(|key| ix::sign_report(&key.pubkey(), sign_args(&draft.report))).collect();
    let allowed: Vec<Pubkey> = keys.iter().map(|key| key.pubkey()).collect();
    let signers = keys.into_iter().map(Keypair::insecure_clone).collect();
    let (seats, epoch) = (seats.to_vec(), at.0);
    let plan = Plan::of(instructions, signers).only(&allowed).once();
    Some(plan.then(move |model, seen| {
        let leaves: Vec<_> = draft.found.iter().map(Found::tree_node).collect();
        for seat in &seats {
            model.reports.sign(*seat, epoch, draft.report.root, &leaves, seen.now)?;
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
    for seat in 0..WEIGHTS.len() {
        let plan = sign_report(market, &[seat], (epoch, false)).ok_or("there is a draft")?;
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
    let fits = |seat: &usize| {
        let is_theirs = !is_gangs || Actor::Oracle(*seat).is_gang();
        let speaks = market.speaks(&market.world.oracles[*seat].pubkey());
        is_theirs && speaks && !rows.contains_key(&(epoch, *seat))
    };
    let mut seats: Vec<usize> = (0..WEIGHTS.len()).filter(fits).collect();
    // Rarely, one that signed before.
    if dice.once_in(20) {
        seats = (0..WEIGHTS.len()).collect();
    }
    if seats.is_empty() {
        return None;
    }
    let first = dice.below(seats.len() as u64) as usize;
    seats.rotate_left(first);
    seats.truncate(1 + dice.below(3) as usize);
    let is_again = seats.iter().any(|seat| market.model.reports.rows.contains_key(&(epoch, *seat)));
    Some(sign_report(market, &seats, (epoch, is_gangs))?.fails_if(is_again, "a seat signed this epoch before"))
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

impl Market {
    /// The account of the oracle in a seat.
    pub fn oracle(&self, seat: usize) -> Pubkey {
        pda::oracle(&self.world.oracles[seat].pubkey())
    }
}

/// The oracle in `seat` stakes.
pub fn stake_oracle(market: &Market, seat: usize, amount: u64) -> Plan {
    let (oracle, source, key) = (market.oracle(seat), market.oracle_tokens[seat], &market.world.oracles[seat]);
    let stake = ix::stake_oracle(&key.pubkey(), &source, &oracle, &market.world.market(), amount);
    let plan = Plan::new(stake, key).only(&[key.pubkey()]);
    plan.then(move |model, _| model.stake_oracle(&oracle, source, amount))
}

/// The oracle in `seat` begins to unstake.
pub fn begin_oracle_unstake(market: &Market, seat: usize, amount: u64) -> Plan {
    let (oracle, key) = (market.oracle(seat), &market.world.oracles[seat]);
    let plan = Plan::new(ix::begin_oracle_unstake(&key.pubkey(), amount), key).only(&[key.pubkey()]);
    plan.then(move |model, seen| model.begin_oracle_unstake(&oracle, amount, seen.now))
}

/// The oracle in `seat` withdraws.
pub fn withdraw_oracle(market: &Market, seat: usize) -> Plan {
    let (oracle, to, key) = (market.oracle(seat), market.oracle_tokens[seat], &market.world.oracles[seat]);
    let withdraw = ix::withdraw_oracle(&key.pubkey(), &to, &market.world.market());
    let plan = Plan::new(withdraw, key).only(&[key.pubkey()]);
    plan.then(move |model, seen| model.withdraw_oracle(&oracle, to, seen.now))
}

fn any_seat(market: &Market, dice: &mut Dice) -> usize {
    dice.below(market.world.oracles.len() as u64) as usize
}

pub(super) fn any_oracle_stake(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let seat = any_seat(market, dice);
    Some(stake_oracle(market, seat, dice.below(50 * crate::MILL)))
}

pub(super) fn any_oracle_unstaking(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let seat = any_seat(market, dice);
    let stake = market.model.oracles[&market.oracle(seat)].stake;
    let amount = dice.below(stake + 2);
    Some(begin_oracle_unstake(market, seat, amount).fails_if(amount > stake, "it is more than is at stake"))
}

pub(super) fn any_oracle_withdrawal(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let seat = any_seat(market, dice);
    Some(withdraw_oracle(market, seat))
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
    let seat = any_seat(market, dice);
    let (key, to) = (market.oracle(seat), market.oracle_tokens[seat]);
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
