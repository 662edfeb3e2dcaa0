//! The proof of memory: what is honest is accepted and the same everywhere, every cheat is caught by what catches it.

use millrace_core::proof::{
    memory::{
        fill_seed, walk_seed, walker_query, word_query, Layout, MemoryCommit, MemoryError, MemoryTask, WalkCommit,
        WALKER_QUERIES, WORD_QUERIES,
    },
    nonce,
};
use millrace_gemm::{
    memory::{
        cheats::{fill_with, fill_with_one_reference, Cost, Forgetful, Forgets},
        memory_bundle_len, verify_memory, MemoryFill, MemoryProgress, MemoryRefusal, MemoryWalk,
    },
    ProveError,
};
use proptest::prelude::*;
use std::{
    ops::ControlFlow,
    sync::{LazyLock, Mutex},
};

const NEXT_BEACON: [u8; 32] = [8; 32];

/// From core's `memory_vectors.py`.
const FILL_ROOT: &str = "1cb918216f79946b1840dad8c71b46d170a2bba5943a01a2";
const WALK_ROOT: &str = "81cfd998251f77118da1e360b65df86562a9e51030d9cfeb";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The task of core's `memory_vectors.py`.
fn task() -> MemoryTask {
    let [deployment_id, node, beacon] = [1, 2, 5].map(|byte| [byte; 32]);
    let nonce = nonce(&[[6; 16], [7; 16]]);
    let words = (1 << 14) + (1 << 12);
    MemoryTask { deployment_id, node, gpu_index: 3, epoch: 4, beacon, nonce, words, walkers: 700 }
}

fn walk_nonce() -> [u8; 32] {
    nonce(&[[9; 16], [10; 16]])
}

fn on(_: MemoryProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn fill(task: &MemoryTask) -> MemoryFill {
    MemoryFill::new(task, &on).unwrap()
}

fn walk(fill: &MemoryFill) -> MemoryWalk {
    fill.walk(&walk_nonce(), &on).unwrap()
}

/// The verdict on what a prover answers.
fn verdict(fill: &MemoryFill, walks: &MemoryWalk) -> Result<(), MemoryRefusal> {
    verify_memory(fill.commit(), walks.commit(), &NEXT_BEACON, &fill.answer(walks, &NEXT_BEACON))
}

/// What was proven wrong: walks and words.
fn wrong(fill: &MemoryFill, walks: &MemoryWalk) -> (usize, usize) {
    match verdict(fill, walks) {
        Err(MemoryRefusal::Wrong { walkers, words }) => (walkers.len(), words.len()),
        other => panic!("{other:?}"),
    }
}

struct Honest {
    commit: MemoryCommit,
    walks: WalkCommit,
    answer: Vec<u8>,
}

static FILL: LazyLock<MemoryFill> = LazyLock::new(|| fill(&task()));

static HONEST: LazyLock<Honest> = LazyLock::new(|| {
    let walks = walk(&FILL);
    Honest { commit: *FILL.commit(), walks: *walks.commit(), answer: FILL.answer(&walks, &NEXT_BEACON) }
});

fn judged(answer: &[u8]) -> Result<(), MemoryRefusal> {
    verify_memory(&HONEST.commit, &HONEST.walks, &NEXT_BEACON, answer)
}

#[test]
fn every_number_of_threads_commits_the_known_answer() {
    for threads in [1, 2, 5] {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| {
            let fill = fill(&task());
            assert_eq!(hex(&fill.commit().fill_root), FILL_ROOT, "{threads} threads");
            let walks = walk(&fill);
            assert_eq!(hex(&walks.commit().root), WALK_ROOT, "{threads} threads");
            assert_eq!(fill.answer(&walks, &NEXT_BEACON), HONEST.answer, "{threads} threads");
        });
    }
}

#[test]
fn an_honest_answer_is_accepted_whatever_the_sizes() {
    assert_eq!(judged(&HONEST.answer), Ok(()));
    for (words, walkers) in [(1 << 14, 1), (1 << 14, 2), (1 << 15, 65), (3 << 15, 100), (1 << 17, 4096)] {
        let fill = fill(&MemoryTask { words, walkers, ..task() });
        assert_eq!(verdict(&fill, &walk(&fill)), Ok(()), "{words} words, {walkers} walkers");
    }
}

