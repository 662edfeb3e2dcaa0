//! `millrace provider`.

mod terms;

use std::fmt;

use anyhow::{bail, Context as _, Result};
use millrace::instructions::RegisterProviderArgs;
use millrace::state::{Provider, ProviderStatus};
use millrace_client::token::{open_wallet, wallet, TOKEN_ACCOUNT_LEN};
use millrace_client::{endpoint, fetch_agreed, fetch_all, ix, pda, Pubkey};
use serde::Serialize;

use crate::context::{mill, Context, Quote};
use crate::output::{lines, table};
use crate::spec;

/// Sell: register, stake, unstake, withdraw.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Open a provider account under your key.
    Register {
        /// Address of the hot key the agent signs with. It bids; it can never withdraw.
        #[arg(long, value_parser = spec::address)]
        operator: Pubkey,
        /// URL of the agent, as oracles and customers reach it.
        #[arg(long, value_name = "URL", value_parser = spec::endpoint)]
        endpoint: [u8; millrace::constants::ENDPOINT_LEN],
        /// Most MILL the operator may have locked behind bids at once.
        #[arg(long, value_parser = spec::amount, default_value = "1000")]
        max_bonds: u64,
        /// Least the operator may bid, MILL a second.
        #[arg(long, value_parser = spec::price, default_value = "0")]
        min_bid_per_sec: u64,
    },
    /// Put MILL at stake.
    Stake {
        /// How much, in MILL.
        #[arg(value_parser = spec::amount)]
        amount: u64,
    },
    /// Take free stake out of work; it can be withdrawn once unbonding is over, and be slashed until then.
    Unstake {
        /// How much, in MILL.
        #[arg(value_parser = spec::amount)]
        amount: u64,
    },
    /// Withdraw what was earned and what has finished unbonding.
    Withdraw,
    /// Replace the hot key, from the next epoch on. Possible once in 1,024 epochs.
    SetOperator {
        /// Address of the new hot key.
        #[arg(value_parser = spec::address)]
        operator: Pubkey,
    },
    /// Change where the agent answers, whose key it shows over TLS, and what the operator may do.
    SetTerms(terms::Args),
    /// Name another key as the owner of your provider; it takes over when that key accepts.
    ProposeAuthority {
        /// Address of the new cold key. Without one, an earlier proposal is taken back.
        #[arg(value_parser = spec::address)]
        authority: Option<Pubkey>,
    },
    /// Take over a provider whose owner named your key.
    AcceptAuthority {
        /// Address of the provider account, as `millrace provider show` prints it.
        #[arg(value_parser = spec::address)]
        provider: Pubkey,
    },
    /// Close an empty provider account; its rent goes back to who paid it.
    Close,
    /// Show a provider.
    Show {
        /// Its authority; yours by default.
        #[arg(value_parser = spec::address)]
        authority: Option<Pubkey>,
    },
    /// List all providers.
    List,
}

#[derive(Serialize)]
struct Shown {
    provider: String,
    authority: String,
    operator: String,
    endpoint: String,
    tls_key: String,
    status: &'static str,
    stake: u64,
    locked: u64,
    free_stake: u64,
    unbonding: u64,
    earned: u64,
    slashed: u64,
    /// Owed out of its bonds, base units: paid when the claims mature.
    claims: u64,
    completions: u64,
    failures: u64,
    reliability_bps: u16,
}

