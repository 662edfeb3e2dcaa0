//! Every account of every instruction, replaced by each that is not the right one.
//!
//! Nothing here names an instruction but the list of what is rightly accepted. The scenarios send each at least once;
//! at its first acceptance this test takes the world right before it and sends it again and again, each time with one
//! account changed. An instruction that is new is covered, or the test fails.
//!
//! The errors found are kept in `docs/account-swaps.json`, so that a refusal which moves to another check is seen:
//! `UPDATE_ACCOUNT_SWAPS=1 cargo nextest run -p millrace-tests account_swaps` writes it anew.

mod allowed;
mod attempts;
mod idl;
mod kinds;
mod twins;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use allowed::{Allowed, ALLOWED};
use attempts::{attempts, Swap};
use millrace_tests::observe::{watch, Accepted, Observer};
use millrace_tests::record::{instruction_names, name_of};
use millrace_tests::*;
use solana_transaction::Transaction;

/// A stranger with lamports, and one without.
const SOMEONE: &str = "someone";
const NOBODY: &str = "nobody";

/// Errors by instruction, account and swap.
type Errors = BTreeMap<String, BTreeMap<String, BTreeMap<String, BTreeSet<String>>>>;

/// Looks on, and tries every swap at the first acceptance of each instruction with each number of accounts.
#[derive(Default)]
struct Swapper {
    tried: BTreeSet<(String, usize)>,
    errors: Errors,
    used: BTreeSet<(usize, Swap)>,
    faults: Vec<String>,
    sent: usize,
}

/// The program's instructions among `instructions` that were not tried yet: place and name.
fn untried(tried: &BTreeSet<(String, usize)>, instructions: &[Instruction]) -> Vec<(usize, String)> {
    let ours = instructions.iter().enumerate().filter(|(_, call)| call.program_id == millrace::ID);
    let named = ours.map(|(place, call)| (place, name_of(&call.data)));
    named.filter(|(place, name)| !tried.contains(&(name.clone(), instructions[*place].accounts.len()))).collect()
}

impl Observer for Swapper {
    fn wants_state_before(&self, instructions: &[Instruction]) -> bool {
        !untried(&self.tried, instructions).is_empty()
    }

    fn accepted(&mut self, transaction: Accepted) {
        let Some(before) = transaction.before else { return };
        let new = untried(&self.tried, transaction.instructions);
        let mut stage = Stage::new(before);
        for (place, call) in transaction.instructions.iter().enumerate() {
            if call.program_id != millrace::ID {
                // Compute units or a signature: it belongs to what follows.
                stage.aside.push(call.clone());
                continue;
            }
            if let Some((_, name)) = new.iter().find(|(new, _)| *new == place) {
                if self.tried.insert((name.clone(), call.accounts.len())) {
                    self.try_all(&mut stage, call, name);
                }
            }
            stage.go_on(call);
        }
    }
}

/// A world right before an acceptance, with a twin of everything in it, and who pays the fees of attempts: a stranger,
/// so that no account of the instruction signs or is writable only because it pays.
struct Stage {
    world: World,
    pristine: World,
    keys: BTreeMap<Pubkey, Keypair>,
    payer: Keypair,
    /// Instructions of other programs that go along.
    aside: Vec<Instruction>,
}

impl Stage {
    fn new(mut world: World) -> Self {
        twins::add_another_mint(&mut world);
        twins::add(&mut world);
        world.stranger(SOMEONE);
        let mut keys: BTreeMap<Pubkey, Keypair> =
            world.keyring.iter().map(|(address, key)| (*address, key.insecure_clone())).collect();
        keys.extend([SOMEONE, NOBODY].map(|name| (key(name).pubkey(), key(name))));
        let payer = key("payer of attempts");
        world.svm.airdrop(&payer.pubkey(), world::LAMPORTS).expect("LiteSVM has lamports");
        let pristine = world.copy();
        Self { world, pristine, keys, payer, aside: vec![] }
    }

    /// Runs the instruction as it is: what comes after it in its transaction finds the world it expects.
    fn go_on(&mut self, call: &Instruction) {
        self.send(call).unwrap_or_else(|refusal| {
            panic!("refused, only because a stranger pays: {}\n{}", refusal.error, refusal.logs.join("\n"))
        });
        self.pristine.svm = self.world.svm.clone();
    }

    fn restore(&mut self) {
        self.world.svm = self.pristine.svm.clone();
    }

