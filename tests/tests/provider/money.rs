//! Stake in, stake and earnings out.

use super::*;
use anchor_lang::error::ErrorCode;
use millrace::constants::MAX_UNBONDING;
use millrace::events::{Staked, UnstakeBegun, Withdrawn};
use millrace::state::{Provider, ProviderStatus};
use millrace_tests::parties::POCKET;
use millrace_tests::{ix, pda, Genesis, MillraceError, NodeSpec, Signer, TokenStandard, World, MILL};

#[test]
fn stake_is_what_arrived_in_the_vault() {
    for standard in [TokenStandard::Token, TokenStandard::Token2022] {
        let mut world = World::at(Genesis { standard, ..Genesis::default() });
        let seller = world.provider("seller", STAKE);
        let receipt = world.must(&[ix::stake(&world, &seller, 7)], &[&seller.authority]);
        let event: Staked = receipt.event();
        assert_eq!((event.sequence, event.amount, event.stake, event.locked), (3, 7, STAKE + 7, 0));
        assert_eq!(world.read::<Provider>(&seller.provider).stake, STAKE + 7);
        assert_eq!(world.tokens(&seller.vault), STAKE + 7);
        assert_eq!(world.tokens(&seller.tokens), POCKET - 7);
    }
}

#[test]
fn no_one_stakes_nothing_or_more_than_it_has() {
    let (mut world, seller) = market();
    world.assert_refused(&[ix::stake(&world, &seller, 0)], &[&seller.authority], MillraceError::ZeroAmount);
    world.assert_refused(&[ix::stake(&world, &seller, POCKET + 1)], &[&seller.authority], INSUFFICIENT_FUNDS);
}

