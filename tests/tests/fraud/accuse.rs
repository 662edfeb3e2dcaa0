//! `open_case`: only the operator's own commit, of this market, this node and its epoch, is a reason to accuse.

use anchor_lang::error::ErrorCode;
use anchor_lang::solana_program::instruction::error::InstructionError;
use millrace::events::CaseOpened;
use millrace::state::{Beacons, FraudCase};
use millrace_core::epoch::FRAUD_WINDOW_EPOCHS;
use millrace_core::hash::sha256;
use millrace_core::proof::{Commit, COMMIT_LEN};
use millrace_tests::fraud::*;
use millrace_tests::*;
use solana_account::Account;
use solana_transaction_error::TransactionError;

fn accused(world: &mut World) -> (Accusation, Commit) {
    let accusation = world.accusation();
    let task = world.audit(&accusation.node, 256, 2);
    (accusation, SparseRun::new(&task, &[], Value::Wrong).commit)
}

/// The accusation of `commit` behind `signature`, refused because that is not the operator's signature over it.
fn assert_forged(world: &mut World, accusation: &Accusation, commit: &Commit, before: &[Instruction]) {
    let mut instructions = before.to_vec();
    instructions.push(accusation.unsigned_opening(commit));
    world.assert_refused(&instructions, &[&accusation.watcher], MillraceError::BadCommitSignature);
}

#[test]
fn a_signed_commit_is_accused_and_its_deposit_held() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let before = world.lamports(&accusation.watcher.pubkey());
    let receipt = world.must(&accusation.opening(&commit), &[&accusation.watcher]);
    let case = pda::fraud_case(&commit.id());
    let params = world.config().params;
    let state = world.read::<FraudCase>(&case);
    assert_eq!(state.commit().unwrap(), commit);
    assert_eq!((state.node, state.provider), (accusation.node, accusation.seller.provider));
    assert_eq!((state.opener, state.rent_payer), (accusation.watcher.pubkey(), accusation.watcher.pubkey()));
    assert_eq!(state.bounty_account, accusation.bounty_account);
    assert_eq!((state.opened_at, state.closes_at), (world.now(), world.now() + params.case_window_secs));
    assert_eq!((state.entry_count, state.link_proven, state.executed, state.executed_at), (0, 0, 0, 0));
    assert_eq!(state.deposit_lamports, params.case_deposit_lamports);
    let rent = world.svm.minimum_balance_for_rent_exemption(8 + size_of::<FraudCase>());
    assert_eq!(world.lamports(&case), rent + params.case_deposit_lamports);
    // A transaction with one signature and one verified in it costs two.
    assert_eq!(before - world.lamports(&accusation.watcher.pubkey()), world.lamports(&case) + 2 * 5_000);
    let event = receipt.event::<CaseOpened>();
    assert_eq!((event.sequence, event.case, event.commit_id), (1, case, commit.id()));
    assert_eq!((event.epoch, event.deposit_lamports), (commit.epoch, params.case_deposit_lamports));
    world.assert_books();
}

#[test]
fn the_same_commit_is_accused_once() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    world.accuse(&accusation, &commit);
    // The system program's "already in use".
    let in_use = TransactionError::InstructionError(1, InstructionError::Custom(0));
    world.assert_failed(&accusation.opening(&commit), &[&accusation.watcher], in_use);
}

#[test]
fn lamports_sent_ahead_do_not_stop_an_accusation() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    world.fund(&pda::fraud_case(&commit.id()));
    world.accuse(&accusation, &commit);
}

#[test]
fn an_accusation_without_a_signature_right_before_it_is_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let signature = ed25519(&accusation.seller.operator, &commit.to_bytes());
    assert_forged(&mut world, &accusation, &commit, &[]);
    assert_forged(&mut world, &accusation, &commit, &[signature.clone(), compute_limit(200_000)]);
    // Behind it is not before it.
    let behind = [compute_limit(200_000), accusation.unsigned_opening(&commit), signature];
    world.assert_refused(&behind, &[&accusation.watcher], MillraceError::BadCommitSignature);
}

