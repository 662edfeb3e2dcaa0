//! What an oracle sends to the chain, and what that costs.

use anyhow::Context;
use bytemuck::Zeroable;
use millrace::instructions::{ApplyOracleLeafArgs, SignReportArgs};
use millrace::state::Config;
use millrace_agreement::LeafSet;
use millrace_client::{ix, Instruction, Keypair, Pubkey, Signer, Transaction};
use millrace_core::leaves::ORACLE_LEAF_LEN;
use millrace_core::merkle::{depth, TREE_NODE_LEN};

use crate::market::EPOCH;

/// Fee of a signature, lamports: the network's, without what one may add to be served first.
pub const LAMPORTS_PER_SIGNATURE: u64 = 5_000;

/// Epochs of 600 s in a day.
pub const EPOCHS_A_DAY: u64 = 144;

/// Epochs of a reward period: of the parameters a network begins with.
const REWARD_PERIOD_EPOCHS: u64 = 32;

/// Compute units of each instruction, measured by the tests of the program.
const COMPUTE_UNITS: &str = include_str!("../../../docs/compute-units.json");

/// The transaction by which a seat signs a report, signed.
///
/// # Errors
/// When it cannot be signed.
pub fn sign_report(key: &Keypair, set: &LeafSet, next_observation_hash: [u8; 32]) -> anyhow::Result<Transaction> {
    let args = SignReportArgs { epoch: set.epoch(), root: set.root(), leaves: set.len(), next_observation_hash };
    let mut transaction = Transaction::new_with_payer(&[ix::sign_report(&key.pubkey(), args)], Some(&key.pubkey()));
    transaction.try_sign(&[key], Default::default()).context("it cannot be signed")?;
    Ok(transaction)
}

/// What one kind of transaction costs an oracle.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The instruction.
    pub name: &'static str,
    /// Signatures that are paid.
    pub signatures: u64,
    /// Compute units.
    pub units: u64,
    /// Of these a day.
    pub a_day: u64,
}

impl Cost {
    fn of(name: &'static str, instruction: &Instruction, payer: &Pubkey, a_day: u64) -> anyhow::Result<Self> {
        let transaction = Transaction::new_with_payer(std::slice::from_ref(instruction), Some(payer));
        let units: serde_json::Value = serde_json::from_str(COMPUTE_UNITS)?;
        let units = units[name].as_u64().with_context(|| format!("{name} is not in docs/compute-units.json"))?;
        Ok(Self { name, signatures: transaction.message.header.num_required_signatures.into(), units, a_day })
    }

    /// Fees of a day, lamports.
    pub fn lamports_a_day(&self) -> u64 {
        self.signatures.saturating_mul(LAMPORTS_PER_SIGNATURE).saturating_mul(self.a_day)
    }
}

/// What one oracle sends with a report of so many leaves: its signature each epoch, and at most the beacon of every epoch, which
/// the seats open and latch by turns. Reward and leaf are once a reward period.
///
/// # Errors
/// When an instruction is not in the table of compute units.
pub fn costs(leaves: u32) -> anyhow::Result<Vec<Cost>> {
    let payer = Pubkey::new_from_array([1; 32]);
    let args = SignReportArgs { epoch: EPOCH, root: [0; 24], leaves, next_observation_hash: [0; 32] };
    let periods = EPOCHS_A_DAY.div_ceil(REWARD_PERIOD_EPOCHS);
    let market = ix::Market::from(&Config::zeroed());
    let path = vec![0; TREE_NODE_LEN * depth(leaves.into()) as usize];
    let leaf = ApplyOracleLeafArgs { epoch: EPOCH, index: 0, leaf: [0; ORACLE_LEAF_LEN], path };
    Ok(vec![
        Cost::of("sign_report", &ix::sign_report(&payer, args), &payer, EPOCHS_A_DAY)?,
        Cost::of("open_beacon", &ix::open_beacon(EPOCH), &payer, EPOCHS_A_DAY)?,
        Cost::of("latch_beacon", &ix::latch_beacon(EPOCH), &payer, EPOCHS_A_DAY)?,
        Cost::of("apply_oracle_leaf", &ix::apply_oracle_leaf(&payer, &market, leaf), &payer, periods)?,
        Cost::of("claim_reward", &ix::claim_reward(&payer, &payer, &market), &payer, periods)?,
    ])
}
