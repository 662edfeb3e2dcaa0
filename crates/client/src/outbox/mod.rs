//! Sending so that a crash at any instant loses nothing and repeats nothing.
//!
//! A transaction is written down, with its signature and the last block height at which it may be used, before it
//! is sent for the first time. It is then sent again and again until a block took it or its expiry is proven: the
//! chain's block height passed that height and, asked afterwards, the chain does not know the signature. Only then
//! is it signed anew. A crash leaves a row whose end is not known; [`Outbox::reconcile`] finds it out, and so does
//! the next submission of the same thing.

mod budget;
mod journal;

use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use millrace::state::Config;
use millrace_journal::crash::{self, When};
use sha2::{Digest, Sha256};
use solana_instruction::error::InstructionError;
use tokio::sync::OnceCell;
use tokio::time::{sleep, Instant};
use tracing::{debug, warn};

use crate::error::MAX_TRANSACTION_LEN;
use crate::{
    fetch_agreed, pda, Chain, ChainError, Fate, Instruction, Keypair, Pubkey, Signature, Signer, SubmitError,
    Transaction, TransactionError,
};
use budget::Budget;

pub use journal::Settled;
use journal::{Deployment, Journal, Pending, Recorded};

/// How often one submission is signed before it gives up.
const MAX_SIGNINGS: u32 = 5;
/// Time between two looks at a transaction on its way.
const POLL: Duration = Duration::from_millis(100);
/// The same, once it takes long.
const SLOW_POLL: Duration = Duration::from_millis(500);
/// When it takes long.
const SLOW_AFTER: Duration = Duration::from_secs(3);
/// Time between two sendings of the same transaction.
const RESEND: Duration = Duration::from_secs(2);
/// How long the chain may be silent before a submission returns undecided.
const PATIENCE: Duration = Duration::from_secs(30);
/// Most a transaction pays for priority unless another cap is set, lamports.
pub const MAX_PRIORITY_FEE_LAMPORTS: u64 = 100_000;

/// A journal of transactions for one chain. Many may be on their way at once; several processes may share the file,
/// even for different chains.
pub struct Outbox {
    journal: Journal,
    /// Known once the chain has been asked after genesis.
    deployment: OnceCell<Deployment>,
    /// Rows some task of this process looks after. Pending rows outside it were left by a crash.
    in_hand: Arc<Mutex<HashSet<i64>>>,
    max_priority_fee_lamports: u64,
}

/// What became of a transaction a crash left behind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciled {
    /// What was submitted.
    pub label: String,
    /// Its signature.
    pub signature: Signature,
    /// Its end.
    pub settled: Settled,
}

/// Looks after a row until dropped, even when its task is cancelled.
struct InHand {
    rows: Arc<Mutex<HashSet<i64>>>,
    id: i64,
}

impl Drop for InHand {
    fn drop(&mut self) {
        lock(&self.rows).remove(&self.id);
    }
}

fn lock(rows: &Mutex<HashSet<i64>>) -> MutexGuard<'_, HashSet<i64>> {
    rows.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The end of a transaction, with the reason where there is one.
enum End {
    Landed,
    Failed(TransactionError),
    Expired,
}