#[test]
fn the_same_bytes_to_another_program_are_no_signature() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    // To the token program they begin with "initialize account", and it takes no notice of what follows.
    let blank = tokens::named("blank");
    let lamports = world.svm.minimum_balance_for_rent_exemption(165);
    let account = Account { lamports, data: vec![0; 165], owner: world.standard.id(), ..Account::default() };
    world.svm.set_account(blank, account).unwrap();
    let mut unverified = ed25519(&accusation.seller.operator, &commit.to_bytes());
    unverified.data[48] ^= 1;
    unverified.program_id = world.standard.id();
    unverified.accounts = vec![
        AccountMeta::new(blank, false),
        AccountMeta::new_readonly(world.mint, false),
        AccountMeta::new_readonly(accusation.watcher.pubkey(), false),
        AccountMeta::new_readonly(solana_sdk_ids::sysvar::rent::ID, false),
    ];
    assert_forged(&mut world, &accusation, &commit, &[unverified.clone()]);
    // That instruction does succeed: it is ours that refuses.
    world.must(&[unverified], &[&accusation.watcher]);
}

#[test]
fn a_signature_by_another_key_is_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let stranger = key("another operator");
    for signer in [&accusation.watcher, &stranger, &accusation.seller.authority] {
        assert_forged(&mut world, &accusation, &commit, &[ed25519(signer, &commit.to_bytes())]);
    }
}

#[test]
fn a_signature_over_another_message_is_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let other = Commit { super_root: [9; 24], ..commit }.to_bytes();
    let longer = [&commit.to_bytes()[..], &[0]].concat();
    for message in [&other[..], &commit.to_bytes()[..COMMIT_LEN - 1], &longer, &commit.id(), &[]] {
        assert_forged(&mut world, &accusation, &commit, &[ed25519(&accusation.seller.operator, message)]);
    }
}

#[test]
fn two_signatures_are_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let message = commit.to_bytes();
    // Both offset tables come first, so all lies 14 bytes further back than in the one layout.
    let offsets = SignatureOffsets::canonical(message.len()).shifted(14);
    let body = signed_body(&accusation.seller.operator, &message);
    assert_forged(&mut world, &accusation, &commit, &[ed25519_raw(&[offsets, offsets], &body)]);
    // No signature at all: the precompile has nothing to verify.
    let none = ed25519_raw(&[], &[]);
    let mut unverified = ed25519(&accusation.seller.operator, &message);
    unverified.data[0] = 0;
    for instruction in [none, unverified] {
        let mut instructions = vec![instruction];
        instructions.push(accusation.unsigned_opening(&commit));
        assert!(world.send(&instructions, &[&accusation.watcher]).is_err());
    }
    assert!(!world.exists(&pda::fraud_case(&commit.id())));
}

#[test]
fn shifted_offsets_are_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let (message, operator) = (commit.to_bytes(), &accusation.seller.operator);
    let canonical = SignatureOffsets::canonical(message.len());
    // A valid signature one byte further back, and one with bytes behind it.
    let shifted = [&[0][..], &signed_body(operator, &message)].concat();
    let longer = [&signed_body(operator, &message)[..], &[0]].concat();
    assert_forged(&mut world, &accusation, &commit, &[ed25519_raw(&[canonical.shifted(1)], &shifted)]);
    assert_forged(&mut world, &accusation, &commit, &[ed25519_raw(&[canonical], &longer)]);
}

