//! `millrace gov propose`: one command for each kind.

use std::fmt;

use anchor_lang::AnchorSerialize;
use anyhow::{bail, Context as _, Result};
use millrace::constants::ENDPOINT_LEN;
use millrace::instructions::{ProposeArgs, SeatOracleArgs};
use millrace::loader::BUFFER_HEADER_LEN;
use millrace::state::{Config, Proposal, ProposalKind};
use millrace_client::token::wallet;
use millrace_client::{fetch, ix, pda, Instruction, Pubkey};
use millrace_core::hash::sha256;
use serde::Serialize;

use super::params;
use crate::context::{mill, Context, Quote};
use crate::spec;

/// Propose something.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Change parameters. See them with `millrace gov params`.
    Params {
        /// A change as NAME=VALUE, such as fee_bps=200; give one for each. The name says the unit.
        #[arg(long = "set", required = true, value_name = "NAME=VALUE", value_parser = params::change)]
        changes: Vec<(String, String)>,
    },
    /// Name who may pause new work.
    Guardian {
        /// Who; leave it out for nobody.
        #[arg(value_parser = spec::address)]
        guardian: Option<Pubkey>,
    },
    /// Give an oracle a seat.
    AddOracle {
        /// Key that signs its reports.
        #[arg(value_parser = spec::address)]
        authority: Pubkey,
        /// URL of its daemon.
        #[arg(value_parser = spec::endpoint)]
        endpoint: [u8; ENDPOINT_LEN],
        /// Its weight in the quorum.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..))]
        weight: u64,
    },
    /// Take an oracle's seat.
    RemoveOracle {
        /// Key that signs its reports.
        #[arg(value_parser = spec::address)]
        authority: Pubkey,
    },
    /// Pay out of the treasury.
    Pay {
        /// Who receives; must have a MILL wallet.
        #[arg(value_parser = spec::address)]
        to: Pubkey,
        /// How much, in MILL.
        #[arg(value_parser = spec::amount)]
        amount: u64,
    },
    /// Overturn a judged case, which waits until the vote is over.
    OverturnSlash {
        /// Account of the case.
        #[arg(value_parser = spec::address)]
        case: Pubkey,
    },
    /// Overturn the ruling of a dispute, which waits until the vote is over.
    OverturnRuling {
        /// Account of the dispute.
        #[arg(value_parser = spec::address)]
        dispute: Pubkey,
    },
    /// Replace the program by the one in a buffer of yours (`solana program write-buffer`). The buffer goes to governance,
    /// which cannot change it, and comes back if the proposal fails.
    Upgrade {
        /// Account of the buffer.
        #[arg(value_parser = spec::address)]
        buffer: Pubkey,
    },
}

#[derive(Serialize)]
struct Proposed {
    id: u64,
    proposal: String,
    what: String,
    voting_ends_at: i64,
    eta: i64,
    expires_at: i64,
    signature: String,
}

impl fmt::Display for Proposed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "proposal {}: {}\nvotes until {}; if it passes it can be executed from {} to {}\n{}",
            self.id, self.what, self.voting_ends_at, self.eta, self.expires_at, self.signature
        )
    }
}

fn encoded(value: &impl AnchorSerialize) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    value.serialize(&mut bytes)?;
    Ok(bytes)
}

