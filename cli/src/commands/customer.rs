//! `millrace customer`.

use std::fmt;

use anyhow::{bail, Context as _, Result};
use millrace::state::Customer;
use millrace_client::token::{open_wallet, wallet, TOKEN_ACCOUNT_LEN};
use millrace_client::{fetch_agreed, ix, pda, Pubkey};
use serde::Serialize;

use crate::context::{mill, Context, Quote};
use crate::output::lines;
use crate::spec;

/// A buyer's escrow: deposit, withdraw, show.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Put MILL into your escrow; opens it the first time.
    Deposit {
        /// How much, in MILL.
        #[arg(value_parser = spec::amount)]
        amount: u64,
    },
    /// Take back MILL no job has reserved.
    Withdraw {
        /// How much, in MILL.
        #[arg(value_parser = spec::amount)]
        amount: u64,
    },
    /// Show an escrow.
    Show {
        /// Whose; your own by default.
        #[arg(value_parser = spec::address)]
        authority: Option<Pubkey>,
    },
}

#[derive(Serialize)]
struct Shown {
    customer: String,
    authority: String,
    free: u64,
    reserved: u64,
    holdbacks: u64,
    fee_due: u64,
    deposited: u64,
    received: u64,
    paid: u64,
    burned: u64,
    refunded: u64,
    open_jobs: u32,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rows = [
            ("customer", self.customer.clone()),
            ("authority", self.authority.clone()),
            ("free", mill(self.free)),
            ("reserved for jobs", mill(self.reserved)),
            ("held back", mill(self.holdbacks)),
            ("fees due", mill(self.fee_due)),
            ("deposited so far", mill(self.deposited)),
            ("paid so far", mill(self.paid)),
            ("burned so far", mill(self.burned)),
            ("refunded so far", mill(self.refunded)),
            ("open jobs", self.open_jobs.to_string()),
        ];
        write!(f, "{}", lines(&rows))
    }
}

pub async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Deposit { amount } => deposit(context, amount).await,
        Command::Withdraw { amount } => withdraw(context, amount).await,
        Command::Show { authority } => show(context, &authority.map_or_else(|| context.address(), Ok)?).await,
    }
}

/// The escrow of `authority`, or what to do without one.
pub async fn of(context: &Context, authority: &Pubkey) -> Result<(Pubkey, Customer)> {
    let key = pda::customer(authority);
    let customer = fetch_agreed::<Customer>(context.chain(), &key).await?;
    Ok((
        key,
        customer
            .with_context(|| format!("{authority} has no escrow; open one with `millrace customer deposit AMOUNT`"))?,
    ))
}

async fn show(context: &Context, authority: &Pubkey) -> Result<()> {
    let (key, it) = of(context, authority).await?;
    context.print(&Shown {
        customer: key.to_string(),
        authority: it.authority.to_string(),
        free: it.free,
        reserved: it.reserved,
        holdbacks: it.holdbacks,
        fee_due: it.fee_due,
        deposited: it.deposited,
        received: it.received,
        paid: it.paid,
        burned: it.burned,
        refunded: it.refunded,
        open_jobs: it.open_jobs,
    });
    Ok(())
}

async fn deposit(context: &Context, amount: u64) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    let held = context.wallet_balance(&market, &authority).await?;
    if held < amount {
        bail!("{authority} holds {}, so {} cannot be deposited", mill(held), mill(amount));
    }
    let is_new = fetch_agreed::<Customer>(context.chain(), &pda::customer(&authority)).await?.is_none();
    let rent = if is_new {
        context.rent(&[8 + std::mem::size_of::<Customer>(), TOKEN_ACCOUNT_LEN]).await?
    } else {
        "none".into()
    };
    context.confirm(&Quote {
        title: "Deposit into your escrow".into(),
        rows: vec![("amount", mill(amount)), ("rent", rent)],
    })?;
    let mut instructions = Vec::new();
    if is_new {
        instructions.push(ix::open_customer(&authority, &(&market).into()));
    }
    instructions.push(ix::deposit(
        &authority,
        &pda::customer(&authority),
        &wallet(&authority, &market.mint, &market.token_program),
        &(&market).into(),
        amount,
    ));
    context.submit("deposit", &instructions).await?;
    show(context, &authority).await
}

async fn withdraw(context: &Context, amount: u64) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    let (_, customer) = of(context, &authority).await?;
    if customer.free < amount {
        bail!(
            "{} is free, so {} cannot be withdrawn; the rest is reserved for open jobs",
            mill(customer.free),
            mill(amount)
        );
    }
    context.confirm(&Quote { title: "Withdraw from your escrow".into(), rows: vec![("amount", mill(amount))] })?;
    let instructions = [
        open_wallet(&authority, &authority, &market.mint, &market.token_program),
        ix::withdraw_customer(
            &authority,
            &wallet(&authority, &market.mint, &market.token_program),
            &(&market).into(),
            amount,
        ),
    ];
    context.submit("withdraw", &instructions).await?;
    show(context, &authority).await
}
