//! The leases of a job.

use anyhow::Result;
use millrace::state::{Job, Lease, LeaseRole};
use millrace_client::fetch::decode;
use millrace_client::{pda, Pubkey};

use super::steps::Own;
use crate::context::Context;

/// Every lease of one's own job whose account is open, in the order they were opened.
pub async fn leases(context: &Context, own: &Own) -> Result<Vec<(Pubkey, Lease)>> {
    leases_of(context, &own.key, &own.job).await
}

/// The same of anybody's job, at `key`.
pub async fn leases_of(context: &Context, key: &Pubkey, job: &Job) -> Result<Vec<(Pubkey, Lease)>> {
    let keys: Vec<Pubkey> = (0..job.leases_opened).map(|index| pda::lease(key, index)).collect();
    let accounts = context.chain().agreed(&keys).await?;
    let mut found = Vec::with_capacity(keys.len());
    for (key, account) in keys.into_iter().zip(accounts) {
        let lease = account.map(|account| decode::<Lease>(&key, &account)).transpose()?.flatten();
        found.extend(lease.map(|lease| (key, lease)));
    }
    Ok(found)
}

/// The one whose node works, or worked last.
pub fn at_work(leases: &[(Pubkey, Lease)]) -> Option<(Pubkey, Lease)> {
    let is_member = |lease: &Lease| lease.role == LeaseRole::Member as u8 && lease.is_replaced == 0;
    leases.iter().rev().find(|(_, lease)| is_member(lease)).copied()
}
