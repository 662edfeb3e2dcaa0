//! Addresses of the program's accounts.

use millrace::constants::*;
use millrace::events::EVENT_AUTHORITY_SEED;

use crate::{Pubkey, PROGRAM_ID};

fn find(seeds: &[&[u8]]) -> Pubkey {
    Pubkey::find_program_address(seeds, &PROGRAM_ID).0
}

/// The one [`millrace::state::Config`].
pub fn config() -> Pubkey {
    find(&[CONFIG_SEED])
}

/// The provider account of a cold key.
pub fn provider(authority: &Pubkey) -> Pubkey {
    find(&[PROVIDER_SEED, authority.as_ref()])
}

/// The `index`-th node of a provider account.
pub fn node(provider: &Pubkey, index: u32) -> Pubkey {
    find(&[NODE_SEED, provider.as_ref(), &index.to_le_bytes()])
}

/// The customer account of a key.
pub fn customer(authority: &Pubkey) -> Pubkey {
    find(&[CUSTOMER_SEED, authority.as_ref()])
}

/// The job numbered `id` of a customer account.
pub fn job(customer: &Pubkey, id: u64) -> Pubkey {
    find(&[JOB_SEED, customer.as_ref(), &id.to_le_bytes()])
}

/// The `index`-th lease of a job.
pub fn lease(job: &Pubkey, index: u8) -> Pubkey {
    find(&[LEASE_SEED, job.as_ref(), &[index]])
}

/// The claim numbered `number` on a provider account's bonds.
pub fn claim(provider: &Pubkey, number: u32) -> Pubkey {
    find(&[CLAIM_SEED, provider.as_ref(), &number.to_le_bytes()])
}

/// The token vault of a provider, customer or lock account.
pub fn vault(owner: &Pubkey) -> Pubkey {
    find(&[VAULT_SEED, owner.as_ref()])
}

/// The one [`millrace::state::OracleSet`].
pub fn oracles() -> Pubkey {
    find(&[ORACLES_SEED])
}

/// The oracle account of a seat's key.
pub fn oracle(authority: &Pubkey) -> Pubkey {
    find(&[ORACLE_SEED, authority.as_ref()])
}

/// The one [`millrace::state::Reports`].
pub fn reports() -> Pubkey {
    find(&[REPORTS_SEED])
}

/// The one [`millrace::state::Beacons`].
pub fn beacons() -> Pubkey {
    find(&[BEACONS_SEED])
}

/// The fraud case of a commit; `commit_id` is the sha256 of the commit's bytes.
pub fn fraud_case(commit_id: &[u8; 32]) -> Pubkey {
    find(&[FRAUD_SEED, commit_id])
}

/// The dispute of a lease.
pub fn dispute(lease: &Pubkey) -> Pubkey {
    find(&[DISPUTE_SEED, lease.as_ref()])
}

/// The address that signs for governance: it owns treasury and oracle pool.
pub fn governance() -> Pubkey {
    find(&[GOVERNANCE_SEED])
}

/// The treasury's token account.
pub fn treasury() -> Pubkey {
    find(&[TREASURY_SEED])
}

/// The oracle pool's token account.
pub fn oracle_pool() -> Pubkey {
    find(&[ORACLE_POOL_SEED])
}

/// The vote lock of a key.
pub fn lock(voter: &Pubkey) -> Pubkey {
    find(&[LOCK_SEED, voter.as_ref()])
}

/// The proposal numbered `id`.
pub fn proposal(id: u64) -> Pubkey {
    find(&[PROPOSAL_SEED, &id.to_le_bytes()])
}

/// The vote of `voter` on a proposal account.
pub fn vote(proposal: &Pubkey, voter: &Pubkey) -> Pubkey {
    find(&[VOTE_SEED, proposal.as_ref(), voter.as_ref()])
}

/// The judged case `number` of a provider account.
pub fn slash_case(provider: &Pubkey, number: u32) -> Pubkey {
    find(&[SLASH_SEED, provider.as_ref(), &number.to_le_bytes()])
}

/// The account that signs the program's events.
pub fn event_authority() -> Pubkey {
    find(&[EVENT_AUTHORITY_SEED])
}

/// The loader's account that names the program's upgrade authority.
pub fn program_data() -> Pubkey {
    Pubkey::find_program_address(&[PROGRAM_ID.as_ref()], &solana_sdk_ids::bpf_loader_upgradeable::ID).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_event_authority_is_the_one_the_program_signs_with() {
        assert_eq!(event_authority(), millrace::EVENT_AUTHORITY_AND_BUMP.0);
    }

    #[test]
    fn numbered_accounts_differ_by_number_and_by_owner() {
        let (a, b) = (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]));
        let addresses =
            [node(&a, 0), node(&a, 1), node(&b, 0), job(&a, 0), job(&a, 256), lease(&a, 0), lease(&a, 1), vault(&a)];
        let distinct: std::collections::HashSet<_> = addresses.iter().collect();
        assert_eq!(distinct.len(), addresses.len());
    }
}