#[test]
fn an_answer_has_the_length_its_sizes_give_and_a_few_megabytes_at_most() {
    assert_eq!(HONEST.answer.len(), memory_bundle_len(&task().layout().unwrap(), 700));
    for (card_gib, walkers, megabytes) in [(24, 1 << 29, "4.3"), (80, 1 << 29, "4.8")] {
        let layout = Layout::proving(card_gib << 10).unwrap();
        let len = memory_bundle_len(&layout, walkers);
        assert_eq!(format!("{:.1}", len as f64 / 1e6), megabytes, "{len}");
    }
    assert!(memory_bundle_len(&Layout::new(1 << 35).unwrap(), 1 << 31) < 6_000_000);
}

#[test]
fn a_fill_and_walks_report_their_progress_and_stop_when_told() {
    let seen = Mutex::new(vec![]);
    let watch = |progress| {
        seen.lock().unwrap().push(progress);
        on(progress)
    };
    let fill = MemoryFill::new(&task(), &watch).unwrap();
    let of = 2 * task().words;
    assert!(seen.lock().unwrap().contains(&MemoryProgress { done: of, of }));
    assert!(seen.lock().unwrap().iter().all(|progress| progress.done <= of && progress.of == of));
    seen.lock().unwrap().clear();
    fill.walk(&walk_nonce(), &watch).unwrap();
    assert!(seen.lock().unwrap().contains(&MemoryProgress { done: 700, of: 700 }));
    for stop_at in [1, task().words / 2, task().words + 1] {
        let stop = |progress: MemoryProgress| match progress.done < stop_at {
            true => ControlFlow::Continue(()),
            false => ControlFlow::Break(()),
        };
        assert!(matches!(MemoryFill::new(&task(), &stop), Err(ProveError::Stopped)), "{stop_at}");
    }
    assert!(matches!(fill.walk(&walk_nonce(), &|_| ControlFlow::Break(())), Err(ProveError::Stopped)));
}

#[test]
fn sizes_that_the_protocol_has_not_are_refused() {
    for (task, error) in [
        (MemoryTask { words: 0, ..task() }, MemoryError::Words(0)),
        (MemoryTask { words: u64::MAX, ..task() }, MemoryError::Words(u64::MAX)),
        (MemoryTask { words: (1 << 14) + 1, ..task() }, MemoryError::Words((1 << 14) + 1)),
        (MemoryTask { walkers: 0, ..task() }, MemoryError::Walkers(0)),
    ] {
        match MemoryFill::new(&task, &on) {
            Err(ProveError::MemoryTask(got)) => assert_eq!(got, error),
            _ => panic!("{task:?} was not refused"),
        }
        let commit = MemoryCommit { task, fill_root: [0; 24] };
        let walks = WalkCommit { memory_id: commit.id(), ..HONEST.walks };
        assert_eq!(verify_memory(&commit, &walks, &NEXT_BEACON, &[]), Err(MemoryRefusal::Commit(error)));
    }
}

#[test]
fn wrong_words_are_caught_as_often_as_the_formula_says() {
    // One word in 64: of 512 asked for, eight on average. One word in 512: missed once in e.
    let fill =
        fill_with(&task(), |lane, step, word| if (lane + 16 * step) % 64 == 5 { [0; 32] } else { word }).unwrap();
    let (walkers, words) = wrong(&fill, &walk(&fill));
    assert_eq!(walkers, 0, "the walks are right for the words that there are");
    assert!((1..25).contains(&words), "{words}");

    let fill =
        fill_with(&task(), |lane, step, word| if (lane + 16 * step) % 512 == 5 { [0; 32] } else { word }).unwrap();
    let walks = walk(&fill);
    let trials = 30;
    let passed = (0..trials).filter(|trial| {
        let beacon = [*trial; 32];
        verify_memory(fill.commit(), walks.commit(), &beacon, &fill.answer(&walks, &beacon)).is_ok()
    });
    let passed = passed.count() as f64 / f64::from(trials);
    let expected = (511f64 / 512.0).powi(WORD_QUERIES as i32);
    println!("one wrong word in 512: passed {passed:.3} (formula {expected:.3})");
    assert!((passed - expected).abs() < 0.25, "{passed} against {expected}");
}

