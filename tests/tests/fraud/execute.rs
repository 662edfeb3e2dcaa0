//! `execute_slash`: what is taken, who is paid, what burns, and that no payee can stop it.

use anchor_lang::error::ErrorCode;
use millrace::events::SlashExecuted;
use millrace::state::{FraudCase, Node, NodeState, Outcome, Provider, ProviderStatus};
use millrace_tests::fraud::*;
use millrace_tests::*;
use solana_account::Account;

/// What [`NodeSpec::default`] locks, base units.
const NODE_STAKE: u64 = 200 * MILL;
const STAKE: u64 = 1_000 * MILL;

/// A case with `entries` wrong entries proven.
fn proven(world: &mut World, accusation: &Accusation, entries: u32) -> Pubkey {
    proven_on(world, accusation, &accusation.node, entries, 0)
}

/// The same, on another node, or by another commit of the same epoch (`gpu_index`).
fn proven_on(world: &mut World, accusation: &Accusation, node: &Pubkey, entries: u32, gpu_index: u32) -> Pubkey {
    let task = millrace_core::proof::Task { gpu_index, ..world.audit(node, 256, 3) };
    let run = SparseRun::new(&task, &[(1, 2), (3, 4), (5, 6)], Value::Wrong);
    let case = world.accuse(accusation, &run.commit);
    for round in 0..entries {
        world.prove(accusation, &case, run.entry_proof(round));
    }
    case
}

fn let_it_close(world: &mut World, case: &Pubkey) {
    let closes_at = world.read::<FraudCase>(case).closes_at;
    world.warp_to(closes_at);
}

#[test]
fn fraud_burns_the_nodes_stake_but_for_the_bounty() {
    let mut world = World::new();
    let accusation = world.accusation();
    let seller = &accusation.seller;
    let case = proven(&mut world, &accusation, 3);
    let (supply, watcher) = (world.supply(), world.lamports(&accusation.watcher.pubkey()));
    let deposit = world.read::<FraudCase>(&case).deposit_lamports;
    let receipt = world.execute(&case);

    let bounty = NODE_STAKE / 20;
    assert_eq!(world.tokens(&accusation.bounty_account), bounty);
    assert_eq!(supply - world.supply(), NODE_STAKE - bounty);
    assert_eq!(world.config().burned_total, NODE_STAKE - bounty);
    assert_eq!(world.tokens(&seller.vault), STAKE - NODE_STAKE);
    assert_eq!(world.lamports(&accusation.watcher.pubkey()), watcher + deposit);
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.stake, provider.locked, provider.slashed_total), (STAKE - NODE_STAKE, 0, NODE_STAKE));
    assert_eq!(provider.status, ProviderStatus::Jailed as u8);
    assert_eq!(provider.jailed_until, world.now() + world.config().params.jail_secs);
    let node = world.read::<Node>(&accusation.node);
    assert_eq!((node.state, node.locked_stake, node.retired_at), (NodeState::Retired as u8, 0, world.now()));
    let state = world.read::<FraudCase>(&case);
    assert_eq!((state.executed, state.executed_at, state.deposit_lamports), (1, world.now(), 0));
    assert_eq!((state.taken_amount, state.unpaid_amount), (NODE_STAKE, 0));
    let event = receipt.event::<SlashExecuted>();
    assert_eq!((event.sequence, event.outcome), (5, Outcome::Fraud as u8));
    assert_eq!((event.taken_amount, event.bounty_amount, event.burn_amount), (NODE_STAKE, bounty, NODE_STAKE - bounty));
    assert_eq!((event.deposit_lamports, event.deposit_to), (deposit, accusation.watcher.pubkey()));
    assert_eq!((event.provider_stake, event.burned_total), (provider.stake, world.config().burned_total));
    world.assert_books();
}

#[test]
fn a_false_link_is_fraud() {
    let mut world = World::new();
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, 256, 4);
    let run = SparseRun::with_false_seed(&task, 2);
    let case = world.accuse(&accusation, &run.commit);
    world.must(&[prove_link(&accusation.watcher.pubkey(), &case, run.link_proof(2))], &[&accusation.watcher]);
    assert_eq!(world.execute(&case).event::<SlashExecuted>().taken_amount, NODE_STAKE);
    world.assert_books();
}

