//! How large each instruction's transactions were: the limits LiteSVM does not enforce.

use std::collections::BTreeMap;

use millrace_core::hash::sha256;
use solana_transaction::Transaction;

/// Most bytes of a serialized transaction on a real network.
pub const MAX_TRANSACTION_BYTES: usize = 1_232;
/// Most accounts one may name.
pub const MAX_ACCOUNTS: usize = 64;

/// The program's source, from which the names of its instructions are read.
const PROGRAM: &str = include_str!("../../programs/millrace/src/lib.rs");

/// The largest an instruction was.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// Bytes of the largest transaction that carried it.
    pub bytes: usize,
    /// Accounts of the one that named most.
    pub accounts: usize,
    /// Compute units of the dearest accepted one; zero if there was none.
    pub cu: u64,
}

/// What was sent so far, by instruction.
#[derive(Clone, Debug, Default)]
pub struct Record {
    /// Extents by name.
    pub extents: BTreeMap<String, Extent>,
}

impl Record {
    /// Measures a transaction before it is sent.
    ///
    /// # Panics
    /// When no real network would carry it.
    pub fn measure(&mut self, transaction: &Transaction) {
        let bytes = transaction_bytes(transaction);
        let accounts = transaction.message.account_keys.len();
        assert!(bytes <= MAX_TRANSACTION_BYTES, "the transaction has {bytes} bytes, more than {MAX_TRANSACTION_BYTES}");
        assert!(accounts <= MAX_ACCOUNTS, "the transaction names {accounts} accounts, more than {MAX_ACCOUNTS}");
        for name in names_in(transaction) {
            let extent = self.extents.entry(name).or_default();
            extent.bytes = extent.bytes.max(bytes);
            extent.accounts = extent.accounts.max(accounts);
        }
    }

    /// Notes what each of the program's instructions in an accepted transaction consumed, by the runtime's logs.
    pub fn consumed(&mut self, transaction: &Transaction, logs: &[String]) {
        for (name, cu) in names_in(transaction).into_iter().zip(units_in(logs)) {
            let extent = self.extents.entry(name).or_default();
            extent.cu = extent.cu.max(cu);
        }
    }

    /// Takes over the extents of another world.
    pub fn merge(&mut self, other: &Self) {
        for (name, other) in &other.extents {
            let extent = self.extents.entry(name.clone()).or_default();
            extent.bytes = extent.bytes.max(other.bytes);
            extent.accounts = extent.accounts.max(other.accounts);
            extent.cu = extent.cu.max(other.cu);
        }
    }
}

/// Units that each top-level call of the program consumed, in order.
///
/// # Panics
/// When a line of the runtime's logs is cut.
pub fn units_in(logs: &[String]) -> Vec<u64> {
    let program = format!("Program {} ", millrace::ID);
    let mut depth = 0u32;
    let mut units = vec![];
    for line in logs.iter().filter_map(|line| line.strip_prefix(&program)) {
        if line.starts_with("invoke [") {
            depth += 1;
        } else if line == "success" {
            depth -= 1;
        } else if let (1, Some(rest)) = (depth, line.strip_prefix("consumed ")) {
            let consumed = rest.split(' ').next().and_then(|number| number.parse().ok());
            units.push(consumed.expect("the runtime logs what a program consumed"));
        }
    }
    units
}

/// Bytes of the transaction on the wire.
pub fn transaction_bytes(transaction: &Transaction) -> usize {
    // Fewer than 128 signatures: their count is one byte.
    1 + 64 * transaction.signatures.len() + transaction.message.serialize().len()
}

/// Names of the program's instructions, in its source's order.
pub fn instruction_names() -> Vec<&'static str> {
    let functions = PROGRAM.lines().filter_map(|line| line.trim().strip_prefix("pub fn "));
    functions.filter_map(|line| line.split_once('(')).map(|(name, _)| name).collect()
}

fn names_in(transaction: &Transaction) -> Vec<String> {
    let message = &transaction.message;
    let ours = message.instructions.iter().filter(|call| call.program_id(&message.account_keys) == &millrace::ID);
    ours.map(|call| name_of(&call.data)).collect()
}

/// Name of the instruction that `data` calls.
pub fn name_of(data: &[u8]) -> String {
    let is_called = |name: &&str| data.starts_with(&sha256(&[b"global:", name.as_bytes()])[..8]);
    instruction_names().into_iter().find(is_called).unwrap_or("unknown").to_owned()
}
