//! Locks, proposals, votes, and what a vote does.

use millrace::instructions::ProposeArgs;
use millrace::{accounts, instruction};

use super::{build, Market, SYSTEM_PROGRAM};
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

const LOADER: Pubkey = solana_sdk_ids::bpf_loader_upgradeable::ID;

/// Locks `amount` base units of the token account `source` for `lock_secs`. Signed and paid by `voter`.
pub fn lock_votes(voter: &Pubkey, source: &Pubkey, market: &Market, amount: u64, lock_secs: i64) -> Instruction {
    let lock = pda::lock(voter);
    build(
        accounts::LockVotes {
            voter: *voter,
            config: pda::config(),
            lock,
            vault: pda::vault(&lock),
            source: *source,
            mint: market.mint,
            token_program: market.token_program,
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::LockVotes { amount, lock_secs },
    )
}

/// Adds `amount` base units to the lock of `voter`, who signs, and locks all of it for `lock_secs` anew.
pub fn extend_lock(voter: &Pubkey, source: &Pubkey, market: &Market, amount: u64, lock_secs: i64) -> Instruction {
    let lock = pda::lock(voter);
    build(
        accounts::ExtendLock {
            voter: *voter,
            config: pda::config(),
            lock,
            vault: pda::vault(&lock),
            source: *source,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExtendLock { amount, lock_secs },
    )
}

/// Pays the lock of `voter` out to the token account `destination` and closes it; its rent goes to `rent_payer`, whom
/// the lock names. Signed by `voter`.
pub fn unlock_votes(voter: &Pubkey, destination: &Pubkey, rent_payer: &Pubkey, market: &Market) -> Instruction {
    let lock = pda::lock(voter);
    build(
        accounts::UnlockVotes {
            voter: *voter,
            config: pda::config(),
            lock,
            vault: pda::vault(&lock),
            destination: *destination,
            treasury: market.treasury,
            rent_payer: *rent_payer,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::UnlockVotes {},
    )
}

/// Makes the proposal numbered `id`, the config's next, about `target` (zeros if about no account), with a deposit from
/// the token account `source`. Signed and paid by `proposer`.
pub fn propose(
    proposer: &Pubkey,
    source: &Pubkey,
    market: &Market,
    id: u64,
    target: &Pubkey,
    args: ProposeArgs,
) -> Instruction {
    let mut instruction = build(
        accounts::Propose {
            proposer: *proposer,
            config: pda::config(),
            proposal: pda::proposal(id),
            target: *target,
            source: *source,
            treasury: market.treasury,
            mint: market.mint,
            token_program: market.token_program,
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Propose { args },
    );
    // What is appealed against is made to wait; the address of zeros is nobody's to write.
    let target_meta = instruction.accounts.iter_mut().find(|meta| meta.pubkey == *target);
    if let Some(meta) = target_meta.filter(|_| *target != SYSTEM_PROGRAM) {
        meta.is_writable = true;
    }
    instruction
}

/// Makes the proposal numbered `id`, the config's next, to install the program in `buffer`, whose sha256 is
/// `program_hash`. Signed and paid by `proposer`, who owns the buffer.
pub fn propose_upgrade(
    proposer: &Pubkey,
    source: &Pubkey,
    market: &Market,
    id: u64,
    buffer: &Pubkey,
    program_hash: [u8; 32],
) -> Instruction {
    build(
        accounts::ProposeUpgrade {
            proposer: *proposer,
            config: pda::config(),
            proposal: pda::proposal(id),
            buffer: *buffer,
            governance: pda::governance(),
            loader: LOADER,
            source: *source,
            treasury: market.treasury,
            mint: market.mint,
            token_program: market.token_program,
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ProposeUpgrade { program_hash },
    )
}

/// Votes on the account `proposal` with all the weight of the lock of `voter`, who signs and pays.
pub fn vote(voter: &Pubkey, proposal: &Pubkey, is_yes: bool) -> Instruction {
    build(
        accounts::CastVote {
            voter: *voter,
            proposal: *proposal,
            lock: pda::lock(voter),
            vote: pda::vote(proposal, voter),
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Vote { is_yes },
    )
}

/// Closes the vote of `voter` on the account `proposal`; its rent goes to `rent_payer`, whom the vote names. Signed by
/// nobody.
pub fn close_vote(proposal: &Pubkey, voter: &Pubkey, rent_payer: &Pubkey) -> Instruction {
    build(
        accounts::CloseVote {
            vote: pda::vote(proposal, voter),
            proposal: *proposal,
            lock: pda::lock(voter),
            rent_payer: *rent_payer,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::CloseVote {},
    )
}

/// Closes the account `proposal`; its deposit, where enough voted, goes to the token account `destination` of its
/// proposer, its rent to `rent_payer`, whom it names. Signed by nobody.
pub fn close_proposal(proposal: &Pubkey, destination: &Pubkey, rent_payer: &Pubkey, market: &Market) -> Instruction {
    build(
        accounts::CloseProposal {
            config: pda::config(),
            proposal: *proposal,
            governance: pda::governance(),
            treasury: market.treasury,
            destination: *destination,
            rent_payer: *rent_payer,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::CloseProposal {},
    )
}

/// Carries out a vote on the parameters. Signed by nobody.
pub fn execute_params(proposal: &Pubkey) -> Instruction {
    build(
        accounts::ExecuteParams {
            config: pda::config(),
            proposal: *proposal,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExecuteParams {},
    )
}

/// Puts pending parameters in force. Signed by nobody.
pub fn activate_params() -> Instruction {
    build(
        accounts::ActivateParams {
            config: pda::config(),
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ActivateParams {},
    )
}

/// Carries out a vote on the guardian. Signed by nobody.
pub fn execute_guardian(proposal: &Pubkey) -> Instruction {
    build(
        accounts::ExecuteGuardian {
            config: pda::config(),
            proposal: *proposal,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExecuteGuardian {},
    )
}

/// Carries out a vote that seats `oracle_authority`. Signed and paid by `payer`.
pub fn execute_add_oracle(
    payer: &Pubkey,
    proposal: &Pubkey,
    oracle_authority: &Pubkey,
    market: &Market,
) -> Instruction {
    let oracle = pda::oracle(oracle_authority);
    build(
        accounts::ExecuteAddOracle {
            payer: *payer,
            config: pda::config(),
            proposal: *proposal,
            oracles: pda::oracles(),
            oracle,
            vault: pda::vault(&oracle),
            mint: market.mint,
            token_program: market.token_program,
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExecuteAddOracle { oracle_authority: *oracle_authority },
    )
}

/// Carries out a vote that takes the seat of `oracle_authority`. Signed by nobody.
pub fn execute_remove_oracle(proposal: &Pubkey, oracle_authority: &Pubkey) -> Instruction {
    build(
        accounts::ExecuteRemoveOracle {
            config: pda::config(),
            proposal: *proposal,
            oracles: pda::oracles(),
            oracle: pda::oracle(oracle_authority),
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExecuteRemoveOracle {},
    )
}

/// Carries out a vote that pays the token account `destination` out of the treasury. Signed by nobody.
pub fn execute_transfer(proposal: &Pubkey, destination: &Pubkey, market: &Market) -> Instruction {
    build(
        accounts::ExecuteTransfer {
            config: pda::config(),
            proposal: *proposal,
            governance: pda::governance(),
            treasury: market.treasury,
            destination: *destination,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExecuteTransfer {},
    )
}

/// Carries out a vote that overturns the judged `case` against `provider`. Signed by nobody.
pub fn execute_overturn_slash(proposal: &Pubkey, case: &Pubkey, provider: &Pubkey) -> Instruction {
    build(
        accounts::ExecuteOverturnSlash {
            proposal: *proposal,
            case: *case,
            provider: *provider,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExecuteOverturnSlash {},
    )
}

/// Carries out a vote that overturns the ruling of `dispute`. Signed by nobody.
pub fn execute_overturn_ruling(proposal: &Pubkey, dispute: &Pubkey) -> Instruction {
    build(
        accounts::ExecuteOverturnRuling {
            proposal: *proposal,
            dispute: *dispute,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExecuteOverturnRuling {},
    )
}

/// Carries out a vote that installs the program in `buffer`, whose lamports go to `proposer`. Signed by nobody.
pub fn execute_upgrade(proposal: &Pubkey, buffer: &Pubkey, proposer: &Pubkey) -> Instruction {
    build(
        accounts::ExecuteUpgrade {
            config: pda::config(),
            proposal: *proposal,
            governance: pda::governance(),
            buffer: *buffer,
            proposer: *proposer,
            program_data: pda::program_data(),
            this_program: PROGRAM_ID,
            rent: solana_sdk_ids::sysvar::rent::ID,
            clock: solana_sdk_ids::sysvar::clock::ID,
            loader: LOADER,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ExecuteUpgrade {},
    )
}

/// Gives `buffer`, whose upgrade did not come about, back to `proposer`. Signed by nobody.
pub fn return_buffer(proposal: &Pubkey, buffer: &Pubkey, proposer: &Pubkey) -> Instruction {
    build(
        accounts::ReturnBuffer {
            config: pda::config(),
            proposal: *proposal,
            governance: pda::governance(),
            buffer: *buffer,
            proposer: *proposer,
            loader: LOADER,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ReturnBuffer {},
    )
}

/// Refuses new work for `secs`. Signed by the guardian.
pub fn pause(guardian: &Pubkey, secs: i64) -> Instruction {
    build(
        accounts::Pause {
            guardian: *guardian,
            config: pda::config(),
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Pause { secs },
    )
}

/// Takes new work again. Signed by the guardian.
pub fn unpause(guardian: &Pubkey) -> Instruction {
    build(
        accounts::Pause {
            guardian: *guardian,
            config: pda::config(),
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Unpause {},
    )
}

/// Sends what strangers left in the vault of `owner`, a customer, provider or lock account, to the treasury. Signed by
/// nobody.
pub fn sweep_surplus(owner: &Pubkey, market: &Market) -> Instruction {
    build(
        accounts::SweepSurplus {
            config: pda::config(),
            owner: *owner,
            vault: pda::vault(owner),
            treasury: market.treasury,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::SweepSurplus {},
    )
}