#[test]
fn a_watchers_signature_behind_the_operators_key_is_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let (message, operator) = (commit.to_bytes(), accusation.seller.operator.pubkey());
    // Where a checker looks lie the operator's key and the commit; key and signature verified lie behind them.
    let decoy = [operator.as_ref(), &[0; 64], &message[..]].concat();
    let real = signed_body(&accusation.watcher, &message);
    let behind = 16 + decoy.len() as u16;
    let canonical = SignatureOffsets::canonical(message.len());
    let offsets =
        SignatureOffsets { key: (behind, THIS_INSTRUCTION), signature: (behind + 32, THIS_INSTRUCTION), ..canonical };
    let body = [&decoy, &real[..96]].concat();
    assert_forged(&mut world, &accusation, &commit, &[ed25519_raw(&[offsets], &body)]);
}

#[test]
fn key_signature_or_message_from_another_instruction_is_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let (message, operator) = (commit.to_bytes(), &accusation.seller.operator);
    let canonical = SignatureOffsets::canonical(message.len());
    // The watcher's key from instruction 0, its signature here, and the operator's key where a checker looks.
    let watchers = ed25519(&accusation.watcher, b"anything");
    let body = [operator.pubkey().as_ref(), &signed_body(&accusation.watcher, &message)[32..]].concat();
    let keyed = SignatureOffsets { key: (16, 0), ..canonical };
    assert_forged(&mut world, &accusation, &commit, &[watchers, ed25519_raw(&[keyed], &body)]);
    // A signature that the operator did give, over something else, and the commit where a checker looks.
    let something = b"GET /v1/leases/1/status";
    let request = ed25519(operator, something);
    let body = [&request.data[16..112], &message[..]].concat();
    let replayed = SignatureOffsets { message: (112, something.len() as u16, 0), ..canonical };
    assert_forged(&mut world, &accusation, &commit, &[request.clone(), ed25519_raw(&[replayed], &body)]);
    let elsewhere = SignatureOffsets { signature: (48, 0), ..replayed };
    assert_forged(&mut world, &accusation, &commit, &[request, ed25519_raw(&[elsewhere], &body)]);
    // Its own number instead of "this very one": the same bytes, another layout.
    for own in [
        SignatureOffsets { key: (canonical.key.0, 0), ..canonical },
        SignatureOffsets { signature: (canonical.signature.0, 0), ..canonical },
        SignatureOffsets { message: (canonical.message.0, canonical.message.1, 0), ..canonical },
    ] {
        assert_forged(&mut world, &accusation, &commit, &[ed25519_raw(&[own], &signed_body(operator, &message))]);
    }
}

#[test]
fn a_forged_instructions_account_is_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let real = solana_sdk_ids::sysvar::instructions::ID;
    let [signature, opening] = accusation.opening(&commit);
    let forged = ix::swap(opening, &real, &accusation.watcher.pubkey());
    world.assert_refused(&[signature, forged], &[&accusation.watcher], ErrorCode::ConstraintAddress);
}

#[test]
fn a_commit_of_another_deployment_is_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let foreign = Commit { deployment_id: [1; 32], ..commit };
    world.assert_refused(&accusation.opening(&foreign), &[&accusation.watcher], MillraceError::WrongDeployment);
}

#[test]
fn a_commit_with_another_beacon_or_epoch_is_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let forged = Commit { beacon: [0; 32], ..commit };
    let future = Commit { epoch: commit.epoch + 1, ..commit };
    let past = Commit { epoch: commit.epoch.wrapping_sub(1), ..commit };
    let same_place = Commit { epoch: commit.epoch + FRAUD_WINDOW_EPOCHS, ..commit };
    for wrong in [forged, future, past, same_place] {
        world.assert_refused(&accusation.opening(&wrong), &[&accusation.watcher], MillraceError::WrongBeacon);
    }
}

#[test]
fn a_beacon_that_is_open_but_not_latched_accuses_nobody() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    world.warp_to_next_epoch();
    let epoch = world.epoch();
    world.must(&[ix::open_beacon(epoch)], &[&accusation.watcher]);
    let unlatched = Commit { epoch, beacon: [0; 32], ..commit };
    world.assert_refused(&accusation.opening(&unlatched), &[&accusation.watcher], MillraceError::WrongBeacon);
}