    /// Sends without the limits of a network: the stranger's signature may be one too many.
    fn send(&mut self, call: &Instruction) -> Result<(), Refusal> {
        let signing = call.accounts.iter().filter(|meta| meta.is_signer);
        let mut signers: BTreeMap<Pubkey, &Keypair> = signing
            .map(|meta| (meta.pubkey, self.keys.get(&meta.pubkey).expect("every signer's key is known")))
            .collect();
        signers.insert(self.payer.pubkey(), &self.payer);
        let signers: Vec<&Keypair> = signers.into_values().collect();
        self.world.svm.expire_blockhash();
        let instructions = [&self.aside[..], std::slice::from_ref(call)].concat();
        let mut transaction = Transaction::new_with_payer(&instructions, Some(&self.payer.pubkey()));
        transaction.sign(&signers, self.world.svm.latest_blockhash());
        self.world.svm.send_transaction(transaction).map(drop).map_err(Refusal::from)
    }
}

impl Swapper {
    fn try_all(&mut self, stage: &mut Stage, call: &Instruction, name: &str) {
        let accounts = idl::accounts(name, call.accounts.len());
        for attempt in attempts(&stage.world, call, &accounts, &stage.keys) {
            self.sent += 1;
            let account = &accounts[attempt.position];
            let what = format!("{name}.{account}: {:?}, {}", attempt.swap, attempt.with);
            let Err(refusal) = stage.send(&attempt.instruction) else {
                match ALLOWED.iter().position(|allowed| allowed.covers(name, account, attempt.swap)) {
                    Some(entry) => drop(self.used.insert((entry, attempt.swap))),
                    None => self.faults.push(format!("accepted: {what}")),
                }
                stage.restore();
                continue;
            };
            let error = idl::name_of_error(&refusal);
            if idl::is_crash(&refusal) {
                self.faults.push(format!("crashed with {error}: {what}\n{}", refusal.logs.join("\n")));
            }
            if !idl::is_of_instruction(&refusal, stage.aside.len()) {
                self.faults.push(format!("refused elsewhere, with {error}: {what}"));
            }
            let swaps = self.errors.entry(name.into()).or_default().entry(account.clone()).or_default();
            swaps.entry(format!("{:?}", attempt.swap)).or_default().insert(error);
        }
        assert!(stage.world.snapshot() == stage.pristine.snapshot(), "a refused swap of {name} changed an account");
    }
}

fn committed() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/account-swaps.json"))
}

#[test]
fn no_account_of_any_instruction_can_be_swapped_for_another() {
    let swapper = watch(Swapper::default(), || drop(scenarios::everything()));

    println!("{} swaps of {} instructions", swapper.sent, swapper.tried.len());
    assert!(swapper.faults.is_empty(), "{} faults:\n{}", swapper.faults.len(), swapper.faults.join("\n"));
    let covered: BTreeSet<&str> = swapper.tried.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        covered,
        scenarios::instructions(),
        "every instruction is swapped; one that is missing is sent by no scenario"
    );
    assert_eq!(
        idl::instructions(),
        instruction_names().into_iter().collect(),
        "idl/millrace.json is stale: run make idl"
    );
    // A native build cannot be upgraded and logs nothing: not every entry is used, and errors have no names.
    if cfg!(feature = "native") {
        return;
    }
    let listed = ALLOWED.iter().enumerate().flat_map(|(entry, allowed)| allowed.swaps.iter().map(move |s| (entry, *s)));
    let unused: Vec<String> = listed
        .filter(|used| !swapper.used.contains(used))
        .map(|(entry, swap)| {
            let Allowed { instruction, account, why, .. } = &ALLOWED[entry];
            format!("{instruction}.{account}: {swap:?}, because {why}")
        })
        .collect();
    assert!(unused.is_empty(), "the list allows what nobody tries or the program refuses: {unused:#?}");

    let found = serde_json::to_string_pretty(&swapper.errors).expect("texts serialize") + "\n";
    if std::env::var_os("UPDATE_ACCOUNT_SWAPS").is_some() {
        std::fs::write(committed(), &found).expect("docs/account-swaps.json can be written");
    }
    let kept = std::fs::read_to_string(committed()).unwrap_or_default();
    assert!(
        kept == found,
        "{} swaps gave other errors than docs/account-swaps.json says: see whether that is right, and run with UPDATE_ACCOUNT_SWAPS=1",
        swapper.sent
    );
}
