//! What the bytes of every account mean, frozen: a deployed program reads the accounts it finds.
//!
//! `docs/layouts.json` holds, for every kind of account, its first eight bytes, its size and the place of each field;
//! and the encodings of the leaves that oracles sign and of the commit that operators sign. A change of any of them is
//! a change of the protocol: it takes a new version byte and a migration (ADR 25). `UPDATE_LAYOUTS=1 cargo nextest run
//! -p millrace-tests layout` writes the file anew while there is no deployment to break.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anchor_lang::Discriminator;
use millrace::constants::ACCOUNT_VERSION;
use millrace::state::*;
use millrace_core::leaves::{LeaseLeaf, LeaseStatus, NodeLeaf, OracleLeaf, Verdict};
use millrace_core::proof::{Commit, COMMIT_LEN};
use serde_json::{json, Value};

/// Kinds of accounts of the program, from the program's own source: a new one is frozen as well.
const STATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../programs/millrace/src/state");
/// Bytes every account keeps for later.
const RESERVED: usize = 64;

/// A field as the source declares it.
#[derive(Debug)]
struct Field {
    name: String,
    kind: String,
}

/// The text of each struct under an attribute that makes it part of an account's bytes.
fn structs(attribute: &str) -> BTreeMap<String, Vec<Field>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![PathBuf::from(STATE)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the program's state is there") {
            let path = entry.expect("a folder lists").path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).expect("a source is text");
            for after in source.split(&format!("\n#[{attribute}]\n")).skip(1) {
                let (_, declared) = after.split_once("pub struct ").expect("the attribute stands before a struct");
                let (name, rest) = declared.split_once(" {\n").expect("a struct has a name and fields");
                let body = rest.split("\n}").next().expect("a struct ends");
                found.insert(name.to_owned(), fields(body));
            }
        }
    }
    found
}

fn fields(body: &str) -> Vec<Field> {
    let declared = body.lines().map(str::trim).filter_map(|line| line.strip_prefix("pub "));
    declared
        .map(|line| {
            let (name, kind) = line.trim_end_matches(',').split_once(": ").expect("a field has a type");
            Field { name: name.to_owned(), kind: kind.to_owned() }
        })
        .collect()
}

/// What the compiler says of each kind of account: its first bytes, its size, and where three fields lie.
macro_rules! accounts {
    ($($kind:ident $reserved:ident)*) => {
        fn compiled() -> BTreeMap<&'static str, (&'static [u8], usize, usize, usize)> {
            BTreeMap::from([$((
                stringify!($kind),
                (
                    $kind::DISCRIMINATOR,
                    std::mem::size_of::<$kind>(),
                    std::mem::offset_of!($kind, version),
                    std::mem::offset_of!($kind, $reserved),
                ),
            )),*])
        }
    };
}

accounts! {
    Beacons reserved
    Claim reserved
    Config reserved
    Customer reserved_bytes
    Dispute reserved
    FraudCase reserved
    Job reserved
    Lease reserved
    Node reserved
    Oracle reserved
    OracleSet reserved
    Proposal reserved
    Provider reserved
    Reports reserved
    SlashCase reserved
    Vote reserved
    VoterLock reserved
}

/// Bytes of a type as the source writes it.
fn bytes(kind: &str, parts: &BTreeMap<String, Vec<Field>>) -> usize {
    if let Some((of, count)) = kind.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')?.rsplit_once("; ")) {
        return bytes(of, parts) * count_of(count);
    }
    match kind {
        "u8" => 1,
        "u16" => 2,
        "u32" | "i32" => 4,
        "u64" | "i64" => 8,
        "Pubkey" => 32,
        _ => {
            let fields = parts.get(kind).unwrap_or_else(|| panic!("{kind} may not be in an account"));
            fields.iter().map(|field| bytes(&field.kind, parts)).sum()
        }
    }
}

/// A length as the source writes it.
fn count_of(count: &str) -> usize {
    match count {
        "MAX_UNBONDING" => millrace::constants::MAX_UNBONDING,
        "ENDPOINT_LEN" => millrace::constants::ENDPOINT_LEN,
        "MAX_SEATS" => millrace::constants::MAX_SEATS,
        "REPORT_RING" => millrace::constants::REPORT_RING,
        "BEACON_RING" => millrace::constants::BEACON_RING,
        "MAX_PAYLOAD" => MAX_PAYLOAD,
        "COMMIT_SPACE" => fraud_case::COMMIT_SPACE,
        "ENTRIES_FOR_FRAUD" => fraud_case::ENTRIES_FOR_FRAUD,
        number => number.parse().unwrap_or_else(|_| panic!("the test does not know how long {number} is")),
    }
}

/// Each field with its place: the accounts have no padding the compiler chose, so each begins where the last ends.
fn places(fields: &[Field], from: usize, parts: &BTreeMap<String, Vec<Field>>) -> Vec<Value> {
    let mut at = from;
    let place = |field: &Field| {
        let begins_at = at;
        at += bytes(&field.kind, parts);
        json!([begins_at, field.name, field.kind])
    };
    fields.iter().map(place).collect()
}