#[test]
fn a_first_slice_left_empty_is_caught() {
    let fill = fill_with(&task(), |_, step, word| if step < 1280 / 64 { [0; 32] } else { word }).unwrap();
    let (_, words) = wrong(&fill, &walk(&fill));
    assert!((1..25).contains(&words), "{words} of 512, a 64th was expected");
}

#[test]
fn a_fill_that_refers_to_fewer_words_is_caught() {
    let fill = fill_with_one_reference(&task()).unwrap();
    let (walkers, words) = wrong(&fill, &walk(&fill));
    assert_eq!(walkers, 0);
    // All but those of the first slice, which refer to nothing.
    assert!((480..=512).contains(&words), "{words}");
}

#[test]
fn a_fill_made_for_another_task_is_caught() {
    let mut others = [task(); 6];
    others[0].epoch += 1;
    others[1].node[0] ^= 1;
    others[2].deployment_id[0] ^= 1;
    others[3].gpu_index += 1;
    others[4].beacon[0] ^= 1;
    others[5].nonce[0] ^= 1;
    for other in others {
        let replay = fill(&other).replayed_as(&task());
        assert_eq!(wrong(&replay, &walk(&replay)), (0, WORD_QUERIES));
    }
}

#[test]
fn walks_of_another_fill_are_refused() {
    let other = fill(&MemoryTask { epoch: 5, ..task() });
    let refusal = verify_memory(&HONEST.commit, walk(&other).commit(), &NEXT_BEACON, &HONEST.answer);
    assert_eq!(refusal, Err(MemoryRefusal::OtherFill));
}

#[test]
fn skipped_walkers_are_caught_as_often_as_the_formula_says() {
    for (every, trials) in [(10, 5), (128, 30)] {
        let walks = FILL.walk_skipping(&walk_nonce(), move |walker| walker % every == 0).unwrap();
        let skipped = f64::from(700u32.div_ceil(every)) / 700.0;
        let caught = (0..trials).filter(|trial| {
            let beacon = [*trial; 32];
            let answer = FILL.answer(&walks, &beacon);
            match verify_memory(FILL.commit(), walks.commit(), &beacon, &answer) {
                Err(MemoryRefusal::Wrong { walkers, words }) => {
                    assert!(words.is_empty() && walkers.iter().all(|walker| walker % every == 0));
                    true
                }
                other => other.is_err(),
            }
        });
        let caught = caught.count() as f64 / f64::from(trials);
        let expected = 1.0 - (1.0 - skipped).powi(WALKER_QUERIES as i32);
        println!("every {every}th walker skipped: caught {caught:.3} (formula {expected:.3})");
        assert!((caught - expected).abs() < 0.25, "{caught} against {expected}");
    }
}

#[test]
fn walks_done_before_the_shares_were_known_are_caught() {
    let walks = FILL.walk_ahead(&walk_nonce(), [0xaa; 32]).unwrap();
    assert_eq!(wrong(&FILL, &walks), (WALKER_QUERIES, 0));
    // Walks for other shares, said to be for these.
    let other = FILL.walk(&[1; 32], &on).unwrap();
    let commit = WalkCommit { nonce: walk_nonce(), ..*other.commit() };
    let refusal = verify_memory(FILL.commit(), &commit, &NEXT_BEACON, &FILL.answer(&other, &NEXT_BEACON));
    assert!(matches!(refusal, Err(MemoryRefusal::WalkNotCommitted { .. })), "{refusal:?}");
}

#[test]
fn an_answer_is_for_one_beacon_only() {
    let refusal = verify_memory(&HONEST.commit, &HONEST.walks, &[9; 32], &HONEST.answer).unwrap_err();
    let walker = walker_query(&HONEST.walks.id(), &[9; 32], 0, 700);
    assert_eq!(refusal, MemoryRefusal::WalkNotCommitted { walker });
}

