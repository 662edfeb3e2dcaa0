//! Moves that are no business: time, silence, replays, strangers' tokens, and genesis once more.

use std::rc::Rc;

use millrace::instructions::{InitializeArgs, SeatOracleArgs};
use millrace::state::Beacons;
use millrace_core::epoch::epoch_starts_at;

use crate::genesis::endpoint;
use crate::machine::{Dice, Market, Plan};
use crate::{ix, local_bounds, local_params, pda, Keypair, Pubkey, Signer};

/// Sends nothing.
fn nothing() -> Option<Plan> {
    Some(Plan::of(vec![], vec![]))
}

/// Instants after now at which something becomes possible or ends.
pub fn deadlines(market: &Market) -> Vec<i64> {
    let (books, params) = (&market.books, &market.model.params);
    let mut at = vec![];
    for job in books.jobs.values().filter(|job| job.is_open()) {
        at.extend([job.bidding_ends_at, job.award_by]);
    }
    for lease in books.leases.values() {
        at.push(if lease.has_ended() { lease.closes_at() } else { lease.silent_until() });
    }
    at.extend(books.claims.values().map(|claim| claim.matures_at));
    at.extend(books.disputes.values().flat_map(|dispute| [dispute.vote_until, dispute.appeal_until]));
    at.extend(books.slash_cases.values().map(|case| case.appeal_until));
    at.extend(books.oracles.values().map(|oracle| oracle.unbonding_matures_at));
    at.extend(books.locks.values().flat_map(|lock| [lock.lock_until, lock.held_until]));
    at.extend(
        books.proposals.values().flat_map(|proposal| [proposal.voting_ends_at, proposal.eta, proposal.expires_at + 1]),
    );
    for provider in books.providers.values() {
        at.extend(provider.unbonding_entries().iter().map(|entry| entry.matures_at));
        at.push(provider.jailed_until);
    }
    for node in books.nodes.values().filter(|node| node.is_retired()) {
        at.push(node.retired_at + params.judged_within_secs());
    }
    let config = market.world.config();
    for case in market.model.cases.values() {
        let in_window = case.epoch + millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
        let closable_at = epoch_starts_at(config.base_epoch, config.base_at, config.params.epoch_secs, in_window);
        at.extend([Some(case.closes_at), closable_at].into_iter().flatten());
    }
    let now = market.world.now();
    at.retain(|instant| *instant > now);
    at.sort_unstable();
    at.dedup();
    at
}

/// Instant the next epoch begins.
pub fn next_epoch(market: &Market) -> i64 {
    let (config, next) = (market.world.config(), market.world.epoch() + 1);
    let starts_at = epoch_starts_at(config.base_epoch, config.base_at, config.params.epoch_secs, next);
    starts_at.expect("the clock is after genesis")
}

/// Instants after now from which what a vote decided may be carried out.
fn decided(market: &Market) -> Vec<i64> {
    let now = market.world.now();
    let passed = market.model.proposals.values().filter(|proposal| proposal.is_passed() && !proposal.is_done);
    passed.map(|proposal| proposal.executable.0).filter(|eta| *eta > now).collect()
}

/// Whether the beacon of this epoch is opened and waits for its slot.
fn is_beacon_due(market: &Market) -> bool {
    let mut beacons = market.world.read::<Beacons>(&pda::beacons());
    beacons.opened_mut(market.world.epoch()).is_some_and(|beacon| !beacon.is_latched())
}

/// Time passes: mostly a moment, often to a second before, at or after something becomes possible, and rarely beyond
/// every window.
pub(super) fn wait(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let decided = decided(market);
    let secs = match dice.below(32) {
        0..=11 => 1 + dice.below(20) as i64,
        12..=19 => 30 + dice.below(60) as i64,
        20 => 60 + dice.below(1_500) as i64,
        21 if dice.once_in(4) => dice.pick(&[14_400, 61_440, 90_000])?,
        22 if !decided.is_empty() => dice.pick(&decided)? + dice.within(0, 2) as i64 - 1 - market.world.now(),
        23 => next_epoch(market) + dice.below(10) as i64 - market.world.now(),
        24..=26 if is_beacon_due(market) => 1 + dice.below(2) as i64,
        _ => {
            let deadlines = deadlines(market);
            let near = &deadlines[..deadlines.len().min(2)];
            let target = dice.pick(near)? + dice.within(0, 2) as i64 - 1;
            // What lies days ahead comes by itself.
            Some(target - market.world.now()).filter(|secs| (1..20_000).contains(secs))?
        }
    };
    market.world.warp_secs(secs);
    nothing()
}

/// Somebody falls silent for good.
pub(super) fn fall_silent(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let speaking: Vec<_> = market.everyone().into_iter().filter(|actor| !market.silent.contains(actor)).collect();
    // Somebody has to be left to walk on.
    let actor = dice.pick(&speaking).filter(|_| speaking.len() > market.everyone().len() / 2)?;
    market.silent.insert(actor);
    nothing()
}

/// A stranger sends a token to a vault.
pub(super) fn stray_tokens(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let vaults = market.books.customers.values().map(|customer| customer.vault);
    let vaults = vaults.chain(market.books.providers.values().map(|provider| provider.vault));
    let vault = dice.pick(&vaults.collect::<Vec<Pubkey>>())?;
    let amount = 1 + dice.below(1_000);
    market.world.send_stray_tokens(&vault, amount);
    market.books.refresh(&market.world, &[vault]);
    *market.model.dust.entry(vault).or_default() += amount;
    nothing()
}

/// What must be accepted once only is sent again.
pub(super) fn replay(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let kept: Vec<_> = market.replays.iter().cloned().collect();
    let replay = dice.pick(&kept)?;
    let signers: Vec<Keypair> = replay.signers.iter().map(|key| Keypair::insecure_clone(key)).collect();
    let why = format!("the same {} was accepted before", replay.name);
    Some(Plan::of(replay.instructions, signers).fails_if(true, &why))
}

fn deployer(market: &Market, dice: &mut Dice) -> Rc<Keypair> {
    Rc::new(if dice.once_in(2) { market.world.deployer.insecure_clone() } else { market.anyone(dice) })
}

/// The market is opened once more.
pub(super) fn initialize(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let deployer = deployer(market, dice);
    let mut again = ix::initialize(&market.world, InitializeArgs { params: local_params(), bounds: local_bounds() });
    again.accounts[0].pubkey = deployer.pubkey();
    Some(Plan::new(again, &deployer).fails_if(true, "the market is open"))
}

/// The beacons are grown beyond their size.
pub(super) fn grow_beacons(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let caller = deployer(market, dice);
    Some(Plan::new(ix::grow_beacons(&caller.pubkey()), &caller).fails_if(true, "the beacons are grown"))
}

/// A seat is taken after genesis.
pub(super) fn seat_oracle(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let deployer = deployer(market, dice);
    // Of a seat that is taken, or of somebody who has none.
    let args = SeatOracleArgs {
        oracle_authority: market.anyone(dice).pubkey(),
        weight: 1_000,
        endpoint: endpoint("http://127.0.0.1:9100"),
    };
    let mut seat = ix::seat_oracle(&market.world, args);
    seat.accounts[0].pubkey = deployer.pubkey();
    Some(Plan::new(seat, &deployer).fails_if(true, "genesis is sealed"))
}

/// Genesis is sealed once more.
pub(super) fn seal_genesis(market: &mut Market, dice: &mut Dice) -> Option<Plan> {
    let deployer = deployer(market, dice);
    Some(Plan::new(ix::seal_genesis(&deployer.pubkey()), &deployer).fails_if(true, "genesis is sealed"))
}
