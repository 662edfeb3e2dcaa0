//! Claims on bonds: what a broken promise will pay, once it could hide no fraud any more.

use super::{Model, Why};
use crate::books::holds;
use crate::machine::Flows;
use crate::Pubkey;

/// Who is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Creditor {
    /// A customer: free money.
    Customer(Pubkey),
    /// A provider: earnings.
    Provider(Pubkey),
}

/// A claim.
#[derive(Clone, Copy, Debug)]
pub struct ClaimModel {
    /// Provider account that pays.
    pub provider: Pubkey,
    /// Who is paid.
    pub to: Creditor,
    /// Base units.
    pub amount: u64,
    /// Instant it matures: as late as stake that began to unbond when it was opened.
    pub matures_at: i64,
}

impl Model {
    /// Free stake becomes a claim.
    pub(super) fn open_claim(&mut self, key: Pubkey, claim: ClaimModel) -> Result<(), String> {
        self.lock(&claim.provider, claim.amount)?;
        let provider = self.provider(&claim.provider)?;
        provider.stake -= claim.amount;
        provider.claims += claim.amount;
        self.claims.insert(key, claim);
        Ok(())
    }

    /// A claim is paid: what a slash left of it.
    pub fn pay_claim(&mut self, key: &Pubkey, now: i64) -> Result<Flows, String> {
        let claim = self.claims.remove(key).ok_or("there is no such claim")?;
        holds!(now >= claim.matures_at, "a claim was paid at {now}, before it matures at {}", claim.matures_at);
        let provider = self.provider(&claim.provider)?;
        let amount = claim.amount.min(provider.claims);
        provider.claims -= amount;
        let (from, vault) = (provider.actor, provider.vault);
        let (to, receiver) = match claim.to {
            Creditor::Customer(customer) => {
                let customer = self.customer(&customer)?;
                customer.free += amount;
                (customer.actor, customer.vault)
            }
            Creditor::Provider(provider) => {
                let provider = self.provider(&provider)?;
                provider.earned += amount;
                (provider.actor, provider.vault)
            }
        };
        self.pass(from, Some(to), amount, Why::Bond);
        Ok(vec![(vault, -i128::from(amount)), (receiver, amount.into())])
    }
}
