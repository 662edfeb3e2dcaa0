//! Closing an account.

use super::*;
use anchor_lang::error::ErrorCode;
use millrace::events::ProviderClosed;
use millrace::state::{Provider, ProviderStatus};
use millrace_tests::parties::POCKET;
use millrace_tests::{ix, MillraceError, Signer, World, MILL};

#[test]
fn an_empty_provider_closes_and_every_unit_finds_its_owner() {
    let (mut world, seller) = market();
    world.must(&[ix::begin_unstake(&seller, STAKE)], &[&seller.authority]);
    world.warp_secs(unbonding_secs(&world));
    world.must(&[ix::withdraw(&world, &seller)], &[&seller.authority]);
    world.send_stray_tokens(&seller.vault, 3);
    let rent = world.lamports(&seller.provider) + world.lamports(&seller.vault);
    let before = world.lamports(&seller.authority.pubkey());

    let fee = 5_000;
    let receipt = world.must(&[ix::close_provider(&world, &seller)], &[&seller.authority]);
    assert_eq!(receipt.event::<ProviderClosed>().surplus_amount, 3);
    assert_eq!(world.tokens(&world.treasury), 3);
    assert_eq!(world.tokens(&seller.tokens), POCKET + STAKE);
    assert!(!world.exists(&seller.provider) && !world.exists(&seller.vault));
    assert_eq!(world.lamports(&seller.authority.pubkey()), before + rent - fee);

    // The same key may come back, from the start.
    world.must(&[registration(&world, &seller)], &[&seller.authority]);
    assert_eq!(world.read::<Provider>(&seller.provider).sequence, 1);
}

#[test]
fn a_provider_with_anything_left_stays() {
    let mut world = World::new();
    let seller = world.provider("seller", 0);
    let close = ix::close_provider(&world, &seller);
    let left: [fn(&mut Provider); 5] = [
        |provider| provider.stake = 1,
        |provider| provider.earned = 1,
        |provider| {
            provider.unbonding_count = 1;
            provider.unbonding[0].amount = 1;
        },
        |provider| provider.open_nodes = 1,
        |provider| provider.open_leases = 1,
    ];
    for change in left {
        let empty = *world.read::<Provider>(&seller.provider);
        world.rewrite(&seller.provider, change);
        world.assert_refused(std::slice::from_ref(&close), &[&seller.authority], MillraceError::ProviderNotEmpty);
        world.rewrite(&seller.provider, |provider| *provider = empty);
    }
    world.must(&[close], &[&seller.authority]);
}

#[test]
fn a_jail_is_not_left_by_closing() {
    let mut world = World::new();
    let seller = world.provider("seller", 0);
    let jailed_until = world.now() + 100;
    world.rewrite::<Provider>(&seller.provider, |provider| {
        provider.status = ProviderStatus::Jailed as u8;
        provider.jailed_until = jailed_until;
    });
    let close = ix::close_provider(&world, &seller);
    world.assert_refused(std::slice::from_ref(&close), &[&seller.authority], MillraceError::ProviderJailed);
    world.warp_secs(100);
    world.must(&[close], &[&seller.authority]);
}

#[test]
fn closing_takes_only_its_own_accounts() {
    let mut world = World::new();
    let (seller, other) = (world.provider("seller", 0), world.provider("other", 0));
    let honest = ix::close_provider(&world, &seller);
    let cases = [
        (seller.provider, other.provider, MillraceError::WrongAuthority),
        (seller.vault, other.vault, MillraceError::WrongAccount),
        (world.treasury, seller.tokens, MillraceError::WrongAccount),
    ];
    for (from, to, error) in cases {
        world.assert_refused(&[ix::swap(honest.clone(), &from, &to)], &[&seller.authority], error);
    }
    let mut to_another = honest.clone();
    let rent_payer = to_another.accounts.iter_mut().rfind(|meta| meta.pubkey == seller.authority.pubkey()).unwrap();
    rent_payer.pubkey = other.authority.pubkey();
    world.assert_refused(&[to_another], &[&seller.authority], MillraceError::WrongAccount);
    let mut by_another = honest;
    by_another.accounts[0].pubkey = other.authority.pubkey();
    world.assert_refused(&[by_another], &[&other.authority], MillraceError::WrongAuthority);
}

#[test]
fn a_closed_provider_is_not_reused_in_the_same_transaction() {
    let mut world = World::new();
    let seller = world.provider("seller", 0);
    let close = ix::close_provider(&world, &seller);
    let stake = ix::stake(&world, &seller, MILL);
    world.assert_refused(&[close, stake], &[&seller.authority], ErrorCode::AccountOwnedByWrongProgram);
}
