//! What is put in front of a transaction's instructions: how much it may compute, and what it pays to come first.

use solana_compute_budget_interface::ComputeBudgetInstruction;
use tracing::debug;

use super::simulate;
use crate::error::MAX_TRANSACTION_LEN;
use crate::{Chain, Instruction, Pubkey, SubmitError, Transaction};

/// Most compute units of a transaction.
const MAX_COMPUTE_UNITS: u32 = 1_400_000;
/// Compute units added to what a simulation used: the state may have changed when the transaction lands.
const SPARE_COMPUTE_UNITS: u64 = 20_000;
/// Parts of a lamport that prices are in.
const MICRO: u128 = 1_000_000;

/// The budget of one submission, over all its signings.
pub(super) struct Budget<'a> {
    instructions: &'a [Instruction],
    payer: Pubkey,
    /// `None` where the instructions bring a budget of their own, which is left as it is.
    units: Option<u32>,
    /// Price of the last signing, millionths of a lamport a unit.
    price: u64,
    max_fee_lamports: u64,
}

impl<'a> Budget<'a> {
    /// Simulates, to know what the instructions use. For priority they pay `max_fee_lamports` at most.
    pub async fn of(
        chain: &dyn Chain,
        instructions: &'a [Instruction],
        payer: Pubkey,
        max_fee_lamports: u64,
    ) -> Result<Self, SubmitError> {
        let mut budget = Self { instructions, payer, units: None, price: 0, max_fee_lamports };
        if instructions.iter().any(|instruction| instruction.program_id == solana_compute_budget_interface::ID) {
            simulate(chain, instructions, &payer).await?;
            return Ok(budget);
        }
        budget.units = Some(MAX_COMPUTE_UNITS);
        let used = simulate(chain, &budget.instructions(), &payer).await?;
        let units = used.saturating_add(used / 5).saturating_add(SPARE_COMPUTE_UNITS);
        budget.units = Some(u32::try_from(units).unwrap_or(MAX_COMPUTE_UNITS).min(MAX_COMPUTE_UNITS));
        Ok(budget)
    }

    /// Goes over to the most units; false where that changes nothing.
    pub fn widen(&mut self) -> bool {
        let can_grow = self.units.is_some_and(|units| units < MAX_COMPUTE_UNITS);
        if can_grow {
            self.units = Some(MAX_COMPUTE_UNITS);
        }
        can_grow
    }

    /// Sets the price of the next signing: what others pay now, and after one that no block took at least twice as much as
    /// then. Without an answer the last price stays: a transaction that pays nothing may land too.
    pub async fn price(&mut self, chain: &dyn Chain, is_late: bool) {
        if self.units.is_none() || self.max_fee_lamports == 0 {
            return;
        }
        let recent = chain.recent_price(&self.written()).await.unwrap_or_else(|error| {
            debug!(%error, "what others pay for priority is not known");
            self.price
        });
        let raised = if is_late { self.price.saturating_mul(2) } else { 0 };
        self.price = recent.max(raised);
    }

    /// The instructions, with their budget in front.
    pub fn instructions(&self) -> Vec<Instruction> {
        let Some(units) = self.units else { return self.instructions.to_vec() };
        let limit = ComputeBudgetInstruction::set_compute_unit_limit(units);
        let plain: Vec<_> = std::iter::once(limit).chain(self.instructions.iter().cloned()).collect();
        let price = capped(self.price, units, self.max_fee_lamports);
        if price == 0 {
            return plain;
        }
        let mut priced = plain.clone();
        priced.insert(1, ComputeBudgetInstruction::set_compute_unit_price(price));
        // One that only fits without it goes without it.
        if fits(&priced, &self.payer) {
            priced
        } else {
            plain
        }
    }

    /// The accounts it writes: others pay to write the same ones.
    fn written(&self) -> Vec<Pubkey> {
        let metas = self.instructions.iter().flat_map(|instruction| &instruction.accounts);
        let mut written = vec![self.payer];
        written.extend(metas.filter(|meta| meta.is_writable).map(|meta| meta.pubkey));
        written.sort_unstable();
        written.dedup();
        written
    }
}

/// The price, lowered so far that `units` at it cost `max_fee_lamports` at most. The chain rounds the fee up.
fn capped(price: u64, units: u32, max_fee_lamports: u64) -> u64 {
    let most = (u128::from(max_fee_lamports) * MICRO).checked_div(u128::from(units)).unwrap_or(0);
    price.min(u64::try_from(most).unwrap_or(u64::MAX))
}

fn fits(instructions: &[Instruction], payer: &Pubkey) -> bool {
    let unsigned = Transaction::new_with_payer(instructions, Some(payer));
    wincode::serialize(&unsigned).is_ok_and(|wire| wire.len() <= MAX_TRANSACTION_LEN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{AccountMeta, FakeChain, Simulation};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_price_costs_more_than_the_cap(price: u64, units in 0..=MAX_COMPUTE_UNITS, cap: u64) {
            let capped_price = capped(price, units, cap);
            let fee = (u128::from(capped_price) * u128::from(units)).div_ceil(MICRO);
            prop_assert!(fee <= u128::from(cap) && capped_price <= price);
        }
    }

    fn chain(recent_price: u64) -> FakeChain {
        let chain = FakeChain::new();
        chain.set_simulation(Simulation { units: 100_000, ..Simulation::default() });
        chain.set_recent_price(recent_price);
        chain
    }

    fn instruction(data_len: usize) -> Instruction {
        let written = AccountMeta::new(Pubkey::new_from_array([2; 32]), false);
        Instruction { program_id: Pubkey::new_from_array([1; 32]), accounts: vec![written], data: vec![0; data_len] }
    }

    /// The price that an instruction sets, zero without one.
    fn price_of(instructions: &[Instruction]) -> u64 {
        let set = instructions.iter().find_map(|instruction| instruction.data.strip_prefix(&[3]));
        set.map_or(0, |price| u64::from_le_bytes(price.try_into().unwrap()))
    }

    #[tokio::test]
    async fn what_others_pay_is_paid_doubled_when_late_and_never_above_the_cap() {
        let (instructions, payer) = ([instruction(1)], Pubkey::new_from_array([9; 32]));
        let chain = chain(1_000);
        // 140,000 units, at most 500 lamports: at most 3,571 millionths a unit.
        let mut budget = Budget::of(&chain, &instructions, payer, 500).await.unwrap();
        let mut paid = Vec::new();
        for is_late in [false, true, true, true] {
            budget.price(&chain, is_late).await;
            paid.push(price_of(&budget.instructions()));
        }
        assert_eq!(paid, [1_000, 2_000, 3_571, 3_571]);
        chain.set_recent_price(50);
        budget.price(&chain, false).await;
        assert_eq!(
            price_of(&budget.instructions()),
            50,
            "what was signed anew for another reason pays what others pay"
        );
    }

    #[tokio::test]
    async fn nothing_is_paid_where_nobody_pays_or_the_cap_is_zero_or_there_is_no_room() {
        let payer = Pubkey::new_from_array([9; 32]);
        for (recent, cap, len) in [(0, 1_000_000, 1), (1_000, 0, 1), (1_000, 1_000_000, 985)] {
            let (chain, instructions) = (chain(recent), [instruction(len)]);
            let mut budget = Budget::of(&chain, &instructions, payer, cap).await.unwrap();
            budget.price(&chain, false).await;
            let built = budget.instructions();
            assert_eq!((built.len(), price_of(&built)), (2, 0), "recent {recent}, cap {cap}, {len} bytes");
            assert!(fits(&built, &payer));
        }
    }
}
