//! The whole CUDA backend, on a driver that runs the embedded kernels without a GPU and as unkindly as the rules allow.
//!
//! A driver is found once in a process, so each test runs itself again in another, where the emulated one is in its place.

mod common;

use common::{answer, cpu, run, task, NEXT_BEACON};
use millrace_core::proof::memory::MemoryTask;
use millrace_gemm::{
    cuda::{Cards, Multiplier, NoCuda},
    memory::{verify_memory, MemoryProgress},
    prove, queries, Backend, Cuda, Progress, ProveError, ProveOptions, ProvenRun,
};
use std::{
    ops::ControlFlow,
    os::unix::fs::symlink,
    process::Command,
    sync::{Arc, Mutex},
};

/// Set where the emulated driver is in place.
const INSIDE: &str = "MILLRACE_EMULATED";

/// Runs `check` in a process of its own, for each of the settings: compute capability and free memory in MiB.
fn emulated(test: &str, settings: &[(u32, u32)], check: impl Fn(u32)) {
    if let Ok(capability) = std::env::var(INSIDE) {
        return check(capability.parse().unwrap());
    }
    let this = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let driver = this.with_file_name("libmillrace_cuda_emulator.so");
    assert!(driver.exists(), "{} was not built", driver.display());
    symlink(driver, folder.path().join("libcuda.so")).unwrap();
    for (capability, free_mib) in settings {
        let output = Command::new(&this)
            .args(["--exact", test, "--nocapture"])
            .env("LD_LIBRARY_PATH", folder.path())
            .env(INSIDE, capability.to_string())
            .env("MILLRACE_EMULATED_CAPABILITY", capability.to_string())
            .env("MILLRACE_EMULATED_FREE_MIB", free_mib.to_string())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && said.contains("1 passed"), "capability {capability}: {said}");
    }
}

fn card() -> Cuda {
    Cuda::all().usable.remove(0)
}

fn run_keeping(n: u32, keep_bytes: u64) -> ProvenRun {
    let go_on = |_| ControlFlow::Continue(());
    prove(&task(n, 2), Arc::new(card()), ProveOptions { keep_bytes }, &go_on).unwrap()
}

#[test]
fn every_generation_of_cards_commits_and_answers_what_the_processor_does() {
    let test = "every_generation_of_cards_commits_and_answers_what_the_processor_does";
    emulated(test, &[(61, 64), (75, 64), (80, 64)], |_| {
        let expected = run(&task(256, 2), cpu());
        let got = run(&task(256, 2), card());
        assert_eq!(got.commit(), expected.commit());
        assert_eq!(answer(&got), answer(&expected));
    });
}

#[test]
fn a_card_with_little_memory_works_in_bands_and_opens_what_it_did_not_keep() {
    // Two MiB hold bands of 128 of the 512 rows when next to nothing of the tree is kept.
    emulated("a_card_with_little_memory_works_in_bands_and_opens_what_it_did_not_keep", &[(80, 2)], |_| {
        let expected = run(&task(512, 2), cpu());
        let got = run_keeping(512, 0);
        assert_eq!(got.commit(), expected.commit());
        // Each is a row of hashes; a few are enough.
        let some = &queries(expected.commit(), &[8; 32])[..8];
        assert_eq!(got.answer(some), expected.answer(some));
    });
}

#[test]
fn all_cards_of_a_host_are_found_and_named() {
    emulated("all_cards_of_a_host_are_found_and_named", &[(80, 64)], |_| {
        let cards = Cuda::all().usable;
        let names = cards.iter().map(|card| (card.ordinal(), card.card_name())).collect::<Vec<_>>();
        assert_eq!(names, [(0, "Emulated 0"), (1, "Emulated 1")]);
        assert!(cards.iter().all(|card| card.multiplier() == Multiplier::Kernel));
    });
}

#[test]
fn a_card_too_old_or_too_small_says_what_would_do() {
    emulated("a_card_too_old_or_too_small_says_what_would_do", &[(60, 64), (80, 1)], |capability| {
        if capability == 60 {
            let Cards { usable, refused } = Cuda::all();
            assert!(usable.is_empty() && refused.len() == 2);
            assert!(matches!(refused[0], NoCuda::TooOld { ordinal: 0, capability: (6, 0), .. }), "{}", refused[0]);
            return;
        }
        let result = prove(&task(1_024, 1), Arc::new(card()), ProveOptions::default(), &|_| ControlFlow::Continue(()));
        assert!(matches!(result, Err(ProveError::Memory { n: 1_024, needed_mib: 6, free_mib: 1, fits: Some(256) })));
    });
}

#[test]
fn a_card_reports_its_progress_and_stops_when_told() {
    emulated("a_card_reports_its_progress_and_stops_when_told", &[(80, 64)], |_| {
        let stop_in_second = |progress: Progress| match progress.rounds_done {
            0 => ControlFlow::Continue(()),
            _ => ControlFlow::Break(()),
        };
        let result = prove(&task(256, 3), Arc::new(card()), ProveOptions::default(), &stop_in_second);
        assert!(matches!(result, Err(ProveError::Stopped)));
    });
}

