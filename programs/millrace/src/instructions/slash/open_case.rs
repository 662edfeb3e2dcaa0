//! Accuses a commit.

use anchor_lang::prelude::*;
use anchor_lang::system_program::{transfer, Transfer};
use millrace_core::hash::sha256;
use millrace_core::proof::{Commit, COMMIT_LEN};

use super::signature::require_signed;
use crate::constants::*;
use crate::errors::MillraceError;
use crate::events::{emit, next, CaseOpened};
use crate::state::fraud_case::{decode_commit, is_in_window};
use crate::state::{Beacons, Config, FraudCase, Node, Provider};

/// What is accused, and who is paid for it.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct OpenCaseArgs {
    /// The commit, as `millrace_core::proof::Commit` encodes it.
    pub commit: [u8; COMMIT_LEN],
    /// Token account for the bounty, usually the opener's own; where it cannot be paid, the bounty burns.
    pub bounty_account: Pubkey,
}

/// Called by: anyone, right after an ed25519 instruction in which the operator's signature over the commit was
/// verified. Moves: the deposit, in lamports, from the opener to the case. A commit has one case.
#[event_cpi]
#[derive(Accounts)]
#[instruction(args: OpenCaseArgs)]
pub struct OpenCase<'info> {
    /// Pays rent and deposit.
    #[account(mut)]
    pub opener: Signer<'info>,
    /// The deployment.
    #[account(seeds = [CONFIG_SEED], bump = config.load()?.bump)]
    pub config: AccountLoader<'info, Config>,
    /// The ring with the commit's beacon.
    #[account(seeds = [BEACONS_SEED], bump = beacons.load()?.bump)]
    pub beacons: AccountLoader<'info, Beacons>,
    /// Provider of the node.
    #[account(address = node.load()?.provider @ MillraceError::WrongAccount)]
    pub provider: AccountLoader<'info, Provider>,
    /// Node named by the commit.
    pub node: AccountLoader<'info, Node>,
    /// The new account; its seeds prove one case per commit.
    #[account(init, payer = opener, space = FraudCase::SPACE, seeds = [FRAUD_SEED, &sha256(&[&args.commit])], bump)]
    pub case: AccountLoader<'info, FraudCase>,
    /// CHECK: the instructions of this transaction, by address.
    #[account(address = solana_instructions_sysvar::ID)]
    pub instructions: UncheckedAccount<'info>,
    /// Creates the account and moves the deposit.
    pub system_program: Program<'info, System>,
}

impl OpenCase<'_> {
    fn validate(&self, args: &OpenCaseArgs, commit: &Commit, now: i64) -> Result<()> {
        let config = self.config.load()?;
        require!(commit.deployment_id == config.deployment_id, MillraceError::WrongDeployment);
        require!(commit.node == self.node.key().to_bytes(), MillraceError::WrongAccount);
        let beacons = self.beacons.load()?;
        let is_ours = beacons.latched(commit.epoch).is_some_and(|latched| latched.hash == commit.beacon);
        require!(is_ours && is_in_window(commit, config.epoch_at(now)?), MillraceError::WrongBeacon);
        let signer = self.provider.load()?.operator_at(commit.epoch);
        require_signed(&self.instructions, &signer, &args.commit)
    }

    /// Writes the account and takes the deposit.
    pub fn handle(ctx: Context<Self>, args: OpenCaseArgs) -> Result<()> {
        let now = Clock::get()?.unix_timestamp;
        let commit = decode_commit(&args.commit)?;
        let accounts = &ctx.accounts;
        accounts.validate(&args, &commit, now)?;
        let (deposit_lamports, closes_at) = {
            let params = &accounts.config.load()?.params;
            (params.case_deposit_lamports, now.checked_add(params.case_window_secs).ok_or(MillraceError::MathOverflow)?)
        };
        let sequence = {
            let mut case = accounts.case.load_init()?;
            case.version = ACCOUNT_VERSION;
            case.bump = ctx.bumps.case;
            case.commit[..COMMIT_LEN].copy_from_slice(&args.commit);
            case.node = accounts.node.key();
            case.provider = accounts.provider.key();
            case.opener = accounts.opener.key();
            case.bounty_account = args.bounty_account;
            case.deposit_lamports = deposit_lamports;
            case.opened_at = now;
            case.closes_at = closes_at;
            case.rent_payer = accounts.opener.key();
            next(&mut case.sequence)
        };
        let deposit = Transfer { from: accounts.opener.to_account_info(), to: accounts.case.to_account_info() };
        transfer(CpiContext::new(accounts.system_program.key(), deposit), deposit_lamports)?;
        emit(
            &accounts.event_authority,
            &CaseOpened {
                sequence,
                case: accounts.case.key(),
                commit_id: sha256(&[&args.commit]),
                node: accounts.node.key(),
                provider: accounts.provider.key(),
                opener: accounts.opener.key(),
                epoch: commit.epoch,
                deposit_lamports,
                closes_at,
            },
        )
    }
}