impl Outbox {
    /// Opens the journal at `path`, making it where there is none.
    ///
    /// # Errors
    /// [`SubmitError::Journal`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SubmitError> {
        Ok(Self {
            journal: Journal::open(path.as_ref())?,
            deployment: OnceCell::new(),
            in_hand: Arc::default(),
            max_priority_fee_lamports: MAX_PRIORITY_FEE_LAMPORTS,
        })
    }

    /// The same, with another cap on what a transaction pays for priority; zero for none.
    pub fn with_max_priority_fee(self, lamports: u64) -> Self {
        Self { max_priority_fee_lamports: lamports, ..self }
    }

    /// Signs `instructions` and sees them through: returns once a confirmed block took them.
    ///
    /// A compute limit is put in front unless they bring one: what a simulation used, and some to spare; and a price for
    /// priority where others pay one. When a crash left the same label, payer and instructions undecided, their end is
    /// found out first, and if they landed, that signature is the answer and nothing is sent.
    ///
    /// Dropping the future stops looking after the transaction, but does not call it back.
    ///
    /// # Errors
    /// [`SubmitError`]. Only [`SubmitError::Undecided`] leaves open whether it landed.
    pub async fn submit(
        &self,
        chain: &dyn Chain,
        label: &str,
        instructions: &[Instruction],
        payer: &Keypair,
        signers: &[&Keypair],
    ) -> Result<Signature, SubmitError> {
        let deployment = self.deployment(chain).await?;
        let intent = intent_of(label, instructions, &payer.pubkey());
        for (row, _guard) in self.take_leftovers(deployment, |row| row.intent == intent).await? {
            if let End::Landed = self.see_through(chain, &row).await? {
                return Ok(row.signature);
            }
        }
        let mut budget = Budget::of(chain, instructions, payer.pubkey(), self.max_priority_fee_lamports).await?;
        let keys = signing_keys(instructions, payer, signers)?;
        let mut is_late = false;
        for _ in 0..MAX_SIGNINGS {
            budget.price(chain, is_late).await;
            let budgeted = budget.instructions();
            let (row, _guard) = self.sign_and_record(chain, label, (deployment, intent), &budgeted, &keys).await?;
            is_late = false;
            match self.see_through(chain, &row).await? {
                End::Landed => return Ok(row.signature),
                // Nothing was changed but the fee paid: what it reads has grown since the simulation.
                End::Failed(error) if may_lack_units(&error) && budget.widen() => {
                    warn!(label, signature = %row.signature, %error, "signing anew with the most compute units");
                }
                End::Failed(error) => return Err(SubmitError::explain(error, &budgeted, &[])),
                End::Expired => {
                    warn!(label, signature = %row.signature, "no block took it in time: signing anew");
                    is_late = true;
                }
            }
        }
        Err(SubmitError::Expired { label: label.to_string(), signings: MAX_SIGNINGS })
    }

    /// Finds out what became of every transaction a crash left behind, sending again what may still land. Call it at
    /// the start, before anything is decided from the chain's state.
    ///
    /// # Errors
    /// [`SubmitError::Undecided`] when the chain falls silent, [`SubmitError::Journal`].
    pub async fn reconcile(&self, chain: &dyn Chain) -> Result<Vec<Reconciled>, SubmitError> {
        let deployment = self.deployment(chain).await?;
        let mut ends = Vec::new();
        for (row, _guard) in self.take_leftovers(deployment, |_| true).await? {
            let settled = match self.see_through(chain, &row).await? {
                End::Landed => Settled::Landed,
                End::Failed(_) => Settled::Failed,
                End::Expired => Settled::Expired,
            };
            ends.push(Reconciled { label: row.label, signature: row.signature, settled });
        }
        Ok(ends)
    }

    /// The signature that last landed under `label` within the last week.
    ///
    /// # Errors
    /// [`SubmitError::Journal`].
    pub async fn landed(&self, label: &str) -> Result<Option<Signature>, SubmitError> {
        self.journal.landed(label).await
    }

    /// Which chain this is.
    async fn deployment(&self, chain: &dyn Chain) -> Result<Deployment, ChainError> {
        if let Some(deployment) = self.deployment.get() {
            return Ok(*deployment);
        }
        let Some(config) = fetch_agreed::<Config>(chain, &pda::config()).await? else {
            return Ok(Deployment::default());
        };
        Ok(*self.deployment.get_or_init(|| async { config.deployment_id }).await)
    }

    /// Pending rows of this chain that no task of this process looks after; from now on the caller does.
    async fn take_leftovers(
        &self,
        deployment: Deployment,
        wanted: impl Fn(&Pending) -> bool,
    ) -> Result<Vec<(Pending, InHand)>, SubmitError> {
        let rows = self.journal.pending(deployment).await?;
        Ok(rows.into_iter().filter(wanted).filter_map(|row| Some((row.clone(), self.take(row.id)?))).collect())
    }

    fn take(&self, id: i64) -> Option<InHand> {
        lock(&self.in_hand).insert(id).then(|| InHand { rows: Arc::clone(&self.in_hand), id })
    }

    /// Signs with a fresh blockhash and writes the transaction down. Nothing is sent yet.
    async fn sign_and_record(
        &self,
        chain: &dyn Chain,
        label: &str,
        (deployment, intent): (Deployment, [u8; 32]),
        instructions: &[Instruction],
        keys: &[&Keypair],
    ) -> Result<(Pending, InHand), SubmitError> {
        let asked_at = Instant::now();
        loop {
            let (blockhash, last_valid_block_height) = chain.latest_blockhash().await?;
            let payer = keys.first().map(|key| key.pubkey());
            let mut transaction = Transaction::new_with_payer(instructions, payer.as_ref());
            transaction
                .try_sign(keys, blockhash)
                .map_err(|_| SubmitError::MissingSigner(first_unsigned(&transaction).unwrap_or_default()))?;
            let wire = wincode::serialize(&transaction).map_err(|_| SubmitError::TooLong { len: usize::MAX })?;
            if wire.len() > MAX_TRANSACTION_LEN {
                return Err(SubmitError::TooLong { len: wire.len() });
            }
            let signature = transaction.signatures.first().copied().unwrap_or_default();
            match self.journal.record(label, deployment, intent, signature, wire, last_valid_block_height).await? {
                Recorded::New(row) => {
                    if let Some(guard) = self.take(row.id) {
                        return Ok((row, guard));
                    }
                }
                // The same content was signed with this blockhash before: the chain would take both for one. A
                // later blockhash tells them apart.
                Recorded::Twin if asked_at.elapsed() < PATIENCE => sleep(POLL).await,
                Recorded::Twin => return Err(SubmitError::Expired { label: label.to_string(), signings: 0 }),
            }
        }
    }

    /// Sends a written-down transaction until its end is known, and writes that down.
    async fn see_through(&self, chain: &dyn Chain, row: &Pending) -> Result<End, SubmitError> {
        let undecided = |reason: ChainError| SubmitError::Undecided {
            label: row.label.clone(),
            signature: row.signature,
            reason: Box::new(reason),
        };
        let transaction: Transaction = wincode::deserialize(&row.wire).map_err(|_| SubmitError::Journal {
            path: self.journal.path(),
            reason: format!("its row of {} (\"{}\") is damaged", row.signature, row.label),
        })?;
        let began_at = Instant::now();
        let (mut sent_at, mut heard_at) = (None::<Instant>, began_at);
        loop {
            match look(chain, row).await {
                Ok(Some(end)) => {
                    let (settled, detail) = match &end {
                        End::Landed => (Settled::Landed, None),
                        End::Failed(error) => (Settled::Failed, Some(error.to_string())),
                        End::Expired => (Settled::Expired, None),
                    };
                    self.journal.settle(row.id, settled, detail).await?;
                    debug!(label = row.label, signature = %row.signature, ?settled, "settled");
                    return Ok(end);
                }
                Ok(None) => heard_at = Instant::now(),
                Err(error) if heard_at.elapsed() >= PATIENCE || !error.is_transient() => return Err(undecided(error)),
                Err(error) => debug!(label = row.label, %error, "the chain is silent: asking again"),
            }
            if sent_at.is_none_or(|sent_at| sent_at.elapsed() >= RESEND) {
                // Whatever the answer, the status tells what became of it: an answer can be lost after the
                // transaction was taken.
                crash::point(When::Before, "send transaction");
                if let Err(error) = chain.send(&transaction).await {
                    debug!(label = row.label, %error, "sending failed: sending again");
                }
                crash::point(When::After, "send transaction");
                if sent_at.is_some() {
                    metrics::counter!(crate::metrics::OUTBOX_RESENT).increment(1);
                }
                sent_at = Some(Instant::now());
            }
            sleep(if began_at.elapsed() < SLOW_AFTER { POLL } else { SLOW_POLL }).await;
        }
    }
}

