//! The machine and its clock, and how a test talks to it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::path::Path;

use anchor_lang::ZeroCopy;
use litesvm::LiteSVM;
use millrace_core::hash::sha256;
use solana_account::Account;
use solana_clock::Clock;
use solana_transaction::Transaction;
use solana_transaction_error::TransactionError;

use crate::tokens::{good_mint, SUPPLY};
use crate::{key, observe, pda, Instruction, Keypair, Pubkey, Receipt, Record, Refusal, Signer, TokenStandard};

/// Where the build leaves the program.
const PROGRAM_PATH: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/deploy/millrace.so");
/// Instant every world begins.
pub const BEGINNING: i64 = 1_900_000_000;
/// Slot every world begins in.
pub const FIRST_SLOT: u64 = 10_000;
/// Slots in a second, as on the local network.
pub const SLOTS_PER_SEC: u64 = 10;
/// Hashes SlotHashes keeps.
pub const SLOT_HASHES: usize = 512;
/// Lamports every party starts with.
pub const LAMPORTS: u64 = 1_000_000_000_000;

/// A market in one process.
pub struct World {
    /// The machine.
    pub svm: LiteSVM,
    /// The program's upgrade authority.
    pub deployer: Keypair,
    /// Keys of the seats, in order.
    pub oracles: Vec<Keypair>,
    /// The MILL mint.
    pub mint: Pubkey,
    /// Which program owns it.
    pub standard: TokenStandard,
    /// Token account of the treasury.
    pub treasury: Pubkey,
    /// Token account of the oracle pool.
    pub oracle_pool: Pubkey,
    /// Sizes of what was sent.
    pub record: Record,
    /// Which of the worlds of this thread it is; a copy is another.
    pub number: u64,
    /// Keys that signed so far, by address.
    pub keyring: BTreeMap<Pubkey, Keypair>,
    /// Whoever was given lamports.
    pub parties: BTreeSet<Pubkey>,
    /// Supply in nobody's account yet, base units.
    pub(crate) undistributed: u64,
    skipped_slots: BTreeSet<u64>,
}

impl World {
    /// The program deployed, a mint of `standard`; nothing initialised.
    ///
    /// # Panics
    /// When the program was not built.
    pub fn bare(standard: TokenStandard) -> Self {
        let program = std::fs::read(Path::new(PROGRAM_PATH)).unwrap_or_else(|error| {
            panic!("{PROGRAM_PATH} cannot be read ({error}): build the program with `make program` first")
        });
        Self::bare_with(standard, &program)
    }

    /// As [`World::bare`], with another build of the program.
    pub fn bare_with(standard: TokenStandard, program: &[u8]) -> Self {
        let mut svm = LiteSVM::new();
        svm.add_program(millrace::ID, program).expect("LiteSVM loads the program");
        #[cfg(feature = "native")]
        crate::native::install(&mut svm);
        let mut world = Self {
            svm,
            deployer: key("deployer"),
            oracles: Vec::new(),
            mint: Pubkey::default(),
            standard,
            treasury: pda::treasury(),
            oracle_pool: pda::oracle_pool(),
            record: Record::default(),
            number: observe::next_number(),
            keyring: BTreeMap::new(),
            parties: BTreeSet::new(),
            undistributed: SUPPLY,
            skipped_slots: BTreeSet::new(),
        };
        world.set_upgrade_authority(Some(world.deployer.pubkey()));
        world.set_time(BEGINNING, FIRST_SLOT);
        world.fund(&world.deployer.pubkey());
        world.mint = world.put_mint("mint", good_mint(), standard, &[]);
        world
    }

    /// Another world in the same state.
    pub fn copy(&self) -> Self {
        let cloned = |key: &Keypair| key.insecure_clone();
        let number = observe::next_number();
        observe::copied(self.number, number);
        Self {
            svm: self.svm.clone(),
            deployer: cloned(&self.deployer),
            oracles: self.oracles.iter().map(cloned).collect(),
            record: Record::default(),
            number,
            keyring: self.keyring.iter().map(|(address, key)| (*address, cloned(key))).collect(),
            parties: self.parties.clone(),
            skipped_slots: self.skipped_slots.clone(),
            ..*self
        }
    }

    /// Writes who may upgrade the program, as the loader would.
    pub fn set_upgrade_authority(&mut self, authority: Option<Pubkey>) {
        /// `UpgradeableLoaderState::ProgramData`, then the slot, then an option of a key.
        const AUTHORITY_AT: usize = 4 + 8;
        let mut account = self.svm.get_account(&pda::program_data()).expect("the program is deployed");
        account.data[AUTHORITY_AT] = u8::from(authority.is_some());
        account.data[AUTHORITY_AT + 1..AUTHORITY_AT + 33].copy_from_slice(authority.unwrap_or_default().as_ref());
        self.svm.set_account(pda::program_data(), account).expect("LiteSVM takes the account");
    }

