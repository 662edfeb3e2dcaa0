//! Addresses of the program's accounts.

use millrace::constants::*;

use crate::Pubkey;

pub use millrace_client::pda::{claim, dispute, governance, lock, oracle_pool, proposal, treasury, vote};

fn find(seeds: &[&[u8]]) -> (Pubkey, u8) {
    Pubkey::find_program_address(seeds, &millrace::ID)
}

/// The config.
pub fn config() -> Pubkey {
    find(&[CONFIG_SEED]).0
}

/// The oracle set.
pub fn oracles() -> Pubkey {
    find(&[ORACLES_SEED]).0
}

/// The reports.
pub fn reports() -> Pubkey {
    find(&[REPORTS_SEED]).0
}

/// The beacons.
pub fn beacons() -> Pubkey {
    find(&[BEACONS_SEED]).0
}

/// The account that signs events.
pub fn event_authority() -> Pubkey {
    millrace::EVENT_AUTHORITY_AND_BUMP.0
}

/// The loader's account that names the upgrade authority.
pub fn program_data() -> Pubkey {
    Pubkey::find_program_address(&[millrace::ID.as_ref()], &solana_sdk_ids::bpf_loader_upgradeable::ID).0
}

/// The provider of a cold key.
pub fn provider(authority: &Pubkey) -> Pubkey {
    provider_and_bump(authority).0
}

/// The node `index` of a provider.
pub fn node(provider: &Pubkey, index: u32) -> Pubkey {
    node_and_bump(provider, index).0
}

/// The customer of a key.
pub fn customer(authority: &Pubkey) -> Pubkey {
    customer_and_bump(authority).0
}

/// The job `id` of a customer.
pub fn job(customer: &Pubkey, id: u64) -> Pubkey {
    job_and_bump(customer, id).0
}

/// The lease `index` of a job.
pub fn lease(job: &Pubkey, index: u8) -> Pubkey {
    lease_and_bump(job, index).0
}

/// The vault of a provider or customer.
pub fn vault(owner: &Pubkey) -> Pubkey {
    vault_and_bump(owner).0
}

/// The oracle of a seat's key.
pub fn oracle(authority: &Pubkey) -> Pubkey {
    oracle_and_bump(authority).0
}

/// The fraud case of sha256(commit).
pub fn fraud_case(commit_id: &[u8; 32]) -> Pubkey {
    find(&[FRAUD_SEED, commit_id]).0
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
