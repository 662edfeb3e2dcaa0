//! The whole CUDA backend, on a driver that runs the embedded kernels without a GPU and as unkindly as the rules allow.
//!
//! A driver is found once in a process, so each test runs itself again in another, where the emulated one is in its place.

mod common;

use common::{answer, cpu, run, task};
use millrace_gemm::{
    cuda::{Cards, Multiplier, NoCuda},
    prove, queries, Cuda, Progress, ProveError, ProveOptions, ProvenRun,
};
use std::{ops::ControlFlow, os::unix::fs::symlink, process::Command, sync::Arc};

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