#[test]
fn a_case_is_executed_once() {
    let mut world = World::new();
    let accusation = world.accusation();
    let payer = world.deployer.insecure_clone();
    for (entries, gpu_index) in [(3, 0), (1, 1), (0, 2)] {
        let case = proven_on(&mut world, &accusation, &accusation.node, entries, gpu_index);
        let_it_close(&mut world, &case);
        world.execute(&case);
        let again = [execute_slash(&world, &case)];
        world.assert_refused(&again, &[&payer], MillraceError::CaseExecuted);
    }
    world.assert_books();
}

#[test]
fn two_commits_of_one_node_cost_its_stake_once() {
    let mut world = World::new();
    let accusation = world.accusation();
    let first = proven_on(&mut world, &accusation, &accusation.node, 3, 0);
    let second = proven_on(&mut world, &accusation, &accusation.node, 3, 1);
    assert_eq!(world.execute(&first).event::<SlashExecuted>().taken_amount, NODE_STAKE);
    let event = world.execute(&second).event::<SlashExecuted>();
    assert_eq!((event.taken_amount, event.bounty_amount, event.burn_amount), (0, 0, 0));
    assert_eq!(world.read::<Provider>(&accusation.seller.provider).slashed_total, NODE_STAKE);
    assert_eq!(world.read::<FraudCase>(&second).executed, 1);
    world.assert_books();
}

#[test]
fn short_of_fraud_a_case_waits_for_its_close() {
    let mut world = World::new();
    let accusation = world.accusation();
    let payer = world.deployer.insecure_clone();
    for (entries, gpu_index) in [(2, 0), (0, 1)] {
        let case = proven_on(&mut world, &accusation, &accusation.node, entries, gpu_index);
        let closes_at = world.read::<FraudCase>(&case).closes_at;
        world.warp_to(closes_at - 1);
        let early = [execute_slash(&world, &case)];
        world.assert_refused(&early, &[&payer], MillraceError::CaseOpen);
        world.warp_secs(1);
        world.execute(&case);
    }
}

#[test]
fn a_flipped_bit_costs_a_penalty_and_a_suspension() {
    let mut world = World::new();
    let accusation = world.accusation();
    let case = proven(&mut world, &accusation, 2);
    let_it_close(&mut world, &case);
    let watcher = world.lamports(&accusation.watcher.pubkey());
    let event = world.execute(&case).event::<SlashExecuted>();
    let penalty = world.config().params.flip_penalty_amount;
    assert_eq!((event.outcome, event.taken_amount), (Outcome::FlippedBits as u8, penalty));
    assert_eq!((event.bounty_amount, event.burn_amount), (penalty / 20, penalty - penalty / 20));
    assert_eq!(world.lamports(&accusation.watcher.pubkey()), watcher + event.deposit_lamports);
    let provider = world.read::<Provider>(&accusation.seller.provider);
    assert_eq!((provider.stake, provider.locked), (STAKE - penalty, NODE_STAKE - penalty));
    assert_eq!((provider.status, provider.jailed_until), (ProviderStatus::Active as u8, 0));
    let node = world.read::<Node>(&accusation.node);
    assert_eq!((node.state, node.locked_stake), (NodeState::Suspended as u8, NODE_STAKE - penalty));
    world.assert_books();
    // The next good audit lifts it, once what it paid is locked again.
    let seller = &accusation.seller;
    let relock = millrace_client::ix::relock_node(&seller.authority.pubkey(), &seller.provider, &accusation.node);
    world.must(&[relock], &[&seller.authority]);
    world.warp_secs(1);
    let passed = NodeSpec::default().passed(&accusation.node, world.epoch(), world.now());
    world.apply(&passed);
    assert_eq!(world.read::<Node>(&accusation.node).state, NodeState::Verified as u8);
}

