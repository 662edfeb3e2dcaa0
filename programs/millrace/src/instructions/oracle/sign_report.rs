//! An oracle signs the root of an epoch's report.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::events::{emit, next, ReportSigned};
use crate::state::{Config, Oracle, OracleSet, Reports};

/// What is signed.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct SignReportArgs {
    /// The current or the previous epoch.
    pub epoch: u64,
    /// Merkle root of its leaves.
    pub root: [u8; 24],
    /// Leaves under it, above zero.
    pub leaves: u32,
    /// Commitment to the oracle's observations for the next epoch.
    pub next_observation_hash: [u8; 32],
}

/// Called by: the key of a seat with enough stake, once an epoch. Moves: nothing. At more than the quorum of the weight
/// the root is accepted; a signature of an accepted root adds its bit, a dissenting one counts as presence.
#[event_cpi]
#[derive(Accounts)]
pub struct SignReport<'info> {
    /// Key of the seat.
    pub authority: Signer<'info>,
    /// The deployment: tells the epoch and the quorum. There is only one.
    pub config: AccountLoader<'info, Config>,
    /// The seats. There is only one such account.
    pub oracles: AccountLoader<'info, OracleSet>,
    /// The signer's record.
    #[account(mut, has_one = authority @ MillraceError::NotAnOracle)]
    pub oracle: AccountLoader<'info, Oracle>,
    /// The reports. There is only one such account.
    #[account(mut)]
    pub reports: AccountLoader<'info, Reports>,
}

impl SignReport<'_> {
    fn validate(&self, args: &SignReportArgs, now: i64) -> Result<()> {
        let current = self.config.load()?.epoch_at(now)?;
        let is_recent = args.epoch == current || args.epoch.checked_add(1) == Some(current);
        require!(is_recent, MillraceError::WrongEpoch);
        require!(args.leaves > 0, MillraceError::EmptyReport);
        Ok(())
    }

    /// Writes the seat's row and, at quorum, the accepted root.
    pub fn handle(ctx: Context<Self>, args: SignReportArgs) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        ctx.accounts.validate(&args, now)?;
        let accounts = &ctx.accounts;
        let event = {
            let oracles = accounts.oracles.load()?;
            let mut oracle = accounts.oracle.load_mut()?;
            let (quorum_bps, oracle_stake_amount) = {
                let params = &accounts.config.load()?.params;
                (params.quorum_bps, params.oracle_stake_amount)
            };
            oracle.require_able(oracle_stake_amount)?;
            oracles.seat_of(oracle.seat, &oracle.authority)?;
            // Epochs before are of who held the seat then.
            require!(args.epoch >= oracle.seated_epoch, MillraceError::NotAnOracle);

            let mut reports = accounts.reports.load_mut()?;
            reports.sign(oracle.seat, &oracle.authority, args.epoch, args.root, args.leaves)?;
            let tally = reports.tally(&oracles, args.epoch, args.root, args.leaves);
            let is_accepted = oracles.is_quorum(tally.weight, quorum_bps);
            if is_accepted {
                reports.accept(args.epoch, args.root, args.leaves, tally.signers, now);
            }
            oracle.record_signature(args.epoch, args.next_observation_hash);
            ReportSigned {
                sequence: next(&mut reports.sequence),
                oracle: accounts.oracle.key(),
                epoch: args.epoch,
                root: args.root,
                leaves: args.leaves,
                signers: tally.signers,
                weight: tally.weight,
                is_accepted,
            }
        };
        emit(&accounts.event_authority, &event)
    }
}
