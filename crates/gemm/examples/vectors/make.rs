//! What `docs/proof-vectors.json` holds. `docs/proof-of-gpu.md` says what each part means.

use millrace_core::{
    hash::sha256,
    merkle::leaf_node,
    proof::{
        cell, check_entry, check_link, entry_proof_len, leaf_index,
        matrix::{self, Operand, BLOCK_LEN},
        nonce, Commit, EntryProof, LinkProof, ProofError, Query, Task, Verdict, CELLS_PER_LEAF, MAX_N, MAX_ROUNDS,
    },
};
use millrace_gemm::{
    cheats::{prove_with_seeds, Tamper},
    false_link, prove, queries, verify_bundle, wrong_entries, Bundle, Cpu, OpenedEntry, ProveOptions, ProvenRun,
    Refusal, RoundClaim,
};
use serde::Serialize;
use std::{ops::ControlFlow, sync::Arc};

#[path = "../../../core/tests/common/mod.rs"]
mod sparse;

/// The file.
pub const PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/proof-vectors.json");

/// Beacon that the queries of every run come from.
const NEXT_BEACON: [u8; 32] = [8; 32];
/// Rows that the lazy run leaves at zero.
const ZERO_ROWS: u32 = 16;
/// Seed that the run with a false one takes, and in which round.
const FALSE_SEED: (u32, [u8; 32]) = (1, [0xaa; 32]);
/// Query whose answer is altered.
const ALTERED: usize = 40;

/// The file's text.
pub fn vectors() -> String {
    let runs = vec![
        honest("one round", task(256, 1)),
        honest("three rounds: the super-tree is padded", task(256, 3)),
        honest("a larger n", Task { gpu_index: 0x0102_0304, epoch: 0x0102_0304_0506_0708, ..task(512, 2) }),
        honest("a still larger n", Task { beacon: [0xff; 32], ..task(1_024, 1) }),
        lazy(),
        false_seed(),
    ];
    let file = File {
        about: "Made by `cargo run -p millrace-gemm --example vectors`, explained in proof-of-gpu.md. Do not edit.",
        runs,
        proofs: proofs(),
        commits: commits(),
    };
    serde_json::to_string_pretty(&file).expect("text and numbers serialize") + "\n"
}

#[derive(Serialize)]
struct File {
    about: &'static str,
    runs: Vec<Run>,
    proofs: Vec<Proof>,
    commits: Vec<Encoding>,
}

#[derive(Serialize)]
struct Run {
    name: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lie: Option<Lie>,
    task: TaskFields,
    rounds: Vec<Round>,
    super_root: String,
    commit: String,
    commit_id: String,
    next_beacon: String,
    queries: Vec<String>,
    queries_sha256: String,
    bundle_len: usize,
    bundle_sha256: String,
    opened: Vec<Opened>,
    verdicts: Vec<Judged>,
}

/// How a run departs from the rules.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Lie {
    ZeroRowsBelow(u32),
    Seed { round: u32, seed: String },
}

#[derive(Serialize)]
struct TaskFields {
    deployment_id: String,
    node: String,
    gpu_index: u32,
    epoch: String,
    beacon: String,
    shares: Vec<String>,
    nonce: String,
    n: u32,
    rounds: u32,
}

#[derive(Serialize)]
struct Round {
    seed: String,
    root: String,
    a: Line,
    b: Line,
    entries: Vec<(u32, u32, i32)>,
    leaves: Vec<LeafContent>,
}

/// The first bytes of a row of A or a column of B: each is the element plus 128.
#[derive(Serialize)]
struct Line {
    index: u32,
    first_bytes: String,
}

#[derive(Serialize)]
struct LeafContent {
    index: u64,
    content: String,
    node: String,
}

#[derive(Serialize)]
struct Opened {
    index: usize,
    bytes: String,
}