/// The end of a transaction, `None` while it is open.
async fn look(chain: &dyn Chain, row: &Pending) -> Result<Option<End>, ChainError> {
    Ok(match chain.fate(&row.signature, row.last_valid_block_height).await? {
        Fate::Landed => Some(End::Landed),
        Fate::Failed(error) => Some(End::Failed(error)),
        Fate::Expired => Some(End::Expired),
        Fate::Open => None,
    })
}

/// What makes two submissions the same thing.
fn intent_of(label: &str, instructions: &[Instruction], payer: &Pubkey) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut field = |bytes: &[u8]| {
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    };
    field(label.as_bytes());
    field(payer.as_ref());
    for instruction in instructions {
        field(instruction.program_id.as_ref());
        field(&instruction.data);
        field(&(instruction.accounts.len() as u64).to_le_bytes());
        for account in &instruction.accounts {
            field(account.pubkey.as_ref());
            field(&[u8::from(account.is_signer), u8::from(account.is_writable)]);
        }
    }
    hash.finalize().into()
}

/// Whether too few compute units may be the reason: the runtime calls them used up, or the program not completed.
fn may_lack_units(error: &TransactionError) -> bool {
    use InstructionError::{ComputationalBudgetExceeded, ProgramFailedToComplete};
    let TransactionError::InstructionError(_, error) = error else { return false };
    matches!(error, ComputationalBudgetExceeded | ProgramFailedToComplete)
}

/// The compute units the instructions use now, or why they would fail.
async fn simulate(chain: &dyn Chain, instructions: &[Instruction], payer: &Pubkey) -> Result<u64, SubmitError> {
    let transaction = Transaction::new_with_payer(instructions, Some(payer));
    let simulation = chain.simulate(&transaction).await?;
    match simulation.error {
        Some(error) => Err(SubmitError::explain(error, instructions, &simulation.logs)),
        None => Ok(simulation.units),
    }
}

/// The keys that must sign, payer first, each once. Keys that need not sign are left out: `try_sign` refuses them.
fn signing_keys<'a>(
    instructions: &[Instruction],
    payer: &'a Keypair,
    signers: &[&'a Keypair],
) -> Result<Vec<&'a Keypair>, SubmitError> {
    let mut keys = vec![payer];
    for meta in instructions.iter().flat_map(|instruction| &instruction.accounts).filter(|meta| meta.is_signer) {
        if keys.iter().any(|key| key.pubkey() == meta.pubkey) {
            continue;
        }
        let key = signers.iter().find(|key| key.pubkey() == meta.pubkey);
        keys.push(key.ok_or(SubmitError::MissingSigner(meta.pubkey))?);
    }
    Ok(keys)
}

fn first_unsigned(transaction: &Transaction) -> Option<Pubkey> {
    let place = transaction.signatures.iter().position(|signature| *signature == Signature::default())?;
    transaction.message.account_keys.get(place).copied()
}
