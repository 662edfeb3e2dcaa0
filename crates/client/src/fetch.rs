//! Reading the program's accounts: owned copies of its zero-copy state.

use anchor_lang::{Discriminator, ZeroCopy};
use millrace::state::{Bid, Job};

use crate::{Account, Chain, ChainError, Pubkey, PROGRAM_ID};

/// The name of a state type, for messages.
fn name_of<T>() -> &'static str {
    std::any::type_name::<T>().rsplit("::").next().unwrap_or("account")
}

/// Reads `account` as a `T`. `None` when it is closed: left to the system program, or empty.
///
/// # Errors
/// [`ChainError::NotWhatItShouldBe`] when it is another program's or another kind of account.
pub fn decode<T: ZeroCopy>(address: &Pubkey, account: &Account) -> Result<Option<T>, ChainError> {
    if account.owner == solana_sdk_ids::system_program::ID || account.data.is_empty() {
        return Ok(None);
    }
    let refuse = |reason: String| ChainError::NotWhatItShouldBe { address: *address, expected: name_of::<T>(), reason };
    if account.owner != PROGRAM_ID {
        return Err(refuse(format!("it belongs to the program {}", account.owner)));
    }
    let body =
        account.data.strip_prefix(T::DISCRIMINATOR).ok_or_else(|| refuse("it is another kind of account".into()))?;
    let body = body.get(..size_of::<T>()).ok_or_else(|| refuse(format!("it has only {} bytes", account.data.len())))?;
    // Copied byte for byte: what an RPC sent is not aligned.
    Ok(Some(bytemuck::pod_read_unaligned(body)))
}

/// The leaderboard behind a job, best bid first: only the entries in use.
pub fn decode_bids(job: &Job, account: &Account) -> Vec<Bid> {
    let start = Job::DISCRIMINATOR.len() + size_of::<Job>();
    let board = account.data.get(start..).unwrap_or_default();
    let entries = board.chunks_exact(size_of::<Bid>()).take(usize::from(job.bid_count));
    entries.map(bytemuck::pod_read_unaligned).collect()
}

/// The account as a `T`, `None` when there is none or it is closed.
///
/// # Errors
/// The chain's; [`ChainError::NotWhatItShouldBe`] when it is another kind of account.
pub async fn fetch<T: ZeroCopy>(chain: &dyn Chain, key: &Pubkey) -> Result<Option<T>, ChainError> {
    match chain.account(key).await? {
        Some(account) => decode(key, &account),
        None => Ok(None),
    }
}

/// The same as a strict majority of the RPCs answers: for what money is decided by.
///
/// # Errors
/// As [`fetch`]; [`ChainError::Disagree`] without a majority.
pub async fn fetch_agreed<T: ZeroCopy>(chain: &dyn Chain, key: &Pubkey) -> Result<Option<T>, ChainError> {
    match chain.agreed(std::slice::from_ref(key)).await?.pop().flatten() {
        Some(account) => decode(key, &account),
        None => Ok(None),
    }
}

/// All accounts of kind `T` that hold each `(offset, bytes)` of `filters`. Offsets count from the start of the
/// account's data; [`field_offset`] gives that of a field.
///
/// # Errors
/// The chain's.
pub async fn fetch_all<T: ZeroCopy>(
    chain: &dyn Chain,
    filters: &[(usize, Vec<u8>)],
) -> Result<Vec<(Pubkey, T)>, ChainError> {
    let found = chain.program_accounts(T::DISCRIMINATOR, filters).await?;
    let mut read = Vec::with_capacity(found.len());
    for (key, account) in found {
        if let Some(state) = decode(&key, &account)? {
            read.push((key, state));
        }
    }
    Ok(read)
}

/// A job and its leaderboard, best bid first.
///
/// # Errors
/// As [`fetch`].
pub async fn fetch_job(chain: &dyn Chain, key: &Pubkey) -> Result<Option<(Job, Vec<Bid>)>, ChainError> {
    let Some(account) = chain.account(key).await? else { return Ok(None) };
    let job: Option<Job> = decode(key, &account)?;
    Ok(job.map(|job| (job, decode_bids(&job, &account))))
}

