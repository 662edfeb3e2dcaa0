//! `execute_slash_case` and `close_slash_case`: not before the time to appeal is over, not above the cap, to no judge.

use super::*;
use millrace::events::{SlashCaseClosed, SlashCaseExecuted};
use millrace::state::{Config, Provider, SlashCase};
use millrace_tests::{ix, pda, MillraceError, Signer};
use solana_account::Account;

fn charged() -> (World, Accusation, Pubkey) {
    let (mut world, accusation) = market();
    let leaf = withheld(&world, &accusation.node);
    let (case, _) = world.charged(&accusation, &leaf, &[]);
    (world, accusation, case)
}

fn assert_no_execution(world: &mut World, case: &Pubkey, error: MillraceError) {
    let payer = world.deployer.insecure_clone();
    let execution = world.judged_execution(case);
    world.assert_refused(&[execution], &[&payer], error);
}

fn let_appeal_end(world: &mut World, case: &Pubkey) {
    let until = world.read::<SlashCase>(case).appeal_until;
    world.warp_to(until);
}

/// What a method of the state makes of a case and its provider, as a vote would call it.
fn by_governance<T>(
    world: &mut World,
    case: &Pubkey,
    act: impl FnOnce(&mut SlashCase, &mut Provider) -> anchor_lang::Result<T>,
) -> anchor_lang::Result<T> {
    let mut state = *world.read::<SlashCase>(case);
    let mut provider = *world.read::<Provider>(&state.provider);
    let done = act(&mut state, &mut provider)?;
    world.rewrite::<Provider>(&state.provider, |it| *it = provider);
    world.rewrite::<SlashCase>(case, |it| *it = state);
    Ok(done)
}

#[test]
fn a_case_is_executed_when_the_time_to_appeal_is_over_and_burns_but_for_the_bounty() {
    let (mut world, accusation, case) = charged();
    let until = world.read::<SlashCase>(&case).appeal_until;
    world.warp_to(until - 1);
    assert_no_execution(&mut world, &case, MillraceError::AppealOpen);
    world.warp_secs(1);
    let supply = world.supply();
    let event = world.execute_judged(&case).event::<SlashCaseExecuted>();
    let bounty = WITHHELD_PENALTY / 20;
    assert_eq!((event.taken_amount, event.bounty_amount), (WITHHELD_PENALTY, bounty));
    assert_eq!((event.frozen_amount, event.executed_amount, event.provider_frozen), (0, WITHHELD_PENALTY, 0));
    assert_eq!(world.tokens(&accusation.bounty_account), bounty);
    assert_eq!(supply - world.supply(), WITHHELD_PENALTY - bounty);
    assert_eq!(world.tokens(&accusation.seller.vault), STAKE - WITHHELD_PENALTY);
    let provider = world.read::<Provider>(&accusation.seller.provider);
    assert_eq!((provider.slashed_total, provider.frozen, provider.jailed_until), (WITHHELD_PENALTY, 0, 0));
    assert_no_execution(&mut world, &case, MillraceError::NothingToSlash);
    world.assert_books();
}

#[test]
fn no_epoch_takes_more_than_the_cap_all_cases_together() {
    let (mut world, accusation, first) = charged();
    world.warp_to_next_epoch();
    let leaf = withheld(&world, &accusation.node);
    let (second, _) = world.charged(&accusation, &leaf, &[]);
    // 3% of a thousand: 30 MILL an epoch of the 40 and 32.
    world.rewrite::<Config>(&pda::config(), |config| config.params.max_slash_per_epoch_bps = 300);
    let_appeal_end(&mut world, &second);
    world.warp_to_next_epoch();
    let taken = |world: &mut World, case| world.execute_judged(case).event::<SlashCaseExecuted>().taken_amount;
    assert_eq!(taken(&mut world, &first), 30 * MILL);
    assert_no_execution(&mut world, &first, MillraceError::EpochCapReached);
    assert_no_execution(&mut world, &second, MillraceError::EpochCapReached);
    world.assert_books();
    // The next epoch's cap is of the 970 that are left: 29.1, of which the first case takes its last ten.
    world.warp_to_next_epoch();
    assert_eq!(taken(&mut world, &first), 10 * MILL);
    assert_eq!(taken(&mut world, &second), 19_100_000);
    assert_no_execution(&mut world, &second, MillraceError::EpochCapReached);
    world.warp_to_next_epoch();
    assert_eq!(taken(&mut world, &second), 12_900_000);
    assert_eq!(world.read::<Provider>(&accusation.seller.provider).slashed_total, 72 * MILL);
    world.assert_books();
}

#[test]
fn stake_that_leaves_meanwhile_does_not_lower_what_the_epoch_takes() {
    let (mut world, accusation, case) = charged();
    let seller = &accusation.seller;
    world.must(&[ix::begin_unstake(seller, 800 * MILL)], &[&seller.authority]);
    world.rewrite::<Config>(&pda::config(), |config| config.params.max_slash_per_epoch_bps = 300);
    let_appeal_end(&mut world, &case);
    assert_eq!(world.execute_judged(&case).event::<SlashCaseExecuted>().taken_amount, 30 * MILL);
}

