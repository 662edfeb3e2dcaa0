//! MILL tokens outside the program: the mint at genesis, wallets, balances.

use millrace_core::money::MILL_DECIMALS;
use solana_system_interface::instruction::create_account;
use spl_token_interface::instruction::{
    initialize_mint2, mint_to_checked, set_authority, transfer_checked, AuthorityType,
};

use crate::{Account, AccountMeta, Chain, ChainError, Instruction, Pubkey};

pub use spl_token_interface::ID as TOKEN_PROGRAM;

/// The program that derives one wallet for each owner and mint.
pub const ASSOCIATED_TOKEN_PROGRAM: Pubkey = Pubkey::from_str_const("ATokenGPvbdGVxr1b2hvZbsiqW5xWH25efTNsLJA8knL");

/// Bytes of an SPL Token mint.
pub const MINT_LEN: usize = 82;
/// Bytes of an SPL Token account.
pub const TOKEN_ACCOUNT_LEN: usize = 165;
/// Where a mint keeps its supply.
const SUPPLY: std::ops::Range<usize> = 36..44;
/// Where a token account keeps its owner.
const OWNER: std::ops::Range<usize> = 32..64;
/// Where a token account keeps its amount.
const AMOUNT: std::ops::Range<usize> = 64..72;
/// `AssociatedTokenAccountInstruction::CreateIdempotent`.
const CREATE_IDEMPOTENT: u8 = 1;

/// The wallet of `owner` for `mint`: its associated token account.
pub fn wallet(owner: &Pubkey, mint: &Pubkey, token_program: &Pubkey) -> Pubkey {
    let seeds = [owner.as_ref(), token_program.as_ref(), mint.as_ref()];
    Pubkey::find_program_address(&seeds, &ASSOCIATED_TOKEN_PROGRAM).0
}

/// Opens the wallet of `owner` unless it is open. Signed by `payer`.
pub fn open_wallet(payer: &Pubkey, owner: &Pubkey, mint: &Pubkey, token_program: &Pubkey) -> Instruction {
    Instruction {
        program_id: ASSOCIATED_TOKEN_PROGRAM,
        accounts: vec![
            AccountMeta::new(*payer, true),
            AccountMeta::new(wallet(owner, mint, token_program), false),
            AccountMeta::new_readonly(*owner, false),
            AccountMeta::new_readonly(*mint, false),
            AccountMeta::new_readonly(solana_sdk_ids::system_program::ID, false),
            AccountMeta::new_readonly(*token_program, false),
        ],
        data: vec![CREATE_IDEMPOTENT],
    }
}

/// Sends base units of MILL between SPL Token accounts. Signed by `owner` of `from`.
pub fn transfer(from: &Pubkey, mint: &Pubkey, to: &Pubkey, owner: &Pubkey, amount: u64) -> Instruction {
    built(transfer_checked(&TOKEN_PROGRAM, from, mint, to, owner, &[], amount, MILL_DECIMALS))
}

/// Makes a MILL mint of fixed supply: creates it without a freeze authority, opens `holder`'s wallet, mints all of
/// `supply` base units into it and gives up the right to mint. Signed by `payer` and the new `mint`.
///
/// `rent_lamports` is the minimum balance of [`MINT_LEN`] bytes.
pub fn create_mint(
    payer: &Pubkey,
    mint: &Pubkey,
    holder: &Pubkey,
    supply: u64,
    rent_lamports: u64,
) -> Vec<Instruction> {
    let destination = wallet(holder, mint, &TOKEN_PROGRAM);
    vec![
        create_account(payer, mint, rent_lamports, MINT_LEN as u64, &TOKEN_PROGRAM),
        built(initialize_mint2(&TOKEN_PROGRAM, mint, payer, None, MILL_DECIMALS)),
        open_wallet(payer, holder, mint, &TOKEN_PROGRAM),
        built(mint_to_checked(&TOKEN_PROGRAM, mint, &destination, payer, &[], supply, MILL_DECIMALS)),
        built(set_authority(&TOKEN_PROGRAM, mint, None, AuthorityType::MintTokens, payer, &[])),
    ]
}

/// Sends lamports. Signed by `from`.
pub fn transfer_lamports(from: &Pubkey, to: &Pubkey, lamports: u64) -> Instruction {
    solana_system_interface::instruction::transfer(from, to, lamports)
}

