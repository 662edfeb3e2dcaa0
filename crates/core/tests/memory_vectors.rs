//! Known answers, made by `memory_vectors.py`, which shares nothing with this code. They pin every byte of the protocol.

use millrace_core::{
    merkle::Tree,
    proof::{
        memory::{
            addresses, fill_seed, walk, walk_seed, walk_start, walker_query, word, word_leaf, word_query, Layout,
            MemoryCommit, MemoryError, MemoryTask, WalkCommit, Word, MEMORY_COMMIT_LEN, WALK_COMMIT_LEN,
        },
        nonce,
    },
};
use std::{convert::Infallible, sync::LazyLock};

const WORDS: u64 = (1 << 14) + (1 << 12);
const FILL_SEED: &str = "e6aefbd059005dcfcdcf982dd589c770021292599383267efc7d77c39125515f";
const SOME_WORDS: [(u32, u32, &str); 4] = [
    (0, 0, "00a1ef53d68197072728644ab786885574ce1dbe920f1e8f4646005509ebd773"),
    (3, 1, "b6bd192b314b3b8d6a1e5e3af1179e20c6f1b815db2bf4ad2d053d89126bbc66"),
    (15, 20, "b82ea2f7251e10a8e48e8c502af3f7d2c89cf7104ff0b0e06e67ef55f5c6351f"),
    (7, 1279, "4f2a0e136d45649e67136ecc33de1eb69a2b20bbf4cbccd67774995608774283"),
];
const ADDRESSES: [u64; 8] = [6714, 607, 5951, 6842, 15209, 11449, 6800, 9267];
const FILL_ROOT: &str = "1cb918216f79946b1840dad8c71b46d170a2bba5943a01a2";
const MEMORY_COMMIT: &str = "4d526d656d6f7279\
    0101010101010101010101010101010101010101010101010101010101010101\
    0202020202020202020202020202020202020202020202020202020202020202\
    030000000400000000000000\
    0505050505050505050505050505050505050505050505050505050505050505\
    b18b4bc66814449ddc8ea0f6df39ac07a8a47530e789570c2dbc589ec657edce\
    0050000000000000bc020000\
    1cb918216f79946b1840dad8c71b46d170a2bba5943a01a2";
const WALK_SEED: &str = "7e3e3ed6424bdf5fa2592309e8fe91b7c55276af5fcea36530668edd24b5e9bd";
const ENDS: [(u32, &str); 2] = [
    (0, "e08b0532be7ecdf56d4432ba9ad6620b0a20fc30a97ce822b4b192118d4fbc95"),
    (699, "a90992b8191344efcf84b649240cde15c7430fbcca5bb89f390b812113e20dda"),
];
const WALK_COMMIT: &str = "4d5277616c6b6564\
    9dc9bc7bf40426031ac8fd4418dce4bf02e0971557f41db1597bd75177d5fe6d\
    9cc43c1c5003c7d4052181b9d2c2ccd3d8b76c835ceef3599ff6820fa5d9c6a2\
    81cfd998251f77118da1e360b65df86562a9e51030d9cfeb";
const WALKER_QUERIES: [(u32, u32); 3] = [(0, 222), (1, 236), (127, 498)];
const WORD_QUERIES: [(u32, u64); 3] = [(0, 18735), (1, 5934), (511, 10866)];

fn hex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
}

fn task() -> MemoryTask {
    MemoryTask {
        deployment_id: [1; 32],
        node: [2; 32],
        gpu_index: 3,
        epoch: 4,
        beacon: [5; 32],
        nonce: nonce(&[[6; 16], [7; 16]]),
        words: WORDS,
        walkers: 700,
    }
}

/// The fill, word after word as the definition has it.
static FILL: LazyLock<Vec<Word>> = LazyLock::new(|| {
    let (seed, layout) = (fill_seed(&task()), Layout::new(WORDS).unwrap());
    let mut words: Vec<Word> = vec![];
    for index in 0..WORDS {
        let (lane, step) = layout.place(index);
        let previous = index.checked_sub(layout.lanes().into()).map_or([0; 32], |before| words[before as usize]);
        let finished = layout.finished(step);
        let references = addresses(&previous, finished).map(|at| match finished {
            0 => [0; 32],
            _ => words[at as usize],
        });
        words.push(word(&seed, lane, step, &previous, &references));
    }
    words
});

fn walked(walker: u32) -> Word {
    let Ok(end) = walk(walk_start(&hex(WALK_SEED), walker), WORDS, |at| Ok::<_, Infallible>(FILL[at as usize]));
    end
}