/// An encoding with a different byte in every field: places and byte order show.
fn encodings() -> Value {
    let lease = LeaseLeaf {
        lease: [1; 32],
        live_secs: 0x0202_0202_0202_0203,
        checkpointed_secs: 0x0404_0404_0404_0405,
        lost_secs: 0x0606_0606_0606_0607,
        status: LeaseStatus::Completed,
        exit_code: 0x0808_0809,
        checkpoint_root: [10; 32],
        result_root: [11; 32],
        at: 0x0c0c_0c0c_0c0c_0c0d,
    };
    let node = NodeLeaf {
        node: [1; 32],
        audit_epoch: 0x0202_0202_0202_0203,
        super_root: [4; 24],
        verdict: Verdict::Passed,
        gops: 0x0505_0505_0505_0506,
        vram_mib: 0x0707_0708,
        bandwidth_mbps: 0x0909_090a,
        at: 0x0b0b_0b0b_0b0b_0b0c,
    };
    let oracle = OracleLeaf { oracle: [1; 32], signed: 0x0203, opened: 0x0405, at: 0x0607 };
    let commit = Commit {
        deployment_id: [1; 32],
        node: [2; 32],
        gpu_index: 0x0303_0304,
        epoch: 0x0505_0505_0505_0506,
        beacon: [7; 32],
        nonce: [8; 32],
        n: 0x0909_090a,
        rounds: 0x0b0b_0b0c,
        super_root: [13; 24],
    };
    json!({
        "LeaseLeaf": { "encoding": hex(&lease.to_bytes()), "tree_node": hex(&lease.tree_node()) },
        "NodeLeaf": { "encoding": hex(&node.to_bytes()), "tree_node": hex(&node.tree_node()) },
        "OracleLeaf": { "encoding": hex(&oracle.to_bytes()), "tree_node": hex(&oracle.tree_node()) },
        "Commit": { "encoding": hex(&commit.to_bytes()), "bytes": COMMIT_LEN, "id": hex(&commit.id()) },
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// One field a line, one account a paragraph.
fn text(layouts: &Value) -> String {
    let pretty = serde_json::to_string_pretty(layouts).expect("a value serializes");
    // The three values of a field belong on one line.
    let mut text = String::new();
    let mut lines = pretty.lines().peekable();
    while let Some(line) = lines.next() {
        if line.trim() == "[" {
            let parts: Vec<&str> = lines.by_ref().map(str::trim).take_while(|part| !part.starts_with(']')).collect();
            let indent = &line[..line.len() - 1];
            let comma = if lines.peek().is_some_and(|next| next.trim() == "[") { "," } else { "" };
            text += &format!("{indent}[{}]{comma}\n", parts.join(" "));
        } else {
            text += &format!("{line}\n");
        }
    }
    text
}

#[test]
fn every_layout_is_as_it_was_frozen() {
    let accounts = structs("account(zero_copy)");
    let parts = structs("zero_copy");
    let compiled = compiled();
    let declared: Vec<&str> = accounts.keys().map(String::as_str).collect();
    assert_eq!(declared, compiled.keys().copied().collect::<Vec<_>>(), "every kind of account is frozen");

    let mut frozen = serde_json::Map::new();
    for (name, fields) in &accounts {
        let (discriminator, size, version_at, reserved_at) = compiled[name.as_str()];
        let sum: usize = fields.iter().map(|field| bytes(&field.kind, &parts)).sum();
        assert_eq!(sum, size, "{name} has padding that the compiler chose");
        assert_eq!((fields[0].name.as_str(), fields[0].kind.as_str(), version_at), ("version", "u8", 0), "{name}");
        let last = fields.last().expect("an account has fields");
        assert!(
            last.name.starts_with("reserved") && last.kind == format!("[u8; {RESERVED}]"),
            "{name} keeps no reserve"
        );
        assert_eq!(reserved_at + RESERVED, size, "{name}: the reserve comes last");
        let layout = json!({
            "first_bytes": hex(discriminator),
            "bytes": discriminator.len() + size,
            "fields": places(fields, discriminator.len(), &parts),
        });
        frozen.insert(name.clone(), layout);
    }
    let parts: serde_json::Map<String, Value> = parts
        .iter()
        .map(|(name, fields)| {
            (name.clone(), json!({ "bytes": bytes(name, &parts), "fields": places(fields, 0, &parts) }))
        })
        .collect();
    let found = text(&json!({
        "version": ACCOUNT_VERSION,
        "accounts": frozen,
        "parts": parts,
        "encodings": encodings(),
    }));

    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/layouts.json");
    if std::env::var_os("UPDATE_LAYOUTS").is_some() {
        std::fs::write(&file, &found).expect("docs/layouts.json can be written");
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == found,
        "a layout is not what docs/layouts.json says: accounts that exist would be misread (see ADR 25), \
         and before there are any, run with UPDATE_LAYOUTS=1"
    );
}
