//! What is proposed, and where it stands.

use std::fmt;

use anyhow::Result;
use millrace::instructions::governance::payload;
use millrace::instructions::{SeatOracleArgs, UpgradePayload};
use millrace::loader::BUFFER_HEADER_LEN;
use millrace::state::{Config, Params, Proposal, ProposalKind};
use millrace_client::{endpoint, fetch_all, Pubkey};
use millrace_core::hash::sha256;
use millrace_core::vote::MIN_TURNOUT_BPS;
use serde::Serialize;

use super::{params, read};
use crate::context::{mill, Context};
use crate::output::{lines, table};

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Standing {
    /// It takes votes.
    Voting,
    /// It did not pass.
    Failed,
    /// It passed and waits for its timelock.
    Waiting,
    /// It passed and may be executed.
    Executable,
    /// It passed and nobody executed it in time.
    Expired,
    /// It was executed, or its buffer given back.
    Done,
}

/// Where `proposal` stands at `now`.
pub fn standing(proposal: &Proposal, now: i64) -> Standing {
    if proposal.is_done == 1 {
        Standing::Done
    } else if now < proposal.voting_ends_at {
        Standing::Voting
    } else if !proposal.is_passed() {
        Standing::Failed
    } else if now < proposal.eta {
        Standing::Waiting
    } else if now <= proposal.expires_at {
        Standing::Executable
    } else {
        Standing::Expired
    }
}

/// What a proposal would do, in words.
pub async fn what(context: &Context, market: &Config, proposal: &Proposal) -> Result<String> {
    let bytes = proposal.payload();
    Ok(match ProposalKind::of(proposal.kind)? {
        ProposalKind::UpdateParams => {
            let changes = params::difference(&market.params, &payload::read::<Params>(bytes)?);
            let texts: Vec<_> = changes.iter().map(|it| format!("{} {} -> {}", it.name, it.from, it.to)).collect();
            if texts.is_empty() {
                "the parameters as they are".into()
            } else {
                texts.join(", ")
            }
        }
        ProposalKind::SetGuardian => match payload::read::<Pubkey>(bytes)? {
            nobody if nobody == Pubkey::default() => "nobody may pause".into(),
            guardian => format!("{guardian} may pause new work"),
        },
        ProposalKind::AddOracle => {
            let seat = payload::read::<SeatOracleArgs>(bytes)?;
            let url = endpoint::from_bytes(&seat.endpoint).unwrap_or_default();
            format!("{} at {url} gets an oracle seat of weight {}", seat.oracle_authority, seat.weight)
        }
        ProposalKind::RemoveOracle => format!("{} loses its oracle seat", payload::read::<Pubkey>(bytes)?),
        ProposalKind::TreasuryTransfer => {
            format!(
                "{} out of the treasury to the token account {}",
                mill(payload::read::<u64>(bytes)?),
                proposal.target
            )
        }
        ProposalKind::OverturnSlash => format!("case {} is overturned", proposal.target),
        ProposalKind::OverturnRuling => format!("the ruling of dispute {} is turned", proposal.target),
        ProposalKind::UpgradeProgram => {
            let voted = payload::read::<UpgradePayload>(bytes)?;
            format!(
                "the program becomes that in buffer {}: {}",
                proposal.target,
                buffer_check(context, proposal, &voted).await?
            )
        }
    })
}

/// Hashes the buffer as it is on chain and compares: what is not the same must not be voted for.
async fn buffer_check(context: &Context, proposal: &Proposal, voted: &UpgradePayload) -> Result<String> {
    let stated = hex::encode(voted.program_hash);
    let Some(account) = context.chain().account(&proposal.target).await? else {
        return Ok(format!("sha256 {stated} as stated; the buffer is gone"));
    };
    let found = hex::encode(sha256(&[account.data.get(BUFFER_HEADER_LEN..).unwrap_or_default()]));
    Ok(if found == stated {
        format!("sha256 {found}, {} bytes, as its proposer says", voted.program_len)
    } else {
        format!("sha256 {found}, BUT ITS PROPOSER SAYS {stated}: vote no")
    })
}

#[derive(Serialize)]
struct Shown {
    id: u64,
    proposal: String,
    standing: Standing,
    what: String,
    proposer: String,
    payload_hash: String,
    deposit_amount: u64,
    yes_weight: u64,
    no_weight: u64,
    total_weight: u64,
    quorum_bps: u16,
    voted_amount: u64,
    supply_amount: u64,
    meets_quorum: bool,
    needs_two_thirds: bool,
    is_passed: bool,
    voting_ends_at: i64,
    eta: i64,
    expires_at: i64,
    now: i64,
}

