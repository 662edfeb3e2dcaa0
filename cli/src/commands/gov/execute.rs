//! Carrying out and closing proposals.

use anyhow::{bail, Context as _, Result};
use millrace::instructions::governance::payload;
use millrace::instructions::SeatOracleArgs;
use millrace::state::{ProposalKind, SlashCase};
use millrace_client::token::wallet;
use millrace_client::{fetch, ix, Pubkey};

use super::show::{standing, what, Standing};
use super::{read, Done};
use crate::context::{mill, Context, Quote};

pub async fn execute(context: &Context, id: u64) -> Result<()> {
    let market = context.market().await?;
    let (address, proposal) = read(context, id).await?;
    let now = context.chain().unix_timestamp().await?;
    match standing(&proposal, now) {
        Standing::Executable => {}
        Standing::Voting => bail!("voting is open for another {} s", proposal.voting_ends_at - now),
        Standing::Waiting => bail!("it has passed, and can be executed in {} s", proposal.eta - now),
        Standing::Failed => bail!("proposal {id} did not pass; close it with `millrace gov close {id}`"),
        Standing::Expired => {
            bail!("proposal {id} expired at {}; close it with `millrace gov close {id}`", proposal.expires_at)
        }
        Standing::Done => bail!("proposal {id} was executed already; close it with `millrace gov close {id}`"),
    }
    let kind = ProposalKind::of(proposal.kind)?;
    let target = &proposal.target;
    let instruction = match kind {
        ProposalKind::UpdateParams => ix::execute_params(&address),
        ProposalKind::SetGuardian => ix::execute_guardian(&address),
        ProposalKind::AddOracle => {
            let seat = payload::read::<SeatOracleArgs>(proposal.payload())?;
            ix::execute_add_oracle(&context.address()?, &address, &seat.oracle_authority, &(&market).into())
        }
        ProposalKind::RemoveOracle => {
            ix::execute_remove_oracle(&address, &payload::read::<Pubkey>(proposal.payload())?)
        }
        ProposalKind::TreasuryTransfer => ix::execute_transfer(&address, target, &(&market).into()),
        ProposalKind::OverturnSlash => {
            let case = fetch::<SlashCase>(context.chain(), target).await?.context("the case is closed")?;
            ix::execute_overturn_slash(&address, target, &case.provider)
        }
        ProposalKind::OverturnRuling => ix::execute_overturn_ruling(&address, target),
        ProposalKind::UpgradeProgram => ix::execute_upgrade(&address, target, &proposal.proposer),
    };
    context.confirm(&Quote {
        title: format!("Execute proposal {id}"),
        rows: vec![
            ("what", what(context, &market, &proposal).await?),
            ("cost", "the network's fee, and a seat's rent".into()),
        ],
    })?;
    let signature = context.submit("execute", &[instruction]).await?;
    let done = match kind {
        ProposalKind::UpdateParams => "executed; the parameters hold two epochs from now, by `millrace gov activate`",
        _ => "executed",
    };
    context.print(&Done { done, id: Some(id), signature: signature.to_string() });
    Ok(())
}

pub async fn close(context: &Context, id: u64) -> Result<()> {
    let market = context.market().await?;
    let (address, proposal) = read(context, id).await?;
    let now = context.chain().unix_timestamp().await?;
    if proposal.require_over(now).is_err() {
        bail!("proposal {id} is not over; see `millrace gov show {id}`");
    }
    let returns = proposal.tally().meets_quorum();
    context.confirm(&Quote {
        title: format!("Close proposal {id}"),
        rows: vec![
            ("deposit", mill(proposal.deposit_amount)),
            ("to", if returns { proposal.proposer.to_string() } else { "the treasury: too few voted".into() }),
        ],
    })?;
    if proposal.require_closable(now).is_err() {
        let back = ix::return_buffer(&address, &proposal.target, &proposal.proposer);
        context.submit("return buffer", &[back]).await?;
    }
    let destination = wallet(&proposal.proposer, &market.mint, &market.token_program);
    let close = ix::close_proposal(&address, &destination, &proposal.rent_payer, &(&market).into());
    let signature = context.submit("close proposal", &[close]).await?;
    let done = if returns { "closed; the deposit went back" } else { "closed; the deposit stays in the treasury" };
    context.print(&Done { done, id: Some(id), signature: signature.to_string() });
    Ok(())
}
