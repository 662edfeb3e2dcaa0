//! `millrace oracle`.

use std::fmt;

use anyhow::{bail, Context as _, Result};
use millrace::state::{Oracle, OracleSet};
use millrace_client::token::{balance, open_wallet, wallet};
use millrace_client::{endpoint, fetch_agreed, ix, pda, Pubkey};
use serde::Serialize;

use crate::context::{mill, Context, Quote};
use crate::output::lines;
use crate::spec;

/// An oracle's stake and its reward. The daemon is `millrace-oracle`.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Put MILL behind an oracle; it signs only with the least stake behind it.
    Stake {
        /// How much, in MILL.
        #[arg(value_parser = spec::amount)]
        amount: u64,
        /// Key of the oracle; yours by default. Only that key takes stake out again.
        #[arg(long, value_parser = spec::address)]
        oracle: Option<Pubkey>,
    },
    /// Start to take stake out: beside a seat what exceeds the least stake, after it everything.
    Unstake {
        /// How much, in MILL.
        #[arg(value_parser = spec::amount)]
        amount: u64,
    },
    /// Withdraw what has finished unbonding.
    Withdraw,
    /// Show an oracle.
    Show {
        /// Its key; yours by default.
        #[arg(value_parser = spec::address)]
        oracle: Option<Pubkey>,
    },
    /// Have an oracle paid for the reward period just closed. Anyone may; it goes to the oracle's key.
    Claim {
        /// Its key; yours by default.
        #[arg(value_parser = spec::address)]
        oracle: Option<Pubkey>,
    },
}

#[derive(Serialize)]
struct Shown {
    oracle: String,
    authority: String,
    seat: Option<u8>,
    weight: u64,
    endpoint: String,
    stake: u64,
    least_stake: u64,
    unbonding: u64,
    unbonding_matures_at: i64,
    slashed: u64,
    signed: u64,
    opened: u64,
    points: u64,
    claimable: u64,
    rewarded: u64,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let seat = self.seat.map_or("removed".into(), |seat| format!("{seat}, weight {}", self.weight));
        let mut rows = vec![
            ("oracle", self.oracle.clone()),
            ("key", self.authority.clone()),
            ("seat", seat),
            ("endpoint", self.endpoint.clone()),
            ("stake", format!("{}, at least {} to sign", mill(self.stake), mill(self.least_stake))),
            ("unbonding", mill(self.unbonding)),
            ("slashed so far", mill(self.slashed)),
            ("reports signed", self.signed.to_string()),
            ("observations opened", format!("{}, {} of them in this period", self.opened, self.points)),
            ("can be claimed now", mill(self.claimable)),
            ("rewarded so far", mill(self.rewarded)),
        ];
        if self.unbonding > 0 {
            rows.insert(6, ("withdrawable from", format!("{} (Unix seconds)", self.unbonding_matures_at)));
        }
        write!(f, "{}", lines(&rows))
    }
}

pub async fn run(context: &Context, command: Command) -> Result<()> {
    let or_own = |oracle: Option<Pubkey>| oracle.map_or_else(|| context.address(), Ok);
    match command {
        Command::Stake { amount, oracle } => stake(context, amount, &or_own(oracle)?).await,
        Command::Unstake { amount } => unstake(context, amount).await,
        Command::Withdraw => withdraw(context).await,
        Command::Show { oracle } => show(context, &or_own(oracle)?).await,
        Command::Claim { oracle } => claim(context, &or_own(oracle)?).await,
    }
}

/// The oracle of `authority`.
async fn of(context: &Context, authority: &Pubkey) -> Result<(Pubkey, Oracle)> {
    let key = pda::oracle(authority);
    let oracle = fetch_agreed::<Oracle>(context.chain(), &key).await?;
    Ok((key, oracle.with_context(|| format!("{authority} is no oracle; governance adds them"))?))
}

/// What a claim for `oracle` would pay now, base units: the program's own answer, on copies.
async fn claimable(context: &Context, oracle: &Oracle) -> Result<u64> {
    let market = context.market().await?;
    let mut set =
        fetch_agreed::<OracleSet>(context.chain(), &pda::oracles()).await?.context("the oracle set is missing")?;
    let pool = balance(context.chain(), &market.oracle_pool).await?.unwrap_or(0);
    let epoch = market.epoch_at(context.chain().unix_timestamp().await?)?;
    let mut oracle = *oracle;
    set.roll(epoch, market.params.reward_period_epochs, pool);
    Ok(set.claim(&mut oracle).map_or(0, |reward| reward.amount))
}

