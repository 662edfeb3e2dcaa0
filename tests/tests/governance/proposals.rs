//! What may be proposed, and when it may be carried out.

use super::*;
use millrace::events::{ParamsScheduled, ProposalExecuted, ProposalMade};
use millrace::instructions::SeatOracleArgs;
use millrace::state::Proposal;
use millrace_core::hash::sha256;
use millrace_tests::genesis::endpoint;
use millrace_tests::tokens::SUPPLY;
use millrace_tests::voting::encoded;
use millrace_tests::{ix, pda, MillraceError, Signer, MILL};

#[test]
fn a_proposal_fixes_every_figure_it_is_decided_by() {
    let (mut world, voter) = market();
    let other = world.voter("other", MILL);
    let params = Params { fee_bps: 400, ..world.config().params };
    let make = world.proposal(&voter, ProposalKind::UpdateParams, &NO_TARGET, encoded(&params));
    let event: ProposalMade = world.must(&[make], &[&voter.key]).event();
    let proposal = world.read::<Proposal>(&pda::proposal(0));
    let p = world.config().params;
    assert_eq!((proposal.id, proposal.kind, proposal.proposer), (0, 0, voter.key.pubkey()));
    assert_eq!((proposal.total_weight, proposal.supply_amount), (4 * (VOTES + MILL), SUPPLY));
    assert_eq!((proposal.quorum_bps, proposal.deposit_amount), (p.vote_quorum_bps, p.proposal_deposit_amount));
    assert_eq!(proposal.voting_ends_at, world.now() + p.voting_secs);
    assert_eq!(proposal.eta, proposal.voting_ends_at + p.timelock_secs);
    assert_eq!(proposal.expires_at, proposal.eta + p.grace_secs);
    assert_eq!(proposal.payload(), encoded(&params));
    assert_eq!(proposal.payload_hash, sha256(&[&[0], NO_TARGET.as_ref(), &encoded(&params)]));
    assert_eq!((event.sequence, event.payload, event.payload_hash), (1, encoded(&params), proposal.payload_hash));

    // What changes later counts for the next one only.
    let made = world.bytes(&pda::proposal(0));
    world.rewrite::<millrace::state::Config>(&pda::config(), |config| {
        (config.params.vote_quorum_bps, config.params.timelock_secs) = (6_000, 1);
    });
    let more = world.extend_lock(&other, MILL, p.max_lock_secs);
    world.must(&[more], &[&other.key]);
    assert_eq!(world.bytes(&pda::proposal(0)), made);
}

#[test]
fn a_payload_is_of_its_kind_and_within_bounds_when_proposed() {
    let (mut world, voter) = market();
    let params = world.config().params;
    let seat = SeatOracleArgs { oracle_authority: NO_TARGET, weight: 1, endpoint: endpoint("http://a") };
    let of_kind = |change: fn(&mut Params)| {
        let mut params = params;
        change(&mut params);
        encoded(&params)
    };
    use ProposalKind::*;
    let wrong: [(ProposalKind, Vec<u8>, MillraceError); 9] = [
        (UpdateParams, encoded(&7u64), MillraceError::BadProposal),
        (UpdateParams, [encoded(&params), vec![0]].concat(), MillraceError::BadProposal),
        (UpdateParams, of_kind(|p| p.fee_bps = 2_001), MillraceError::ParameterOutOfBounds),
        (UpdateParams, of_kind(|p| p.voting_secs = 0), MillraceError::ParameterOutOfBounds),
        (UpdateParams, of_kind(|p| p.unbonding_secs -= 1), MillraceError::UnbondingTooShort),
        (SetGuardian, encoded(&7u64), MillraceError::BadProposal),
        (AddOracle, encoded(&SeatOracleArgs { weight: 0, ..seat.clone() }), MillraceError::ZeroWeight),
        (AddOracle, encoded(&SeatOracleArgs { endpoint: endpoint("no"), ..seat }), MillraceError::BadEndpoint),
        (RemoveOracle, vec![], MillraceError::BadProposal),
    ];
    for (kind, payload, error) in wrong {
        let attempt = world.proposal(&voter, kind, &NO_TARGET, payload);
        world.assert_refused(&[attempt], &[&voter.key], error);
    }
    let mut unknown = world.proposal(&voter, SetGuardian, &NO_TARGET, encoded(&NO_TARGET));
    unknown.data[8] = 8;
    world.assert_refused(&[unknown], &[&voter.key], MillraceError::BadProposal);
}

#[test]
fn a_proposal_names_a_target_where_its_kind_has_one_and_only_there() {
    let (mut world, voter) = market();
    let target = voter.tokens;
    for (kind, target, payload, error) in [
        (ProposalKind::SetGuardian, target, encoded(&NO_TARGET), MillraceError::BadProposal),
        (ProposalKind::UpdateParams, target, encoded(&world.config().params), MillraceError::BadProposal),
        (ProposalKind::TreasuryTransfer, NO_TARGET, encoded(&1u64), MillraceError::BadProposal),
        (ProposalKind::TreasuryTransfer, target, encoded(&0u64), MillraceError::ZeroAmount),
        (ProposalKind::UpgradeProgram, target, vec![], MillraceError::WrongKind),
    ] {
        let attempt = world.proposal(&voter, kind, &target, payload);
        world.assert_refused(&[attempt], &[&voter.key], error);
    }
}