/// What a verifier says of the commit and its bundle once both are altered.
#[derive(Serialize)]
struct Judged {
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_beacon: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commit: Vec<Splice>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    bundle: Vec<Splice>,
    verdict: &'static str,
    /// The round or the query that the refusal names.
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<usize>,
    /// The wrong entries, as queries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    wrong: Vec<String>,
}

/// `remove` bytes at `at` give way to `insert`.
#[derive(Serialize)]
struct Splice {
    at: usize,
    remove: usize,
    insert: String,
}

/// What a check says of an encoded proof.
#[derive(Serialize)]
struct Proof {
    name: String,
    kind: &'static str,
    commit: String,
    proof: String,
    verdict: &'static str,
}

/// What reading a commit says.
#[derive(Serialize)]
struct Encoding {
    name: &'static str,
    bytes: String,
    verdict: &'static str,
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

const SHARES: [[u8; 16]; 2] = [[6; 16], [7; 16]];

fn task(n: u32, rounds: u32) -> Task {
    let [deployment_id, node, beacon] = [1, 2, 5].map(|byte| [byte; 32]);
    Task { deployment_id, node, gpu_index: 3, epoch: 4, beacon, nonce: nonce(&SHARES), n, rounds }
}

fn cpu() -> Cpu {
    Cpu::new(0).expect("threads can be started")
}

fn honest_run(task: &Task) -> ProvenRun {
    prove(task, Arc::new(cpu()), ProveOptions::default(), &|_| ControlFlow::Continue(())).expect("the size is allowed")
}

fn honest(name: &'static str, task: Task) -> Run {
    let run = honest_run(&task);
    let mut verdicts = vec![Case::new("none").judge(&run)];
    if task.n == 256 {
        verdicts.extend(altered(&run).into_iter().map(|case| case.judge(&run)));
    }
    describe(name, None, &run, verdicts)
}

fn lazy() -> Run {
    let lazy = Tamper::new(cpu(), |_, row, _, value| if row < ZERO_ROWS { 0 } else { value });
    let run = prove(&task(256, 2), Arc::new(lazy), ProveOptions::default(), &|_| ControlFlow::Continue(()));
    let run = run.expect("the size is allowed");
    let verdicts = vec![Case::new("none").judge(&run)];
    describe("rows left at zero", Some(Lie::ZeroRowsBelow(ZERO_ROWS)), &run, verdicts)
}

fn false_seed_run() -> ProvenRun {
    let seeds = |round, follows| if round == FALSE_SEED.0 { FALSE_SEED.1 } else { follows };
    prove_with_seeds(&task(256, 2), Arc::new(cpu()), seeds).expect("the size is allowed")
}

fn false_seed() -> Run {
    let run = false_seed_run();
    let lie = Lie::Seed { round: FALSE_SEED.0, seed: hex(&FALSE_SEED.1) };
    let verdicts = vec![Case::new("none").judge(&run)];
    describe("a seed that does not follow", Some(lie), &run, verdicts)
}

fn describe(name: &'static str, lie: Option<Lie>, run: &ProvenRun, verdicts: Vec<Judged>) -> Run {
    let commit = run.commit();
    let asked = queries(commit, &NEXT_BEACON);
    let bundle = run.answer(&asked);
    let bytes = bundle.to_bytes();
    let opened = if commit.n == 256 { [0, 511].as_slice() } else { &[] };
    Run {
        name,
        lie,
        task: task_fields(&commit.task()),
        rounds: run.rounds().zip(0..).map(|(claim, index)| round(run, claim, index)).collect(),
        super_root: hex(&commit.super_root),
        commit: hex(&commit.to_bytes()),
        commit_id: hex(&commit.id()),
        next_beacon: hex(&NEXT_BEACON),
        queries: asked[..4].iter().map(query_bytes).map(|bytes| hex(&bytes)).collect(),
        queries_sha256: hex(&sha256(&[asked.iter().map(query_bytes).collect::<Vec<_>>().as_flattened()])),
        bundle_len: bytes.len(),
        bundle_sha256: hex(&sha256(&[&bytes])),
        opened: opened
            .iter()
            .map(|index| Opened { index: *index, bytes: hex(entry_of(commit, &bytes, *index)) })
            .collect(),
        verdicts,
    }
}

fn task_fields(task: &Task) -> TaskFields {
    TaskFields {
        deployment_id: hex(&task.deployment_id),
        node: hex(&task.node),
        gpu_index: task.gpu_index,
        // A string: larger than what JSON's readers keep exactly.
        epoch: task.epoch.to_string(),
        beacon: hex(&task.beacon),
        shares: SHARES.iter().map(|share| hex(share)).collect(),
        nonce: hex(&task.nonce),
        n: task.n,
        rounds: task.rounds,
    }
}

fn round(run: &ProvenRun, claim: &RoundClaim, index: u32) -> Round {
    let n = run.commit().n;
    let line = |operand, index| {
        let bytes = [0, 1].map(|block| matrix::block(&claim.seed, operand, index, block));
        Line { index, first_bytes: hex(bytes.as_flattened()) }
    };
    let corners = [(0, 0), (0, n - 1), (n - 1, 0), (n - 1, n - 1), (n / 2, n / 2 + 5)];
    let opened = run.answer(&corners.map(|(row, col)| Query { round: index, row, col })).entries;
    let leaves = opened.iter().map(|OpenedEntry { query, leaf, .. }| LeafContent {
        index: leaf_index(n, query.row, query.col),
        content: hex(leaf),
        node: hex(&leaf_node(&[leaf])),
    });
    // As committed, which in a run that lies is not what the seed gives.
    let entries = opened.iter().map(|OpenedEntry { query, leaf, .. }| {
        let value = (cell(leaf, query.col) << 8) as i32 >> 8;
        (query.row, query.col, value)
    });
    Round {
        seed: hex(&claim.seed),
        root: hex(&claim.root),
        a: line(Operand::A, n - 1),
        b: line(Operand::B, n / 2),
        entries: entries.collect(),
        leaves: leaves.collect(),
    }
}

/// A query as a bundle has it.
fn query_bytes(query: &Query) -> [u8; 5] {
    let ([row, row_high, ..], [col, col_high, ..]) = (query.row.to_le_bytes(), query.col.to_le_bytes());
    [query.round as u8, row, row_high, col, col_high]
}

/// Where entry `index` lies in an encoded bundle, and its bytes.
fn entry_at(commit: &Commit, bundle_len: usize, index: usize) -> std::ops::Range<usize> {
    let head = 8 + 56 * commit.rounds as usize;
    let len = (bundle_len - head) / 512;
    head + index * len..head + (index + 1) * len
}

fn entry_of<'a>(commit: &Commit, bundle: &'a [u8], index: usize) -> &'a [u8] {
    &bundle[entry_at(commit, bundle.len(), index)]
}