async fn show(context: &Context, authority: &Pubkey) -> Result<()> {
    let (key, it) = of(context, authority).await?;
    let set =
        fetch_agreed::<OracleSet>(context.chain(), &pda::oracles()).await?.context("the oracle set is missing")?;
    let seat = set.seat_of(it.seat, authority).ok();
    context.print(&Shown {
        oracle: key.to_string(),
        authority: it.authority.to_string(),
        seat: seat.map(|_| it.seat),
        weight: seat.map_or(0, |seat| seat.weight),
        endpoint: endpoint::from_bytes(&it.endpoint).unwrap_or_default(),
        stake: it.stake,
        least_stake: context.market().await?.params.oracle_stake_amount,
        unbonding: it.unbonding_amount,
        unbonding_matures_at: it.unbonding_matures_at,
        slashed: it.slashed_total,
        signed: it.signed,
        opened: it.opened,
        points: it.points,
        claimable: claimable(context, &it).await?,
        rewarded: it.rewarded_total,
    });
    Ok(())
}

async fn stake(context: &Context, amount: u64, oracle: &Pubkey) -> Result<()> {
    let (staker, market) = (context.address()?, context.market().await?);
    let (key, it) = of(context, oracle).await?;
    let held = context.wallet_balance(&market, &staker).await?;
    if held < amount {
        bail!("{staker} holds {}, so {} cannot be staked", mill(held), mill(amount));
    }
    context.confirm(&Quote {
        title: format!("Put {} behind the oracle {oracle}", mill(amount)),
        rows: vec![
            ("amount", mill(amount)),
            ("stake after", mill(it.stake.saturating_add(amount))),
            ("goes back to", oracle.to_string()),
        ],
    })?;
    let source = wallet(&staker, &market.mint, &market.token_program);
    context.submit("stake oracle", &[ix::stake_oracle(&staker, &source, &key, &(&market).into(), amount)]).await?;
    show(context, oracle).await
}

async fn unstake(context: &Context, amount: u64) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    let (_, it) = of(context, &authority).await?;
    let kept = if it.is_removed == 1 { 0 } else { market.params.oracle_stake_amount };
    if it.stake.saturating_sub(kept) < amount {
        bail!("{} are staked and {} must stay while you hold a seat", mill(it.stake), mill(kept));
    }
    context.confirm(&Quote {
        title: format!("Take {} out of the stake", mill(amount)),
        rows: vec![
            ("amount", mill(amount)),
            ("on its way out already", format!("{}, delayed to the same date", mill(it.unbonding_amount))),
        ],
    })?;
    context.submit("unstake oracle", &[ix::begin_oracle_unstake(&authority, amount)]).await?;
    show(context, &authority).await
}

async fn withdraw(context: &Context) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    let (_, it) = of(context, &authority).await?;
    let now = context.chain().unix_timestamp().await?;
    if it.unbonding_amount == 0 {
        bail!("nothing is on its way out; begin with `millrace oracle unstake AMOUNT`");
    }
    if now < it.unbonding_matures_at {
        bail!("{} mature in {} s", mill(it.unbonding_amount), it.unbonding_matures_at.saturating_sub(now));
    }
    context.confirm(&Quote {
        title: format!("Withdraw {}", mill(it.unbonding_amount)),
        rows: vec![("unbonded", mill(it.unbonding_amount))],
    })?;
    let tokens = wallet(&authority, &market.mint, &market.token_program);
    let instructions = [
        open_wallet(&authority, &authority, &market.mint, &market.token_program),
        ix::withdraw_oracle(&authority, &tokens, &(&market).into()),
    ];
    context.submit("withdraw oracle", &instructions).await?;
    show(context, &authority).await
}

async fn claim(context: &Context, oracle: &Pubkey) -> Result<()> {
    let (payer, market) = (context.address()?, context.market().await?);
    let (key, it) = of(context, oracle).await?;
    let amount = claimable(context, &it).await?;
    if amount == 0 {
        bail!("{oracle} has nothing to claim now; what it opens is paid in the period after");
    }
    context.confirm(&Quote {
        title: format!("Have {oracle} paid for the last period"),
        rows: vec![("reward", mill(amount)), ("rounding", "down; the rest stays in the pool".into())],
    })?;
    let tokens = wallet(oracle, &market.mint, &market.token_program);
    let instructions = [
        open_wallet(&payer, oracle, &market.mint, &market.token_program),
        ix::claim_reward(&key, &tokens, &(&market).into()),
    ];
    context.submit("claim reward", &instructions).await?;
    show(context, oracle).await
}
