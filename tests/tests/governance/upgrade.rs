//! Another build of the program, installed by a vote, through the real loader.

use super::*;
use anchor_lang::solana_program::instruction::error::InstructionError;
use millrace::constants::GOVERNANCE_SEED;
use millrace::events::{BufferReturned, ProposalClosed, ProposalExecuted};
use millrace::instructions::UpgradePayload;
use millrace::state::{Config, Proposal};
use millrace_client::ix::{execute_upgrade, propose_upgrade, return_buffer};
use millrace_core::hash::sha256;
use millrace_tests::voting::encoded;
use millrace_tests::{buffers, ix, pda, AccountMeta, Instruction, MillraceError, Signer};
use solana_transaction_error::TransactionError;

/// The second build, as `toolchain/build-program tests/second-build` leaves it.
const SECOND_BUILD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/deploy/millrace_second_build.so");

fn second_build() -> Vec<u8> {
    std::fs::read(SECOND_BUILD)
        .unwrap_or_else(|error| panic!("{SECOND_BUILD} cannot be read ({error}): build it with `make program` first"))
}

/// A voter's buffer with the second build, and the call that proposes it.
fn offered() -> (World, Voter, Pubkey, Instruction) {
    let (mut world, voter) = market();
    let program = second_build();
    let buffer = world.buffer("buffer", &voter.key, &program);
    let make = propose(&world, &voter, &buffer, sha256(&[&program]));
    (world, voter, buffer, make)
}

fn propose(world: &World, voter: &Voter, buffer: &Pubkey, hash: [u8; 32]) -> Instruction {
    let id = world.config().next_proposal_id;
    propose_upgrade(&voter.key.pubkey(), &voter.tokens, &world.market(), id, buffer, hash)
}

/// An instruction of the second build.
fn of_second_build(name: &str) -> Instruction {
    Instruction {
        program_id: millrace::ID,
        accounts: vec![AccountMeta::new(pda::config(), false)],
        data: sha256(&[b"global:", name.as_bytes()])[..8].to_vec(),
    }
}

fn failure(error: InstructionError) -> TransactionError {
    TransactionError::InstructionError(0, error)
}

#[test]
fn a_vote_installs_the_build_it_was_about_and_the_build_migrates_its_config() {
    let (mut world, voter, buffer, make) = offered();
    let stranger = world.stranger("stranger");
    world.must(&[make], &[&voter.key]);
    let proposal = pda::proposal(0);
    let state = world.read::<Proposal>(&proposal);
    let program = second_build();
    let voted = UpgradePayload { program_hash: sha256(&[&program]), program_len: program.len() as u64 };
    assert_eq!((state.target, state.payload()), (buffer, &encoded(&voted)[..]));
    let p = world.config().params;
    assert_eq!(state.eta, state.voting_ends_at + p.unbonding_secs + p.max_lease_secs);
    world.cast(&voter, &proposal, true);

    let execute = execute_upgrade(&proposal, &buffer, &voter.key.pubkey());
    world.warp_to(state.eta - 1);
    world.assert_refused(std::slice::from_ref(&execute), &[&stranger], MillraceError::TimelockRunning);
    world.warp_secs(1);
    let to_another = ix::swap(execute.clone(), &voter.key.pubkey(), &stranger.pubkey());
    world.assert_refused(&[to_another], &[&stranger], MillraceError::WrongAccount);

    // Until now it is the first build, which knows no such call.
    let unknown = anchor_lang::error::ErrorCode::InstructionFallbackNotFound;
    world.assert_refused(&[of_second_build("migrate_config")], &[&stranger], unknown);
    let mut expected = world.bytes(&pda::config());
    let spilled = (world.lamports(&voter.key.pubkey()), world.lamports(&buffer));
    let event: ProposalExecuted = world.must(&[execute], &[&stranger]).event();
    assert_eq!((event.kind, event.target), (ProposalKind::UpgradeProgram as u8, buffer));
    assert_eq!(world.lamports(&voter.key.pubkey()), spilled.0 + spilled.1);
    assert_eq!(world.read::<Proposal>(&proposal).is_done, 1);
    world.warp_slots(2);

    // Now it is the second, which first of all wants the config migrated.
    let not_migrated = 6_001u32;
    world.assert_refused(&[of_second_build("check_config")], &[&stranger], not_migrated);
    world.must(&[of_second_build("migrate_config")], &[&stranger]);
    let migrated = world.config();
    assert_eq!((migrated.version, &migrated.reserved[..8]), (2, &world.now().to_le_bytes()[..]));
    // The version is the first byte after the discriminator, the reserved bytes are the last.
    expected[8] = 2;
    let reserved_at = expected.len() - 64;
    expected[reserved_at..][..8].copy_from_slice(&world.now().to_le_bytes());
    assert_eq!(world.bytes(&pda::config()), expected, "nothing else of the config changed");
    assert_eq!(migrated.reserved[8..], [0; 56]);

    // A second time changes nothing, and what it does not know it leaves alone.
    world.warp_secs(9);
    world.must(&[of_second_build("migrate_config"), of_second_build("check_config")], &[&stranger]);
    assert_eq!(world.bytes(&pda::config()), expected);
    world.rewrite::<Config>(&pda::config(), |config| config.version = 3);
    let unknown_version = 6_000u32;
    world.assert_refused(&[of_second_build("migrate_config")], &[&stranger], unknown_version);
    // The first build's calls are gone.
    world.assert_refused(&[millrace_client::ix::activate_params()], &[&stranger], unknown);
}

