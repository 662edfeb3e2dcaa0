//! What transactions an address was named in, whole after a gap: nothing is lost where an endpoint is behind or
//! keeps some to itself.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures_util::future::join_all;

use super::endpoint::Endpoint;
use super::{vote, RpcChain};
use crate::{ChainError, Pubkey, Signature};

/// What one endpoint lists: slot and signature, oldest first.
type History = Vec<(u64, Signature)>;

/// As [`crate::Chain::signatures_of`]: what any of a majority of the endpoints lists.
pub(super) async fn signatures_of(
    chain: &RpcChain,
    address: &Pubkey,
    until: Option<Signature>,
) -> Result<Vec<Signature>, ChainError> {
    let since_slot = match until {
        Some(until) => slot_of(chain, until).await,
        None => 0,
    };
    let endpoints = chain.awake();
    let asked = endpoints.iter().map(|endpoint| endpoint.history(address, until, since_slot));
    let (mut histories, mut first_error) = (Vec::new(), None);
    for answer in join_all(asked).await {
        match answer {
            Ok(history) => histories.push(history),
            Err(error) => drop(first_error.get_or_insert(error)),
        }
    }
    // Of a majority one is honest, and lists all there is as far as it has come.
    if histories.len() < vote::majority(chain.endpoints.len()) {
        return Err(chain.silent(first_error));
    }
    Ok(union(&histories))
}

/// The slot a majority saw `signature` land in; zero, which reads back further than needed, where there is none.
async fn slot_of(chain: &RpcChain, signature: Signature) -> u64 {
    let configured = chain.endpoints.len();
    let ask = |endpoint: Arc<Endpoint>| async move {
        endpoint.status(&signature).await.map(|status| status.map(|status| status.slot))
    };
    let decide = |votes: &[Option<u64>]| vote::agreed(votes, configured).copied();
    chain.round(ask, decide).await.ok().flatten().unwrap_or(0)
}

/// Everything in any of them once, oldest first.
fn union(histories: &[History]) -> Vec<Signature> {
    let (mut by_slot, mut seen) = (BTreeMap::<u64, Vec<Signature>>::new(), HashSet::new());
    for (slot, signature) in histories.iter().flatten() {
        if seen.insert(*signature) {
            by_slot.entry(*slot).or_default().push(*signature);
        }
    }
    by_slot.into_values().flatten().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_any_endpoint_lists_is_there_once_and_in_the_order_of_slots() {
        let entry = |slot: u64, byte: u8| (slot, Signature::from([byte; 64]));
        let omits = vec![entry(1, 1), entry(4, 4)];
        let is_behind = vec![entry(1, 1), entry(2, 2), entry(2, 3)];
        let expected: Vec<_> = (1..=4).map(|byte| Signature::from([byte; 64])).collect();
        assert_eq!(union(&[omits.clone(), is_behind.clone()]), expected);
        assert_eq!(union(&[is_behind, omits]), expected);
        assert!(union(&[vec![], vec![]]).is_empty());
    }
}
