//! The outbox, with what came of each submission counted.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use millrace_client::outbox::Reconciled;
use millrace_client::{Chain, Instruction, Keypair, Outbox as Inner, Signature, SubmitError};

use crate::common::{OUTBOX_OLDEST_SECONDS, OUTBOX_PENDING, OUTBOX_SUBMISSIONS};

/// What comes of a submission.
pub(crate) const OUTCOMES: &[&str] = &["landed", "refused", "expired", "undecided", "failed"];

/// Submissions under way, by their order, since when.
type UnderWay = BTreeMap<u64, Instant>;

/// An outbox whose submissions are counted.
pub struct Outbox {
    inner: Inner,
    under_way: Arc<Mutex<UnderWay>>,
}

/// A submission until it is dropped, even when its task is cancelled.
struct Submission {
    number: u64,
    under_way: Arc<Mutex<UnderWay>>,
}

impl Drop for Submission {
    fn drop(&mut self) {
        lock(&self.under_way).remove(&self.number);
    }
}

fn lock(under_way: &Mutex<UnderWay>) -> MutexGuard<'_, UnderWay> {
    under_way.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Outbox {
    /// As [`Inner::open`].
    ///
    /// # Errors
    /// As there.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SubmitError> {
        Ok(Self { inner: Inner::open(path)?, under_way: Arc::default() })
    }

    /// As [`Inner::with_max_priority_fee`].
    pub fn with_max_priority_fee(self, lamports: u64) -> Self {
        Self { inner: self.inner.with_max_priority_fee(lamports), ..self }
    }

    /// As [`Inner::submit`].
    ///
    /// # Errors
    /// As there.
    pub async fn submit(
        &self,
        chain: &dyn Chain,
        label: &str,
        instructions: &[Instruction],
        payer: &Keypair,
        signers: &[&Keypair],
    ) -> Result<Signature, SubmitError> {
        let _submission = self.begin();
        let outcome = self.inner.submit(chain, label, instructions, payer, signers).await;
        OUTBOX_SUBMISSIONS.inc(&[match &outcome {
            Ok(_) => "landed",
            Err(SubmitError::Program { .. } | SubmitError::Refused { .. }) => "refused",
            Err(SubmitError::Expired { .. }) => "expired",
            Err(SubmitError::Undecided { .. }) => "undecided",
            Err(_) => "failed",
        }]);
        outcome
    }

    /// As [`Inner::reconcile`].
    ///
    /// # Errors
    /// As there.
    pub async fn reconcile(&self, chain: &dyn Chain) -> Result<Vec<Reconciled>, SubmitError> {
        let _submission = self.begin();
        self.inner.reconcile(chain).await
    }

    fn begin(&self) -> Submission {
        let mut under_way = lock(&self.under_way);
        let number = under_way.last_key_value().map_or(0, |(last, _)| last.wrapping_add(1));
        under_way.insert(number, Instant::now());
        Submission { number, under_way: self.under_way.clone() }
    }

    /// Shows how many submissions are under way, and since when.
    pub fn show(&self) {
        let (count, oldest) = {
            let under_way = lock(&self.under_way);
            (under_way.len(), under_way.values().min().map_or(Duration::ZERO, Instant::elapsed))
        };
        OUTBOX_PENDING.set(count as f64, &[]);
        OUTBOX_OLDEST_SECONDS.set(oldest.as_secs_f64(), &[]);
    }
}
