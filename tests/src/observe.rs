//! Someone who looks on while worlds run: generated tests ride on the scenarios that others wrote.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;

use crate::record::name_of;
use crate::{scenarios, Instruction, Keypair, Pubkey, Receipt, Refusal, World};

/// A transaction that was accepted.
pub struct Accepted<'a> {
    /// The world right before it, if [`Observer::wants_state_before`] asked for it.
    pub before: Option<World>,
    /// The world after it.
    pub after: &'a World,
    /// What it called.
    pub instructions: &'a [Instruction],
    /// Who paid for it.
    pub payer: Pubkey,
    /// What it answered.
    pub receipt: &'a Receipt,
}

impl Accepted<'_> {
    /// Sends the same in a copy of the world before it, which `change` has changed, with `more` instructions behind it.
    ///
    /// # Errors
    /// What the runtime answered.
    ///
    /// # Panics
    /// When the world before is not known.
    pub fn again(&self, change: impl FnOnce(&mut World), more: &[Instruction]) -> Result<World, Refusal> {
        let mut world = self.before.as_ref().expect("the world before was asked for").copy();
        change(&mut world);
        let instructions = [self.instructions, more].concat();
        let signing = instructions.iter().flat_map(|call| &call.accounts).filter(|meta| meta.is_signer);
        let mut signers: Vec<Pubkey> = signing.map(|meta| meta.pubkey).collect();
        let payer = self.payer;
        signers.push(payer);
        signers.sort_unstable_by_key(|address| (*address != payer, *address));
        signers.dedup();
        let keys: Vec<Keypair> = signers.iter().map(|address| self.after.keyring[address].insecure_clone()).collect();
        world.send(&instructions, &keys.iter().collect::<Vec<_>>()).map(|_| world)
    }

    /// Addresses of the program's accounts and vaults that the transaction opened.
    pub fn opened(&self) -> Vec<Pubkey> {
        let before = self.before.as_ref().expect("the world before was asked for");
        let accounts = self.after.snapshot().into_iter().map(|(address, _)| address);
        accounts.filter(|address| !before.exists(address)).collect()
    }

    /// Addresses of the program's accounts and vaults that the transaction closed.
    pub fn closed(&self) -> Vec<Pubkey> {
        let before = self.before.as_ref().expect("the world before was asked for");
        let accounts = before.snapshot().into_iter().map(|(address, _)| address);
        accounts.filter(|address| !self.after.exists(address)).collect()
    }
}

/// Is told of all that happens in every world of its thread, but not of what it does itself.
pub trait Observer {
    /// Whether [`Accepted::before`] is wanted, should this be accepted. A copy of a world takes milliseconds.
    fn wants_state_before(&self, _instructions: &[Instruction]) -> bool {
        false
    }

    /// A transaction was accepted.
    fn accepted(&mut self, transaction: Accepted);

    /// A test wrote into an account, past the program.
    fn rewritten(&mut self, _world: &World, _address: &Pubkey) {}

    /// World `to` begins as world `from` stands.
    fn copied(&mut self, _from: u64, _to: u64) {}
}

thread_local! {
    static OBSERVER: RefCell<Option<Box<dyn Observer>>> = const { RefCell::new(None) };
    static WORLDS: Cell<u64> = const { Cell::new(0) };
}

/// Runs `scenario` with `observer` looking on, and gives it back.
///
/// # Panics
/// When the scenario does.
pub fn watch<O: Observer + 'static>(observer: O, scenario: impl FnOnce()) -> O {
    /// Lets the observer out again.
    struct Shared<O>(std::rc::Rc<RefCell<O>>);
    impl<O: Observer> Observer for Shared<O> {
        fn wants_state_before(&self, instructions: &[Instruction]) -> bool {
            self.0.borrow().wants_state_before(instructions)
        }
        fn accepted(&mut self, transaction: Accepted) {
            self.0.borrow_mut().accepted(transaction);
        }
        fn rewritten(&mut self, world: &World, address: &Pubkey) {
            self.0.borrow_mut().rewritten(world, address);
        }
        fn copied(&mut self, from: u64, to: u64) {
            self.0.borrow_mut().copied(from, to);
        }
    }
    let shared = std::rc::Rc::new(RefCell::new(observer));
    OBSERVER.set(Some(Box::new(Shared(shared.clone()))));
    scenario();
    OBSERVER.set(None);
    std::rc::Rc::into_inner(shared).expect("nobody else holds the observer").into_inner()
}

/// Runs `scenario` and hands the first acceptance of each instruction to `check`: its name, and the transaction with
/// the world before it.
pub fn at_each_instruction(scenario: impl FnOnce(), check: impl FnMut(&str, &Accepted) + 'static) {
    struct Firsts<F> {
        seen: BTreeSet<String>,
        check: F,
    }
    fn names(instructions: &[Instruction]) -> impl Iterator<Item = String> + '_ {
        instructions.iter().filter(|call| call.program_id == millrace::ID).map(|call| name_of(&call.data))
    }
    impl<F: FnMut(&str, &Accepted)> Observer for Firsts<F> {
        fn wants_state_before(&self, instructions: &[Instruction]) -> bool {
            names(instructions).any(|name| !self.seen.contains(&name))
        }
        fn accepted(&mut self, transaction: Accepted) {
            for name in names(transaction.instructions) {
                if self.seen.insert(name.clone()) {
                    (self.check)(&name, &transaction);
                }
            }
        }
    }
    let firsts = watch(Firsts { seen: BTreeSet::new(), check }, scenario);
    let wanted: BTreeSet<String> = scenarios::instructions().into_iter().map(str::to_owned).collect();
    assert_eq!(firsts.seen, wanted, "the scenario sends every instruction");
}

pub(crate) fn next_number() -> u64 {
    WORLDS.with(|worlds| {
        worlds.set(worlds.get() + 1);
        worlds.get()
    })
}

pub(crate) fn wants_state_before(instructions: &[Instruction]) -> bool {
    OBSERVER.with_borrow(|observer| observer.as_ref().is_some_and(|observer| observer.wants_state_before(instructions)))
}

pub(crate) fn accepted(
    before: Option<World>,
    after: &World,
    (instructions, payer): (&[Instruction], Pubkey),
    receipt: &Receipt,
) {
    told(|observer| observer.accepted(Accepted { before, after, instructions, payer, receipt }));
}

pub(crate) fn copied(from: u64, to: u64) {
    told(|observer| observer.copied(from, to));
}

pub(crate) fn rewritten(world: &World, address: &Pubkey) {
    told(|observer| observer.rewritten(world, address));
}

/// The observer is away while it is told: it does not hear of itself.
fn told(tell: impl FnOnce(&mut dyn Observer)) {
    let Some(mut observer) = OBSERVER.take() else { return };
    tell(&mut *observer);
    OBSERVER.set(Some(observer));
}
