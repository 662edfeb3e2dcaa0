//! Opening an account.

use super::*;
use anchor_lang::error::ErrorCode;
use millrace::events::ProviderRegistered;
use millrace::instructions::RegisterProviderArgs;
use millrace::state::{Provider, ProviderStatus};
use millrace_core::reliability::RELIABILITY_FLOOR_BPS;
use millrace_tests::genesis::endpoint;
use millrace_tests::parties::provider_args;
use millrace_tests::tokens::good_mint;
use millrace_tests::{ix, key, pda, MillraceError, Signer, TokenStandard, World, MILL};

#[test]
fn a_provider_starts_at_the_floor_with_an_empty_vault() {
    let mut world = World::new();
    let seller = world.unregistered_provider("seller", 0);
    let receipt = world.must(&[registration(&world, &seller)], &[&seller.authority]);

    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.version, provider.status), (1, ProviderStatus::Active as u8));
    assert_eq!((provider.authority, provider.operator), (seller.authority.pubkey(), seller.operator.pubkey()));
    assert_eq!((provider.vault, provider.rent_payer), (seller.vault, seller.authority.pubkey()));
    assert_eq!(provider.reliability_bps, RELIABILITY_FLOOR_BPS);
    assert_eq!((provider.stake, provider.locked, provider.earned), (0, 0, 0));
    assert_eq!((provider.max_bonds_amount, provider.min_bid_per_sec), (1_000_000 * MILL, 1));
    assert_eq!(world.tokens(&seller.vault), 0);

    let event: ProviderRegistered = receipt.event();
    assert_eq!((event.sequence, event.provider), (1, seller.provider));
    assert!(receipt.cu <= 20_000, "registering costs {} units", receipt.cu);
}

#[test]
fn a_key_registers_once() {
    let (mut world, seller) = market();
    let again = registration(&world, &seller);
    world.assert_refused(&[again], &[&seller.authority], ALREADY_IN_USE);
}

#[test]
fn lamports_sent_ahead_do_not_block_a_registration() {
    let mut world = World::new();
    let seller = world.unregistered_provider("seller", 0);
    world.svm.airdrop(&seller.provider, 1_000_000).unwrap();
    world.svm.airdrop(&seller.vault, 1_000_000_000).unwrap();
    world.must(&[registration(&world, &seller)], &[&seller.authority]);
    assert_eq!(world.read::<Provider>(&seller.provider).authority, seller.authority.pubkey());
}

#[test]
fn an_endpoint_is_an_http_url() {
    let mut world = World::new();
    let seller = world.unregistered_provider("seller", 0);
    let mut not_ascii = endpoint("http://agent");
    not_ascii[9] = 0xff;
    let mut behind_the_end = endpoint("http://agent");
    behind_the_end[90] = b'x';
    for wrong in
        [endpoint(""), endpoint("http://"), endpoint("ftp://agent"), endpoint("http://a b"), not_ascii, behind_the_end]
    {
        let args = RegisterProviderArgs { endpoint: wrong, ..provider_args(&seller.operator.pubkey()) };
        let attempt = ix::register_provider(&world, &seller.authority.pubkey(), args);
        world.assert_refused(&[attempt], &[&seller.authority], MillraceError::BadEndpoint);
    }
}

#[test]
fn a_vault_is_of_the_markets_mint() {
    let mut world = World::new();
    let seller = world.unregistered_provider("seller", 0);
    let other = world.put_mint("other mint", good_mint(), TokenStandard::Token, &[]);
    let attempt = ix::swap(registration(&world, &seller), &world.mint, &other);
    world.assert_refused(&[attempt], &[&seller.authority], MillraceError::WrongMint);
}

#[test]
fn a_provider_lies_where_its_key_says() {
    let mut world = World::new();
    let seller = world.unregistered_provider("seller", 0);
    let elsewhere = pda::provider(&seller.operator.pubkey());
    for (from, to) in [(seller.provider, elsewhere), (seller.vault, pda::vault(&elsewhere))] {
        let attempt = ix::swap(registration(&world, &seller), &from, &to);
        world.assert_refused(&[attempt], &[&seller.authority], ErrorCode::ConstraintSeeds);
    }
    let unsigned = ix::unsigned(registration(&world, &seller), &seller.authority.pubkey());
    world.assert_refused(&[unsigned], &[&seller.operator], ErrorCode::AccountNotSigner);
}

#[test]
fn no_unrelated_account_passes_for_one_of_a_provider_call() {
    let mut world = World::new();
    let newcomer = world.unregistered_provider("newcomer", 0);
    world.assert_no_account_is_replaceable(&registration(&world, &newcomer), &[&newcomer.authority]);
    let empty = world.provider("empty", 0);
    world.assert_no_account_is_replaceable(&ix::close_provider(&world, &empty), &[&empty.authority]);

    let seller = world.provider("seller", STAKE);
    world.rewrite::<Provider>(&seller.provider, |provider| provider.earned = MILL);
    world.send_stray_tokens(&seller.vault, MILL);
    let calls = [
        ix::stake(&world, &seller, MILL),
        ix::begin_unstake(&seller, MILL),
        ix::withdraw(&world, &seller),
        ix::set_operator(&seller, &key("new operator").pubkey()),
        ix::set_terms(&seller, terms()),
    ];
    for call in calls {
        world.assert_no_account_is_replaceable(&call, &[&seller.authority]);
    }
}