#[test]
fn a_commit_is_accused_within_the_fraud_window_and_not_after() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    world.warp_epochs(FRAUD_WINDOW_EPOCHS - 1);
    let second = Commit { nonce: [5; 32], ..commit };
    world.accuse(&accusation, &commit);
    world.warp_to_next_epoch();
    // Nobody took its place in the ring: it is the age that counts.
    assert!(world.read::<Beacons>(&pda::beacons()).latched(commit.epoch).is_some());
    world.assert_refused(&accusation.opening(&second), &[&accusation.watcher], MillraceError::WrongBeacon);
}

#[test]
fn a_commit_of_another_node_is_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let other = world.node(&accusation.seller, &NodeSpec::default());
    let of_other = Commit { node: other.to_bytes(), ..commit };
    let [signature, opening] = accusation.opening(&of_other);
    let swapped = ix::swap(opening, &other, &accusation.node);
    world.assert_refused(&[signature, swapped], &[&accusation.watcher], MillraceError::WrongAccount);
}

#[test]
fn another_provider_is_not_accused_of_a_node() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let other = world.provider("other", 0);
    // The other's operator signs: it is not the one that answers for this node.
    let opening = open_case(&accusation.watcher.pubkey(), &other.provider, &commit, &accusation.bounty_account);
    let instructions = [ed25519(&other.operator, &commit.to_bytes()), opening];
    world.assert_refused(&instructions, &[&accusation.watcher], MillraceError::WrongAccount);
}

#[test]
fn a_commit_is_valid_under_the_key_of_its_epoch() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let new = world.stranger("new operator");
    world.must(&[ix::set_operator(&accusation.seller, &new.pubkey())], &[&accusation.seller.authority]);
    world.warp_to_next_epoch();
    // Of the epoch before: the previous key signs, the new one does not.
    assert_forged(&mut world, &accusation, &commit, &[ed25519(&new, &commit.to_bytes())]);
    world.accuse(&accusation, &commit);
    // Of the epoch after: the other way round.
    let later = SparseRun::new(&world.audit(&accusation.node, 256, 1), &[], Value::Wrong).commit;
    assert_forged(&mut world, &accusation, &later, &[ed25519(&accusation.seller.operator, &later.to_bytes())]);
    let signed = [ed25519(&new, &later.to_bytes()), accusation.unsigned_opening(&later)];
    world.must(&signed, &[&accusation.watcher]);
}

#[test]
fn bytes_that_are_no_commit_are_refused() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    for wrong in [Commit { n: 300, ..commit }, Commit { rounds: 0, ..commit }, Commit { rounds: 65, ..commit }] {
        world.assert_refused(&accusation.opening(&wrong), &[&accusation.watcher], MillraceError::BadCommit);
    }
}

#[test]
fn a_case_lies_at_the_address_of_its_commit_only() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let [signature, opening] = accusation.opening(&commit);
    let other = pda::fraud_case(&sha256(&[b"other"]));
    let elsewhere = ix::swap(opening, &pda::fraud_case(&commit.id()), &other);
    world.assert_refused(&[signature, elsewhere], &[&accusation.watcher], ErrorCode::ConstraintSeeds);
}

#[test]
fn config_and_beacons_are_this_markets() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let provider = accusation.seller.provider;
    for real in [pda::config(), pda::beacons(), accusation.node] {
        let [signature, opening] = accusation.opening(&commit);
        let swapped = ix::swap(opening, &real, &provider);
        world.assert_refused(&[signature, swapped], &[&accusation.watcher], ErrorCode::AccountDiscriminatorMismatch);
    }
}

#[test]
fn the_opener_signs() {
    let mut world = World::new();
    let (accusation, commit) = accused(&mut world);
    let [signature, opening] = accusation.opening(&commit);
    let unsigned = ix::unsigned(opening, &accusation.watcher.pubkey());
    let payer = world.stranger("payer");
    world.assert_refused(&[signature, unsigned], &[&payer], ErrorCode::AccountNotSigner);
}
