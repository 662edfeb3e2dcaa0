//! Oracles' stake and pay.

use super::{Model, Why};
use crate::books::holds;
use crate::machine::{Actor, Flows, Seen};
use crate::Pubkey;

/// An oracle.
#[derive(Clone, Debug)]
pub struct OracleModel {
    /// Who it is.
    pub actor: Actor,
    /// Its vault.
    pub vault: Pubkey,
    /// At stake, base units.
    pub stake: u64,
    /// On its way out, base units.
    pub unbonding: u64,
    /// Instant that matures.
    pub matures_at: i64,
    /// Observations opened, as of the last leaf applied, and that leaf's instant.
    pub opened: (u64, i64),
    /// Reward period it was last paid in.
    pub paid_period: Option<u64>,
}

impl Model {
    /// An oracle has a seat.
    pub fn seat(&mut self, key: Pubkey, actor: Actor, vault: Pubkey) {
        let oracle =
            OracleModel { actor, vault, stake: 0, unbonding: 0, matures_at: 0, opened: (0, 0), paid_period: None };
        self.oracles.insert(key, oracle);
    }

    fn oracle(&mut self, key: &Pubkey) -> Result<&mut OracleModel, String> {
        self.oracles.get_mut(key).ok_or_else(|| format!("there is no oracle {key}"))
    }

    /// Stake comes in from `source`.
    pub fn stake_oracle(&mut self, key: &Pubkey, source: Pubkey, amount: u64) -> Result<Flows, String> {
        let oracle = self.oracle(key)?;
        oracle.stake += amount;
        Ok(vec![(source, -i128::from(amount)), (oracle.vault, amount.into())])
    }

    /// Stake sets out: all that does so far matures anew.
    pub fn begin_oracle_unstake(&mut self, key: &Pubkey, amount: u64, now: i64) -> Result<Flows, String> {
        // As long as the reports it signed are in the ring, it can be slashed for them.
        let answerable = self.params.epoch_secs * (millrace::constants::REPORT_RING as i64 + 1);
        let (kept, secs) = (self.params.oracle_stake_amount, self.params.unbonding_secs.max(answerable));
        let oracle = self.oracle(key)?;
        holds!(amount + kept <= oracle.stake, "an oracle took out {amount} of {}", oracle.stake);
        oracle.stake -= amount;
        oracle.unbonding += amount;
        oracle.matures_at = now + secs;
        Ok(vec![])
    }

    /// Matured stake goes out to `destination`.
    pub fn withdraw_oracle(&mut self, key: &Pubkey, destination: Pubkey, now: i64) -> Result<Flows, String> {
        let oracle = self.oracle(key)?;
        let matures_at = oracle.matures_at;
        holds!(now >= matures_at, "an oracle's stake was withdrawn at {now}, before {matures_at}");
        let amount = std::mem::take(&mut oracle.unbonding);
        Ok(vec![(oracle.vault, -i128::from(amount)), (destination, amount.into())])
    }

    /// A leaf counts what an oracle opened.
    pub fn apply_oracle_leaf(&mut self, key: &Pubkey, opened: u64, at: i64) -> Result<Flows, String> {
        let oracle = self.oracle(key)?;
        let before = oracle.opened;
        holds!(at > before.1 && opened >= before.0, "a stale leaf of {at} of an oracle was applied");
        oracle.opened = (opened, at);
        Ok(vec![])
    }

    /// An oracle is paid, once a period, out of the pool and no more than is there. How much is the program's formula,
    /// which has its own tests; that it is tokens of the pool and goes to the oracle is seen here.
    pub fn claim_reward(
        &mut self,
        key: &Pubkey,
        destination: Pubkey,
        period: u64,
        seen: &Seen,
    ) -> Result<Flows, String> {
        let pool = self.oracle_pool;
        let amount = u64::try_from(-seen.gain(&pool)).map_err(|_| "a reward filled the pool")?;
        let oracle = self.oracle(key)?;
        holds!(oracle.paid_period != Some(period), "an oracle was paid twice in period {period}");
        oracle.paid_period = Some(period);
        let actor = oracle.actor;
        self.pass(None, Some(actor), amount, Why::Reward);
        Ok(vec![(pool, -i128::from(amount)), (destination, amount.into())])
    }
}
