//! The hot key and what it may do.

use super::*;
use anchor_lang::error::ErrorCode;
use millrace::events::{OperatorSet, TermsSet};
use millrace::instructions::SetTermsArgs;
use millrace::state::Provider;
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
use millrace_tests::{ix, key, MillraceError, Pubkey, Signer, MILL};

#[test]
fn a_commit_is_judged_under_the_key_of_its_epoch() {
    let (mut world, seller) = market();
    world.warp_epochs(5);
    let (old, new) = (seller.operator.pubkey(), key("new operator").pubkey());
    let event: OperatorSet = world.must(&[ix::set_operator(&seller, &new)], &[&seller.authority]).event();
    assert_eq!((event.operator, event.previous_operator, event.operator_since_epoch), (new, old, 6));
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!(provider.operator, new);
    assert_eq!((provider.operator_at(5), provider.operator_at(6)), (old, new));
}

#[test]
fn the_operator_rotates_once_a_fraud_window() {
    let (mut world, seller) = market();
    let keys: Vec<Pubkey> = ["second", "third"].map(|name| key(name).pubkey()).to_vec();
    world.must(&[ix::set_operator(&seller, &keys[0])], &[&seller.authority]);
    let rotate = ix::set_operator(&seller, &keys[1]);
    // The new key signs from epoch 1 on; epoch 1 must have left the window.
    world.warp_epochs(FRAUD_WINDOW_EPOCHS);
    world.assert_refused(std::slice::from_ref(&rotate), &[&seller.authority], MillraceError::RotatedTooSoon);
    world.warp_epochs(1);
    world.must(&[rotate], &[&seller.authority]);
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.previous_operator, provider.operator), (keys[0], keys[1]));
}

#[test]
fn only_the_cold_key_changes_keys_and_terms() {
    let (mut world, seller) = market();
    let other = world.provider("other", STAKE);
    let honest = [ix::set_operator(&seller, &key("mine").pubkey()), ix::set_terms(&seller, terms())];
    for instruction in honest {
        let by_operator = ix::swap(instruction.clone(), &seller.authority.pubkey(), &seller.operator.pubkey());
        world.assert_refused(&[by_operator], &[&seller.operator], MillraceError::WrongAuthority);
        let of_another = ix::swap(instruction.clone(), &seller.provider, &other.provider);
        world.assert_refused(&[of_another], &[&seller.authority], MillraceError::WrongAuthority);
        let unsigned = ix::unsigned(instruction, &seller.authority.pubkey());
        world.assert_refused(&[unsigned], &[&other.authority], ErrorCode::AccountNotSigner);
    }
}

// set_terms

#[test]
fn terms_are_what_the_cold_key_said_last() {
    let (mut world, seller) = market();
    let event: TermsSet = world.must(&[ix::set_terms(&seller, terms())], &[&seller.authority]).event();
    assert_eq!((event.sequence, event.min_bid_per_sec), (3, 77));
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.endpoint, provider.tls_spki_hash), (terms().endpoint, [5; 32]));
    assert_eq!((provider.max_bonds_amount, provider.min_bid_per_sec), (9 * MILL, 77));

    let nowhere = ix::set_terms(&seller, SetTermsArgs { endpoint: [0; 96], ..terms() });
    world.assert_refused(&[nowhere], &[&seller.authority], MillraceError::BadEndpoint);
}