    // Time

    /// Now, unix seconds.
    pub fn now(&self) -> i64 {
        self.svm.get_sysvar::<Clock>().unix_timestamp
    }

    /// The slot under way.
    pub fn slot(&self) -> u64 {
        self.svm.get_sysvar::<Clock>().slot
    }

    /// Lets `secs` pass, and the slots that belong to them.
    pub fn warp_secs(&mut self, secs: i64) {
        let slots = u64::try_from(secs).expect("time goes forward") * SLOTS_PER_SEC;
        self.set_time(self.now() + secs, self.slot() + slots);
    }

    /// Lets `slots` pass within the same second.
    pub fn warp_slots(&mut self, slots: u64) {
        self.set_time(self.now(), self.slot() + slots);
    }

    /// Lets time pass until `instant`, if it is not past.
    pub fn warp_to(&mut self, instant: i64) {
        self.warp_secs((instant - self.now()).max(0));
    }

    /// Makes `slot` one without a block: it has no hash.
    pub fn skip_slot(&mut self, slot: u64) {
        self.skipped_slots.insert(slot);
        self.set_time(self.now(), self.slot());
    }

    /// The hash of `slot` in every world.
    pub fn slot_hash(slot: u64) -> [u8; 32] {
        sha256(&[b"slot", &slot.to_le_bytes()])
    }

    fn set_time(&mut self, unix_timestamp: i64, slot: u64) {
        self.svm.set_sysvar(&Clock { slot, unix_timestamp, ..self.svm.get_sysvar::<Clock>() });
        let past = (0..slot).rev().filter(|slot| !self.skipped_slots.contains(slot)).take(SLOT_HASHES);
        let entries: Vec<u8> =
            past.flat_map(|slot| [&slot.to_le_bytes()[..], &Self::slot_hash(slot)].concat()).collect();
        let mut data = (entries.len() as u64 / 40).to_le_bytes().to_vec();
        data.extend_from_slice(&entries);
        data.resize(8 + 40 * SLOT_HASHES, 0);
        self.put_account(millrace::instructions::SLOT_HASHES_ID, data, solana_sdk_ids::sysvar::ID);
    }

    // Accounts

    /// Gives `address` lamports to pay fees and rent.
    pub fn fund(&mut self, address: &Pubkey) {
        self.svm.airdrop(address, LAMPORTS).expect("LiteSVM has lamports");
        self.parties.insert(*address);
    }

    /// A stranger with lamports.
    pub fn stranger(&mut self, name: &str) -> Keypair {
        let stranger = key(name);
        self.fund(&stranger.pubkey());
        stranger
    }

    /// Lamports of an account; zero when it does not exist.
    pub fn lamports(&self, address: &Pubkey) -> u64 {
        self.svm.get_balance(address).unwrap_or(0)
    }

    /// Whether `address` holds an account with data.
    pub fn exists(&self, address: &Pubkey) -> bool {
        self.svm.get_account(address).is_some_and(|account| !account.data.is_empty())
    }

    /// A copy of the program's account at `address`.
    ///
    /// # Panics
    /// When there is no account of this kind.
    pub fn read<T: ZeroCopy>(&self, address: &Pubkey) -> Box<T> {
        let account = self.svm.get_account(address).unwrap_or_else(|| panic!("there is no account at {address}"));
        let fields = account.data.strip_prefix(T::DISCRIMINATOR).expect("the account is of this kind");
        // Beacons are 48 KiB: allocate first, then copy.
        let mut copy = bytemuck::allocation::zeroed_box::<T>();
        bytemuck::bytes_of_mut(&mut *copy).copy_from_slice(&fields[..std::mem::size_of::<T>()]);
        copy
    }

    /// The bytes of the account at `address`, to compare with later ones.
    ///
    /// # Panics
    /// When there is none.
    pub fn bytes(&self, address: &Pubkey) -> Vec<u8> {
        self.svm.get_account(address).unwrap_or_else(|| panic!("there is no account at {address}")).data
    }

    /// Overwrites the program's account at `address`: for states no sequence of calls reaches quickly.
    pub fn rewrite<T: ZeroCopy>(&mut self, address: &Pubkey, change: impl FnOnce(&mut T)) {
        let mut state = self.read::<T>(address);
        change(&mut state);
        let mut account = self.svm.get_account(address).expect("the account was just read");
        let fields = &mut account.data[T::DISCRIMINATOR.len()..];
        fields[..std::mem::size_of::<T>()].copy_from_slice(bytemuck::bytes_of(&*state));
        self.svm.set_account(*address, account).expect("LiteSVM takes the account");
        observe::rewritten(self, address);
    }

    // Transactions

