//! Someone who looks on while worlds run: generated tests ride on the scenarios that others wrote.

use std::cell::{Cell, RefCell};

use crate::{Instruction, Pubkey, Receipt, World};

/// A transaction that was accepted.
pub struct Accepted<'a> {
    /// The world right before it, if [`Observer::wants_state_before`] asked for it.
    pub before: Option<World>,
    /// The world after it.
    pub after: &'a World,
    /// What it called.
    pub instructions: &'a [Instruction],
    /// What it answered.
    pub receipt: &'a Receipt,
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
    }
    let shared = std::rc::Rc::new(RefCell::new(observer));
    OBSERVER.set(Some(Box::new(Shared(shared.clone()))));
    scenario();
    OBSERVER.set(None);
    std::rc::Rc::into_inner(shared).expect("nobody else holds the observer").into_inner()
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

pub(crate) fn accepted(before: Option<World>, after: &World, instructions: &[Instruction], receipt: &Receipt) {
    told(|observer| observer.accepted(Accepted { before, after, instructions, receipt }));
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