/// The balance of a token account, base units, as a majority of the RPCs has it; `None` when there is no such account.
///
/// # Errors
/// The chain's; [`ChainError::NotWhatItShouldBe`] when it is not a token account.
pub async fn balance(chain: &dyn Chain, account: &Pubkey) -> Result<Option<u64>, ChainError> {
    let found = chain.agreed(std::slice::from_ref(account)).await?.pop().flatten();
    let Some(found) = found.filter(|found| !found.data.is_empty()) else { return Ok(None) };
    let amount = found
        .data
        .get(AMOUNT)
        .filter(|_| found.data.len() >= TOKEN_ACCOUNT_LEN)
        .and_then(|bytes| bytes.try_into().ok());
    amount.map(|bytes| Some(u64::from_le_bytes(bytes))).ok_or(ChainError::NotWhatItShouldBe {
        address: *account,
        expected: "token account",
        reason: format!("it has {} bytes", found.data.len()),
    })
}

/// What a mint says of its supply, base units.
///
/// # Errors
/// The chain's; [`ChainError::NotWhatItShouldBe`] when it is not a mint.
pub async fn mint_supply(chain: &dyn Chain, mint: &Pubkey) -> Result<u64, ChainError> {
    let data = chain.account(mint).await?.map(|found| found.data).unwrap_or_default();
    let supply = data.get(SUPPLY).filter(|_| data.len() >= MINT_LEN).and_then(|bytes| bytes.try_into().ok());
    supply.map(u64::from_le_bytes).ok_or(ChainError::NotWhatItShouldBe {
        address: *mint,
        expected: "mint",
        reason: format!("it has {} bytes", data.len()),
    })
}

/// One token account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenHolding {
    /// The token account.
    pub account: Pubkey,
    /// Who controls it.
    pub owner: Pubkey,
    /// Base units.
    pub amount: u64,
}

/// Every token account of `mint`.
///
/// # Errors
/// The chain's.
pub async fn token_accounts(
    chain: &dyn Chain,
    token_program: &Pubkey,
    mint: &Pubkey,
) -> Result<Vec<TokenHolding>, ChainError> {
    let found = chain.accounts_of(token_program, &[(0, mint.to_bytes().to_vec())]).await?;
    let holding = |(account, found): (Pubkey, Account)| {
        let owner = <[u8; 32]>::try_from(found.data.get(OWNER)?).ok()?;
        let amount = u64::from_le_bytes(found.data.get(AMOUNT)?.try_into().ok()?);
        (found.data.len() >= TOKEN_ACCOUNT_LEN).then_some(TokenHolding { account, owner: Pubkey::from(owner), amount })
    };
    Ok(found.into_iter().filter_map(holding).collect())
}

/// The builders of `spl-token-interface` refuse only a foreign token program or a wrong number of signers; both are
/// fixed here.
fn built(instruction: Result<Instruction, impl std::fmt::Debug>) -> Instruction {
    instruction.expect("the token program is SPL Token and there is one signer")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Account, FakeChain};

    #[tokio::test]
    async fn a_balance_is_read_and_what_is_no_token_account_is_refused() {
        let chain = FakeChain::new();
        let key = Pubkey::new_from_array([1; 32]);
        assert_eq!(balance(&chain, &key).await.unwrap(), None);
        let mut data = vec![0; TOKEN_ACCOUNT_LEN];
        data[AMOUNT].copy_from_slice(&77u64.to_le_bytes());
        chain.set_account(key, Account { data: data.clone(), owner: TOKEN_PROGRAM, ..Account::default() });
        assert_eq!(balance(&chain, &key).await.unwrap(), Some(77));
        chain.set_account(key, Account { data: data[..MINT_LEN].to_vec(), owner: TOKEN_PROGRAM, ..Account::default() });
        assert!(balance(&chain, &key).await.is_err());
    }

    #[test]
    fn the_mint_is_made_without_a_freeze_authority_and_given_up() {
        let [payer, mint, holder] = [1, 2, 3].map(|byte| Pubkey::new_from_array([byte; 32]));
        let instructions = create_mint(&payer, &mint, &holder, 5, 1);
        // InitializeMint2 { decimals: 6, mint authority: payer, freeze authority: none }
        assert_eq!(instructions[1].data, [&[20, 6][..], payer.as_ref(), &[0]].concat());
        // SetAuthority { MintTokens, none }
        assert_eq!(instructions[4].data, [6, 0, 0]);
    }
}