#[test]
fn an_appeal_gives_time_once_and_only_in_time() {
    let (mut world, _, case) = charged();
    let (opened_at, until) = (world.now(), world.read::<SlashCase>(&case).appeal_until);
    let appealed = by_governance(&mut world, &case, |case, _| case.appeal(until + 500, opened_at));
    assert!(appealed.is_ok());
    let again = by_governance(&mut world, &case, |case, _| case.appeal(until + 900, opened_at));
    assert_eq!(again.unwrap_err(), MillraceError::AlreadyAppealed.into());
    world.warp_to(until + 499);
    assert_no_execution(&mut world, &case, MillraceError::AppealOpen);
    world.warp_secs(1);
    world.execute_judged(&case);
    let (mut world, _, case) = charged();
    let late = by_governance(&mut world, &case, |case, _| case.appeal(until + 500, until));
    assert_eq!(late.unwrap_err(), MillraceError::AppealOver.into());
}

#[test]
fn what_is_overturned_comes_back_and_is_never_executed() {
    let (mut world, accusation, case) = charged();
    let back = by_governance(&mut world, &case, |case, provider| case.overturn(provider));
    assert_eq!(back.unwrap(), WITHHELD_PENALTY);
    let provider = world.read::<Provider>(&accusation.seller.provider);
    assert_eq!((provider.stake, provider.frozen, provider.slashed_total), (STAKE, 0, 0));
    let_appeal_end(&mut world, &case);
    assert_no_execution(&mut world, &case, MillraceError::CaseOverturned);
    let again = by_governance(&mut world, &case, |case, provider| case.overturn(provider));
    assert_eq!(again.unwrap_err(), MillraceError::CaseOverturned.into());
    world.must(&[world.judged_closing(&case)], &[&accusation.watcher]);
    world.assert_books();
}

#[test]
fn a_case_closes_when_nothing_is_frozen_and_its_rent_goes_to_who_paid_it() {
    let (mut world, accusation, case) = charged();
    let payer = world.deployer.insecure_clone();
    let closing = world.judged_closing(&case);
    world.assert_refused(std::slice::from_ref(&closing), &[&payer], MillraceError::CaseNotExecuted);
    // The provider stays for it.
    assert!(world.read::<Provider>(&accusation.seller.provider).require_empty().is_err());
    let_appeal_end(&mut world, &case);
    world.execute_judged(&case);
    let (before, rent) = (world.lamports(&accusation.watcher.pubkey()), world.lamports(&case));
    let to_a_thief = ix::swap(closing.clone(), &accusation.watcher.pubkey(), &payer.pubkey());
    world.assert_refused(&[to_a_thief], &[&payer], MillraceError::WrongAccount);
    world.assert_no_account_is_replaceable(&closing, &[&payer]);
    let event = world.must(&[closing], &[&payer]).event::<SlashCaseClosed>();
    assert_eq!((event.case, event.open_slash_cases), (case, 0));
    assert_eq!(world.lamports(&accusation.watcher.pubkey()), before + rent);
    assert!(!world.exists(&case));
    assert_eq!(world.read::<Provider>(&accusation.seller.provider).open_slash_cases, 0);
    world.assert_books();
}

#[test]
fn a_bounty_that_cannot_be_received_burns() {
    let (mut world, accusation, case) = charged();
    world.svm.set_account(accusation.bounty_account, Account::default()).unwrap();
    let_appeal_end(&mut world, &case);
    let event = world.execute_judged(&case).event::<SlashCaseExecuted>();
    assert_eq!((event.bounty_amount, event.burn_amount), (0, WITHHELD_PENALTY));
    world.assert_books();
}

#[test]
fn every_account_of_an_execution_is_fixed() {
    let (mut world, accusation, case) = charged();
    let_appeal_end(&mut world, &case);
    let other = world.provider("other", STAKE);
    let payer = world.deployer.insecure_clone();
    let execution = world.judged_execution(&case);
    let swaps = [
        (accusation.seller.provider, other.provider),
        (accusation.seller.vault, other.vault),
        (accusation.bounty_account, other.tokens),
    ];
    for (real, swapped) in swaps {
        let instruction = ix::swap(execution.clone(), &real, &swapped);
        world.assert_refused(&[instruction], &[&payer], MillraceError::WrongAccount);
    }
    world.assert_no_account_is_replaceable(&execution, &[&payer]);
}

#[test]
fn a_fraud_takes_the_rest_of_the_stake_and_not_what_is_frozen() {
    let (mut world, accusation, case) = charged();
    let task = world.audit(&accusation.node, 256, 3);
    let run = millrace_tests::fraud::SparseRun::with_false_seed(&task, 1);
    let fraud = world.accuse(&accusation, &run.commit);
    let link = millrace_tests::fraud::prove_link(&accusation.watcher.pubkey(), &fraud, run.link_proof(1));
    world.must(&[link], &[&accusation.watcher]);
    world.execute(&fraud);
    let provider = world.read::<Provider>(&accusation.seller.provider);
    assert_eq!((provider.slashed_total, provider.frozen), (NODE_STAKE - WITHHELD_PENALTY, WITHHELD_PENALTY));
    let_appeal_end(&mut world, &case);
    world.execute_judged(&case);
    // Together what the node answered with, to the base unit (I7).
    assert_eq!(world.read::<Provider>(&accusation.seller.provider).slashed_total, NODE_STAKE);
    world.assert_books();
}
