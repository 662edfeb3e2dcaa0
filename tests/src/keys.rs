//! Keys from names: the same in every run, so that compute figures do not move.

use millrace_core::hash::sha256;
use solana_keypair::Keypair;
use solana_signer::Signer;

use crate::{pda, Pubkey};

/// The keypair of `name`.
pub fn key(name: &str) -> Keypair {
    nth(name, 0)
}

/// The first keypair of `name` whose address `accept` takes.
pub fn key_where(name: &str, accept: impl Fn(&Pubkey) -> bool) -> Keypair {
    (0u32..).map(|n| nth(name, n)).find(|key| accept(&key.pubkey())).expect("a half of all keys is accepted")
}

/// A cold key whose provider, vault and first node have bump 255.
pub fn provider_key(name: &str) -> Keypair {
    key_where(name, |authority| {
        let (provider, bump) = pda::provider_and_bump(authority);
        bump == 255 && pda::vault_and_bump(&provider).1 == 255 && pda::node_and_bump(&provider, 0).1 == 255
    })
}

/// A customer's key whose account, vault, first job and first lease have bump 255.
pub fn customer_key(name: &str) -> Keypair {
    key_where(name, |authority| {
        let (customer, bump) = pda::customer_and_bump(authority);
        let (job, job_bump) = pda::job_and_bump(&customer, 0);
        bump == 255
            && pda::vault_and_bump(&customer).1 == 255
            && job_bump == 255
            && pda::lease_and_bump(&job, 0).1 == 255
    })
}

/// An oracle's key whose record and vault have bump 255.
pub fn oracle_key(name: &str) -> Keypair {
    key_where(name, |authority| {
        let (oracle, bump) = pda::oracle_and_bump(authority);
        bump == 255 && pda::vault_and_bump(&oracle).1 == 255
    })
}

fn nth(name: &str, n: u32) -> Keypair {
    Keypair::new_from_array(sha256(&[b"millrace tests", name.as_bytes(), &n.to_le_bytes()]))
}