/// A commit and its bundle, altered.
struct Case {
    change: &'static str,
    next_beacon: [u8; 32],
    commit: Vec<Splice>,
    bundle: Vec<Splice>,
}

fn splice(bytes: &mut Vec<u8>, splices: &[Splice]) {
    for Splice { at, remove, insert } in splices {
        let insert = insert.as_bytes().chunks(2).map(|digits| {
            let digits = std::str::from_utf8(digits).expect("hex is text");
            u8::from_str_radix(digits, 16).expect("it was made by hex")
        });
        bytes.splice(at..&(at + remove), insert);
    }
}

impl Case {
    fn new(change: &'static str) -> Self {
        Self { change, next_beacon: NEXT_BEACON, commit: vec![], bundle: vec![] }
    }

    fn commit(mut self, at: usize, remove: usize, insert: &[u8]) -> Self {
        self.commit.push(Splice { at, remove, insert: hex(insert) });
        self
    }

    fn bundle(mut self, at: usize, remove: usize, insert: &[u8]) -> Self {
        self.bundle.push(Splice { at, remove, insert: hex(insert) });
        self
    }

    /// What the verifier says of it.
    fn judge(self, run: &ProvenRun) -> Judged {
        let mut commit = run.commit().to_bytes().to_vec();
        splice(&mut commit, &self.commit);
        let mut bundle = run.answer(&queries(run.commit(), &NEXT_BEACON)).to_bytes();
        splice(&mut bundle, &self.bundle);
        let verdict = Commit::from_bytes(&commit)
            .map_err(Refusal::Commit)
            .and_then(|commit| verify_bundle(&commit, &self.next_beacon, &Bundle::from_bytes(&commit, &bundle)?));
        let (verdict, at, wrong) = match verdict {
            Ok(_) => ("accepted", None, vec![]),
            Err(Refusal::Commit(error)) => (error_name(&error), None, vec![]),
            Err(Refusal::Length { .. }) => ("length", None, vec![]),
            Err(Refusal::Tag) => ("tag", None, vec![]),
            Err(Refusal::SuperRoot) => ("super_root", None, vec![]),
            Err(Refusal::FalseSeed { round }) => ("false_seed", Some(round as usize), vec![]),
            Err(Refusal::OtherEntry { index, .. }) => ("other_entry", Some(index), vec![]),
            Err(Refusal::Unjudged { index, error }) => (error_name(&error), Some(index), vec![]),
            Err(Refusal::WrongEntries(wrong)) => ("wrong_entries", None, wrong),
            Err(Refusal::Rounds { .. } | Refusal::Entries { .. }) => {
                unreachable!("a bundle of that length has them all")
            }
        };
        Judged {
            change: self.change,
            next_beacon: (self.next_beacon != NEXT_BEACON).then(|| hex(&self.next_beacon)),
            commit: self.commit,
            bundle: self.bundle,
            verdict,
            at,
            wrong: wrong.iter().map(|query| hex(&query_bytes(query))).collect(),
        }
    }
}

