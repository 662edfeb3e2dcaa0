//! The cold key: it changes in two steps, and only the new one has it afterwards.

use super::*;
use anchor_lang::error::ErrorCode;
use millrace::events::{AuthorityAccepted, AuthorityProposed};
use millrace::state::Provider;
use millrace_client::ix::{accept_authority, begin_unstake, close_provider, propose_authority, withdraw};
use millrace_tests::{ix, Keypair, MillraceError, Signer};

/// The proposal of `next`, by the cold key of today.
fn proposal(seller: &Seller, next: &Pubkey) -> Instruction {
    propose_authority(&seller.authority.pubkey(), &seller.provider, next)
}

fn handed_over() -> (World, Seller, Keypair) {
    let (mut world, seller) = market();
    let next = world.stranger("next owner");
    world.must(&[proposal(&seller, &next.pubkey())], &[&seller.authority]);
    world.must(&[accept_authority(&next.pubkey(), &seller.provider)], &[&next]);
    (world, seller, next)
}

#[test]
fn the_cold_key_changes_in_two_steps() {
    let (mut world, seller) = market();
    let next = world.stranger("next owner");
    let old = seller.authority.pubkey();
    let event: AuthorityProposed = world.must(&[proposal(&seller, &next.pubkey())], &[&seller.authority]).event();
    assert_eq!((event.sequence, event.authority, event.pending_authority), (3, old, next.pubkey()));
    // Nothing is given away yet.
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.authority, provider.pending_authority), (old, next.pubkey()));
    let early = begin_unstake(&next.pubkey(), &seller.provider, MILL);
    world.assert_refused(&[early], &[&next], MillraceError::WrongAuthority);
    world.must(&[ix::begin_unstake(&seller, MILL)], &[&seller.authority]);
    let accept = accept_authority(&next.pubkey(), &seller.provider);
    let event: AuthorityAccepted = world.must(std::slice::from_ref(&accept), &[&next]).event();
    assert_eq!((event.authority, event.previous_authority), (next.pubkey(), old));
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.authority, provider.pending_authority), (next.pubkey(), Pubkey::default()));
    assert_eq!((provider.origin, provider.vault, provider.rent_payer), (old, seller.vault, old));
    // Once.
    world.assert_refused(&[accept], &[&next], MillraceError::NoPendingAuthority);
}

#[test]
fn the_new_cold_key_has_everything_and_the_old_one_nothing() {
    let (mut world, seller, next) = handed_over();
    let node = ix::register_node(&seller.authority.pubkey(), 0, millrace_tests::NodeSpec::default().args());
    let old_calls = [
        ix::begin_unstake(&seller, MILL),
        ix::set_operator(&seller, &next.pubkey()),
        ix::set_terms(&seller, terms()),
        ix::withdraw(&world, &seller),
        ix::close_provider(&world, &seller),
        proposal(&seller, &seller.authority.pubkey()),
        node,
    ];
    for call in old_calls {
        world.assert_refused(&[call], &[&seller.authority], MillraceError::WrongAuthority);
    }
    // The vault still signs by the key the account was opened under; the money goes to the new owner's account.
    let (key, provider, market) = (next.pubkey(), seller.provider, world.market());
    world.must(&[begin_unstake(&key, &provider, STAKE)], &[&next]);
    world.warp_secs(unbonding_secs(&world));
    let to_the_old = withdraw(&key, &provider, &seller.tokens, &market);
    world.assert_refused(&[to_the_old], &[&next], MillraceError::WrongAccount);
    let destination = world.put_tokens("next owner's tokens", &key, 0);
    world.must(&[withdraw(&key, &provider, &destination, &market)], &[&next]);
    assert_eq!(world.tokens(&destination), STAKE);
    world.assert_books();
    // The rent goes to who paid it.
    let (before, rent) =
        (world.lamports(&seller.authority.pubkey()), world.lamports(&provider) + world.lamports(&seller.vault));
    world.must(&[close_provider(&key, &provider, &seller.authority.pubkey(), &market)], &[&next]);
    assert_eq!(world.lamports(&seller.authority.pubkey()), before + rent);
}

#[test]
fn only_the_key_that_was_named_accepts_and_a_name_is_taken_back() {
    let (mut world, seller) = market();
    let (next, thief) = (world.stranger("next owner"), world.stranger("thief"));
    let accept = accept_authority(&next.pubkey(), &seller.provider);
    world.assert_refused(std::slice::from_ref(&accept), &[&next], MillraceError::NoPendingAuthority);
    world.must(&[proposal(&seller, &next.pubkey())], &[&seller.authority]);
    let by_a_thief = accept_authority(&thief.pubkey(), &seller.provider);
    world.assert_refused(&[by_a_thief], &[&thief], MillraceError::NoPendingAuthority);
    let unsigned = ix::unsigned(accept.clone(), &next.pubkey());
    world.assert_refused(&[unsigned], &[&thief], ErrorCode::AccountNotSigner);
    world.must(&[proposal(&seller, &Pubkey::default())], &[&seller.authority]);
    world.assert_refused(&[accept], &[&next], MillraceError::NoPendingAuthority);
}

#[test]
fn only_the_cold_key_names_another() {
    let (mut world, seller) = market();
    let other = world.provider("other", STAKE);
    let honest = proposal(&seller, &other.authority.pubkey());
    let by_operator = ix::swap(honest.clone(), &seller.authority.pubkey(), &seller.operator.pubkey());
    world.assert_refused(&[by_operator], &[&seller.operator], MillraceError::WrongAuthority);
    let of_another = ix::swap(honest.clone(), &seller.provider, &other.provider);
    world.assert_refused(&[of_another], &[&seller.authority], MillraceError::WrongAuthority);
    let unsigned = ix::unsigned(honest.clone(), &seller.authority.pubkey());
    world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
    world.assert_no_account_is_replaceable(&honest, &[&seller.authority]);
}

#[test]
fn a_provider_whose_key_changed_is_not_registered_twice() {
    let (mut world, seller, _) = handed_over();
    world.assert_refused(&[registration(&world, &seller)], &[&seller.authority], ALREADY_IN_USE);
}

#[test]
fn the_deposit_of_an_empty_accusation_is_the_new_owners() {
    let mut world = World::new();
    let accusation = world.accusation();
    let seller = &accusation.seller;
    let task = world.audit(&accusation.node, 256, 2);
    let commit = millrace_tests::fraud::SparseRun::new(&task, &[], millrace_tests::fraud::Value::Right).commit;
    let case = world.accuse(&accusation, &commit);
    let next = world.stranger("next owner");
    world.must(&[proposal(seller, &next.pubkey())], &[&seller.authority]);
    world.must(&[accept_authority(&next.pubkey(), &seller.provider)], &[&next]);
    let closes_at = world.read::<millrace::state::FraudCase>(&case).closes_at;
    world.warp_to(closes_at);
    let before = world.lamports(&next.pubkey());
    world.execute(&case);
    assert_eq!(world.lamports(&next.pubkey()), before + world.config().params.case_deposit_lamports);
}