#[test]
fn from_the_proposal_on_nobody_writes_closes_or_moves_the_buffer() {
    let (mut world, voter, buffer, make) = offered();
    let own = voter.key.pubkey();
    world.must(&[make], &[&voter.key]);
    for attempt in [
        buffers::write_buffer(&buffer, &own, 0, &[0]),
        buffers::close_buffer(&buffer, &own),
        buffers::set_authority(&buffer, &own, &own),
        buffers::upgrade(&pda::program_data(), &buffer, &own),
    ] {
        world.assert_failed(&[attempt], &[&voter.key], failure(InstructionError::IncorrectAuthority));
    }
    let state = world.svm.get_account(&buffer).unwrap();
    assert_eq!(&state.data[5..37], pda::governance().as_ref());
    assert_eq!(Pubkey::find_program_address(&[GOVERNANCE_SEED], &millrace::ID).0, pda::governance());
}

#[test]
fn mutated_payload_a_buffer_that_changed_is_not_installed() {
    let (mut world, voter, buffer, make) = offered();
    world.must(&[make], &[&voter.key]);
    let proposal = pda::proposal(0);
    world.cast(&voter, &proposal, true);
    world.warp_to(world.read::<Proposal>(&proposal).eta);
    let execute = execute_upgrade(&proposal, &buffer, &voter.key.pubkey());
    // What the loader never lets happen: another length, another owner of the buffer, no buffer at all.
    let honest = world.svm.get_account(&buffer).unwrap();
    let changes: [fn(&mut solana_account::Account); 3] =
        [|it| it.data.push(0), |it| it.data[5..37].fill(7), |it| it.data[0] = 0];
    for change in changes {
        let mut changed = honest.clone();
        change(&mut changed);
        world.svm.set_account(buffer, changed).unwrap();
        world.assert_refused(std::slice::from_ref(&execute), &[&voter.key], MillraceError::BufferChanged);
    }
    world.svm.set_account(buffer, honest).unwrap();
    // Nor is another buffer of the same length.
    let copy = world.buffer("copy", &voter.key, &second_build());
    let other = ix::swap(execute.clone(), &buffer, &copy);
    world.assert_refused(&[other], &[&voter.key], MillraceError::WrongAccount);
    world.must(&[execute], &[&voter.key]);
}

#[test]
fn who_proposes_an_upgrade_owns_the_buffer() {
    let (mut world, voter, buffer, make) = offered();
    let thief = world.voter("thief", VOTES);
    let stolen = propose(&world, &thief, &buffer, [0; 32]);
    world.assert_refused(&[stolen], &[&thief.key], MillraceError::NotABuffer);
    for no_buffer in [voter.tokens, pda::program_data(), pda::config()] {
        let attempt = propose(&world, &voter, &no_buffer, [0; 32]);
        world.assert_refused(&[attempt], &[&voter.key], MillraceError::NotABuffer);
    }
    let to_another = ix::swap(make.clone(), &pda::governance(), &thief.key.pubkey());
    world.assert_refused(&[to_another], &[&voter.key], MillraceError::WrongAccount);
    world.must(&[make], &[&voter.key]);
    // One buffer, one proposal.
    let again = propose(&world, &voter, &buffer, [0; 32]);
    world.assert_refused(&[again], &[&voter.key], MillraceError::NotABuffer);
}

#[test]
fn the_buffer_of_a_failed_upgrade_goes_back() {
    let (mut world, voter, buffer, make) = offered();
    let stranger = world.stranger("stranger");
    world.must(&[make], &[&voter.key]);
    let proposal = pda::proposal(0);
    world.cast(&voter, &proposal, false);
    let back = return_buffer(&proposal, &buffer, &voter.key.pubkey());
    world.warp_to(world.read::<Proposal>(&proposal).voting_ends_at - 1);
    world.assert_refused(std::slice::from_ref(&back), &[&stranger], MillraceError::ProposalNotOver);
    world.warp_secs(1);
    // The account stays until the buffer is back.
    let close = world.close_proposal(&proposal, &voter);
    world.assert_refused(std::slice::from_ref(&close), &[&stranger], MillraceError::ProposalNotOver);
    let to_another = ix::swap(back.clone(), &voter.key.pubkey(), &stranger.pubkey());
    world.assert_refused(&[to_another], &[&stranger], MillraceError::WrongAccount);
    let event: BufferReturned = world.must(std::slice::from_ref(&back), &[&stranger]).event();
    assert_eq!((event.buffer, event.proposer), (buffer, voter.key.pubkey()));
    world.assert_refused(&[back], &[&stranger], MillraceError::AlreadyExecuted);
    world.must(&[buffers::write_buffer(&buffer, &voter.key.pubkey(), 0, &[0x7f])], &[&voter.key]);
    let closed: ProposalClosed = world.must(&[close], &[&stranger]).event();
    assert!(!closed.is_passed && closed.returned_amount > 0);
    let execute = execute_upgrade(&proposal, &buffer, &voter.key.pubkey());
    let gone = anchor_lang::error::ErrorCode::AccountOwnedByWrongProgram;
    world.assert_refused(&[execute], &[&stranger], gone);
}

#[test]
fn only_an_upgrades_buffer_is_given_back() {
    let (mut world, voter) = market();
    let proposal = propose_fee(&mut world, &voter, 400);
    world.warp_to(world.read::<Proposal>(&proposal).voting_ends_at);
    let back = return_buffer(&proposal, &voter.tokens, &voter.key.pubkey());
    world.assert_refused(&[back], &[&voter.key], MillraceError::WrongKind);
}
