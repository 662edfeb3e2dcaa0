//! What may be swapped, and why. An entry that nothing uses fails the test.

use crate::attempts::Swap::{self, *};

/// A swap that is rightly accepted.
pub struct Allowed {
    /// The instruction.
    pub instruction: &'static str,
    /// The account, as the IDL names it.
    pub account: &'static str,
    /// Which swaps of it.
    pub swaps: &'static [Swap],
    /// Why nobody is harmed.
    pub why: &'static str,
}

impl Allowed {
    /// Whether it speaks of this swap.
    pub fn covers(&self, instruction: &str, account: &str, swap: Swap) -> bool {
        self.instruction == instruction && self.account == account && self.swaps.contains(&swap)
    }
}

/// Every swap that is accepted.
pub const ALLOWED: &[Allowed] = &[
    Allowed {
        instruction: "award",
        account: "payer",
        swaps: &[Other],
        why: "anyone awards, pays the lease's rent and gets it back",
    },
    Allowed {
        instruction: "close_lease",
        account: "caller",
        swaps: &[Twice, Other, Absent],
        why: "anyone closes a lease after its dispute window; where the money goes is in the lease",
    },
    Allowed {
        instruction: "drain",
        account: "operator",
        swaps: &[Other],
        why: "the cold key may do whatever the hot key may",
    },
    Allowed {
        instruction: "exit_lease",
        account: "caller",
        swaps: &[Other],
        why: "either side leaves: the customer, or the provider's hot or cold key",
    },
    Allowed {
        instruction: "grow_beacons",
        account: "payer",
        swaps: &[Other],
        why: "anyone pays the rent of the beacons",
    },
    Allowed {
        instruction: "open_case",
        account: "opener",
        swaps: &[Other],
        why: "anyone accuses, with a deposit of its own",
    },
    Allowed {
        instruction: "place_bid",
        account: "operator",
        swaps: &[Other],
        why: "the cold key may do whatever the hot key may",
    },
    Allowed {
        instruction: "place_bid",
        account: "job",
        swaps: &[Other],
        why: "the operator signs for the job it names, and any open one will do",
    },
    Allowed {
        instruction: "prove_entry",
        account: "prover",
        swaps: &[Other, Absent],
        why: "anyone proves, and gains nothing by it",
    },
    Allowed {
        instruction: "prove_entry",
        account: "case",
        swaps: &[Other],
        why: "a proof is of a commit: where another commit has the same root, it is wrong as well",
    },
    Allowed {
        instruction: "prove_link",
        account: "prover",
        swaps: &[Other, Absent],
        why: "anyone proves, and gains nothing by it",
    },
    Allowed {
        instruction: "prove_link",
        account: "case",
        swaps: &[Other],
        why: "a proof is of a commit: where another commit has the same root, it is wrong as well",
    },
    Allowed {
        instruction: "set_ask",
        account: "operator",
        swaps: &[Other],
        why: "the cold key may do whatever the hot key may",
    },
    Allowed {
        instruction: "withdraw_customer",
        account: "destination",
        swaps: &[Other],
        why: "the customer sends its money where it likes, to any account of the mint",
    },
];