#[test]
fn stake_takes_only_its_own_accounts() {
    let (mut world, seller) = market();
    let other = world.provider("other", STAKE);
    let foreign = foreign_tokens(&mut world, &seller.authority.pubkey());
    let foreign_mint = millrace_tests::tokens::named("other mint");
    let honest = ix::stake(&world, &seller, MILL);

    let cases = [
        (seller.authority.pubkey(), other.authority.pubkey(), MillraceError::WrongAuthority),
        (seller.provider, other.provider, MillraceError::WrongAuthority),
        (seller.vault, other.vault, MillraceError::WrongAccount),
        (seller.tokens, foreign, MillraceError::WrongMint),
        (world.mint, foreign_mint, MillraceError::WrongMint),
    ];
    for (from, to, error) in cases {
        let attempt = ix::swap(honest.clone(), &from, &to);
        let signer = if to == other.authority.pubkey() { &other.authority } else { &seller.authority };
        world.assert_refused(&[attempt], &[signer], error);
    }
    // Another's tokens: the token program asks for their owner's signature.
    let stolen = ix::swap(honest.clone(), &seller.tokens, &other.tokens);
    world.assert_refused(&[stolen], &[&seller.authority], 4u32);
    let unsigned = ix::unsigned(honest, &seller.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
}

// begin_unstake and withdraw

#[test]
fn stake_leaves_after_the_unbonding_it_was_promised() {
    let (mut world, seller) = market();
    let began_at = world.now();
    let receipt = world.must(&[ix::begin_unstake(&seller, 300 * MILL)], &[&seller.authority]);
    let event: UnstakeBegun = receipt.event();
    assert_eq!(event.matures_at, began_at + unbonding_secs(&world));
    assert_eq!((event.stake, event.unbonding), (700 * MILL, 300 * MILL));

    // A longer unbonding decided later does not reach back.
    world.rewrite::<millrace::state::Config>(&pda::config(), |config| config.params.unbonding_secs *= 2);
    world.warp_to(event.matures_at - 1);
    world.assert_refused(&[ix::withdraw(&world, &seller)], &[&seller.authority], MillraceError::NothingToWithdraw);
    world.warp_secs(1);
    let receipt = world.must(&[ix::withdraw(&world, &seller)], &[&seller.authority]);
    let event: Withdrawn = receipt.event();
    assert_eq!((event.earned_amount, event.unbonded_amount, event.unbonding), (0, 300 * MILL, 0));
    assert_eq!(world.tokens(&seller.tokens), POCKET + 300 * MILL);
    assert_eq!(world.tokens(&seller.vault), 700 * MILL);
}

#[test]
fn only_free_stake_is_unstaked() {
    let (mut world, seller) = market();
    // 100 for the node and 10 for each of its ten thousand gops.
    world.node(&seller, &NodeSpec::default());
    let free = STAKE - 200 * MILL;
    world.assert_refused(&[ix::begin_unstake(&seller, free + 1)], &[&seller.authority], MillraceError::NotEnoughStake);
    world.must(&[ix::begin_unstake(&seller, free)], &[&seller.authority]);
    world.assert_refused(&[ix::begin_unstake(&seller, 1)], &[&seller.authority], MillraceError::NotEnoughStake);
    world.assert_refused(&[ix::begin_unstake(&seller, 0)], &[&seller.authority], MillraceError::ZeroAmount);
}

#[test]
fn eight_entries_unbond_at_once_and_a_withdrawal_makes_room() {
    let (mut world, seller) = market();
    for _ in 0..MAX_UNBONDING {
        world.must(&[ix::begin_unstake(&seller, MILL)], &[&seller.authority]);
        world.warp_secs(10);
    }
    world.assert_refused(&[ix::begin_unstake(&seller, MILL)], &[&seller.authority], MillraceError::UnbondingFull);

    let third = world.read::<Provider>(&seller.provider).unbonding[2];
    world.warp_to(third.matures_at);
    let event: Withdrawn = world.must(&[ix::withdraw(&world, &seller)], &[&seller.authority]).event();
    assert_eq!((event.unbonded_amount, event.unbonding), (3 * MILL, 5 * MILL));
    let provider = world.read::<Provider>(&seller.provider);
    let left: Vec<i64> = provider.unbonding_entries().iter().map(|entry| entry.matures_at - third.matures_at).collect();
    assert_eq!(left, [10, 20, 30, 40, 50]);
    world.must(&[ix::begin_unstake(&seller, MILL)], &[&seller.authority]);
}

#[test]
fn earnings_are_paid_at_once_even_in_jail() {
    let (mut world, seller) = market();
    let jailed_until = world.now() + 1_000_000;
    world.rewrite::<Provider>(&seller.provider, |provider| {
        provider.earned = 40 * MILL;
        provider.status = ProviderStatus::Jailed as u8;
        provider.jailed_until = jailed_until;
    });
    world.send_stray_tokens(&seller.vault, 40 * MILL);
    let event: Withdrawn = world.must(&[ix::withdraw(&world, &seller)], &[&seller.authority]).event();
    assert_eq!((event.earned_amount, event.unbonded_amount), (40 * MILL, 0));
    assert_eq!(world.tokens(&seller.tokens), POCKET + 40 * MILL);
    world.assert_refused(&[ix::withdraw(&world, &seller)], &[&seller.authority], MillraceError::NothingToWithdraw);
}

#[test]
fn strangers_tokens_are_nobodys_stake() {
    let (mut world, seller) = market();
    world.send_stray_tokens(&seller.vault, 1);
    world.assert_refused(&[ix::withdraw(&world, &seller)], &[&seller.authority], MillraceError::NothingToWithdraw);
    world.must(&[ix::stake(&world, &seller, 5)], &[&seller.authority]);
    assert_eq!(world.read::<Provider>(&seller.provider).stake, STAKE + 5);
}

#[test]
fn money_goes_only_to_the_authority() {
    let (mut world, seller) = market();
    let other = world.provider("other", STAKE);
    world.rewrite::<Provider>(&seller.provider, |provider| provider.earned = MILL);
    world.send_stray_tokens(&seller.vault, MILL);
    let foreign = foreign_tokens(&mut world, &seller.authority.pubkey());
    let honest = ix::withdraw(&world, &seller);
    let cases = [
        (seller.authority.pubkey(), other.authority.pubkey(), MillraceError::WrongAuthority),
        (seller.authority.pubkey(), seller.operator.pubkey(), MillraceError::WrongAuthority),
        (seller.provider, other.provider, MillraceError::WrongAuthority),
        (seller.vault, other.vault, MillraceError::WrongAccount),
        (seller.tokens, other.tokens, MillraceError::WrongAccount),
        (seller.tokens, foreign, MillraceError::WrongMint),
        (world.mint, millrace_tests::tokens::named("other mint"), MillraceError::WrongMint),
    ];
    for (from, to, error) in cases {
        let signers = [&seller.authority, &seller.operator, &other.authority];
        let attempt = ix::swap(honest.clone(), &from, &to);
        let signer = signers.into_iter().find(|key| attempt.accounts[0].pubkey == key.pubkey()).unwrap();
        world.assert_refused(&[attempt], &[signer], error);
    }
}

#[test]
fn only_the_cold_key_unstakes() {
    let (mut world, seller) = market();
    let by_operator = ix::swap(ix::begin_unstake(&seller, MILL), &seller.authority.pubkey(), &seller.operator.pubkey());
    world.assert_refused(&[by_operator], &[&seller.operator], MillraceError::WrongAuthority);
    let unsigned = ix::unsigned(ix::begin_unstake(&seller, MILL), &seller.authority.pubkey());
    world.assert_refused(&[unsigned], &[&seller.operator], ErrorCode::AccountNotSigner);
}
