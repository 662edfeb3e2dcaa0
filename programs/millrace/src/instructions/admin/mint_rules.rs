//! Which mints can carry a market: what can be minted, frozen, taxed or hooked can rob it.

use anchor_lang::prelude::*;
use anchor_spl::token_2022::spl_token_2022;
use anchor_spl::token_interface::Mint;
use millrace_core::money::MILL_DECIMALS;
use spl_token_2022::extension::{BaseStateWithExtensions, ExtensionType, StateWithExtensions};

use crate::errors::MillraceError;

/// Extensions that neither move, freeze, tax nor hook a transfer. Every other is refused, known today or not.
const ALLOWED_EXTENSIONS: [ExtensionType; 2] = [ExtensionType::MetadataPointer, ExtensionType::TokenMetadata];

/// Checks that `mint` has six decimals, can be minted and frozen by no one, and has only harmless extensions.
///
/// # Errors
/// [`MillraceError::WrongDecimals`], [`MillraceError::MintNotRenounced`], [`MillraceError::MintExtensionNotAllowed`].
pub fn check_mint(mint: &InterfaceAccount<Mint>) -> Result<()> {
    require!(mint.decimals == MILL_DECIMALS, MillraceError::WrongDecimals);
    let renounced = mint.mint_authority.is_none() && mint.freeze_authority.is_none();
    require!(renounced, MillraceError::MintNotRenounced);

    let account = mint.to_account_info();
    if account.owner == &spl_token_2022::ID {
        let data = account.try_borrow_data()?;
        // An extension this build does not know does not parse: refused as well.
        let allowed = StateWithExtensions::<spl_token_2022::state::Mint>::unpack(&data)
            .and_then(|state| state.get_extension_types())
            .is_ok_and(|types| types.iter().all(|extension| ALLOWED_EXTENSIONS.contains(extension)));
        require!(allowed, MillraceError::MintExtensionNotAllowed);
    }
    Ok(())
}
