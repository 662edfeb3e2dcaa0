//! `millrace transfer`.

use std::fmt;

use anyhow::{bail, Result};
use millrace_client::token::{open_wallet, transfer, wallet, TOKEN_ACCOUNT_LEN};
use millrace_client::Pubkey;
use serde::Serialize;

use crate::context::{mill, Context, Quote};
use crate::spec;

/// Send MILL to another address. Opens its token account if it has none.
#[derive(clap::Args)]
pub struct Args {
    /// Who receives.
    #[arg(value_parser = spec::address)]
    to: Pubkey,
    /// How much, in MILL.
    #[arg(value_parser = spec::amount)]
    amount: u64,
}

#[derive(Serialize)]
struct Sent {
    to: String,
    amount: u64,
    signature: String,
}

impl fmt::Display for Sent {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{} sent to {}\n{}", mill(self.amount), self.to, self.signature)
    }
}

pub async fn run(context: &Context, args: Args) -> Result<()> {
    let market = context.market().await?;
    let from = context.address()?;
    let held = context.wallet_balance(&market, &from).await?;
    if held < args.amount {
        bail!("{from} holds {}, so {} cannot be sent", mill(held), mill(args.amount));
    }
    let target = wallet(&args.to, &market.mint, &market.token_program);
    let rent = match context.chain().account(&target).await? {
        Some(_) => "none, the account is open".into(),
        None => context.rent(&[TOKEN_ACCOUNT_LEN]).await?,
    };
    context.confirm(&Quote {
        title: format!("Send {} to {}", mill(args.amount), args.to),
        rows: vec![("amount", mill(args.amount)), ("rent", rent)],
    })?;
    let source = wallet(&from, &market.mint, &market.token_program);
    let instructions = [
        open_wallet(&from, &args.to, &market.mint, &market.token_program),
        transfer(&source, &market.mint, &target, &from, args.amount),
    ];
    let signature = context.submit("transfer", &instructions).await?;
    context.print(&Sent { to: args.to.to_string(), amount: args.amount, signature: signature.to_string() });
    Ok(())
}