    /// Sends `instructions` in one transaction, paid by the first signer.
    ///
    /// # Errors
    /// What the runtime answered.
    ///
    /// # Panics
    /// When the transaction is too large for a real network.
    pub fn send(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> Result<Receipt, Refusal> {
        // The same instruction may be sent twice: a new blockhash makes it another transaction.
        self.svm.expire_blockhash();
        let payer = signers.first().expect("someone pays").pubkey();
        let mut transaction = Transaction::new_with_payer(instructions, Some(&payer));
        transaction.try_sign(signers, self.svm.latest_blockhash()).unwrap_or_else(|error| {
            panic!("the test signs with other keys than its instructions name: {error}");
        });
        self.record.measure(&transaction);
        self.keyring.extend(signers.iter().map(|key| (key.pubkey(), key.insecure_clone())));
        let before = observe::wants_state_before(instructions).then(|| self.copy());
        match self.svm.send_transaction(transaction.clone()) {
            Ok(meta) => {
                self.record.consumed(&transaction, &meta.logs);
                let receipt = Receipt::new(meta);
                observe::accepted(before, self, (instructions, payer), &receipt);
                Ok(receipt)
            }
            Err(failed) => Err(Refusal::from(failed)),
        }
    }

    /// As [`World::send`], for what must be accepted.
    ///
    /// # Panics
    /// With the logs, when it is refused.
    pub fn must(&mut self, instructions: &[Instruction], signers: &[&Keypair]) -> Receipt {
        self.send(instructions, signers)
            .unwrap_or_else(|refusal| panic!("refused: {}\n{}", refusal.error, refusal.logs.join("\n")))
    }

    /// Sends what must be refused with exactly `error`, a [`millrace::errors::MillraceError`] or Anchor's
    /// `ErrorCode`, and checks that no token and no account of the program changed.
    ///
    /// # Panics
    /// When it is accepted, refused with another error, or changed anything.
    pub fn assert_refused<E: Into<u32> + Debug>(
        &mut self,
        instructions: &[Instruction],
        signers: &[&Keypair],
        error: E,
    ) -> Refusal {
        let wanted = format!("{error:?}");
        let refusal = self.refuse(instructions, signers, &wanted);
        let found = refusal.code();
        assert_eq!(found, Some(error.into()), "want {wanted}, got {}\n{}", refusal.error, refusal.logs.join("\n"));
        refusal
    }

    /// As [`World::assert_refused`], for an error of the runtime.
    ///
    /// # Panics
    /// As there.
    pub fn assert_failed(&mut self, instructions: &[Instruction], signers: &[&Keypair], error: TransactionError) {
        let refusal = self.refuse(instructions, signers, &error.to_string());
        assert_eq!(refusal.error, error, "{}", refusal.logs.join("\n"));
    }

    /// Checks that `instruction` passes in a copy of this world, and is refused, whichever of its accounts that does
    /// not sign is replaced: by one that does not exist, by one of the program's of another kind or of another
    /// owner, by a token account of someone else.
    ///
    /// # Panics
    /// When it is refused as it stands, or a replacement is accepted.
    pub fn assert_no_account_is_replaceable(&mut self, instruction: &Instruction, signers: &[&Keypair]) {
        let stranger = key("nobody").pubkey();
        let foreign = self.put_tokens("nobody's tokens", &stranger, 0);
        let substitutes = [stranger, foreign, pda::config(), pda::reports(), self.mint];
        for (place, meta) in instruction.accounts.iter().enumerate().filter(|(_, meta)| !meta.is_signer) {
            for substitute in substitutes.iter().filter(|substitute| **substitute != meta.pubkey) {
                let mut attempt = instruction.clone();
                attempt.accounts[place].pubkey = *substitute;
                self.refuse(&[attempt], signers, &format!("a refusal of {substitute} as account {place}"));
            }
        }
        let state = self.svm.clone();
        self.must(std::slice::from_ref(instruction), signers);
        self.svm = state;
    }

    fn refuse(&mut self, instructions: &[Instruction], signers: &[&Keypair], wanted: &str) -> Refusal {
        let before = self.snapshot();
        let refusal = match self.send(instructions, signers) {
            Ok(receipt) => panic!("accepted, want {wanted}\n{}", receipt.logs.join("\n")),
            Err(refusal) => refusal,
        };
        assert!(before == self.snapshot(), "a refused call ({wanted}) changed an account");
        refusal
    }

    /// Every token account, mint and account of the program, in the order of their addresses.
    pub fn snapshot(&self) -> Vec<(Pubkey, Account)> {
        let owners = [millrace::ID, anchor_spl::token::ID, anchor_spl::token_2022::ID];
        let mut accounts: Vec<_> = owners.iter().flat_map(|owner| self.svm.get_program_accounts(owner)).collect();
        accounts.sort_by_key(|(address, _)| *address);
        accounts
    }
}