fn error_name(error: &ProofError) -> &'static str {
    match error {
        ProofError::Length { .. } => "length",
        ProofError::Tag => "tag",
        ProofError::Size(_) => "size",
        ProofError::Rounds(_) => "rounds",
        ProofError::Round { .. } => "round",
        ProofError::Index { .. } => "index",
        ProofError::PathLength { .. } => unreachable!("an encoding of that length has whole paths"),
        ProofError::LinkKind(_) => "link_kind",
        ProofError::NotCommitted => "not_committed",
    }
}

/// What may not pass, each with one fault.
fn altered(run: &ProvenRun) -> Vec<Case> {
    let commit = run.commit();
    let bytes = run.answer(&queries(commit, &NEXT_BEACON)).to_bytes();
    let entry = |index| entry_at(commit, bytes.len(), index);
    let content = |index| entry_of(commit, &bytes, index);
    let (len, at, entry_len) = (bytes.len(), entry(ALTERED).start, entry(0).len());
    let case = Case::new;
    let flip = |change, at: usize| case(change).bundle(at, 1, &[bytes[at] ^ 1]);
    let mut cases = vec![
        case("the beacon of another epoch"),
        case("n = 0").commit(148, 4, &0u32.to_le_bytes()),
        case("n = 300, no power of two").commit(148, 4, &300u32.to_le_bytes()),
        case("n = 128, below the least").commit(148, 4, &128u32.to_le_bytes()),
        case("n = 131,072, above the limit").commit(148, 4, &131_072u32.to_le_bytes()),
        case("n = 512, of another length").commit(148, 4, &512u32.to_le_bytes()),
        case("no rounds").commit(152, 4, &0u32.to_le_bytes()),
        case("65 rounds").commit(152, 4, &65u32.to_le_bytes()),
        case("another tag of the commit").commit(7, 1, b"T"),
        case("a commit without its last byte").commit(179, 1, &[]),
        case("the commit of another deployment").commit(8, 1, &[0xff]),
        case("the commit of another node").commit(40, 1, &[0xff]),
        case("the commit of another GPU").commit(72, 1, &[0xff]),
        case("the commit of another epoch").commit(76, 1, &[0xff]),
        case("the commit of another beacon").commit(84, 1, &[0x00]),
        case("the commit of another nonce").commit(116, 1, &[0xff]),
        case("an empty bundle").bundle(0, len, &[]),
        case("truncated by a byte").bundle(len - 1, 1, &[]),
        case("longer by a byte").bundle(len, 0, &[0]),
        case("an entry missing").bundle(entry(ALTERED).start, entry_len, &[]),
        case("an entry too many").bundle(len, 0, content(511)),
        case("a path longer by a node").bundle(entry(ALTERED).end, 0, &[0; 24]),
        case("a path shorter by a node").bundle(entry(ALTERED).end - 24, 24, &[]),
        flip("another tag", 0),
        flip("another seed", 8),
        flip("another root", 40),
        case("an entry in place of the one before").bundle(entry(6).start, entry_len, content(7)),
        case("two entries exchanged").bundle(entry(3).start, entry_len, content(500)).bundle(
            entry(500).start,
            entry_len,
            content(3),
        ),
        case("round 200").bundle(at, 1, &[200]),
        case("row 65,535").bundle(at + 1, 2, &[0xff; 2]),
        flip("the next column", at + 3),
        flip("another leaf", at + 5 + 47),
        flip("another path", entry(ALTERED).end - 1),
    ];
    cases[0].next_beacon = [9; 32];
    if commit.rounds > 1 {
        cases.push(case("two rounds exchanged").bundle(8, 112, &[&bytes[64..120], &bytes[8..64]].concat()));
    }
    cases
}