impl Shown {
    fn of(address: &Pubkey, it: &Proposal, what: String, now: i64) -> Self {
        Self {
            id: it.id,
            proposal: address.to_string(),
            standing: standing(it, now),
            what,
            proposer: it.proposer.to_string(),
            payload_hash: hex::encode(it.payload_hash),
            deposit_amount: it.deposit_amount,
            yes_weight: it.yes_weight,
            no_weight: it.no_weight,
            total_weight: it.total_weight,
            quorum_bps: it.quorum_bps,
            voted_amount: it.voted_amount,
            supply_amount: it.supply_amount,
            meets_quorum: it.tally().meets_quorum(),
            needs_two_thirds: ProposalKind::of(it.kind).is_ok_and(ProposalKind::is_grave),
            is_passed: it.is_passed(),
            voting_ends_at: it.voting_ends_at,
            eta: it.eta,
            expires_at: it.expires_at,
            now,
        }
    }

    fn next(&self) -> String {
        let id = self.id;
        match self.standing {
            Standing::Voting => {
                format!("`millrace gov vote {id} yes` or `no`, for another {} s", self.voting_ends_at - self.now)
            }
            Standing::Failed | Standing::Expired | Standing::Done => format!("`millrace gov close {id}`"),
            Standing::Waiting => format!("`millrace gov execute {id}` in {} s", self.eta - self.now),
            Standing::Executable => format!("`millrace gov execute {id}`, within {} s", self.expires_at - self.now),
        }
    }
}

fn percent(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "0.00 %".into();
    }
    format!("{:.2} %", part as f64 * 100.0 / whole as f64)
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let majority = if self.needs_two_thirds { "two thirds of the votes" } else { "more for than against" };
        let rows = [
            ("proposal", format!("{}  {}", self.id, self.proposal)),
            ("what", self.what.clone()),
            ("standing", format!("{:?}", self.standing).to_lowercase()),
            ("for", format!("{}  {}", mill(self.yes_weight), percent(self.yes_weight, self.total_weight))),
            ("against", format!("{}  {}", mill(self.no_weight), percent(self.no_weight, self.total_weight))),
            (
                "quorum",
                format!(
                    "{} % of all weight and {} % of the supply must vote ({} of it did): {}",
                    f64::from(self.quorum_bps) / 100.0,
                    MIN_TURNOUT_BPS / 100,
                    percent(self.voted_amount, self.supply_amount),
                    if self.meets_quorum { "met" } else { "not met" }
                ),
            ),
            ("passes with", majority.into()),
            ("proposer", self.proposer.clone()),
            ("deposit", mill(self.deposit_amount)),
            ("payload hash", self.payload_hash.clone()),
            ("next", self.next()),
        ];
        write!(f, "{}", lines(&rows))
    }
}

pub async fn show(context: &Context, id: u64) -> Result<()> {
    let market = context.market().await?;
    let (address, proposal) = read(context, id).await?;
    let now = context.chain().unix_timestamp().await?;
    let what = what(context, &market, &proposal).await?;
    context.print(&Shown::of(&address, &proposal, what, now));
    Ok(())
}

#[derive(Serialize)]
#[serde(transparent)]
struct Listed(Vec<Shown>);

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        if self.0.is_empty() {
            return write!(f, "no proposal is open; make one with `millrace gov propose`");
        }
        let mut rows = table(["id", "standing", "for", "against", "what"]);
        for it in &self.0 {
            let standing = format!("{:?}", it.standing).to_lowercase();
            rows.add_row([
                it.id.to_string(),
                standing,
                percent(it.yes_weight, it.total_weight),
                percent(it.no_weight, it.total_weight),
                it.what.clone(),
            ]);
        }
        write!(f, "{rows}")
    }
}

pub async fn list(context: &Context) -> Result<()> {
    let market = context.market().await?;
    let now = context.chain().unix_timestamp().await?;
    let mut proposals = fetch_all::<Proposal>(context.chain(), &[]).await?;
    proposals.sort_by_key(|(_, it)| it.id);
    let mut shown = Vec::new();
    for (address, proposal) in &proposals {
        shown.push(Shown::of(address, proposal, what(context, &market, proposal).await?, now));
    }
    context.print(&Listed(shown));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;

    #[test]
    fn a_proposal_stands_where_the_program_would_say() {
        let open = Proposal { voting_ends_at: 10, eta: 20, expires_at: 30, ..Proposal::zeroed() };
        let passed = Proposal { yes_weight: 1, voted_amount: 1, ..open };
        let standings = |it: &Proposal| [9, 10, 19, 20, 30, 31].map(|now| standing(it, now));
        use Standing::*;
        assert_eq!(standings(&passed), [Voting, Waiting, Waiting, Executable, Executable, Expired]);
        assert_eq!(standings(&open), [Voting, Failed, Failed, Failed, Failed, Failed]);
        let done = Proposal { is_done: 1, ..passed };
        assert_eq!(standings(&done), [Done; 6]);
    }
}
