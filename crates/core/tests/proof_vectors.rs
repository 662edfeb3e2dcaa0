//! Known answers, made by `vectors.py`, which shares nothing with this code. They pin every byte of the protocol.

use millrace_core::{
    merkle::TreeNode,
    proof::{
        cell,
        matrix::{self, Operand},
        next_seed, nonce, pack_leaf, query, seed_0, Commit, Query, Task,
    },
};

const NONCE: &str = "b18b4bc66814449ddc8ea0f6df39ac07a8a47530e789570c2dbc589ec657edce";
const SEEDS: [&str; 3] = [
    "a6889543fe80da847b9e6dc5bd757fa65f908dd099a7a83c5b712215ff28b552",
    "c205d0687e32c5d53f07b203a4f49af68822a26afff163ce7c8b617de35e2955",
    "44e5f9afe26a7a5b9b5764ada38543c4e2f8ca0da008a34892c413b62ff76855",
];
const ROOTS: [&str; 3] = [
    "8a0904f7d9524dc800bbbfa08b79db71f66b8c43a4474ffa",
    "d2034d68d5aff34260bf708d1a47b4f1505a3406ac76dd35",
    "d5ce867996576d0ef270c8a4879b1a5818d8c6ec65e7973a",
];
const BLOCK_A: &str = "dcf25bd20ff12b5d5e11dc7d3256466637ad6c33631a3260e882cfb1d37e5244";
const BLOCK_B: &str = "95c067d3dfc69b0f0a56db8b969b4d7f23be4619cf46c1e59a1a947a951b219e";
const ENTRIES: [(u32, u32, i32); 3] = [(0, 0, -79_713), (7, 255, -90_835), (255, 100, 33_009)];
const LEAF: &str = "d71dff1620ff70e7ff87a90199fcfea0b500ef6e0131d1006375fec96b00e1a4fe6aecfeb53d00cfffff582d022d9dfe";
const SUPER_ROOT: &str = "ea85ba37bb356354d458f7d087ba04c8e3d054b964d67a59";
const COMMIT: &str = "4d52636f6d6d6974\
    0101010101010101010101010101010101010101010101010101010101010101\
    0202020202020202020202020202020202020202020202020202020202020202\
    030000000400000000000000\
    0505050505050505050505050505050505050505050505050505050505050505\
    b18b4bc66814449ddc8ea0f6df39ac07a8a47530e789570c2dbc589ec657edce\
    0001000003000000\
    ea85ba37bb356354d458f7d087ba04c8e3d054b964d67a59";
const COMMIT_ID: &str = "30f608c84e5b14c6f704504dc4b540bdced79500ab272db86f3672e087680e10";
const QUERIES: [(u32, Query); 3] = [
    (0, Query { round: 1, row: 82, col: 241 }),
    (1, Query { round: 2, row: 126, col: 69 }),
    (511, Query { round: 2, row: 128, col: 156 }),
];

fn hex<const N: usize>(text: &str) -> [u8; N] {
    assert_eq!(text.len(), 2 * N);
    std::array::from_fn(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
}

fn task() -> Task {
    Task {
        deployment_id: [1; 32],
        node: [2; 32],
        gpu_index: 3,
        epoch: 4,
        beacon: [5; 32],
        nonce: nonce(&[[6; 16], [7; 16]]),
        n: 256,
        rounds: 3,
    }
}

#[test]
fn the_nonce_is_the_hash_of_the_shares_in_their_order() {
    assert_eq!(nonce(&[[6; 16], [7; 16]]), hex(NONCE));
    assert_ne!(nonce(&[[7; 16], [6; 16]]), hex(NONCE));
}

#[test]
fn seeds_follow_from_the_task_and_from_each_other() {
    assert_eq!(seed_0(&task()), hex(SEEDS[0]));
    for t in 0..2 {
        assert_eq!(next_seed(&hex(SEEDS[t]), &hex(ROOTS[t])), hex(SEEDS[t + 1]));
    }
}

#[test]
fn blocks_entries_and_leaves() {
    let seed = hex(SEEDS[0]);
    assert_eq!(matrix::block(&seed, Operand::A, 7, 2), hex(BLOCK_A));
    assert_eq!(matrix::block(&seed, Operand::B, 255, 7), hex(BLOCK_B));
    for (row, col, value) in ENTRIES {
        assert_eq!(matrix::entry(&seed, 256, row, col), value);
    }
    let leaf = pack_leaf(&std::array::from_fn(|i| matrix::entry(&seed, 256, 7, 240 + i as u32)));
    assert_eq!(leaf, hex(LEAF));
    assert_eq!(cell(&leaf, 255), -90_835i32 as u32 & 0x00ff_ffff);
}

#[test]
fn a_commit_has_one_encoding_and_one_id() {
    let commit = task().commit(hex(SUPER_ROOT));
    assert_eq!(commit.to_bytes(), hex(COMMIT));
    assert_eq!(Commit::from_bytes(&hex::<180>(COMMIT)), Ok(commit));
    assert_eq!(commit.id(), hex(COMMIT_ID));
}

#[test]
fn queries_follow_from_the_super_root_and_the_next_beacon() {
    let super_root: TreeNode = hex(SUPER_ROOT);
    for (i, expected) in QUERIES {
        assert_eq!(query(&super_root, &[8; 32], i, 256, 3), expected);
    }
}
