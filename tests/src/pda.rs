//! Addresses of the program's accounts.

use millrace::constants::*;

use crate::Pubkey;

pub use millrace_client::pda::*;

fn find(seeds: &[&[u8]]) -> (Pubkey, u8) {
    Pubkey::find_program_address(seeds, &millrace::ID)
}

pub(crate) fn provider_and_bump(authority: &Pubkey) -> (Pubkey, u8) {
    find(&[PROVIDER_SEED, authority.as_ref()])
}

pub(crate) fn node_and_bump(provider: &Pubkey, index: u32) -> (Pubkey, u8) {
    find(&[NODE_SEED, provider.as_ref(), &index.to_le_bytes()])
}

pub(crate) fn customer_and_bump(authority: &Pubkey) -> (Pubkey, u8) {
    find(&[CUSTOMER_SEED, authority.as_ref()])
}

pub(crate) fn job_and_bump(customer: &Pubkey, id: u64) -> (Pubkey, u8) {
    find(&[JOB_SEED, customer.as_ref(), &id.to_le_bytes()])
}

pub(crate) fn lease_and_bump(job: &Pubkey, index: u8) -> (Pubkey, u8) {
    find(&[LEASE_SEED, job.as_ref(), &[index]])
}

pub(crate) fn vault_and_bump(owner: &Pubkey) -> (Pubkey, u8) {
    find(&[VAULT_SEED, owner.as_ref()])
}

pub(crate) fn oracle_and_bump(authority: &Pubkey) -> (Pubkey, u8) {
    find(&[ORACLE_SEED, authority.as_ref()])
}
