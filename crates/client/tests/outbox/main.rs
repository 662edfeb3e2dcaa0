//! The outbox against a chain that loses, refuses, hangs and dies: whatever happens, a submission lands once.

mod rough;

use std::path::Path;

use millrace_client::outbox::Settled;
use millrace_client::{
    ChainError, Instruction, Keypair, MillraceError, Outbox, Signature, Signer, SubmitError, TransactionError,
    PROGRAM_ID,
};
use proptest::prelude::*;
use rough::{Fault, Rough, VALID_BLOCKS};
use solana_instruction::error::InstructionError;

fn payer() -> Keypair {
    Keypair::new_from_array([9; 32])
}

fn instruction(data: &[u8]) -> Instruction {
    Instruction { program_id: PROGRAM_ID, accounts: vec![], data: data.to_vec() }
}

/// Submits one thing; `None` when the process died on the way.
async fn submit(path: &Path, chain: &Rough, data: &[u8]) -> Option<Result<Signature, SubmitError>> {
    let outbox = Outbox::open(path).unwrap();
    let (payer, instructions) = (payer(), [instruction(data)]);
    tokio::select! {
        result = outbox.submit(chain, "a thing", &instructions, &payer, &[]) => Some(result),
        () = chain.crashed.notified() => None,
    }
}

fn fault() -> impl Strategy<Value = Fault> {
    prop_oneof![
        4 => Just(Fault::None),
        2 => Just(Fault::Down),
        2 => Just(Fault::AnswerLost),
        2 => Just(Fault::PacketLost),
        2 => Just(Fault::Late),
        1 => Just(Fault::CrashBefore),
        1 => Just(Fault::CrashAfter),
    ]
}

fn paused() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn whatever_fails_and_whenever_the_process_dies_it_lands_once(script in prop::collection::vec(fault(), 0..40)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.sqlite");
        let chain = Rough::new(&script);
        let signature = paused().block_on(async {
            // Every round uses up a part of the script, so this ends.
            for _ in 0..=script.len() {
                if let Some(Ok(signature)) = submit(&path, &chain, b"once").await {
                    return Some(signature);
                }
            }
            None
        });
        let signature = signature.expect("it went through once the faults were over");
        prop_assert_eq!(chain.landed(), 1);
        prop_assert!(chain.state.lock().unwrap().ledger.contains_key(&signature));
    }

    #[test]
    fn a_restart_that_reconciles_knows_what_landed(script in prop::collection::vec(fault(), 0..12)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("outbox.sqlite");
        let chain = Rough::new(&script);
        paused().block_on(async {
            let submitted = submit(&path, &chain, b"once").await;
            chain.state.lock().unwrap().script.clear();
            let ends = Outbox::open(&path).unwrap().reconcile(&*chain).await.unwrap();
            let landed = ends.iter().filter(|end| end.settled == Settled::Landed).count();
            let known = landed + usize::from(matches!(submitted, Some(Ok(_))));
            assert_eq!(known, chain.landed());
            assert!(Outbox::open(&path).unwrap().reconcile(&*chain).await.unwrap().is_empty());
        });
    }
}

/// Calls of an undisturbed submission: simulate, blockhash, height, status, send, height, status.
const FIRST_SEND: usize = 4;

fn fault_at(call: usize, fault: Fault) -> Vec<Fault> {
    let mut script = vec![Fault::None; call];
    script.push(fault);
    script
}

