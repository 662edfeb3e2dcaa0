//! Does what is due, one transaction after the other.

use std::collections::{BTreeSet, HashMap};

use anyhow::Result;
use millrace_client::token::{open_wallet, wallet};
use tokio::time::Instant;

use super::duties::{Done, Duties, Duty, Found};
use super::{Watch, RETRY};

/// What is remembered between two looks.
#[derive(Default)]
pub struct Performer {
    duties: Duties,
    /// When to try again what failed, by its name.
    retry_at: HashMap<String, Instant>,
    /// What was said, said once.
    said: BTreeSet<String>,
    /// Whether the watcher's token account is there, to which fees and bounties go.
    has_wallet: bool,
}

impl Watch<'_> {
    /// Looks for what is due, and does it. What fails is said once and tried again: the market goes on without it.
    pub async fn perform_duties(&mut self) {
        let found = match self.look_for_duties().await {
            Ok(found) => found,
            Err(error) => return self.tell_once(format!("{error:#}")),
        };
        for trouble in found.troubles {
            self.tell_once(trouble);
        }
        let now = Instant::now();
        self.performer.retry_at.retain(|_, at| *at > now);
        let only_bounties = self.args.only_bounties;
        for duty in found.duties.iter().filter(|duty| duty.is_paid || !only_bounties) {
            if self.performer.retry_at.contains_key(&duty.label()) {
                continue;
            }
            if self.args.dry_run {
                self.tell_once(format!("due: {}", duty.what));
                continue;
            }
            if let Err(error) = self.perform(duty).await {
                self.performer.retry_at.insert(duty.label(), Instant::now() + RETRY);
                self.tell_once(format!("{}: {error:#}", duty.label()));
            }
        }
    }

    async fn look_for_duties(&mut self) -> Result<Found> {
        // Whoever only looks needs no key.
        let watcher = match self.context.address() {
            Err(_) if self.args.dry_run => Default::default(),
            address => address?,
        };
        let oracles = self.oracles().await?;
        self.performer.duties.due(self.context.chain(), &oracles, watcher).await
    }

    async fn perform(&mut self, duty: &Duty) -> Result<()> {
        if duty.is_paid && !self.performer.has_wallet {
            self.require_wallet().await?;
            self.performer.has_wallet = true;
        }
        let signature = self.context.submit(&duty.label(), std::slice::from_ref(&duty.instruction)).await?;
        let done = Done::new(duty, signature.to_string());
        match self.args.until_slashed {
            // Standard output is for the cheat that is waited for.
            true => self.tell(&done.to_string()),
            false => self.spinner.suspend(|| self.context.print(&done)),
        }
        Ok(())
    }

    async fn require_wallet(&self) -> Result<()> {
        let (watcher, market) = (self.context.address()?, &self.market);
        let account = wallet(&watcher, &market.mint, &market.token_program);
        if self.context.chain().account(&account).await?.is_none() {
            let open = open_wallet(&watcher, &watcher, &market.mint, &market.token_program);
            self.context.submit("open token account", &[open]).await?;
        }
        Ok(())
    }

    fn tell_once(&mut self, what: String) {
        if !self.performer.said.contains(&what) {
            self.tell(&what);
            self.performer.said.insert(what);
        }
    }
}