#[test]
fn an_empty_accusation_costs_its_deposit_and_nobody_else_anything() {
    let mut world = World::new();
    let accusation = world.accusation();
    let case = proven(&mut world, &accusation, 0);
    let_it_close(&mut world, &case);
    let authority = accusation.seller.authority.pubkey();
    let (before, supply) = (world.lamports(&authority), world.supply());
    let node = *world.read::<Node>(&accusation.node);
    let event = world.execute(&case).event::<SlashExecuted>();
    assert_eq!((event.outcome, event.taken_amount, event.deposit_to), (Outcome::Nothing as u8, 0, authority));
    assert_eq!(world.lamports(&authority), before + world.config().params.case_deposit_lamports);
    assert_eq!((world.supply(), world.tokens(&accusation.bounty_account)), (supply, 0));
    assert_eq!(bytemuck::bytes_of(&*world.read::<Node>(&accusation.node)), bytemuck::bytes_of(&node));
    assert_eq!(world.read::<Provider>(&accusation.seller.provider).slashed_total, 0);
    world.assert_books();
}

#[test]
fn stake_on_its_way_out_is_slashed() {
    let mut world = World::new();
    let accusation = world.accusation();
    let seller = &accusation.seller;
    let case = proven(&mut world, &accusation, 3);
    // It sees the case and leaves with everything, in three parts.
    world.must(&[ix::retire(seller, &accusation.node)], &[&seller.authority]);
    for part in [600 * MILL, 350 * MILL, 50 * MILL] {
        world.must(&[ix::begin_unstake(seller, part)], &[&seller.authority]);
    }
    assert_eq!(world.execute(&case).event::<SlashExecuted>().taken_amount, NODE_STAKE);
    let provider = world.read::<Provider>(&seller.provider);
    let left: Vec<u64> = provider.unbonding_entries().iter().map(|entry| entry.amount).collect();
    assert_eq!((provider.stake, left), (0, vec![600 * MILL, 200 * MILL]));
    world.assert_books();
    // The rest is the provider's.
    world.warp_secs(world.config().params.unbonding_secs);
    let before = world.tokens(&seller.tokens);
    world.must(&[ix::withdraw(&world, seller)], &[&seller.authority]);
    assert_eq!(world.tokens(&seller.tokens), before + STAKE - NODE_STAKE);
    world.assert_books();
}

#[test]
fn stake_hidden_behind_another_node_is_taken_when_it_leaves_it() {
    let mut world = World::new();
    let accusation = world.accusation();
    let seller = &accusation.seller;
    let case = proven(&mut world, &accusation, 3);
    world.must(&[ix::retire(seller, &accusation.node)], &[&seller.authority]);
    let refuge = world.node(seller, &NodeSpec { gops: 90_000, ..NodeSpec::default() });
    assert_eq!(world.read::<Provider>(&seller.provider).free_stake(), 0);
    let event = world.execute(&case).event::<SlashExecuted>();
    assert_eq!((event.taken_amount, event.unpaid_amount), (0, NODE_STAKE));
    // The deposit is returned by the first execution; each further one jails anew.
    let jail_secs = world.config().params.jail_secs;
    world.warp_secs(jail_secs);
    let event = world.execute(&case).event::<SlashExecuted>();
    assert_eq!((event.taken_amount, event.deposit_lamports), (0, 0));
    assert_eq!(event.provider_jailed_until, world.now() + jail_secs);
    world.assert_books();
    world.must(&[ix::retire(seller, &refuge)], &[&seller.authority]);
    world.must(&[ix::begin_unstake(seller, STAKE)], &[&seller.authority]);
    let event = world.execute(&case).event::<SlashExecuted>();
    assert_eq!((event.taken_amount, event.unpaid_amount), (NODE_STAKE, 0));
    assert_eq!(world.tokens(&accusation.bounty_account), NODE_STAKE / 20);
    assert_eq!(world.read::<FraudCase>(&case).executed, 1);
    world.assert_books();
}