impl Shown {
    fn new(key: &Pubkey, it: &Provider, now: i64) -> Self {
        let jailed = it.status == ProviderStatus::Jailed as u8 && now < it.jailed_until;
        Self {
            provider: key.to_string(),
            authority: it.authority.to_string(),
            operator: it.operator.to_string(),
            endpoint: endpoint::from_bytes(&it.endpoint).unwrap_or_default(),
            tls_key: spec::tls_key_name(&it.tls_spki_hash),
            status: if jailed { "jailed" } else { "active" },
            stake: it.stake,
            locked: it.locked,
            free_stake: it.free_stake(),
            unbonding: it.unbonding_amount(),
            earned: it.earned,
            slashed: it.slashed_total,
            claims: it.claims,
            completions: it.completions,
            failures: it.failures,
            reliability_bps: it.reliability_bps,
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rows = [
            ("provider", self.provider.clone()),
            ("authority", self.authority.clone()),
            ("operator", self.operator.clone()),
            ("endpoint", self.endpoint.clone()),
            ("TLS key", self.tls_key.clone()),
            ("status", self.status.into()),
            ("stake", format!("{} of which {} locked", mill(self.stake), mill(self.locked))),
            ("unbonding", mill(self.unbonding)),
            ("earned", mill(self.earned)),
            ("owed from bonds", mill(self.claims)),
            ("slashed so far", mill(self.slashed)),
            ("leases", format!("{} completed, {} failed", self.completions, self.failures)),
            ("reliability", format!("{:.2} %", f64::from(self.reliability_bps) / 100.0)),
        ];
        write!(f, "{}", lines(&rows))
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Listed(Vec<Shown>);

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut rows = table(["provider", "status", "stake", "reliability", "done", "failed", "endpoint"]);
        for it in &self.0 {
            rows.add_row([
                it.provider.clone(),
                it.status.into(),
                mill(it.stake),
                format!("{:.2} %", f64::from(it.reliability_bps) / 100.0),
                it.completions.to_string(),
                it.failures.to_string(),
                it.endpoint.clone(),
            ]);
        }
        write!(f, "{rows}")
    }
}

pub async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Register { operator, endpoint, max_bonds, min_bid_per_sec } => {
            let args = RegisterProviderArgs { operator, endpoint, max_bonds_amount: max_bonds, min_bid_per_sec };
            register(context, args).await
        }
        Command::Stake { amount } => stake(context, amount).await,
        Command::Unstake { amount } => unstake(context, amount).await,
        Command::Withdraw => withdraw(context).await,
        Command::SetOperator { operator } => set_operator(context, operator).await,
        Command::SetTerms(args) => terms::run(context, args).await,
        Command::ProposeAuthority { authority } => propose_authority(context, authority).await,
        Command::AcceptAuthority { provider } => accept_authority(context, provider).await,
        Command::Close => close(context).await,
        Command::Show { authority } => show(context, &authority.map_or_else(|| context.address(), Ok)?).await,
        Command::List => list(context).await,
    }
}

/// The provider of `authority`, or what to do without one. It lies where its first cold key put it.
pub async fn of(context: &Context, authority: &Pubkey) -> Result<(Pubkey, Provider)> {
    let key = pda::provider(authority);
    if let Some(provider) = fetch_agreed::<Provider>(context.chain(), &key).await? {
        if provider.authority == *authority {
            return Ok((key, provider));
        }
    }
    let taken_over = [(millrace_client::field_offset!(Provider, authority), authority.to_bytes().to_vec())];
    let mut found = fetch_all::<Provider>(context.chain(), &taken_over).await?;
    found.pop().with_context(|| format!("{authority} is not a provider; register with `millrace provider register`"))
}

async fn show(context: &Context, authority: &Pubkey) -> Result<()> {
    let (key, provider) = of(context, authority).await?;
    context.print(&Shown::new(&key, &provider, context.chain().unix_timestamp().await?));
    Ok(())
}

async fn list(context: &Context) -> Result<()> {
    let now = context.chain().unix_timestamp().await?;
    let providers = fetch_all::<Provider>(context.chain(), &[]).await?;
    context.print(&Listed(providers.iter().map(|(key, it)| Shown::new(key, it, now)).collect()));
    Ok(())
}

async fn register(context: &Context, args: RegisterProviderArgs) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    if fetch_agreed::<Provider>(context.chain(), &pda::provider(&authority)).await?.is_some() {
        bail!("{authority} is a provider already; see `millrace provider show`");
    }
    if args.operator == authority {
        bail!("the operator key lives on the machine that runs jobs, so it must not be the key that owns the stake; make another with `millrace keygen FILE`");
    }
    context.confirm(&Quote {
        title: format!("Register {authority} as a provider"),
        rows: vec![
            ("operator", args.operator.to_string()),
            ("operator may lock", mill(args.max_bonds_amount)),
            ("rent", context.rent(&[8 + std::mem::size_of::<Provider>(), TOKEN_ACCOUNT_LEN]).await?),
        ],
    })?;
    context.submit("register provider", &[ix::register_provider(&authority, &(&market).into(), args)]).await?;
    show(context, &authority).await
}

async fn stake(context: &Context, amount: u64) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    let (key, provider) = of(context, &authority).await?;
    let held = context.wallet_balance(&market, &authority).await?;
    if held < amount {
        bail!("{authority} holds {}, so {} cannot be staked", mill(held), mill(amount));
    }
    context.confirm(&Quote {
        title: format!("Stake {}", mill(amount)),
        rows: vec![
            ("amount", mill(amount)),
            ("stake after", mill(provider.stake + amount)),
            ("leaves after", format!("{} s of unbonding", market.params.unbonding_secs)),
        ],
    })?;
    context
        .submit(
            "stake",
            &[ix::stake(
                &authority,
                &key,
                &wallet(&authority, &market.mint, &market.token_program),
                &(&market).into(),
                amount,
            )],
        )
        .await?;
    show(context, &authority).await
}

