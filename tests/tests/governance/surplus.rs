//! What strangers leave in a vault is swept, and nothing else.

use super::*;
use millrace::events::SurplusSwept;
use millrace_client::ix::sweep_surplus;
use millrace_tests::{ix, pda, MillraceError, MILL};

#[test]
fn anyone_sweeps_a_surplus_to_the_treasury_and_no_more() {
    let (mut world, voter) = market();
    let stranger = world.stranger("stranger");
    let deal = world.deal();
    for (owner, vault) in
        [(deal.buyer.customer, deal.buyer.vault), (deal.seller.provider, deal.seller.vault), (voter.lock, voter.vault)]
    {
        let sweep = sweep_surplus(&owner, &world.market());
        world.assert_refused(std::slice::from_ref(&sweep), &[&stranger], MillraceError::NoSurplus);
        let (owed, treasury) = (world.tokens(&vault), world.tokens(&world.treasury));
        world.send_stray_tokens(&vault, 5);
        world.assert_no_account_is_replaceable(&sweep, &[&stranger]);
        let event: SurplusSwept = world.must(std::slice::from_ref(&sweep), &[&stranger]).event();
        assert_eq!((event.owner, event.amount), (owner, 5));
        assert_eq!((world.tokens(&vault), world.tokens(&world.treasury)), (owed, treasury + 5));
        world.assert_refused(&[sweep], &[&stranger], MillraceError::NoSurplus);
    }
    world.assert_books();
}

#[test]
fn a_vault_is_swept_by_its_own_books() {
    let (mut world, voter) = market();
    let rich = world.customer("rich", 100 * MILL);
    let poor = world.customer("poor", 0);
    // By the books of the poor, the rich one's vault would be all surplus.
    let attempt = ix::swap(sweep_surplus(&poor.customer, &world.market()), &poor.vault, &rich.vault);
    world.assert_refused(&[attempt], &[&voter.key], MillraceError::WrongAccount);
    let no_owner = ix::swap(sweep_surplus(&rich.customer, &world.market()), &rich.customer, &pda::config());
    let mismatch = anchor_lang::error::ErrorCode::AccountDiscriminatorMismatch;
    world.assert_refused(&[no_owner], &[&voter.key], mismatch);
}