#[test]
fn a_slashed_node_with_a_bid_breaks_it_and_the_bond_is_the_customers() {
    let mut world = World::new();
    let deal = world.posted();
    let accusation = world.accusation_of(&deal.seller, &deal.node);
    world.bid(&deal.seller, &deal.node, &deal.job, BID_PER_SEC);
    let bond = world.read::<Node>(&deal.node).bid_bond;
    assert!(bond > 0);
    let case = proven(&mut world, &accusation, 3);
    world.execute(&case);
    let provider = world.read::<Provider>(&deal.seller.provider);
    assert_eq!((provider.stake, provider.locked, provider.bonds), (STAKE - NODE_STAKE, bond, bond));
    world.assert_books();
    world.end_bidding(&deal.job);
    let award = ix::award(&deal.buyer.authority.pubkey(), &deal.buyer, &deal.seller, &deal.node, &deal.job);
    world.assert_refused(&[award], &[&deal.buyer.authority], MillraceError::BidBroken);
    let payer = deal.buyer.authority.pubkey();
    let drop = ix::drop_broken_bid(&world, &payer, &deal.buyer, &deal.seller, &deal.node, &deal.job);
    world.must(&[drop], &[&deal.buyer.authority]);
    let provider = world.read::<Provider>(&deal.seller.provider);
    assert_eq!((provider.stake, provider.locked, provider.bonds), (STAKE - NODE_STAKE - bond, 0, 0));
    assert_eq!(provider.claims, bond, "the customer's, once nothing can slash it any more");
    world.assert_books();
}

#[test]
fn a_slashed_node_finishes_its_lease_and_is_paid_for_it() {
    let mut world = World::new();
    let deal = world.deal();
    let accusation = world.accusation_of(&deal.seller, &deal.node);
    let case = proven(&mut world, &accusation, 3);
    world.execute(&case);
    world.assert_books();
    world.warp_secs(100);
    world.settle(&deal.lease, 100, millrace_core::leaves::LeaseStatus::Completed);
    let node = world.read::<Node>(&deal.node);
    assert_eq!((node.state, node.lease), (NodeState::Retired as u8, Pubkey::default()));
    world.assert_books();
}

#[test]
fn a_node_whose_account_is_gone_has_nothing_to_answer_with() {
    let mut world = World::new();
    let accusation = world.accusation();
    let case = proven(&mut world, &accusation, 3);
    world.svm.set_account(accusation.node, Account::default()).unwrap();
    let event = world.execute(&case).event::<SlashExecuted>();
    assert_eq!((event.taken_amount, event.node_locked_stake), (0, 0));
    assert_eq!(world.read::<Provider>(&accusation.seller.provider).status, ProviderStatus::Jailed as u8);
    assert_eq!(event.deposit_to, accusation.watcher.pubkey());
}

/// Executes a fraud whose bounty account was made unable to receive, and expects that all burns.
fn assert_all_burns(spoil: impl FnOnce(&mut World, &mut Accusation), after: impl FnOnce(&mut World, &Accusation)) {
    let mut world = World::new();
    let mut accusation = world.accusation();
    spoil(&mut world, &mut accusation);
    let case = proven(&mut world, &accusation, 3);
    after(&mut world, &accusation);
    let supply = world.supply();
    let event = world.execute(&case).event::<SlashExecuted>();
    assert_eq!((event.bounty_amount, event.burn_amount), (0, NODE_STAKE));
    assert_eq!(supply - world.supply(), NODE_STAKE);
    assert_eq!(world.tokens(&accusation.seller.vault), STAKE - NODE_STAKE);
}