#[test]
fn truncated_and_oversized_answers_are_refused_by_their_length() {
    let expected = HONEST.answer.len();
    let oversized = [&HONEST.answer[..], &[0; 1 << 20]].concat();
    for answer in [&oversized[..0], &oversized[..8], &oversized[..expected - 1], &oversized[..expected + 1], &oversized]
    {
        assert_eq!(judged(answer), Err(MemoryRefusal::Length { expected, got: answer.len() }));
    }
    let mut untagged = HONEST.answer.clone();
    untagged[0] ^= 1;
    assert_eq!(judged(&untagged), Err(MemoryRefusal::Tag));
    let mut capless = HONEST.answer.clone();
    capless[8] ^= 1;
    assert_eq!(judged(&capless), Err(MemoryRefusal::FillRoot));
}

#[test]
fn reordered_answers_are_refused() {
    let layout = task().layout().unwrap();
    let opened = 32 + 24 * (layout.tree_depth() - layout.cap_depth()) as usize;
    let walks_at = 8 + (24 << layout.cap_depth());
    let walk_len = 32 + 24 * 10 + 32 * opened;
    let words_at = walks_at + WALKER_QUERIES * walk_len;
    let exchanged = |a: usize, b: usize, len: usize| {
        let mut answer = HONEST.answer.clone();
        let (low, high) = answer.split_at_mut(b);
        low[a..a + len].swap_with_slice(&mut high[..len]);
        judged(&answer).unwrap_err()
    };
    let id = HONEST.walks.id();
    let [walker, index] =
        [walker_query(&id, &NEXT_BEACON, 0, 700).into(), word_query(&id, &NEXT_BEACON, 0, task().words)];
    let refusal = exchanged(walks_at, walks_at + 5 * walk_len, walk_len);
    assert_eq!(refusal, MemoryRefusal::WalkNotCommitted { walker: walker as u32 });
    let refusal = exchanged(words_at, words_at + 50 * opened, 10 * opened);
    assert_eq!(refusal, MemoryRefusal::WordNotCommitted { index });
    // Two reads of one walk.
    let reads_at = walks_at + 32 + 24 * 10;
    let refusal = exchanged(reads_at, reads_at + opened, opened);
    assert!(matches!(refusal, MemoryRefusal::WordNotCommitted { .. }), "{refusal:?}");
}