async fn unstake(context: &Context, amount: u64) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    let (key, provider) = of(context, &authority).await?;
    if provider.free_stake() < amount {
        bail!(
            "{} of the stake is free, so {} cannot leave; drain and retire a node first",
            mill(provider.free_stake()),
            mill(amount)
        );
    }
    context.confirm(&Quote {
        title: format!("Unstake {}", mill(amount)),
        rows: vec![("amount", mill(amount)), ("withdrawable in", format!("{} s", market.params.unbonding_secs))],
    })?;
    context.submit("unstake", &[ix::begin_unstake(&authority, &key, amount)]).await?;
    show(context, &authority).await
}

async fn withdraw(context: &Context) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    let (key, provider) = of(context, &authority).await?;
    let now = context.chain().unix_timestamp().await?;
    let matured: u64 =
        provider.unbonding_entries().iter().filter(|entry| entry.matures_at <= now).map(|entry| entry.amount).sum();
    if matured + provider.earned == 0 {
        bail!("nothing is earned and nothing has finished unbonding");
    }
    context.confirm(&Quote {
        title: format!("Withdraw {}", mill(matured + provider.earned)),
        rows: vec![("earned", mill(provider.earned)), ("unbonded", mill(matured))],
    })?;
    let instructions = [
        open_wallet(&authority, &authority, &market.mint, &market.token_program),
        ix::withdraw(&authority, &key, &wallet(&authority, &market.mint, &market.token_program), &(&market).into()),
    ];
    context.submit("withdraw", &instructions).await?;
    show(context, &authority).await
}

async fn set_operator(context: &Context, operator: Pubkey) -> Result<()> {
    let authority = context.address()?;
    let (key, provider) = of(context, &authority).await?;
    context.confirm(&Quote {
        title: "Replace the operator key, from the next epoch on".into(),
        rows: vec![("from", provider.operator.to_string()), ("to", operator.to_string())],
    })?;
    context.submit("set operator", &[ix::set_operator(&authority, &key, &operator)]).await?;
    show(context, &authority).await
}

async fn propose_authority(context: &Context, pending_authority: Option<Pubkey>) -> Result<()> {
    let authority = context.address()?;
    let (key, provider) = of(context, &authority).await?;
    let pending = pending_authority.unwrap_or_default();
    context.confirm(&Quote {
        title: match pending_authority {
            Some(_) => "Name another owner of the provider".into(),
            None => "Take the proposal of another owner back".into(),
        },
        rows: vec![
            ("provider", key.to_string()),
            ("owner", provider.authority.to_string()),
            ("owner to be", pending_authority.map_or_else(|| "nobody".into(), |key| key.to_string())),
        ],
    })?;
    context.submit("propose authority", &[ix::propose_authority(&authority, &key, &pending)]).await?;
    show(context, &authority).await
}

async fn accept_authority(context: &Context, key: Pubkey) -> Result<()> {
    let authority = context.address()?;
    let provider = fetch_agreed::<Provider>(context.chain(), &key)
        .await?
        .with_context(|| format!("{key} is not a provider account"))?;
    if provider.pending_authority != authority {
        bail!("{key} was not offered to {authority}; its owner does that with `millrace provider propose-authority`");
    }
    if of(context, &authority).await.is_ok() {
        bail!("{authority} owns a provider already; commands find a provider by its owner, so each needs its own key");
    }
    context.confirm(&Quote {
        title: format!("Take over provider {key}"),
        rows: vec![
            ("from", provider.authority.to_string()),
            ("stake", mill(provider.stake)),
            ("unbonding", mill(provider.unbonding_amount())),
            ("earned", mill(provider.earned)),
        ],
    })?;
    context.submit("accept authority", &[ix::accept_authority(&authority, &key)]).await?;
    show(context, &authority).await
}

#[derive(Serialize)]
struct Closed {
    provider: String,
    rent_to: String,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "provider {} is closed; its rent went to {}", self.provider, self.rent_to)
    }
}

async fn close(context: &Context) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    let (key, provider) = of(context, &authority).await?;
    if provider.require_empty().is_err() {
        bail!(
            "{} is still owed, {} nodes and {} leases are open; retire and close nodes, unstake and withdraw first",
            mill(provider.owed()),
            provider.open_nodes,
            provider.open_leases
        );
    }
    context.confirm(&Quote {
        title: format!("Close provider {key}"),
        rows: vec![("rent goes to", provider.rent_payer.to_string())],
    })?;
    let close = ix::close_provider(&authority, &key, &provider.rent_payer, &(&market).into());
    context.submit("close provider", &[close]).await?;
    context.print(&Closed { provider: key.to_string(), rent_to: provider.rent_payer.to_string() });
    Ok(())
}
