//! What providers do with stake and keys. The account lies where its first cold key put it ([`pda::provider`]); its
//! cold key of today, the `authority`, signs.

use millrace::instructions::{RegisterProviderArgs, SetTermsArgs};
use millrace::{accounts, instruction};

use super::{build, Market, SYSTEM_PROGRAM};
use crate::{pda, Instruction, Pubkey, PROGRAM_ID};

/// Opens the provider account of `authority`, who signs and pays.
pub fn register_provider(authority: &Pubkey, market: &Market, args: RegisterProviderArgs) -> Instruction {
    let provider = pda::provider(authority);
    build(
        accounts::RegisterProvider {
            authority: *authority,
            config: pda::config(),
            provider,
            vault: pda::vault(&provider),
            mint: market.mint,
            token_program: market.token_program,
            system_program: SYSTEM_PROGRAM,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::RegisterProvider { args },
    )
}

/// Puts `amount` base units from the token account `source` behind the provider. Signed by `authority`.
pub fn stake(authority: &Pubkey, provider: &Pubkey, source: &Pubkey, market: &Market, amount: u64) -> Instruction {
    build(
        accounts::Stake {
            authority: *authority,
            config: pda::config(),
            provider: *provider,
            vault: pda::vault(provider),
            source: *source,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Stake { amount },
    )
}

/// Starts to take `amount` base units of free stake out. Signed by `authority`.
pub fn begin_unstake(authority: &Pubkey, provider: &Pubkey, amount: u64) -> Instruction {
    build(
        accounts::BeginUnstake {
            authority: *authority,
            config: pda::config(),
            provider: *provider,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::BeginUnstake { amount },
    )
}

/// Pays earnings and matured stake into `destination`, a token account of `authority`, who signs.
pub fn withdraw(authority: &Pubkey, provider: &Pubkey, destination: &Pubkey, market: &Market) -> Instruction {
    build(
        accounts::Withdraw {
            authority: *authority,
            config: pda::config(),
            provider: *provider,
            vault: pda::vault(provider),
            destination: *destination,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::Withdraw {},
    )
}

/// Gives the provider another hot key. Signed by `authority`.
pub fn set_operator(authority: &Pubkey, provider: &Pubkey, operator: &Pubkey) -> Instruction {
    build(
        accounts::SetOperator {
            authority: *authority,
            config: pda::config(),
            provider: *provider,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::SetOperator { operator: *operator },
    )
}

/// Changes caps, price floor and address. Signed by `authority`.
pub fn set_terms(authority: &Pubkey, provider: &Pubkey, args: SetTermsArgs) -> Instruction {
    build(
        accounts::SetTerms {
            authority: *authority,
            provider: *provider,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::SetTerms { args },
    )
}

/// Names another cold key; zeros take that back. Signed by `authority`.
pub fn propose_authority(authority: &Pubkey, provider: &Pubkey, pending_authority: &Pubkey) -> Instruction {
    build(
        accounts::ProposeAuthority {
            authority: *authority,
            provider: *provider,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::ProposeAuthority { pending_authority: *pending_authority },
    )
}

/// Becomes the cold key. Signed by `pending_authority`, whom the old one named.
pub fn accept_authority(pending_authority: &Pubkey, provider: &Pubkey) -> Instruction {
    build(
        accounts::AcceptAuthority {
            pending_authority: *pending_authority,
            provider: *provider,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::AcceptAuthority {},
    )
}

/// Closes the provider account; its rent goes to `rent_payer`, whom the account names. Signed by `authority`.
pub fn close_provider(authority: &Pubkey, provider: &Pubkey, rent_payer: &Pubkey, market: &Market) -> Instruction {
    build(
        accounts::CloseProvider {
            authority: *authority,
            config: pda::config(),
            provider: *provider,
            vault: pda::vault(provider),
            treasury: market.treasury,
            rent_payer: *rent_payer,
            mint: market.mint,
            token_program: market.token_program,
            event_authority: pda::event_authority(),
            program: PROGRAM_ID,
        },
        instruction::CloseProvider {},
    )
}
