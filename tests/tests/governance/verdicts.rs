//! Judged cases and rulings: appealed by proposing to overturn them, and overturned by a vote.

use super::*;
use bytemuck::Zeroable;
use millrace::events::{Appealed, RulingOverturned, SlashOverturned};
use millrace::state::{Dispute, Proposal, Provider, Ruling, SlashCase};
use millrace_client::ix::{execute_overturn_ruling, execute_overturn_slash};
use millrace_tests::voting::encoded;
use millrace_tests::{pda, MillraceError, Seller, MILL};

/// A case that froze 30 MILL of a new provider's stake of 100, to be executed 600 s from now.
fn frozen(world: &mut World) -> (Seller, Pubkey) {
    let seller = world.provider("seller", 100 * MILL);
    world.rewrite::<Provider>(&seller.provider, |provider| {
        (provider.stake, provider.frozen, provider.open_slash_cases) = (70 * MILL, 30 * MILL, 1);
    });
    let mut case = SlashCase::zeroed();
    (case.version, case.provider, case.frozen_amount) = (1, seller.provider, 30 * MILL);
    case.appeal_until = world.now() + 600;
    (seller, world.put_state("case", &case))
}

fn ruled(world: &mut World, ruling: Ruling) -> Pubkey {
    let mut dispute = Dispute::zeroed();
    (dispute.version, dispute.ruling, dispute.appeal_until) = (1, ruling as u8, world.now() + 600);
    world.put_state("dispute", &dispute)
}

#[test]
fn proposing_to_overturn_a_case_has_it_wait_for_the_vote_once() {
    let (mut world, voter) = market();
    let (_, case) = frozen(&mut world);
    let make = world.proposal(&voter, ProposalKind::OverturnSlash, &case, vec![]);
    world.assert_no_account_is_replaceable(&make, &[&voter.key]);
    let event: Appealed = world.must(&[make], &[&voter.key]).event();
    let expires_at = world.read::<Proposal>(&pda::proposal(0)).expires_at;
    let state = world.read::<SlashCase>(&case);
    assert_eq!((state.is_appealed, state.appeal_until), (1, expires_at + 1));
    assert_eq!((event.appealed, event.appeal_until), (case, expires_at + 1));
    let again = world.proposal(&voter, ProposalKind::OverturnSlash, &case, vec![]);
    world.assert_refused(&[again], &[&voter.key], MillraceError::AlreadyAppealed);
}

#[test]
fn an_appeal_comes_before_the_time_to_appeal_is_over() {
    for kind in [ProposalKind::OverturnSlash, ProposalKind::OverturnRuling] {
        let (mut world, voter) = market();
        let target = match kind {
            ProposalKind::OverturnSlash => frozen(&mut world).1,
            _ => ruled(&mut world, Ruling::Upheld),
        };
        world.warp_secs(599);
        let state = world.svm.clone();
        let make = world.proposal(&voter, kind, &target, vec![]);
        world.must(std::slice::from_ref(&make), &[&voter.key]);
        world.svm = state;
        world.warp_secs(1);
        world.assert_refused(&[make], &[&voter.key], MillraceError::AppealOver);
    }
}

#[test]
fn only_what_can_be_overturned_is_appealed_against() {
    let (mut world, voter) = market();
    let (seller, case) = frozen(&mut world);
    let dispute = ruled(&mut world, Ruling::None);
    let mismatch = anchor_lang::error::ErrorCode::AccountDiscriminatorMismatch as u32;
    for (kind, target, error) in [
        (ProposalKind::OverturnSlash, seller.provider, mismatch),
        (ProposalKind::OverturnSlash, dispute, mismatch),
        (ProposalKind::OverturnRuling, case, mismatch),
        (ProposalKind::OverturnRuling, dispute, MillraceError::DisputeOpen.into()),
        (ProposalKind::OverturnSlash, voter.tokens, anchor_lang::error::ErrorCode::AccountOwnedByWrongProgram as u32),
    ] {
        let attempt = world.proposal(&voter, kind, &target, vec![]);
        world.assert_refused(&[attempt], &[&voter.key], error);
    }
    let with_payload = world.proposal(&voter, ProposalKind::OverturnSlash, &case, encoded(&1u8));
    world.assert_refused(&[with_payload], &[&voter.key], MillraceError::BadProposal);
}

#[test]
fn a_vote_gives_back_what_a_case_froze() {
    let (mut world, voter) = market();
    let (seller, case) = frozen(&mut world);
    let other = world.provider("other", 100 * MILL);
    let proposal = world.propose(&voter, ProposalKind::OverturnSlash, &case, &());
    world.cast(&voter, &proposal, true);
    world.warp_to(world.read::<Proposal>(&proposal).expires_at);
    let execute = execute_overturn_slash(&proposal, &case, &other.provider);
    world.assert_refused(&[execute], &[&voter.key], MillraceError::WrongAccount);
    let execute = execute_overturn_slash(&proposal, &case, &seller.provider);
    world.assert_no_account_is_replaceable(&execute, &[&voter.key]);
    let event: SlashOverturned = world.must(&[execute], &[&voter.key]).event();
    assert_eq!((event.amount, event.provider_stake, event.provider_frozen), (30 * MILL, 100 * MILL, 0));
    let provider = world.read::<Provider>(&seller.provider);
    assert_eq!((provider.stake, provider.frozen), (100 * MILL, 0));
    assert_eq!(world.read::<SlashCase>(&case).frozen_amount, 0);
}

#[test]
fn a_vote_turns_a_ruling() {
    for (before, after) in
        [(Ruling::Upheld, Ruling::Dismissed), (Ruling::Dismissed, Ruling::Upheld), (Ruling::Lapsed, Ruling::Upheld)]
    {
        let (mut world, voter) = market();
        let dispute = ruled(&mut world, before);
        let proposal = world.passed(&voter, ProposalKind::OverturnRuling, &dispute, &());
        assert!(world.read::<Dispute>(&dispute).appeal_until > world.now());
        let execute = execute_overturn_ruling(&proposal, &dispute);
        world.assert_no_account_is_replaceable(&execute, &[&voter.key]);
        let event: RulingOverturned = world.must(&[execute], &[&voter.key]).event();
        assert_eq!((event.ruling, world.read::<Dispute>(&dispute).ruling), (after as u8, after as u8));
    }
}