fn proofs() -> Vec<Proof> {
    let mut proofs = vec![];
    // Of a lazy run, what a watcher would send to the chain; of an honest one, what proves nothing.
    let lazy = Tamper::new(cpu(), |_, row, _, value| if row < ZERO_ROWS { 0 } else { value });
    let run = prove(&task(256, 2), Arc::new(lazy), ProveOptions::default(), &|_| ControlFlow::Continue(()));
    let run = run.expect("the size is allowed");
    let bundle = run.answer(&queries(run.commit(), &NEXT_BEACON));
    for entry in wrong_entries(run.commit(), &bundle) {
        proofs.push(judged("an entry of a row left at zero", run.commit(), Kind::Entry(entry.proof)));
    }
    let run = false_seed_run();
    let bundle = run.answer(&[]);
    let link = false_link(run.commit(), &bundle).expect("its second seed is false");
    proofs.push(judged("a seed that does not follow", run.commit(), Kind::Link(link.clone())));
    for (name, at, insert) in [("a link of kind 2", 0, 2), ("a link from the last round", 1, 1), ("another seed", 2, 0)]
    {
        let mut altered = link.clone();
        altered[at] = insert;
        proofs.push(judged(name, run.commit(), Kind::Link(altered)));
    }
    proofs.push(judged("a link without its last byte", run.commit(), Kind::Link(link[..link.len() - 1].to_vec())));
    proofs.push(judged("an empty link", run.commit(), Kind::Link(vec![])));

    // Entries of made-up commits of every size: all nodes of their trees but those above the entry are made up.
    const SEED: [u8; 32] = [9; 32];
    let last = MAX_N - 1;
    for (n, rounds, round, row, col) in [
        (256, 1, 0, 0, 0),
        (512, 3, 2, 511, 0),
        (4_096, 8, 5, 0, 4_095),
        (16_384, 8, 7, 16_383, 16_383),
        (MAX_N, MAX_ROUNDS, 0, 0, 0),
        (MAX_N, MAX_ROUNDS, 31, MAX_N / 2, MAX_N / 2 + 5),
        (MAX_N, MAX_ROUNDS, 63, last, last),
    ] {
        let right = matrix::entry(&SEED, n, row, col);
        for (what, committed) in [("right", right), ("right modulo 2^24", right ^ 1 << 24), ("wrong by one", right ^ 1)]
        {
            let opened = sparse::Opened::new(n, rounds, SEED, Query { round, row, col }, committed);
            let name = format!("n = {n}, {rounds} rounds: ({round}, {row}, {col}) is {what}, {right} is right");
            // One of the sizes is enough for the value that differs above 2^24.
            if what != "right modulo 2^24" || n == 4_096 {
                proofs.push(judged(&name, &opened.commit, Kind::Entry(opened.proof().to_bytes())));
            }
        }
    }
    let opened = sparse::Opened::new(256, 3, SEED, Query { round: 2, row: 255, col: 255 }, 0);
    let proof = opened.proof();
    let bytes = proof.to_bytes();
    assert_eq!(bytes.len(), entry_proof_len(256, 3));
    for (name, bytes) in [
        ("a round beyond the commit's", EntryProof { round: 3, ..proof }.to_bytes()),
        ("a row outside the matrix", EntryProof { row: 256, ..proof }.to_bytes()),
        ("a column outside the matrix", EntryProof { col: 65_535, ..proof }.to_bytes()),
        ("the neighbour of the entry's leaf", EntryProof { col: 239, ..proof }.to_bytes()),
        ("another leaf", EntryProof { leaf: &[1; 3 * CELLS_PER_LEAF], ..proof }.to_bytes()),
        ("another seed", EntryProof { seed: &[1; BLOCK_LEN], ..proof }.to_bytes()),
        ("a path shorter by a node", EntryProof { path: &proof.path[1..], ..proof }.to_bytes()),
        ("a path longer by a node", EntryProof { super_path: &[[0; 24]; 3], ..proof }.to_bytes()),
    ] {
        proofs.push(judged(name, &opened.commit, Kind::Entry(bytes)));
    }
    proofs
}