#[test]
fn what_does_not_exist_is_opened_as_zeros() {
    // Beacons until one asks for a word of the first slice.
    let walks = walk(&FILL);
    let layout = task().layout().unwrap();
    let id = walks.commit().id();
    let found = (0..=255).find_map(|byte| {
        let place = |i| layout.place(word_query(&id, &[byte; 32], i, task().words));
        (0..WORD_QUERIES as u32).find(|i| place(*i).1 < 20).map(|i| ([byte; 32], i))
    });
    let (beacon, i) = found.expect("a 64th of all words");
    let index = word_query(&id, &beacon, i, task().words);
    let opened = 32 + 24 * (layout.tree_depth() - layout.cap_depth()) as usize;
    let mut answer = FILL.answer(&walks, &beacon);
    assert_eq!(verify_memory(FILL.commit(), walks.commit(), &beacon, &answer), Ok(()));
    let words_at = answer.len() - WORD_QUERIES * 10 * opened;
    // The last byte of its last reference's path.
    answer[words_at + (i as usize + 1) * 10 * opened - 1] = 1;
    let refusal = verify_memory(FILL.commit(), walks.commit(), &beacon, &answer);
    assert_eq!(refusal, Err(MemoryRefusal::NotZero { index }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_answer_with_any_byte_changed_is_refused(at: prop::sample::Index, flip in 1u8..) {
        let mut answer = HONEST.answer.clone();
        let at = at.index(answer.len());
        answer[at] ^= flip;
        prop_assert!(judged(&answer).is_err());
    }

    #[test]
    fn bytes_from_a_stranger_are_refused_at_the_first_they_open(seed: u64) {
        let mut answer = HONEST.answer.clone();
        let mut state = seed | 1;
        for byte in &mut answer[8..] {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            *byte = state as u8;
        }
        prop_assert_eq!(judged(&answer), Err(MemoryRefusal::FillRoot));
        // The right upper nodes, all else made up.
        let walks_at = 8 + (24 << task().layout().unwrap().cap_depth());
        answer[..walks_at].copy_from_slice(&HONEST.answer[..walks_at]);
        let walker = walker_query(&HONEST.walks.id(), &NEXT_BEACON, 0, 700);
        prop_assert_eq!(judged(&answer), Err(MemoryRefusal::WalkNotCommitted { walker }));
    }
}

/// Mean words made again for a missing word, from `missing` in each slice and the word before always there:
/// `T_s = 1 + 8·mean(missing·T of the slices before)`; and so for a word read at random.
fn expected_per_read(missing: &[f64; 64]) -> f64 {
    let mut sum = 0.0;
    for (slice, missing) in missing.iter().enumerate() {
        let mean = if slice == 0 { 0.0 } else { sum / slice as f64 };
        sum += missing * (1.0 + 8.0 * mean);
    }
    sum / 64.0
}

#[test]
fn a_prover_that_forgets_words_pays_for_them_as_the_recurrence_says() {
    let task = MemoryTask { words: 1 << 16, ..task() };
    let fill = fill(&task);
    let seed = walk_seed(&fill.commit().fill_root, &walk_nonce());
    let honest = walk(&fill);
    let every = |n: f64| [1.0 / n; 64];
    let last = std::array::from_fn(|slice| if slice >= 48 { 0.5 } else { 0.0 });
    let first = std::array::from_fn(|slice| if slice < 16 { 0.5 } else { 0.0 });
    for (forgets, missing) in [
        (Forgets::EveryNth(16), every(16.0)),
        (Forgets::EveryNth(8), every(8.0)),
        (Forgets::InLastSlices(125), last),
        (Forgets::InFirstSlices(125), first),
    ] {
        let prover = Forgetful::new(&fill, forgets);
        assert!((prover.missing() - missing.iter().sum::<f64>() / 64.0).abs() < 1e-9);
        let mut cost = Cost::default();
        let walkers = 700;
        for walker in 0..walkers {
            prover.walk(&seed, walker, &mut cost, u64::MAX).unwrap();
        }
        let per_read = cost.recomputed as f64 / f64::from(32 * walkers);
        let expected = expected_per_read(&missing);
        println!("{forgets:?}: {per_read:.3} words made again a read (recurrence {expected:.3})");
        assert!((per_read / expected - 1.0).abs() < 0.15, "{forgets:?}: {per_read} against {expected}");
        // Eight words referred to and the one before, for each made again, unless it was missing too.
        assert!(cost.reads > 32 * u64::from(walkers), "{forgets:?}");
    }
    // It is late, not wrong.
    let prover = Forgetful::new(&fill, Forgets::Scattered(50));
    let skipping = fill.walk_skipping(&walk_nonce(), |_| false).unwrap();
    assert_eq!(skipping.commit(), honest.commit());
    let mut cost = Cost::default();
    let end = prover.walk(&seed, 9, &mut cost, u64::MAX).unwrap();
    let all = Forgetful::new(&fill, Forgets::Scattered(0));
    assert_eq!(all.walk(&seed, 9, &mut cost, 0), Some(end));
    assert_ne!(fill_seed(&task), seed);
}

#[test]
fn below_one_in_eight_a_missing_word_costs_a_few_above_it_costs_hundreds() {
    let fill = fill(&MemoryTask { words: 1 << 16, ..task() });
    let seed = walk_seed(&fill.commit().fill_root, &walk_nonce());
    let per_missing = |forgets| {
        let prover = Forgetful::new(&fill, forgets);
        let mut cost = Cost::default();
        let walkers = (0..50).take_while(|walker| prover.walk(&seed, *walker, &mut cost, 3_000_000).is_some()).count();
        cost.recomputed as f64 / (32.0 * (walkers.max(1)) as f64 * prover.missing())
    };
    assert!(per_missing(Forgets::EveryNth(20)) < 2.0);
    assert!(per_missing(Forgets::EveryNth(3)) > 100.0);
}