#[test]
fn a_bounty_that_cannot_be_received_burns() {
    let keep = |_: &mut World, _: &mut Accusation| {};
    let nothing = |_: &mut World, _: &Accusation| {};
    // Never opened; closed later; frozen; of another mint; no token account; the provider's own vault.
    assert_all_burns(|_, accusation| accusation.bounty_account = tokens::named("nowhere"), nothing);
    assert_all_burns(keep, |world, accusation| {
        world.svm.set_account(accusation.bounty_account, Account::default()).unwrap();
    });
    assert_all_burns(keep, |world, accusation| {
        const STATE_AT: usize = 108;
        const FROZEN: u8 = 2;
        let mut account = world.svm.get_account(&accusation.bounty_account).unwrap();
        account.data[STATE_AT] = FROZEN;
        world.svm.set_account(accusation.bounty_account, account).unwrap();
    });
    assert_all_burns(
        |world, accusation| {
            let other = world.put_mint("other mint", tokens::good_mint(), world.standard, &[]);
            let standard = world.standard;
            let owner = accusation.watcher.pubkey();
            accusation.bounty_account = world.put_token_account("other tokens", &owner, &other, standard, 0);
        },
        nothing,
    );
    assert_all_burns(|_, accusation| accusation.bounty_account = accusation.watcher.pubkey(), nothing);
    assert_all_burns(|_, accusation| accusation.bounty_account = accusation.seller.vault, nothing);
}

#[test]
fn a_token_2022_account_that_wants_a_memo_does_not_stop_a_slash() {
    let genesis = Genesis { standard: TokenStandard::Token2022, ..Genesis::default() };
    // Behind the account: its type, then immutable owner; then a memo that is asked for.
    let immutable_owner = [2, 7, 0, 0, 0];
    let memo = [2, 7, 0, 0, 0, 8, 0, 1, 0, 1];
    for (tail, is_paid) in [(&immutable_owner[..], true), (&memo[..], false)] {
        let mut world = World::at(genesis.clone());
        let accusation = world.accusation();
        let mut account = world.svm.get_account(&accusation.bounty_account).unwrap();
        account.data.extend_from_slice(tail);
        world.svm.set_account(accusation.bounty_account, account).unwrap();
        let case = proven(&mut world, &accusation, 3);
        let bounty = world.execute(&case).event::<SlashExecuted>().bounty_amount;
        assert_eq!((bounty, bounty > 0), (world.tokens(&accusation.bounty_account), is_paid));
        world.assert_books();
    }
}

#[test]
fn a_deposit_below_its_receivers_rent_stays_and_stops_nothing() {
    let mut genesis = Genesis::default();
    genesis.params.case_deposit_lamports = 1_000;
    let mut world = World::at(genesis);
    let accusation = world.accusation();
    let case = proven(&mut world, &accusation, 3);
    world.svm.set_account(accusation.watcher.pubkey(), Account::default()).unwrap();
    let event = world.execute(&case).event::<SlashExecuted>();
    assert_eq!((event.taken_amount, event.deposit_lamports), (NODE_STAKE, 0));
    assert_eq!(world.read::<FraudCase>(&case).deposit_lamports, 1_000);
}

#[test]
fn every_account_of_an_execution_is_fixed() {
    let mut world = World::new();
    let accusation = world.accusation();
    let seller = &accusation.seller;
    let case = proven(&mut world, &accusation, 3);
    let other = world.provider("other", STAKE);
    let other_node = world.node(&other, &NodeSpec::default());
    let payer = world.deployer.insecure_clone();
    let execute = execute_slash(&world, &case);
    let swaps = [
        (seller.provider, other.provider),
        (seller.vault, other.vault),
        (accusation.node, other_node),
        (accusation.bounty_account, other.tokens),
        (accusation.watcher.pubkey(), seller.authority.pubkey()),
    ];
    for (real, swapped) in swaps {
        let instruction = ix::swap(execute.clone(), &real, &swapped);
        world.assert_refused(&[instruction], &[&payer], MillraceError::WrongAccount);
    }
    let (mint, token_program) = (world.mint, world.standard.id());
    world.assert_refused(&[ix::swap(execute.clone(), &mint, &seller.tokens)], &[&payer], MillraceError::WrongMint);
    let other_program = ix::swap(execute.clone(), &token_program, &TokenStandard::Token2022.id());
    world.assert_refused(&[other_program], &[&payer], MillraceError::WrongTokenProgram);
    for real in [pda::config(), case] {
        let instruction = ix::swap(execute.clone(), &real, &accusation.node);
        world.assert_refused(&[instruction], &[&payer], ErrorCode::AccountDiscriminatorMismatch);
    }
}