/// Where a field of a state struct lies in the account's data, discriminator included: for filters.
///
/// `field_offset!(Lease, node)`
#[macro_export]
macro_rules! field_offset {
    ($state:ty, $field:ident) => {
        8 + ::std::mem::offset_of!($state, $field)
    };
}

/// An account as the chain would hold `state`, with `tail` behind it (a job's bids): for tests.
pub fn to_account<T: ZeroCopy>(state: &T, tail: &[u8]) -> Account {
    let mut data = T::DISCRIMINATOR.to_vec();
    data.extend_from_slice(bytemuck::bytes_of(state));
    data.extend_from_slice(tail);
    Account { lamports: 1_000_000, data, owner: PROGRAM_ID, executable: false, rent_epoch: u64::MAX }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FakeChain;
    use bytemuck::Zeroable;
    use millrace::state::{Lease, Node};

    fn key(byte: u8) -> Pubkey {
        Pubkey::new_from_array([byte; 32])
    }

    #[tokio::test]
    async fn accounts_are_found_by_kind_and_field() {
        let chain = FakeChain::new();
        for byte in 1..4 {
            chain.set(key(byte), &Lease { node: key(byte % 2), per_sec: byte.into(), ..Lease::zeroed() });
            chain.set(key(byte + 10), &Node { provider: key(1), ..Node::zeroed() });
        }
        let of_node_one = [(field_offset!(Lease, node), key(1).to_bytes().to_vec())];
        let leases = fetch_all::<Lease>(&chain, &of_node_one).await.unwrap();
        assert_eq!(
            leases.iter().map(|(key, lease)| (*key, lease.per_sec)).collect::<Vec<_>>(),
            [(key(1), 1), (key(3), 3)]
        );
        assert_eq!(fetch_all::<Node>(&chain, &[]).await.unwrap().len(), 3);
        assert_eq!(fetch::<Lease>(&chain, &key(99)).await.unwrap().map(|lease| lease.per_sec), None);
    }

    #[tokio::test]
    async fn a_job_is_read_with_the_bids_in_use_and_no_others() {
        let chain = FakeChain::new();
        let job = Job { bid_count: 1, ..Job::zeroed() };
        let bids = [Bid { per_sec: 7, ..Bid::zeroed() }, Bid { per_sec: 9, ..Bid::zeroed() }];
        chain.set_account(key(1), to_account(&job, bytemuck::cast_slice(&bids)));
        let (_, read) = fetch_job(&chain, &key(1)).await.unwrap().unwrap();
        assert_eq!(read, bids[..1]);
    }

    #[test]
    fn state_reads_from_any_alignment() {
        let lease = Lease { paid_secs: 77, ..Lease::zeroed() };
        let account = to_account(&lease, &[]);
        for shift in 0..8 {
            let mut shifted = vec![0; shift];
            shifted.extend_from_slice(&account.data);
            let account = Account { data: shifted.split_off(shift), ..account.clone() };
            assert_eq!(decode::<Lease>(&key(1), &account).unwrap().map(|lease| lease.paid_secs), Some(77));
        }
    }

    #[test]
    fn another_kind_of_account_is_refused_and_a_closed_one_is_none() {
        let node = to_account(&Node::zeroed(), &[]);
        assert!(decode::<Lease>(&key(1), &node).unwrap_err().to_string().contains("not a Millrace Lease"));
        let foreign = Account { owner: key(5), ..node.clone() };
        assert!(decode::<Node>(&key(1), &foreign).is_err());
        let short = Account { data: node.data[..20].to_vec(), ..node.clone() };
        assert!(decode::<Node>(&key(1), &short).is_err());
        let closed = Account { owner: solana_sdk_ids::system_program::ID, data: vec![], ..node };
        assert!(decode::<Node>(&key(1), &closed).unwrap().is_none());
    }
}
