//! `millrace ledger`.

use anyhow::{bail, Result};

use crate::context::Context;
use crate::ledger;

/// Every base unit of the market, read from the chain, and whether invariants I1 to I6 hold.
///
/// Ends with a failure when one does not.
#[derive(clap::Args)]
pub struct Args {}

pub async fn run(context: &Context, _: Args) -> Result<()> {
    let ledger = ledger::read(context.chain()).await?;
    context.print(&ledger);
    let broken: Vec<&str> = ledger.invariants.iter().filter(|it| !it.holds).map(|it| it.name).collect();
    if !broken.is_empty() {
        bail!("{} does not hold: the market's books and the token program's differ", broken.join(", "));
    }
    Ok(())
}