fn memory_task(words: u64, walkers: u32) -> MemoryTask {
    let [deployment_id, node, beacon, nonce] = [1, 2, 5, 6].map(|byte| [byte; 32]);
    MemoryTask { deployment_id, node, gpu_index: 3, epoch: 4, beacon, nonce, words, walkers }
}

/// The card commits and answers what the processor does, and that is accepted.
fn check_memory(words: u64, walkers: u32) {
    let task = memory_task(words, walkers);
    let go_on = |_| ControlFlow::Continue(());
    let (expected, got) = (cpu().fill(&task, &go_on).unwrap(), card().fill(&task, &go_on).unwrap());
    assert_eq!(got.commit(), expected.commit(), "{words} words");
    let (expected_walks, walks) = (expected.walk(&[9; 32], &go_on).unwrap(), got.walk(&[9; 32], &go_on).unwrap());
    assert_eq!(walks.commit(), expected_walks.commit(), "{walkers} walkers");
    let answer = got.answer(&walks, &NEXT_BEACON);
    assert!(answer == expected.answer(&expected_walks, &NEXT_BEACON), "{words} words, {walkers} walkers");
    assert_eq!(verify_memory(got.commit(), walks.commit(), &NEXT_BEACON, &answer), Ok(()));
}

#[test]
fn every_generation_of_cards_fills_walks_and_answers_as_the_processor_does() {
    let test = "every_generation_of_cards_fills_walks_and_answers_as_the_processor_does";
    emulated(test, &[(61, 64), (75, 64), (80, 64)], |_| check_memory(1 << 14, 300));
}

#[test]
fn a_card_with_little_memory_hashes_and_walks_in_bands() {
    // One MiB holds bands of 2,048 beside the words: ten and six empty ones of these, two of walkers, the last not full.
    emulated("a_card_with_little_memory_hashes_and_walks_in_bands", &[(80, 1)], |_| {
        check_memory(5 << 12, 3_000);
        check_memory(1 << 14, 1);
    });
}

#[test]
fn a_card_computes_rounds_while_its_memory_is_filled() {
    emulated("a_card_computes_rounds_while_its_memory_is_filled", &[(80, 64)], |_| {
        let card = card();
        let go_on = |_| ControlFlow::Continue(());
        let fill = card.fill(&memory_task(1 << 14, 100), &go_on).unwrap();
        assert_eq!(run(&task(256, 1), card).commit(), run(&task(256, 1), cpu()).commit());
        let walks = fill.walk(&[9; 32], &go_on).unwrap();
        let answer = fill.try_answer(&walks, &NEXT_BEACON).unwrap();
        assert_eq!(verify_memory(fill.commit(), walks.commit(), &NEXT_BEACON, &answer), Ok(()));
    });
}

#[test]
fn a_card_reports_how_far_a_fill_and_walks_are_and_stops_when_told() {
    emulated("a_card_reports_how_far_a_fill_and_walks_are_and_stops_when_told", &[(80, 64)], |_| {
        let (task, card) = (memory_task(1 << 14, 100), card());
        let of = 2 * task.words;
        let seen = Mutex::new(vec![]);
        let watch = |progress: MemoryProgress| {
            seen.lock().unwrap().push(progress);
            ControlFlow::Continue(())
        };
        let fill = card.fill(&task, &watch).unwrap();
        fill.walk(&[9; 32], &watch).unwrap();
        let seen = seen.into_inner().unwrap();
        assert_eq!(seen.len(), 64 + 1 + 1, "for each slice, for the only band of words, and for that of walkers");
        assert_eq!(seen[0], MemoryProgress { done: task.words / 64, of });
        assert_eq!(seen[64..], [MemoryProgress { done: of, of }, MemoryProgress { done: 100, of: 100 }]);
        let stop = |progress: MemoryProgress| match progress.done < task.words / 2 {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        assert!(matches!(card.fill(&task, &stop), Err(ProveError::Stopped)));
        assert!(matches!(fill.walk(&[9; 32], &|_| ControlFlow::Break(())), Err(ProveError::Stopped)));
    });
}

#[test]
fn a_fill_that_the_card_has_no_room_for_is_refused_with_what_it_takes() {
    emulated("a_fill_that_the_card_has_no_room_for_is_refused_with_what_it_takes", &[(80, 3)], |_| {
        let said = "cuda-mma failed: GPU 0: a fill of 131072 words needs 5 MiB and 3 MiB are free";
        match card().fill(&memory_task(1 << 17, 1), &|_| ControlFlow::Continue(())) {
            Err(error) => assert_eq!(error.to_string(), said),
            Ok(_) => panic!("there is room"),
        }
    });
}
