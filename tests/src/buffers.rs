//! Program buffers, made by the loader's own instructions as `solana program write-buffer` would.

use solana_sdk_ids::{bpf_loader_upgradeable, system_program};

use crate::{key, AccountMeta, Instruction, Keypair, Pubkey, Signer, World};

/// Bytes of a buffer before the program's.
const HEADER: usize = 37;
/// Bytes written with one call: what a transaction holds.
const CHUNK: usize = 900;
/// `UpgradeableLoaderInstruction::InitializeBuffer`, `Write`, `Upgrade`, `SetAuthority` and `Close`.
const INITIALIZE: u32 = 0;
const WRITE: u32 = 1;
const UPGRADE: u32 = 3;
const SET_AUTHORITY: u32 = 4;
const CLOSE: u32 = 5;

fn loader(accounts: Vec<AccountMeta>, data: Vec<u8>) -> Instruction {
    Instruction { program_id: bpf_loader_upgradeable::ID, accounts, data }
}

impl World {
    /// A buffer of `owner` with `program` in it.
    pub fn buffer(&mut self, name: &str, owner: &Keypair, program: &[u8]) -> Pubkey {
        let account = key(name);
        let (buffer, authority) = (account.pubkey(), owner.pubkey());
        let space = (HEADER + program.len()) as u64;
        let lamports = self.svm.minimum_balance_for_rent_exemption(HEADER + program.len());
        let create = Instruction {
            program_id: system_program::ID,
            accounts: vec![AccountMeta::new(authority, true), AccountMeta::new(buffer, true)],
            data: [
                &0u32.to_le_bytes()[..],
                &lamports.to_le_bytes(),
                &space.to_le_bytes(),
                bpf_loader_upgradeable::ID.as_ref(),
            ]
            .concat(),
        };
        let accounts = vec![AccountMeta::new(buffer, false), AccountMeta::new_readonly(authority, false)];
        self.must(&[create, loader(accounts, INITIALIZE.to_le_bytes().to_vec())], &[owner, &account]);
        for (place, chunk) in program.chunks(CHUNK).enumerate() {
            let write = write_buffer(&buffer, &authority, (place * CHUNK) as u32, chunk);
            self.must(&[write], &[owner]);
        }
        buffer
    }

    /// The program that is deployed.
    ///
    /// # Panics
    /// When none is.
    pub fn program(&self) -> Vec<u8> {
        /// Bytes of the program's data account before the program.
        const HEADER: usize = 45;
        self.svm.get_account(&crate::pda::program_data()).expect("the program is deployed").data.split_off(HEADER)
    }

    /// The same, written straight into the account: for programs of megabytes.
    pub fn put_buffer(&mut self, name: &str, owner: &Pubkey, program: &[u8]) -> Pubkey {
        let data = [&[1, 0, 0, 0, 1][..], owner.as_ref(), program].concat();
        let address = key(name).pubkey();
        self.put_account(address, data, bpf_loader_upgradeable::ID);
        address
    }
}

/// Writes `bytes` into a buffer.
pub fn write_buffer(buffer: &Pubkey, authority: &Pubkey, offset: u32, bytes: &[u8]) -> Instruction {
    let data = [&WRITE.to_le_bytes()[..], &offset.to_le_bytes(), &(bytes.len() as u64).to_le_bytes(), bytes].concat();
    loader(vec![AccountMeta::new(*buffer, false), AccountMeta::new_readonly(*authority, true)], data)
}

/// Closes a buffer and takes its lamports.
pub fn close_buffer(buffer: &Pubkey, authority: &Pubkey) -> Instruction {
    let accounts = vec![
        AccountMeta::new(*buffer, false),
        AccountMeta::new(*authority, false),
        AccountMeta::new_readonly(*authority, true),
    ];
    loader(accounts, CLOSE.to_le_bytes().to_vec())
}

/// Gives the right over a buffer or a program's data away.
pub fn set_authority(account: &Pubkey, current: &Pubkey, new: &Pubkey) -> Instruction {
    let accounts = vec![
        AccountMeta::new(*account, false),
        AccountMeta::new_readonly(*current, true),
        AccountMeta::new_readonly(*new, false),
    ];
    loader(accounts, SET_AUTHORITY.to_le_bytes().to_vec())
}

/// Upgrades the program from a buffer, without its governance.
pub fn upgrade(program_data: &Pubkey, buffer: &Pubkey, authority: &Pubkey) -> Instruction {
    let accounts = vec![
        AccountMeta::new(*program_data, false),
        AccountMeta::new(millrace::ID, false),
        AccountMeta::new(*buffer, false),
        AccountMeta::new(*authority, false),
        AccountMeta::new_readonly(solana_sdk_ids::sysvar::rent::ID, false),
        AccountMeta::new_readonly(solana_sdk_ids::sysvar::clock::ID, false),
        AccountMeta::new_readonly(*authority, true),
    ];
    loader(accounts, UPGRADE.to_le_bytes().to_vec())
}
