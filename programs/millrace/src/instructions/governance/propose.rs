//! Makes a proposal of any kind but an upgrade.

use anchor_lang::prelude::*;

use super::filing::Filing;
use crate::create;
use crate::errors::MillraceError;
use crate::events::{emit, next, Appealed};
use crate::state::{Config, Dispute, Draft, ProposalKind, SlashCase};

/// What is proposed.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct ProposeArgs {
    /// A [`ProposalKind`].
    pub kind: u8,
    /// What the kind needs, Borsh-encoded: parameters, a key, a seat, an amount, or nothing.
    pub payload: Vec<u8>,
}

/// Called by: anyone with the deposit, who pays the rent. Moves: the deposit from `source` to the treasury. To propose
/// that a judged case or a ruling be overturned is the appeal against it: it waits, once, until the proposal expires.
#[event_cpi]
#[derive(Accounts)]
pub struct Propose<'info> {
    /// Makes it; pays deposit and rent.
    #[account(mut)]
    pub proposer: Signer<'info>,
    /// The deployment.
    #[account(mut)]
    pub config: AccountLoader<'info, Config>,
    /// CHECK: created here, at the address of the next number.
    #[account(mut)]
    pub proposal: UncheckedAccount<'info>,
    /// CHECK: the case, the dispute, or the token account that receives; the address of zeros for kinds without one.
    pub target: UncheckedAccount<'info>,
    /// CHECK: the token program checks that the proposer may spend from it and that it is of the mint.
    #[account(mut)]
    pub source: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    #[account(mut)]
    pub treasury: UncheckedAccount<'info>,
    /// CHECK: compared with the address the config stores.
    pub mint: UncheckedAccount<'info>,
    /// CHECK: must own treasury and source.
    pub token_program: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl Propose<'_> {
    fn validate(&self, kind: ProposalKind) -> Result<()> {
        let has_target = self.target.key() != Pubkey::default();
        match kind {
            ProposalKind::UpgradeProgram => err!(MillraceError::WrongKind),
            ProposalKind::TreasuryTransfer | ProposalKind::OverturnSlash | ProposalKind::OverturnRuling => {
                require!(has_target, MillraceError::BadProposal);
                Ok(())
            }
            _ => {
                require!(!has_target, MillraceError::BadProposal);
                Ok(())
            }
        }
    }

    /// Files it, and has what it appeals against wait.
    pub fn handle(ctx: Context<Self>, args: ProposeArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let kind = ProposalKind::of(args.kind)?;
        accounts.validate(kind)?;
        let filing = Filing {
            proposer: &accounts.proposer,
            config: &accounts.config,
            proposal: &accounts.proposal,
            source: &accounts.source,
            treasury: &accounts.treasury,
            mint: &accounts.mint,
            token_program: &accounts.token_program,
        };
        let draft =
            Draft { kind, proposer: accounts.proposer.key(), target: accounts.target.key(), payload: &args.payload };
        let (event, expires_at) = filing.file(&draft)?;
        emit(&accounts.event_authority, &event)?;
        // The last instant of the proposal is still before the first of its target.
        let until = expires_at.saturating_add(1);
        let Some(sequence) = accounts.appeal(kind, until)? else { return Ok(()) };
        emit(
            &accounts.event_authority,
            &Appealed { sequence, appealed: draft.target, proposal: event.proposal, appeal_until: until },
        )
    }

    /// Has a judged case or a ruling wait. Returns the number of its event.
    fn appeal(&self, kind: ProposalKind, until: i64) -> Result<Option<u64>> {
        let now = Clock::get()?.unix_timestamp;
        match kind {
            ProposalKind::OverturnSlash => {
                let mut case = create::load_as::<SlashCase>(&self.target)?;
                case.appeal(until, now)?;
                Ok(Some(next(&mut case.sequence)))
            }
            ProposalKind::OverturnRuling => {
                let mut dispute = create::load_as::<Dispute>(&self.target)?;
                dispute.appeal(now, until)?;
                Ok(Some(next(&mut dispute.sequence)))
            }
            _ => Ok(None),
        }
    }
}