pub async fn run(context: &Context, command: Command) -> Result<()> {
    use ProposalKind as Kind;
    let market = context.market().await?;
    let nothing = Pubkey::default();
    let (kind, target, payload, what) = match command {
        Command::Params { changes } => {
            let params = params::changed(&market.params, &changes)?;
            let differences = params::difference(&market.params, &params);
            if differences.is_empty() {
                bail!("every parameter named has that value already; see `millrace gov params`");
            }
            if params.check(&market.bounds).is_err() {
                bail!(
                    "these parameters are outside their bounds or overtake each other; the program would refuse them"
                );
            }
            let texts: Vec<_> = differences.iter().map(|it| format!("{} {} -> {}", it.name, it.from, it.to)).collect();
            (Kind::UpdateParams, nothing, encoded(&params)?, texts.join(", "))
        }
        Command::Guardian { guardian } => {
            let what = guardian.map_or("nobody may pause".into(), |it| format!("{it} may pause new work"));
            (Kind::SetGuardian, nothing, encoded(&guardian.unwrap_or_default())?, what)
        }
        Command::AddOracle { authority, endpoint, weight } => {
            let seat = SeatOracleArgs { oracle_authority: authority, weight, endpoint };
            (Kind::AddOracle, nothing, encoded(&seat)?, format!("{authority} gets an oracle seat of weight {weight}"))
        }
        Command::RemoveOracle { authority } => {
            (Kind::RemoveOracle, nothing, encoded(&authority)?, format!("{authority} loses its oracle seat"))
        }
        Command::Pay { to, amount } => {
            let account = wallet(&to, &market.mint, &market.token_program);
            if context.chain().account(&account).await?.is_none() {
                bail!("{to} has no MILL wallet; `millrace transfer {to} 0.000001` opens one");
            }
            (Kind::TreasuryTransfer, account, encoded(&amount)?, format!("{} to {to}", mill(amount)))
        }
        Command::OverturnSlash { case } => (Kind::OverturnSlash, case, vec![], format!("case {case} is overturned")),
        Command::OverturnRuling { dispute } => {
            (Kind::OverturnRuling, dispute, vec![], format!("the ruling of {dispute} is turned"))
        }
        Command::Upgrade { buffer } => return upgrade(context, &market, buffer).await,
    };
    let proposer = context.address()?;
    let source = wallet(&proposer, &market.mint, &market.token_program);
    let args = ProposeArgs { kind: kind as u8, payload };
    let make = ix::propose(&proposer, &source, &(&market).into(), market.next_proposal_id, &target, args);
    file(context, &market, make, what).await
}

async fn upgrade(context: &Context, market: &Config, buffer: Pubkey) -> Result<()> {
    let account =
        context.chain().account(&buffer).await?.with_context(|| format!("there is no account at {buffer}"))?;
    let program = account.data.get(BUFFER_HEADER_LEN..).unwrap_or_default();
    if account.owner != anchor_lang::solana_program::bpf_loader_upgradeable::ID || program.is_empty() {
        bail!("{buffer} is no program buffer; write one with `solana program write-buffer`");
    }
    let hash = sha256(&[program]);
    let proposer = context.address()?;
    let source = wallet(&proposer, &market.mint, &market.token_program);
    let make = ix::propose_upgrade(&proposer, &source, &market.into(), market.next_proposal_id, &buffer, hash);
    let what = format!("the program becomes the {} bytes with sha256 {}", program.len(), hex::encode(hash));
    file(context, market, make, what).await
}

async fn file(context: &Context, market: &Config, make: Instruction, what: String) -> Result<()> {
    let id = market.next_proposal_id;
    let proposer = context.address()?;
    let deposit_amount = market.params.proposal_deposit_amount;
    let held = context.wallet_balance(market, &proposer).await?;
    if held < deposit_amount {
        bail!("a proposal takes a deposit of {}, and {proposer} holds {}", mill(deposit_amount), mill(held));
    }
    context.confirm(&Quote {
        title: format!("Propose: {what}"),
        rows: vec![
            ("deposit", mill(deposit_amount)),
            ("it returns", "if enough people vote, whichever way".into()),
            ("rent, returned when closed", context.rent(&[std::mem::size_of::<Proposal>()]).await?),
        ],
    })?;
    let signature = context.submit("propose", &[make]).await?;
    let address = pda::proposal(id);
    let made = fetch::<Proposal>(context.chain(), &address).await?.context("the proposal is not there")?;
    context.print(&Proposed {
        id,
        proposal: address.to_string(),
        what,
        voting_ends_at: made.voting_ends_at,
        eta: made.eta,
        expires_at: made.expires_at,
        signature: signature.to_string(),
    });
    Ok(())
}
