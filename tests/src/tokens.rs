//! A mint nobody can mint from, and balances written straight into accounts.

use anchor_lang::solana_program::program_option::COption;
use anchor_lang::solana_program::program_pack::Pack;
use anchor_lang::ZeroCopy;
use anchor_spl::token::spl_token::state::{Account as TokenState, AccountState, Mint as MintState};
use millrace_core::hash::sha256;
use millrace_core::money::{MILL, MILL_DECIMALS};
use solana_account::Account;

use crate::{Pubkey, World};

/// All there is: a thousand million MILL, base units.
pub const SUPPLY: u64 = 1_000_000_000 * MILL;

/// The program that owns the mint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenStandard {
    /// SPL Token.
    Token,
    /// Token-2022.
    Token2022,
}

impl TokenStandard {
    /// Address of the program.
    pub fn id(self) -> Pubkey {
        match self {
            Self::Token => anchor_spl::token::ID,
            Self::Token2022 => anchor_spl::token_2022::ID,
        }
    }
}

/// A mint that passes every check: six decimals, no authorities, all its supply in existence.
pub fn good_mint() -> MintState {
    MintState {
        mint_authority: COption::None,
        supply: SUPPLY,
        decimals: MILL_DECIMALS,
        is_initialized: true,
        freeze_authority: COption::None,
    }
}

impl World {
    /// Writes a mint at the address of `name`; `tail` follows the base state, for extensions.
    pub fn put_mint(&mut self, name: &str, mint: MintState, standard: TokenStandard, tail: &[u8]) -> Pubkey {
        let address = named(name);
        let mut data = vec![0; MintState::LEN];
        mint.pack_into_slice(&mut data);
        data.extend_from_slice(tail);
        self.put_account(address, data, standard.id());
        address
    }

    /// Writes a token account of this world's mint for `owner`, holding `amount` out of the undistributed supply.
    pub fn put_tokens(&mut self, name: &str, owner: &Pubkey, amount: u64) -> Pubkey {
        self.undistributed = self.undistributed.checked_sub(amount).expect("the supply is not distributed twice");
        let (mint, standard) = (self.mint, self.standard);
        self.put_token_account(name, owner, &mint, standard, amount)
    }

    /// Writes a token account of any mint.
    pub fn put_token_account(
        &mut self,
        name: &str,
        owner: &Pubkey,
        mint: &Pubkey,
        standard: TokenStandard,
        amount: u64,
    ) -> Pubkey {
        let address = named(name);
        let state = TokenState {
            mint: *mint,
            owner: *owner,
            amount,
            delegate: COption::None,
            state: AccountState::Initialized,
            is_native: COption::None,
            delegated_amount: 0,
            close_authority: COption::None,
        };
        let mut data = vec![0; TokenState::LEN];
        state.pack_into_slice(&mut data);
        self.put_account(address, data, standard.id());
        address
    }

    /// Balance of a token account, base units; zero when it does not exist.
    pub fn tokens(&self, account: &Pubkey) -> u64 {
        self.svm.get_account(account).map_or(0, |account| {
            u64::from_le_bytes(account.data[64..72].try_into().expect("a token account has 165 bytes"))
        })
    }

    /// The mint's supply, base units.
    pub fn supply(&self) -> u64 {
        let mint = self.svm.get_account(&self.mint).expect("the mint exists");
        u64::from_le_bytes(mint.data[36..44].try_into().expect("a mint has 82 bytes"))
    }

    /// Adds `amount` to a token account as a stranger's transfer would.
    pub fn send_stray_tokens(&mut self, account: &Pubkey, amount: u64) {
        self.undistributed = self.undistributed.checked_sub(amount).expect("the supply is not distributed twice");
        let mut state = self.svm.get_account(account).expect("the token account exists");
        let balance = self.tokens(account) + amount;
        state.data[64..72].copy_from_slice(&balance.to_le_bytes());
        self.svm.set_account(*account, state).expect("LiteSVM takes the account");
    }

    /// Writes an account of the program: for kinds whose own story is told elsewhere.
    pub fn put_state<T: ZeroCopy>(&mut self, name: &str, state: &T) -> Pubkey {
        let address = named(name);
        self.put_account(address, [T::DISCRIMINATOR, bytemuck::bytes_of(state)].concat(), millrace::ID);
        crate::observe::rewritten(self, &address);
        address
    }

    pub(crate) fn put_account(&mut self, address: Pubkey, data: Vec<u8>, owner: Pubkey) {
        let lamports = self.svm.minimum_balance_for_rent_exemption(data.len());
        let account = Account { lamports, data, owner, executable: false, rent_epoch: 0 };
        self.svm.set_account(address, account).expect("LiteSVM takes the account");
    }
}

/// The address of `name`; nobody holds its key.
pub fn named(name: &str) -> Pubkey {
    Pubkey::new_from_array(sha256(&[b"millrace tests address", name.as_bytes()]))
}