#[tokio::test(start_paused = true)]
async fn a_crash_before_the_first_send_is_sent_at_the_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let chain = Rough::new(&fault_at(FIRST_SEND, Fault::CrashBefore));
    assert!(submit(&path, &chain, b"x").await.is_none());
    assert_eq!(chain.landed(), 0);
    let ends = Outbox::open(&path).unwrap().reconcile(&*chain).await.unwrap();
    assert_eq!(
        ends.iter().map(|end| (end.label.as_str(), end.settled)).collect::<Vec<_>>(),
        [("a thing", Settled::Landed)]
    );
    assert_eq!(chain.landed(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_landed_as_the_process_died_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let chain = Rough::new(&fault_at(FIRST_SEND, Fault::CrashAfter));
    assert!(submit(&path, &chain, b"x").await.is_none());
    let first = chain.signatures();
    assert_eq!((first.len(), chain.landed()), (1, 1));
    // The same thing again: the answer is what landed, and nothing is sent.
    assert_eq!(submit(&path, &chain, b"x").await.unwrap().unwrap(), first[0]);
    assert_eq!(chain.signatures(), first);
    // Another thing is not taken for it.
    assert_ne!(submit(&path, &chain, b"y").await.unwrap().unwrap(), first[0]);
    assert_eq!(chain.landed(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_lost_packet_is_sent_again_under_the_same_signature() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let chain = Rough::new(&fault_at(FIRST_SEND, Fault::PacketLost));
    chain.state.lock().unwrap().valid_blocks = 1_000;
    let signature = submit(&path, &chain, b"x").await.unwrap().unwrap();
    assert_eq!((chain.signatures(), chain.landed()), (vec![signature; 2], 1));
    assert!(chain.state.lock().unwrap().last_valid.len() == 1, "it was signed once");
}

#[tokio::test(start_paused = true)]
async fn what_expired_is_signed_anew_and_only_then() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    // The first transaction never arrives. `State::hand_in` checks that the second comes after the first's expiry.
    let chain = Rough::new(&fault_at(FIRST_SEND, Fault::PacketLost));
    let signature = submit(&path, &chain, b"x").await.unwrap().unwrap();
    assert_eq!(chain.landed(), 1);
    assert_eq!(chain.signatures().last(), Some(&signature));
    let mut last_valid: Vec<_> = chain.state.lock().unwrap().last_valid.values().copied().collect();
    last_valid.sort_unstable();
    let signed_anew_at = last_valid[1] - VALID_BLOCKS;
    assert!(signed_anew_at > last_valid[0], "signed anew at {signed_anew_at}, valid through {}", last_valid[0]);
}

#[tokio::test(start_paused = true)]
async fn what_landed_between_two_questions_is_not_signed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let chain = Rough::new(&fault_at(FIRST_SEND, Fault::Late));
    // It lands two blocks after it was sent; when the height is asked for next, its time is over.
    chain.state.lock().unwrap().blocks = [1, 2 * VALID_BLOCKS].into();
    let signature = submit(&path, &chain, b"x").await.unwrap().unwrap();
    assert_eq!((chain.signatures(), chain.landed()), (vec![signature], 1));
}

#[tokio::test(start_paused = true)]
async fn what_was_signed_for_one_chain_is_nothing_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let [first, second] = [1, 2].map(|byte| {
        let chain = Rough::new(&[]);
        chain.state.lock().unwrap().deployment_id = Some([byte; 32]);
        chain
    });
    first.state.lock().unwrap().script = fault_at(FIRST_SEND, Fault::CrashAfter).into();
    assert!(submit(&path, &first, b"x").await.is_none());
    // The same thing on another chain is sent there, although the first chain has it.
    second.state.lock().unwrap().height = 3;
    assert!(Outbox::open(&path).unwrap().reconcile(&*second).await.unwrap().is_empty());
    let signature = submit(&path, &second, b"x").await.unwrap().unwrap();
    assert!(!first.signatures().contains(&signature));
    assert_eq!((first.landed(), second.landed()), (1, 1));
    // And the first chain's row waited for its own chain.
    assert_eq!(Outbox::open(&path).unwrap().reconcile(&*first).await.unwrap().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_chain_that_falls_silent_leaves_it_undecided_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let mut script = fault_at(FIRST_SEND, Fault::AnswerLost);
    script.extend([Fault::Down; 200]);
    let chain = Rough::new(&script);
    let error = submit(&path, &chain, b"x").await.unwrap().unwrap_err();
    assert!(matches!(error, SubmitError::Undecided { .. }), "{error}");
    assert!(error.to_string().contains("check --url") && error.to_string().contains("may have landed"), "{error}");
    chain.state.lock().unwrap().script.clear();
    let signature = submit(&path, &chain, b"x").await.unwrap().unwrap();
    assert_eq!((chain.landed(), chain.signatures()[0]), (1, signature));
}

#[tokio::test(start_paused = true)]
async fn an_rpc_that_is_down_from_the_start_leaves_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    for call in 0..2 {
        let chain = Rough::new(&fault_at(call, Fault::Down));
        let error = submit(&path, &chain, b"x").await.unwrap().unwrap_err();
        assert!(matches!(error, SubmitError::Chain(ChainError::Unreachable { .. })), "{error}");
        assert!(Outbox::open(&path).unwrap().reconcile(&*chain).await.unwrap().is_empty());
        assert!(chain.signatures().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn submitters_at_once_each_land_even_with_the_same_content() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let chain = Rough::new(&[]);
    // One key, one content, one blockhash: the chain would take them for one transaction.
    let (outbox, key, instructions) = (Outbox::open(&path).unwrap(), payer(), [instruction(b"same")]);
    let labels = ["one", "two", "three", "four"];
    let [a, b, c, d] = labels.map(|label| outbox.submit(&*chain, label, &instructions, &key, &[]));
    let ends = tokio::join!(a, b, c, d);
    let signatures = [ends.0.unwrap(), ends.1.unwrap(), ends.2.unwrap(), ends.3.unwrap()];
    let distinct: std::collections::HashSet<_> = signatures.iter().collect();
    assert_eq!((distinct.len(), chain.landed()), (4, 4));
    for (label, signature) in labels.iter().zip(signatures) {
        assert_eq!(outbox.landed(label).await.unwrap(), Some(signature));
    }
}

#[tokio::test(start_paused = true)]
async fn a_refusal_in_the_simulation_is_named_and_nothing_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let chain = Rough::new(&[]);
    let refusal = InstructionError::Custom(MillraceError::NotEnoughFree.into());
    chain.state.lock().unwrap().simulation.error = Some(TransactionError::InstructionError(1, refusal));
    let error = submit(&path, &chain, b"x").await.unwrap().unwrap_err();
    assert!(error.is(MillraceError::NotEnoughFree), "{error}");
    assert!(error.to_string().starts_with("The free balance is smaller than the amount"), "{error}");
    assert!(chain.signatures().is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_failed_in_a_block_is_named_and_may_be_tried_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let chain = Rough::new(&[]);
    let refusal = InstructionError::Custom(MillraceError::StaleLeaf.into());
    chain.state.lock().unwrap().fails_with = Some(TransactionError::InstructionError(1, refusal));
    let error = submit(&path, &chain, b"x").await.unwrap().unwrap_err();
    assert!(error.is(MillraceError::StaleLeaf), "{error}");
    chain.state.lock().unwrap().fails_with = None;
    submit(&path, &chain, b"x").await.unwrap().unwrap();
    assert_eq!(chain.landed(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_lacked_compute_units_is_signed_once_more_with_the_most() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let chain = Rough::new(&[]);
    let refusal = InstructionError::ProgramFailedToComplete;
    chain.state.lock().unwrap().fails_with = Some(TransactionError::InstructionError(1, refusal));
    let error = submit(&path, &chain, b"x").await.unwrap().unwrap_err();
    assert!(error.to_string().contains("failed to complete"), "{error}");
    let state = chain.state.lock().unwrap();
    let limits = state.sent.iter().map(|transaction| &transaction.message.instructions[0].data);
    let expected = [21_200u32, 1_400_000].map(|units| [&[2][..], &units.to_le_bytes()].concat());
    assert_eq!(limits.cloned().collect::<Vec<_>>(), expected);
}

#[tokio::test(start_paused = true)]
async fn what_expired_pays_twice_as_much_for_priority_when_signed_anew() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let chain = Rough::new(&fault_at(FIRST_SEND, Fault::PacketLost));
    chain.state.lock().unwrap().recent_price = 1_000;
    submit(&path, &chain, b"x").await.unwrap().unwrap();
    let state = chain.state.lock().unwrap();
    let mut prices: Vec<_> = state.sent.iter().map(|sent| sent.message.instructions[1].data.clone()).collect();
    prices.dedup();
    assert_eq!(prices, [1_000u64, 2_000].map(|price| [&[3][..], &price.to_le_bytes()].concat()));
    assert_eq!(state.priced, [payer().pubkey(); 2], "prices are asked for what is written");
}

#[tokio::test(start_paused = true)]
async fn every_transaction_carries_one_compute_limit() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path().join("outbox.sqlite")).unwrap();
    let (chain, key) = (Rough::new(&[]), payer());
    outbox.submit(&*chain, "simulated", &[instruction(b"x")], &key, &[]).await.unwrap();
    let own = solana_compute_budget_interface::ComputeBudgetInstruction::set_compute_unit_limit(77);
    outbox.submit(&*chain, "passed", &[own, instruction(b"x")], &key, &[]).await.unwrap();
    let state = chain.state.lock().unwrap();
    let limits = state.sent.iter().map(|transaction| &transaction.message.instructions[0].data);
    // SetComputeUnitLimit: 1,000 simulated and a fifth more and 20,000 to spare; then the caller's own.
    let expected = [21_200u32, 77].map(|units| [&[2][..], &units.to_le_bytes()].concat());
    assert_eq!(limits.cloned().collect::<Vec<_>>(), expected);
    assert!(state.sent.iter().all(|transaction| transaction.message.instructions.len() == 2));
}

#[tokio::test(start_paused = true)]
async fn a_missing_key_and_too_many_bytes_are_refused_before_anything_is_sent() {
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path().join("outbox.sqlite")).unwrap();
    let (chain, key, other) = (Rough::new(&[]), payer(), Keypair::new_from_array([5; 32]));
    let mut needs_other = instruction(b"x");
    needs_other.accounts.push(millrace_client::AccountMeta::new_readonly(other.pubkey(), true));
    let error = outbox.submit(&*chain, "x", &[needs_other.clone()], &key, &[]).await.unwrap_err();
    assert!(matches!(error, SubmitError::MissingSigner(missing) if missing == other.pubkey()), "{error}");
    let error = outbox.submit(&*chain, "x", &[instruction(&[0; 1_300])], &key, &[]).await.unwrap_err();
    assert!(matches!(error, SubmitError::TooLong { len } if len > 1_232), "{error}");
    assert!(chain.signatures().is_empty());
    outbox.submit(&*chain, "x", &[needs_other], &key, &[&other, &key]).await.unwrap();
    assert_eq!(chain.landed(), 1);
}
