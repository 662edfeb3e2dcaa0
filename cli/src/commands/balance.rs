//! `millrace balance`.

use std::fmt;

use anyhow::Result;
use millrace_client::Pubkey;
use serde::Serialize;

use crate::context::{format_sol, mill, Context};
use crate::output::lines;
use crate::spec;

/// SOL and MILL of an address.
#[derive(clap::Args)]
pub struct Args {
    /// Whose; your own by default.
    #[arg(value_parser = spec::address)]
    address: Option<Pubkey>,
}

#[derive(Serialize)]
struct Balance {
    address: String,
    lamports: u64,
    mill_amount: u64,
}

impl fmt::Display for Balance {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rows =
            [("address", self.address.clone()), ("SOL", format_sol(self.lamports)), ("MILL", mill(self.mill_amount))];
        write!(f, "{}", lines(&rows))
    }
}

pub async fn run(context: &Context, args: Args) -> Result<()> {
    let address = args.address.map_or_else(|| context.address(), Ok)?;
    let market = context.market().await?;
    let lamports = context.chain().account(&address).await?.map_or(0, |account| account.lamports);
    let mill_amount = context.wallet_balance(&market, &address).await?;
    context.print(&Balance { address: address.to_string(), lamports, mill_amount });
    Ok(())
}
