//! Claims on bonds that have matured: anyone may have them paid.

use std::collections::hash_map::{Entry, HashMap};

use anyhow::Result;
use millrace::state::{Claim, Provider};
use millrace_client::{fetch_agreed, fetch_all, ix, Chain, Pubkey};

use super::{Duty, Moment};
use crate::context::mill;

/// What `claim` pays at `now` out of what `provider` keeps for claims, base units: none before it matures. One that slashes
/// left nothing for pays nothing, and is closed by that.
fn payment(claim: &Claim, provider: &Provider, now: i64) -> Option<u64> {
    let mut provider = *provider;
    claim.pay(&mut provider, now).ok()
}

/// The payments that are due, of each provider the oldest first.
///
/// # Errors
/// When the chain does not answer.
pub async fn due(chain: &dyn Chain, moment: &Moment) -> Result<Vec<Duty>> {
    let mut claims = fetch_all::<Claim>(chain, &[]).await?;
    claims.retain(|(_, claim)| moment.now >= claim.matures_at);
    claims.sort_by_key(|(_, claim)| (claim.provider, claim.number));
    let mut providers: HashMap<Pubkey, Option<Provider>> = HashMap::new();
    let mut duties = vec![];
    for (key, claim) in claims {
        let provider = match providers.entry(claim.provider) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(place) => *place.insert(fetch_agreed::<Provider>(chain, &claim.provider).await?),
        };
        let Some(provider) = provider else { continue };
        if let Some(amount) = payment(&claim, &provider, moment.now) {
            duties.push(Duty {
                kind: "pay claim",
                account: key,
                what: format!("claim {key} matured: up to {} to {}", mill(amount), claim.beneficiary),
                instruction: ix::pay_claim(&key, &claim, &moment.market()),
                is_paid: claim.rent_payer == moment.watcher,
            });
        }
    }
    Ok(duties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;

    #[test]
    fn a_claim_is_paid_when_it_matures_and_what_slashes_left() {
        let claim = Claim { amount: 100, matures_at: 50, ..Claim::zeroed() };
        let with = |claims| Provider { claims, open_claims: 1, ..Provider::zeroed() };
        assert_eq!(payment(&claim, &with(100), 49), None);
        assert_eq!(payment(&claim, &with(100), 50), Some(100));
        assert_eq!(payment(&claim, &with(30), 50), Some(30));
        assert_eq!(payment(&claim, &with(0), 50), Some(0), "closed, so that both can leave");
    }

    #[tokio::test]
    async fn only_matured_claims_are_due_and_each_providers_oldest_first() {
        let chain = millrace_client::FakeChain::new();
        let provider = Pubkey::from([4; 32]);
        chain.set(provider, &Provider { claims: 100, open_claims: 3, ..Provider::zeroed() });
        for (place, number, matures_at) in [(1, 2, 50), (2, 1, 50), (3, 0, 51)] {
            let claim = Claim { number, provider, amount: 10, matures_at, ..Claim::zeroed() };
            chain.set(Pubkey::from([place; 32]), &claim);
        }
        let config = millrace::state::Config::zeroed();
        let moment = Moment { config, now: 50, epoch: 0, watcher: Pubkey::from([9; 32]), wallet: Pubkey::default() };
        let due = due(&chain, &moment).await.unwrap();
        let accounts: Vec<_> = due.iter().map(|duty| duty.account).collect();
        assert_eq!(accounts, [Pubkey::from([2; 32]), Pubkey::from([1; 32])]);
        assert!(due.iter().all(|duty| !duty.is_paid), "nobody pays the caller");
    }
}