enum Kind {
    Entry(Vec<u8>),
    Link(Vec<u8>),
}

fn judged(name: &str, commit: &Commit, proof: Kind) -> Proof {
    let (kind, verdict, bytes) = match proof {
        Kind::Entry(bytes) => {
            ("entry", EntryProof::from_bytes(commit, &bytes).and_then(|proof| check_entry(commit, &proof)), bytes)
        }
        Kind::Link(bytes) => {
            ("link", LinkProof::from_bytes(commit, &bytes).and_then(|proof| check_link(commit, &proof)), bytes)
        }
    };
    let verdict = match verdict {
        Ok(Verdict::Correct) => "correct",
        Ok(Verdict::Wrong) => "wrong",
        Err(error) => error_name(&error),
    };
    Proof { name: name.to_owned(), kind, commit: hex(&commit.to_bytes()), proof: hex(&bytes), verdict }
}

fn commits() -> Vec<Encoding> {
    let largest =
        Task { gpu_index: u32::MAX, epoch: u64::MAX, n: MAX_N, rounds: MAX_ROUNDS, ..task(MAX_N, MAX_ROUNDS) };
    let bytes = largest.commit([0xff; 24]).to_bytes().to_vec();
    let with = |at: usize, value: u32| {
        let mut bytes = bytes.clone();
        bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
        bytes
    };
    let mut untagged = bytes.clone();
    untagged[..8].copy_from_slice(b"MRbundle");
    let cases = [
        ("the largest numbers", bytes.clone()),
        ("n = 0", with(148, 0)),
        ("n = 257", with(148, 257)),
        ("n = 4,294,967,295", with(148, u32::MAX)),
        ("n = 2,147,483,648", with(148, 1 << 31)),
        ("0 rounds", with(152, 0)),
        ("4,294,967,295 rounds", with(152, u32::MAX)),
        ("the tag of a bundle", untagged),
        ("a byte short", bytes[..179].to_vec()),
        ("a byte long", [&bytes[..], &[0]].concat()),
        ("nothing", vec![]),
    ];
    let judge = |(name, bytes): (&'static str, Vec<u8>)| Encoding {
        name,
        verdict: Commit::from_bytes(&bytes).map_or_else(|error| error_name(&error), |_| "read"),
        bytes: hex(&bytes),
    };
    cases.into_iter().map(judge).collect()
}