#[test]
fn a_proposal_has_the_next_number_and_no_other() {
    let (mut world, voter) = market();
    let make = world.proposal(&voter, ProposalKind::SetGuardian, &NO_TARGET, encoded(&NO_TARGET));
    for id in [1, u64::MAX] {
        let elsewhere = ix::swap(make.clone(), &pda::proposal(0), &pda::proposal(id));
        world.assert_refused(&[elsewhere], &[&voter.key], MillraceError::WrongAccount);
    }
    world.must(std::slice::from_ref(&make), &[&voter.key]);
    world.assert_refused(&[make], &[&voter.key], MillraceError::WrongAccount);
    assert_eq!(world.config().next_proposal_id, 1);
}

#[test]
fn mutated_payload_what_is_executed_is_what_was_voted_for() {
    let (mut world, voter) = market();
    let proposal = world.passed(&voter, ProposalKind::SetGuardian, &NO_TARGET, &voter.lock);
    // No argument says again what to do, and the instruction of another kind refuses it.
    for other in [ix_execute_params(&proposal), execute_transfer(&world, &proposal, &voter.tokens)] {
        world.assert_refused(&[other], &[&voter.key], MillraceError::WrongKind);
    }
    world.must(&[millrace_client::ix::execute_guardian(&proposal)], &[&voter.key]);
    assert_eq!(world.config().guardian, voter.lock);

    // Where an argument says which account, it must be the one voted for.
    let seat = SeatOracleArgs { oracle_authority: voter.lock, weight: 1, endpoint: endpoint("http://a") };
    let proposal = world.passed(&voter, ProposalKind::AddOracle, &NO_TARGET, &seat);
    let other = millrace_client::ix::execute_add_oracle(&voter.key.pubkey(), &proposal, &voter.vault, &world.market());
    world.assert_refused(&[other], &[&voter.key], MillraceError::WrongAccount);
    let proposal = world.passed(&voter, ProposalKind::TreasuryTransfer, &voter.tokens, &1u64);
    world.send_stray_tokens(&world.treasury.clone(), 1);
    let thief = world.holder("thief", 1);
    let other = execute_transfer(&world, &proposal, &thief.tokens);
    world.assert_refused(&[other], &[&thief.key], MillraceError::WrongAccount);
}

fn ix_execute_params(proposal: &Pubkey) -> millrace_tests::Instruction {
    millrace_client::ix::execute_params(proposal)
}

fn execute_transfer(world: &World, proposal: &Pubkey, to: &Pubkey) -> millrace_tests::Instruction {
    millrace_client::ix::execute_transfer(proposal, to, &world.market())
}

#[test]
fn timelock_and_grace_to_the_second() {
    let (mut world, voter) = market();
    let proposal = propose_fee(&mut world, &voter, 400);
    world.cast(&voter, &proposal, true);
    let execute = ix_execute_params(&proposal);
    let refuse = |world: &mut World, error| {
        world.assert_refused(std::slice::from_ref(&execute), &[&voter.key], error);
    };
    let state = world.read::<Proposal>(&proposal);
    refuse(&mut world, MillraceError::VotingOpen);
    world.warp_to(state.voting_ends_at - 1);
    refuse(&mut world, MillraceError::VotingOpen);
    world.warp_secs(1);
    refuse(&mut world, MillraceError::TimelockRunning);
    world.warp_to(state.eta - 1);
    refuse(&mut world, MillraceError::TimelockRunning);
    world.warp_secs(1);
    let at_eta = world.svm.clone();
    world.must(std::slice::from_ref(&execute), &[&voter.key]);

    world.svm = at_eta;
    world.warp_to(state.expires_at);
    let at_expiry = world.svm.clone();
    world.must(std::slice::from_ref(&execute), &[&voter.key]);
    world.svm = at_expiry;
    world.warp_secs(1);
    refuse(&mut world, MillraceError::GraceOver);
}

#[test]
fn anyone_executes_what_has_passed_and_once() {
    let (mut world, voter) = market();
    let stranger = world.stranger("stranger");
    let params = Params { fee_bps: 400, ..world.config().params };
    let proposal = world.passed(&voter, ProposalKind::UpdateParams, &NO_TARGET, &params);
    let execute = ix_execute_params(&proposal);
    world.assert_no_account_is_replaceable(&execute, &[&stranger]);
    let receipt = world.must(std::slice::from_ref(&execute), &[&stranger]);
    let (executed, scheduled) = (receipt.event::<ProposalExecuted>(), receipt.event::<ParamsScheduled>());
    assert_eq!((executed.sequence, executed.kind), (3, 0));
    assert_eq!((scheduled.old.fee_bps, scheduled.new.fee_bps), (500, 400));
    world.assert_refused(&[execute], &[&stranger], MillraceError::AlreadyExecuted);
}

#[test]
fn a_failed_proposal_is_never_executed() {
    let (mut world, voter) = market();
    let proposal = propose_fee(&mut world, &voter, 400);
    world.cast(&voter, &proposal, false);
    world.warp_to(world.read::<Proposal>(&proposal).eta);
    world.assert_refused(&[ix_execute_params(&proposal)], &[&voter.key], MillraceError::NotPassed);
}

#[test]
fn grave_decisions_leave_time_to_leave() {
    let (mut world, voter) = market();
    let p = world.config().params;
    let seat = SeatOracleArgs { oracle_authority: voter.lock, weight: 1, endpoint: endpoint("http://a") };
    let add = world.propose(&voter, ProposalKind::AddOracle, &NO_TARGET, &seat);
    let oracle = world.oracles[0].pubkey();
    let remove = world.propose(&voter, ProposalKind::RemoveOracle, &NO_TARGET, &oracle);
    for proposal in [add, remove] {
        let state = world.read::<Proposal>(&proposal);
        assert_eq!(state.eta, state.voting_ends_at + p.unbonding_secs + p.max_lease_secs);
    }
}
