//! Opening, filling, emptying and closing a customer's escrow, and the sweep of its fees.

use anchor_lang::error::ErrorCode;
use anchor_lang::prelude::system_program;
use anchor_lang::solana_program::system_instruction::transfer;
use millrace::events::{CustomerClosed, CustomerOpened, CustomerWithdrawn, Deposited, FeesSwept};
use millrace::state::Customer;
use millrace_core::leaves::LeaseStatus;
use millrace_core::money::split_fee;
use millrace_tests::*;

/// The token programs' `InsufficientFunds`.
const INSUFFICIENT_FUNDS: u32 = 1;
/// Lamports LiteSVM takes for one signature.
const SIGNATURE_FEE: u64 = 5_000;
/// The token programs' `MintMismatch`.
const MINT_MISMATCH: u32 = 3;
/// The system program's `AccountAlreadyInUse`.
const ALREADY_IN_USE: u32 = 0;

fn books(world: &World, buyer: &Buyer) -> Box<Customer> {
    world.read::<Customer>(&buyer.customer)
}

#[test]
fn a_customer_opens_once_with_empty_books() {
    let mut world = World::new();
    let buyer = world.customer("buyer", 0);
    let customer = books(&world, &buyer);
    assert_eq!((customer.version, customer.authority, customer.vault), (1, buyer.authority.pubkey(), buyer.vault));
    assert_eq!(customer.rent_payer, buyer.authority.pubkey());
    assert_eq!(
        customer.bump,
        Pubkey::find_program_address(&[b"customer", buyer.authority.pubkey().as_ref()], &millrace::ID).1
    );
    assert_eq!((customer.owed(), customer.deposited, customer.next_job_id), (0, 0, 0));
    world.assert_refused(&[ix::open_customer(&world, &buyer.authority.pubkey())], &[&buyer.authority], ALREADY_IN_USE);

    let other = world.stranger("other");
    let opened = world.must(&[ix::open_customer(&world, &other.pubkey())], &[&other]).event::<CustomerOpened>();
    assert_eq!((opened.sequence, opened.authority), (1, other.pubkey()));
    assert_eq!(opened.vault, pda::vault(&opened.customer));
}

#[test]
fn a_customer_opens_only_with_the_mill_mint_and_its_own_signature() {
    let mut world = World::new();
    let buyer = world.stranger("buyer");
    let open = ix::open_customer(&world, &buyer.pubkey());
    let false_mint = world.put_mint("false mint", tokens::good_mint(), TokenStandard::Token, &[]);
    let mint = world.mint;
    world.assert_refused(&[ix::swap(open.clone(), &mint, &false_mint)], &[&buyer], MillraceError::WrongMint);
    let stranger = world.stranger("stranger");
    let unsigned = ix::unsigned(open, &buyer.pubkey());
    world.assert_refused(&[unsigned], &[&stranger], ErrorCode::AccountNotSigner);
}

#[test]
fn a_deposit_credits_what_arrived_whoever_sends_it() {
    let mut world = World::new();
    let buyer = world.customer("buyer", 0);
    let deposited = world.must(&[ix::deposit(&world, &buyer, 5 * MILL)], &[&buyer.authority]).event::<Deposited>();
    assert_eq!((deposited.amount, deposited.free, deposited.sequence), (5 * MILL, 5 * MILL, 2));
    assert_eq!(world.tokens(&buyer.vault), 5 * MILL);

    let friend = world.stranger("friend");
    let tokens = world.put_tokens("friend tokens", &friend.pubkey(), MILL);
    let gift = ix::swap(ix::deposit(&world, &buyer, MILL), &buyer.tokens, &tokens);
    world.must(&[ix::swap(gift, &buyer.authority.pubkey(), &friend.pubkey())], &[&friend]);
    let customer = books(&world, &buyer);
    assert_eq!((customer.free, customer.deposited), (6 * MILL, 6 * MILL));
    world.assert_books();
}

