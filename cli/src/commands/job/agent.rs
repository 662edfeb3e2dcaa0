//! The agent of a lease, as its customer reaches it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{bail, Context as _, Result};
use ed25519_dalek::SigningKey;
use indicatif::ProgressBar;
use millrace::state::{Lease, Provider};
use millrace_client::{endpoint, fetch, keys, Pubkey};
use millrace_jobs::{content_hash, read_bundle, write_files, Bounds, MAX_BUNDLE_BYTES};
use millrace_wire::messages::LEASE_STATUS_DOMAIN;
use millrace_wire::{Pin, Sealed, SignedClient, WireError};

use crate::context::Context;
use crate::output::Format;

/// Time between two questions.
const POLL: Duration = Duration::from_millis(400);

/// How long an agent may be silent before it is worth a word: it learns of the award a moment after we do.
const PATIENCE: Duration = Duration::from_secs(5);

/// An agent that is slow to show its last lines holds up nobody for longer.
const LAST_LINES_WITHIN: Duration = Duration::from_secs(5);

/// The agent of a lease, as its customer reaches it.
pub struct Agent {
    http: SignedClient,
    url: String,
    operator: [u8; 32],
}

impl Agent {
    /// The agent of the lease at `lease_key`.
    pub async fn of(context: &Context, lease_key: &Pubkey, lease: &Lease) -> Result<Self> {
        let provider = fetch::<Provider>(context.chain(), &lease.provider).await?.context("the provider is closed")?;
        let base = endpoint::from_bytes(&provider.endpoint).context("the provider has no usable endpoint")?;
        let key = SigningKey::from_bytes(&keys::seed(&context.keypair()?));
        let epoch = context.market().await?.epoch_at(context.chain().unix_timestamp().await?)?;
        let operator = provider.operator_at(epoch).to_bytes();
        Ok(Self {
            http: SignedClient::new(key, Duration::from_secs(30))?
                .pinned(Pin::of_provider(operator, provider.tls_spki_hash))
                .with_max_answer(MAX_BUNDLE_BYTES as usize),
            url: format!("{}/v1/leases/{lease_key}", base.trim_end_matches('/')),
            operator,
        })
    }

    /// Hands in `inputs` and shows the log as it grows, for as long as it is let. Whatever fails is tried again: only the chain says
    /// that a lease has ended. Returns what the agent refuses for good.
    pub async fn attend(&self, context: &Context, inputs: &[u8], log: &mut Log<'_>) -> anyhow::Error {
        let (mut is_handed_in, mut silent_since) = (false, None);
        loop {
            let outcome = match is_handed_in {
                false => self.hand_in(inputs).await.map(|()| is_handed_in = true),
                true => log.show_more(context, self).await,
            };
            match outcome {
                Ok(()) => silent_since = None,
                Err(error) if error.downcast_ref::<WireError>().is_some_and(is_refusal) => return error,
                Err(error) => {
                    let (since, is_told) = silent_since.get_or_insert_with(|| (Instant::now(), false));
                    if since.elapsed() > PATIENCE && !std::mem::replace(is_told, true) {
                        log.spinner.suspend(|| eprintln!("the agent cannot be reached, trying again: {error:#}"));
                    }
                }
            }
            tokio::time::sleep(POLL).await;
        }
    }

    async fn hand_in(&self, inputs: &[u8]) -> Result<()> {
        let receipt: Sealed = self.http.put_bytes(&format!("{}/inputs", self.url), inputs.to_vec()).await?;
        receipt.open::<serde_json::Value>(LEASE_STATUS_DOMAIN, &self.operator).context("the agent's receipt")?;
        Ok(())
    }

    /// The log from byte `offset` on.
    pub async fn log_from(&self, offset: usize) -> Result<Vec<u8>> {
        Ok(self.http.get_bytes(&format!("{}/logs?offset={offset}", self.url)).await?)
    }

    /// Fetches the results and refuses any that are not what the oracles reported.
    pub async fn fetch_results(&self, lease: &Lease, out: &Path) -> Result<Vec<PathBuf>> {
        let bytes = self.http.get_bytes(&format!("{}/results", self.url)).await?;
        let found = content_hash(&bytes);
        if found != lease.result_root {
            bail!(
                "the results are named {}, the oracles reported {}: do not accept them",
                hex::encode(found),
                hex::encode(lease.result_root)
            );
        }
        let files = read_bundle(&bytes, Bounds::default())?;
        std::fs::create_dir_all(out).with_context(|| format!("{} cannot be made", out.display()))?;
        write_files(out, &files)?;
        Ok(files.keys().map(|name| out.join(name)).collect())
    }
}

/// Whether it says that this request will never be taken.
fn is_refusal(error: &WireError) -> bool {
    matches!(error.status(), Some(400 | 401 | 403 | 413))
}

/// What a customer has seen of a job's log.
pub struct Log<'a> {
    /// Makes room for it on the screen.
    pub spinner: &'a ProgressBar,
    shown_bytes: usize,
}

impl<'a> Log<'a> {
    /// Nothing shown yet.
    pub fn new(spinner: &'a ProgressBar) -> Self {
        Self { spinner, shown_bytes: 0 }
    }

    async fn show_more(&mut self, context: &Context, agent: &Agent) -> Result<()> {
        let bytes = agent.log_from(self.shown_bytes).await?;
        self.shown_bytes += bytes.len();
        if context.format == Format::Display && !bytes.is_empty() {
            self.spinner.suspend(|| std::io::stderr().write_all(&bytes))?;
        }
        Ok(())
    }

    /// Shows the end of it, if the agent has it at hand.
    pub async fn show_end(&mut self, context: &Context, agent: &Agent) {
        let _ = tokio::time::timeout(LAST_LINES_WITHIN, self.show_more(context, agent)).await;
    }
}
