//! What anyone may do for the market, and no daemon does: each kind in a file of its own, which says what is due by the
//! program's own rules on copies of its accounts. Whatever was done is due no more, whoever did it, so that a step that
//! was interrupted, or that another watcher took, is not taken again.

mod cases;
mod charges;
mod claims;
mod downgrades;
mod findings;
mod judged;
mod lazy;
mod reports;

use std::fmt;

use anyhow::{Context as _, Result};
use millrace::state::{Config, Reports};
use millrace_client::ix::Market;
use millrace_client::token::wallet;
use millrace_client::{fetch_agreed, pda, Chain, Instruction, Pubkey};
use millrace_wire::SignedClient;
use serde::Serialize;

use findings::Findings;
use lazy::Lazy;

/// An oracle as it is asked: where it answers, and what asks it.
pub type OracleAt = (String, SignedClient);

/// One transaction that is due.
#[derive(Clone, Debug)]
pub struct Duty {
    /// What it does, its name in the outbox.
    pub kind: &'static str,
    /// The account it is about.
    pub account: Pubkey,
    /// What follows from it, for a person.
    pub what: String,
    /// The transaction.
    pub instruction: Instruction,
    /// Whether it pays this watcher: a bounty, a fee, a deposit or a rent it once paid.
    pub is_paid: bool,
}

impl Duty {
    /// Its name: one in each state of the account.
    pub fn label(&self) -> String {
        format!("{} {}", self.kind, self.account)
    }
}

/// A duty that was done.
#[derive(Serialize)]
pub struct Done {
    duty: &'static str,
    account: String,
    what: String,
    signature: String,
}

impl Done {
    /// `duty`, done by the transaction `signature`.
    pub fn new(duty: &Duty, signature: String) -> Self {
        Self { duty: duty.kind, account: duty.account.to_string(), what: duty.what.clone(), signature }
    }
}

impl fmt::Display for Done {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// The market at the moment of a look.
pub struct Moment {
    /// Its configuration.
    pub config: Config,
    /// The chain's clock, Unix seconds.
    pub now: i64,
    /// The epoch.
    pub epoch: u64,
    /// Who watches.
    pub watcher: Pubkey,
    /// The watcher's token account.
    pub wallet: Pubkey,
}

impl Moment {
    async fn of(chain: &dyn Chain, watcher: Pubkey) -> Result<Self> {
        let config = fetch_agreed::<Config>(chain, &pda::config()).await?.context("the market is gone")?;
        let now = chain.unix_timestamp().await?;
        let wallet = wallet(&watcher, &config.mint, &config.token_program);
        Ok(Self { epoch: config.epoch_at(now)?, config, now, watcher, wallet })
    }

    fn market(&self) -> Market {
        Market::from(&self.config)
    }
}

/// What a look found.
#[derive(Default)]
pub struct Found {
    /// What is due, what stake depends on first.
    pub duties: Vec<Duty>,
    /// What could not be looked at, and why.
    pub troubles: Vec<String>,
}

impl Found {
    fn add(&mut self, of: &str, due: Result<Vec<Duty>>) {
        match due {
            Ok(duties) => self.duties.extend(duties),
            Err(error) => self.troubles.push(format!("{of}: {error:#}")),
        }
    }
}

/// What of the reports was looked at already.
#[derive(Default)]
pub struct Duties {
    lazy: Lazy,
    findings: Findings,
}

impl Duties {
    /// What `watcher` can do now.
    ///
    /// # Errors
    /// When the market cannot be read. What else cannot is among the troubles.
    pub async fn due(&mut self, chain: &dyn Chain, oracles: &[OracleAt], watcher: Pubkey) -> Result<Found> {
        let moment = Moment::of(chain, watcher).await?;
        let reports = fetch_agreed::<Reports>(chain, &pda::reports()).await?.context("the reports are missing")?;
        let mut found = Found::default();
        let lazy = self.lazy.due(chain, &moment, &reports, oracles, &mut found.troubles).await;
        found.add("oracles that passed a cheat", lazy);
        let findings = self.findings.due(chain, &moment, &reports, oracles, &mut found.troubles).await;
        found.add("findings of the oracles", findings);
        found.add("fraud cases", cases::due(chain, &moment).await);
        found.add("judged cases", judged::due(chain, &moment).await);
        found.add("claims", claims::due(chain, &moment).await);
        Ok(found)
    }
}
