//! What may be swapped, and why. An entry that nothing uses fails the test.

use super::attempts::Swap::{self, *};

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
        instruction: "apply_downgrade",
        account: "receiver",
        swaps: &[Twice, Other, OtherKind, OtherMint, Absent],
        why: "whoever applies it names where the fee goes; what cannot receive it is not paid, and the audit applies all the same",
    },
    Allowed {
        instruction: "award",
        account: "payer",
        swaps: &[Other],
        why: "anyone awards, pays the lease's rent and gets it back",
    },
    Allowed {
        instruction: "claim_compensation",
        account: "payer",
        swaps: &[Other],
        why: "anyone claims for the customer, and pays the claim's rent",
    },
    Allowed {
        instruction: "claim_unkept",
        account: "payer",
        swaps: &[Other],
        why: "anyone claims for the member, and pays the claim's rent",
    },
    Allowed {
        instruction: "close_lease",
        account: "caller",
        swaps: &[Twice, Other, Absent],
        why: "anyone closes a lease after its dispute window; where the money goes is in the lease",
    },
    Allowed {
        instruction: "close_proposal",
        account: "proposal",
        swaps: &[Other],
        why: "anyone closes any proposal that is over; its deposit goes where that proposal says",
    },
    Allowed {
        instruction: "drain",
        account: "operator",
        swaps: &[Other],
        why: "the cold key may do whatever the hot key may",
    },
    Allowed {
        instruction: "drop_broken_bid",
        account: "payer",
        swaps: &[Other],
        why: "anyone drops a broken bid, and pays the claim's rent",
    },
    Allowed {
        instruction: "execute_add_oracle",
        account: "payer",
        swaps: &[Other],
        why: "anyone carries out what has passed, and pays the rent",
    },
    Allowed {
        instruction: "execute_add_oracle",
        account: "proposal",
        swaps: &[Other],
        why: "anyone carries out any proposal of this kind that has passed",
    },
    Allowed {
        instruction: "execute_guardian",
        account: "proposal",
        swaps: &[Other],
        why: "anyone carries out any proposal of this kind that has passed",
    },
    Allowed {
        instruction: "execute_params",
        account: "proposal",
        swaps: &[Other],
        why: "anyone carries out any proposal of this kind that has passed",
    },
    Allowed {
        instruction: "execute_slash",
        account: "case",
        swaps: &[Other],
        why: "another proven case of the same node, with the same opener and bounty account, is as good",
    },
    Allowed {
        instruction: "exit_lease",
        account: "caller",
        swaps: &[Other],
        why: "either side leaves: the customer, or the provider's hot or cold key",
    },
    Allowed {
        instruction: "execute_upgrade",
        account: "program",
        swaps: &[Twice, Other, OtherKind, Absent],
        why: "only names the program for the call that emits the event; here this_program, which is checked, names it too",
    },
    Allowed {
        instruction: "fail_over",
        account: "payer",
        swaps: &[Other],
        why: "anyone has a stand-by take over, and pays the lease's rent",
    },
    Allowed {
        instruction: "grow_beacons",
        account: "payer",
        swaps: &[Other],
        why: "anyone pays the rent of the beacons",
    },
    Allowed {
        instruction: "initialize",
        account: "mint",
        swaps: &[OtherMint],
        why: "the deployer names the mint; that it is one nobody can mint, freeze or tax is checked",
    },
    Allowed {
        instruction: "lapse_dispute",
        account: "dispute",
        swaps: &[Other],
        why: "anyone lets any dispute lapse whose time is over",
    },
    Allowed {
        instruction: "open_case",
        account: "opener",
        swaps: &[Other],
        why: "anyone accuses, with a deposit of its own",
    },
    Allowed {
        instruction: "open_slash_case",
        account: "prover",
        swaps: &[Other],
        why: "anyone charges a node with what the oracles reported, and pays the rent",
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
        instruction: "place_site_bid",
        account: "operator",
        swaps: &[Other],
        why: "the cold key may do whatever the hot key may",
    },
    Allowed {
        instruction: "place_site_bid",
        account: "job",
        swaps: &[Other],
        why: "the operator signs for the job it names, and any open one will do",
    },
    Allowed {
        instruction: "prove_double_commit",
        account: "prover",
        swaps: &[Other, Absent],
        why: "anyone proves, and gains nothing by it",
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
        instruction: "resolve_dispute",
        account: "caller",
        swaps: &[Twice, Other],
        why: "anyone carries out a ruling, and pays the rent of a claim",
    },
    Allowed {
        instruction: "resolve_dispute",
        account: "mint",
        swaps: &[Twice, OtherKind, OtherMint, Absent],
        why: "read only where tokens move, which they do not where the customer gets back what its own vault holds",
    },
    Allowed {
        instruction: "resolve_dispute",
        account: "token_program",
        swaps: &[Twice, Other, OtherKind, Absent],
        why: "read only where tokens move, which they do not where the customer gets back what its own vault holds",
    },
    Allowed {
        instruction: "set_ask",
        account: "operator",
        swaps: &[Other],
        why: "the cold key may do whatever the hot key may",
    },
    Allowed {
        instruction: "settle_mutual",
        account: "provider_signer",
        swaps: &[Other],
        why: "the cold key may do whatever the hot key may",
    },
    Allowed {
        instruction: "unlock_votes",
        account: "destination",
        swaps: &[Twice, Other],
        why: "the voter takes its tokens out to where it likes, to any account of the mint",
    },
    Allowed {
        instruction: "vote_dispute",
        account: "dispute",
        swaps: &[Other],
        why: "the oracle signs for the dispute it rules, and any open one will do",
    },
    Allowed {
        instruction: "withdraw_customer",
        account: "destination",
        swaps: &[Other],
        why: "the customer sends its money where it likes, to any account of the mint",
    },
];