#[test]
fn the_seed_of_a_fill_follows_from_all_of_its_task_but_the_walkers() {
    assert_eq!(fill_seed(&task()), hex(FILL_SEED));
    let others = [
        MemoryTask { deployment_id: [0; 32], ..task() },
        MemoryTask { node: [0; 32], ..task() },
        MemoryTask { gpu_index: 2, ..task() },
        MemoryTask { epoch: 5, ..task() },
        MemoryTask { beacon: [0; 32], ..task() },
        MemoryTask { nonce: [0; 32], ..task() },
        MemoryTask { words: 1 << 14, ..task() },
    ];
    assert!(others.iter().all(|other| fill_seed(other) != hex(FILL_SEED)));
    assert_eq!(fill_seed(&MemoryTask { walkers: 1, ..task() }), hex(FILL_SEED));
}

#[test]
fn words_and_the_root_over_them() {
    let layout = Layout::new(WORDS).unwrap();
    assert_eq!((layout.lanes(), layout.steps()), (16, 1280));
    for (lane, step, expected) in SOME_WORDS {
        let index = step * layout.lanes() + lane;
        assert_eq!(layout.place(index.into()), (lane, step));
        assert_eq!(FILL[index as usize], hex(expected), "({lane}, {step})");
    }
    assert_eq!(addresses(&FILL[0], WORDS), ADDRESSES);
    assert_eq!(Tree::new(FILL.iter().map(word_leaf).collect()).root(), hex(FILL_ROOT));
}

#[test]
fn walks_and_the_root_over_them() {
    assert_eq!(walk_seed(&hex(FILL_ROOT), &nonce(&[[9; 16], [10; 16]])), hex(WALK_SEED));
    for (walker, end) in ENDS {
        assert_eq!(walked(walker), hex(end), "walker {walker}");
    }
    let commit = WalkCommit::from_bytes(&hex::<WALK_COMMIT_LEN>(WALK_COMMIT)).unwrap();
    let ends = (0..700).map(|walker| word_leaf(&walked(walker))).collect();
    assert_eq!(Tree::new(ends).root(), commit.root);
    assert_eq!(commit.memory_id, MemoryCommit { task: task(), fill_root: hex(FILL_ROOT) }.id());
    assert_eq!(commit.nonce, nonce(&[[9; 16], [10; 16]]));
}

#[test]
fn queries_follow_from_the_walks_and_the_next_beacon() {
    let id = WalkCommit::from_bytes(&hex::<WALK_COMMIT_LEN>(WALK_COMMIT)).unwrap().id();
    for (i, walker) in WALKER_QUERIES {
        assert_eq!(walker_query(&id, &[8; 32], i, 700), walker);
    }
    for (i, index) in WORD_QUERIES {
        assert_eq!(word_query(&id, &[8; 32], i, WORDS), index);
    }
}

#[test]
fn commits_have_one_encoding() {
    let bytes: [u8; MEMORY_COMMIT_LEN] = hex(MEMORY_COMMIT);
    let commit = MemoryCommit { task: task(), fill_root: hex(FILL_ROOT) };
    assert_eq!(commit.to_bytes(), bytes);
    assert_eq!(MemoryCommit::from_bytes(&bytes), Ok(commit));
    let walk: [u8; WALK_COMMIT_LEN] = hex(WALK_COMMIT);
    assert_eq!(WalkCommit::from_bytes(&walk).unwrap().to_bytes(), walk);
}

#[test]
fn what_is_no_commit_is_refused() {
    let bytes: [u8; MEMORY_COMMIT_LEN] = hex(MEMORY_COMMIT);
    let length = |expected, got| MemoryError::Length { expected, got };
    for len in [0, 7, MEMORY_COMMIT_LEN - 1] {
        assert_eq!(MemoryCommit::from_bytes(&bytes[..len]), Err(length(MEMORY_COMMIT_LEN, len)));
    }
    assert_eq!(
        MemoryCommit::from_bytes(&[&bytes[..], &[0]].concat()),
        Err(length(MEMORY_COMMIT_LEN, MEMORY_COMMIT_LEN + 1))
    );
    assert_eq!(WalkCommit::from_bytes(&bytes), Err(length(WALK_COMMIT_LEN, MEMORY_COMMIT_LEN)));
    assert_eq!(WalkCommit::from_bytes(&bytes[..WALK_COMMIT_LEN]), Err(MemoryError::Tag));
    let encoded = |words, walkers| {
        let task = MemoryTask { words, walkers, ..task() };
        MemoryCommit::from_bytes(&MemoryCommit { task, fill_root: [0; 24] }.to_bytes()).map(|_| ())
    };
    assert_eq!(encoded(WORDS, 1 << 31), Ok(()));
    assert_eq!(encoded(WORDS, 0), Err(MemoryError::Walkers(0)));
    assert_eq!(encoded(WORDS, (1 << 31) + 1), Err(MemoryError::Walkers((1 << 31) + 1)));
    for words in [0, 1, (1 << 14) - 1, (1 << 14) + 1, (1 << 35) + (1 << 23), u64::MAX] {
        assert_eq!(encoded(words, 1), Err(MemoryError::Words(words)));
    }
}