#[test]
fn a_bad_deposit_is_refused() {
    let mut world = World::new();
    let buyer = world.customer("buyer", MILL);
    let other = world.customer("other", MILL);
    let signer = &[&buyer.authority];
    world.assert_refused(&[ix::deposit(&world, &buyer, 0)], signer, MillraceError::ZeroAmount);
    let deposit = ix::deposit(&world, &buyer, MILL);
    let to_other = ix::swap(deposit.clone(), &buyer.vault, &other.vault);
    world.assert_refused(&[to_other], signer, MillraceError::WrongAccount);
    let to_itself = ix::swap(deposit.clone(), &buyer.tokens, &buyer.vault);
    world.assert_refused(&[to_itself], signer, MillraceError::WrongAccount);
    let false_program = ix::swap(deposit.clone(), &world.standard.id(), &anchor_spl::token_2022::ID);
    world.assert_refused(&[false_program], signer, MillraceError::WrongTokenProgram);
    let system = ix::swap(deposit.clone(), &world.standard.id(), &system_program::ID);
    world.assert_refused(&[system], signer, MillraceError::WrongTokenProgram);
    let too_much = ix::deposit(&world, &buyer, world.tokens(&buyer.tokens) + 1);
    world.assert_refused(&[too_much], signer, INSUFFICIENT_FUNDS);
    let false_mint = world.put_mint("false mint", tokens::good_mint(), TokenStandard::Token, &[]);
    let false_money =
        world.put_token_account("false money", &buyer.authority.pubkey(), &false_mint, TokenStandard::Token, MILL);
    let worthless = ix::swap(deposit.clone(), &buyer.tokens, &false_money);
    world.assert_refused(&[worthless], signer, MINT_MISMATCH);
    let not_a_customer = ix::swap(deposit.clone(), &buyer.customer, &pda::config());
    world.assert_refused(&[not_a_customer], signer, ErrorCode::AccountDiscriminatorMismatch);
    let foreign = ix::swap(deposit.clone(), &buyer.customer, &world.mint);
    world.assert_refused(&[foreign], signer, ErrorCode::AccountOwnedByWrongProgram);
    let unsigned = ix::unsigned(deposit, &buyer.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
}

#[test]
fn free_money_is_withdrawn_by_its_owner_alone() {
    let mut world = World::new();
    let buyer = world.customer("buyer", 5 * MILL);
    let other = world.customer("other", 5 * MILL);
    let before = world.tokens(&buyer.tokens);
    let withdrawn = world
        .must(&[ix::withdraw_customer(&world, &buyer, 2 * MILL)], &[&buyer.authority])
        .event::<CustomerWithdrawn>();
    assert_eq!((withdrawn.amount, withdrawn.free), (2 * MILL, 3 * MILL));
    assert_eq!(world.tokens(&buyer.tokens), before + 2 * MILL);
    assert_eq!(books(&world, &buyer).refunded, 2 * MILL);
    world.assert_books();

    let signer = &[&buyer.authority];
    world.assert_refused(&[ix::withdraw_customer(&world, &buyer, 0)], signer, MillraceError::ZeroAmount);
    world.assert_refused(&[ix::withdraw_customer(&world, &buyer, 3 * MILL + 1)], signer, MillraceError::NotEnoughFree);
    let withdraw = ix::withdraw_customer(&world, &buyer, MILL);
    let from_other = ix::swap(withdraw.clone(), &buyer.vault, &other.vault);
    world.assert_refused(&[from_other], signer, MillraceError::WrongAccount);
    let of_other = ix::swap(withdraw.clone(), &buyer.customer, &other.customer);
    world.assert_refused(&[of_other], signer, MillraceError::WrongAuthority);
    let to_itself = ix::swap(withdraw.clone(), &buyer.tokens, &buyer.vault);
    world.assert_refused(&[to_itself], signer, MillraceError::WrongAccount);
    let false_program = ix::swap(withdraw.clone(), &world.standard.id(), &anchor_spl::token_2022::ID);
    world.assert_refused(&[false_program], signer, MillraceError::WrongTokenProgram);
    let unsigned = ix::unsigned(withdraw, &buyer.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
}

#[test]
fn reserved_money_and_fees_due_cannot_be_withdrawn() {
    let mut world = World::new();
    let deal = world.completed(100);
    let customer = books(&world, &deal.buyer);
    assert!(customer.fee_due > 0 && customer.holdbacks > 0);
    let all = ix::withdraw_customer(&world, &deal.buyer, customer.free + 1);
    world.assert_refused(&[all], &[&deal.buyer.authority], MillraceError::NotEnoughFree);
    world.must(&[ix::withdraw_customer(&world, &deal.buyer, customer.free)], &[&deal.buyer.authority]);
    assert_eq!(world.tokens(&deal.buyer.vault), customer.fee_due + customer.holdbacks);
    world.assert_books();
}

#[test]
fn a_sweep_by_anyone_burns_and_pays_every_unit_of_the_fees_due() {
    let mut world = World::new();
    let deal = world.completed(101);
    let fee_due = books(&world, &deal.buyer).fee_due;
    assert_eq!(fee_due, (101 * BID_PER_SEC).div_ceil(20), "5% of the gross, rounded up");
    let (supply, vault) = (world.supply(), world.tokens(&deal.buyer.vault));
    let split = split_fee(fee_due, 3_000, 2_000).unwrap();

    let stranger = world.stranger("stranger");
    let swept = world.must(&[ix::sweep_fees(&world, &deal.buyer)], &[&stranger]).event::<FeesSwept>();
    assert_eq!((swept.burn_amount, swept.oracle_amount), (split.burn_amount, split.oracle_amount));
    assert_eq!((swept.treasury_amount, swept.burned_total), (split.treasury_amount, split.burn_amount));
    assert_eq!(world.supply(), supply - split.burn_amount, "the burn is real");
    assert_eq!(world.tokens(&world.oracle_pool), split.oracle_amount);
    assert_eq!(world.tokens(&world.treasury), split.treasury_amount);
    assert_eq!(world.tokens(&deal.buyer.vault), vault - fee_due);
    let customer = books(&world, &deal.buyer);
    assert_eq!((customer.fee_due, customer.burned), (0, split.burn_amount));
    assert_eq!(world.config().burned_total, split.burn_amount);
    world.assert_books();
    world.assert_refused(&[ix::sweep_fees(&world, &deal.buyer)], &[&stranger], MillraceError::NoFeesDue);
}

#[test]
fn a_fee_too_small_to_share_burns_whole() {
    let mut world = World::new();
    let deal = world.posted();
    world.bid(&deal.seller, &deal.node, &deal.job, 1);
    world.end_bidding(&deal.job);
    world.award(&deal);
    world.warp_secs(20);
    world.settle(&deal.lease, 20, LeaseStatus::Completed);
    assert_eq!(books(&world, &deal.buyer).fee_due, 1);
    let stranger = world.stranger("stranger");
    let swept = world.must(&[ix::sweep_fees(&world, &deal.buyer)], &[&stranger]).event::<FeesSwept>();
    assert_eq!((swept.burn_amount, swept.oracle_amount, swept.treasury_amount), (1, 0, 0));
    world.assert_books();
}

#[test]
fn swept_fees_go_nowhere_else() {
    let mut world = World::new();
    let deal = world.completed(100);
    let other = world.customer("other", 50 * MILL);
    let sweep = ix::sweep_fees(&world, &deal.buyer);
    let (pool, treasury, mint) = (world.oracle_pool, world.treasury, world.mint);
    let sender = world.stranger("stranger");
    let mine = world.put_tokens("stranger tokens", &sender.pubkey(), 0);
    for account in [pool, treasury] {
        world.assert_refused(&[ix::swap(sweep.clone(), &account, &mine)], &[&sender], MillraceError::WrongAccount);
    }
    let both_to_treasury = ix::swap(sweep.clone(), &pool, &treasury);
    world.assert_refused(&[both_to_treasury], &[&sender], MillraceError::WrongAccount);
    let from_other = ix::swap(sweep.clone(), &deal.buyer.vault, &other.vault);
    world.assert_refused(&[from_other], &[&sender], MillraceError::WrongAccount);
    let false_mint = world.put_mint("false mint", tokens::good_mint(), TokenStandard::Token, &[]);
    world.assert_refused(&[ix::swap(sweep.clone(), &mint, &false_mint)], &[&sender], MillraceError::WrongMint);
    let false_program = ix::swap(sweep.clone(), &world.standard.id(), &system_program::ID);
    world.assert_refused(&[false_program], &[&sender], MillraceError::WrongTokenProgram);
    let not_the_config = ix::swap(sweep, &pda::config(), &deal.job);
    world.assert_refused(&[not_the_config], &[&sender], ErrorCode::AccountDiscriminatorMismatch);
}

#[test]
fn an_empty_customer_closes_and_gives_back_both_rents() {
    let mut world = World::new();
    let buyer = world.customer("buyer", MILL);
    world.must(&[ix::withdraw_customer(&world, &buyer, MILL)], &[&buyer.authority]);
    // A stranger's token must not keep the account open for ever.
    world.send_stray_tokens(&buyer.vault, 1);
    let rents = world.lamports(&buyer.customer) + world.lamports(&buyer.vault);
    let before = world.lamports(&buyer.authority.pubkey());
    let treasury = world.tokens(&world.treasury);
    let closed = world.must(&[ix::close_customer(&world, &buyer)], &[&buyer.authority]).event::<CustomerClosed>();
    assert_eq!((closed.surplus_amount, world.tokens(&world.treasury)), (1, treasury + 1));
    assert!(!world.exists(&buyer.customer) && !world.exists(&buyer.vault));
    assert_eq!(world.lamports(&buyer.authority.pubkey()), before + rents - SIGNATURE_FEE);

    world.must(&[ix::open_customer(&world, &buyer.authority.pubkey())], &[&buyer.authority]);
    assert_eq!(books(&world, &buyer).owed(), 0);
}

#[test]
fn a_customer_with_money_or_jobs_does_not_close() {
    let mut world = World::new();
    let deal = world.bid_for();
    let buyer = &deal.buyer;
    let signer = &[&buyer.authority];
    world.assert_refused(&[ix::close_customer(&world, buyer)], signer, MillraceError::CustomerNotEmpty);
    world.must(&[ix::cancel_job(&buyer.authority.pubkey(), buyer, &deal.job)], signer);
    world.must(&[ix::withdraw_customer(&world, buyer, 100 * MILL)], signer);
    assert_eq!(world.tokens(&buyer.vault), 0);
    let open_job = ix::close_customer(&world, buyer);
    world.assert_refused(&[open_job], signer, MillraceError::CustomerNotEmpty);
    world.must(&[ix::close_job(&world, &deal.job)], signer);

    let close = ix::close_customer(&world, buyer);
    let other = world.customer("other", 0);
    let of_other = ix::swap(close.clone(), &buyer.customer, &other.customer);
    world.assert_refused(&[of_other], signer, MillraceError::WrongAuthority);
    let other_vault = ix::swap(close.clone(), &buyer.vault, &other.vault);
    world.assert_refused(&[other_vault], signer, MillraceError::WrongAccount);
    let other_treasury = ix::swap(close.clone(), &world.treasury, &buyer.tokens);
    world.assert_refused(&[other_treasury], signer, MillraceError::WrongAccount);
    let mut other_receiver = close.clone();
    other_receiver.accounts[5].pubkey = other.authority.pubkey();
    world.assert_refused(&[other_receiver], signer, MillraceError::WrongAccount);
    let false_program = ix::swap(close.clone(), &world.standard.id(), &system_program::ID);
    world.assert_refused(&[false_program], signer, MillraceError::WrongTokenProgram);
    world.must(&[close], signer);
}

#[test]
fn a_closed_customer_stays_closed_within_its_transaction() {
    let mut world = World::new();
    let buyer = world.customer("buyer", 0);
    let revive = transfer(&buyer.authority.pubkey(), &buyer.customer, MILL);
    let again = ix::deposit(&world, &buyer, MILL);
    let close = ix::close_customer(&world, &buyer);
    let refusal = world.send(&[close, revive, again], &[&buyer.authority]).expect_err("the account is gone");
    assert_eq!(refusal.code(), Some(u32::from(ErrorCode::AccountOwnedByWrongProgram)), "{}", refusal.error);
}
