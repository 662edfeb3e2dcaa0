//! Judged cases whose time to appeal is over. Own cases are closed at their end, for the rent.

use anyhow::Result;
use millrace::state::{Provider, SlashCase};
use millrace_client::{fetch_agreed, fetch_all, ix, Chain};

use super::{Duty, Moment};
use crate::context::mill;

/// What an execution in `epoch` at `now` would take, base units, on copies: nothing while it may be appealed, and no more
/// than the epoch's cap leaves.
fn taken(case: &SlashCase, provider: &Provider, max_bps: u16, epoch: u64, now: i64) -> u64 {
    let (mut case, mut provider) = (*case, *provider);
    case.execute(&mut provider, max_bps, epoch, now).unwrap_or(0)
}

/// The executions and closings that are due.
///
/// # Errors
/// When the chain does not answer.
pub async fn due(chain: &dyn Chain, moment: &Moment) -> Result<Vec<Duty>> {
    let mut duties = vec![];
    for (key, case) in fetch_all::<SlashCase>(chain, &[]).await? {
        if case.require_closable().is_ok() {
            if case.rent_payer == moment.watcher {
                duties.push(Duty {
                    kind: "close slash case",
                    account: key,
                    what: format!("judged case {key} closed: its rent is back"),
                    instruction: ix::close_slash_case(&key, &case),
                    is_paid: true,
                });
            }
            continue;
        }
        if moment.now < case.appeal_until {
            continue;
        }
        let Some(provider) = fetch_agreed::<Provider>(chain, &case.provider).await? else { continue };
        let max_bps = moment.config.params.max_slash_per_epoch_bps;
        let amount = taken(&case, &provider, max_bps, moment.epoch, moment.now);
        if amount > 0 {
            duties.push(Duty {
                kind: "execute slash case",
                account: key,
                what: format!("nobody overturned the judged case {key} of node {}: {} taken", case.node, mill(amount)),
                instruction: ix::execute_slash_case(&key, &case, &moment.market()),
                is_paid: case.bounty_account == moment.wallet,
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
    fn a_case_is_executed_when_the_appeal_is_over_as_far_as_the_cap_of_each_epoch_goes() {
        let case = SlashCase { frozen_amount: 50, appeal_until: 100, ..SlashCase::zeroed() };
        let provider = Provider { stake: 150, frozen: 50, open_slash_cases: 1, ..Provider::zeroed() };
        assert_eq!(taken(&case, &provider, 2_000, 7, 99), 0);
        assert_eq!(taken(&case, &provider, 2_000, 7, 100), 40, "a fifth of two hundred");
        assert_eq!(taken(&case, &provider, 10_000, 7, 100), 50);
        let capped = Provider { judged_epoch: 7, judged_base_amount: 200, judged_amount: 40, ..provider };
        assert_eq!(taken(&case, &capped, 2_000, 7, 100), 0, "the rest waits for another epoch");
        assert_eq!(taken(&case, &capped, 2_000, 8, 100), 40);
        assert_eq!(taken(&SlashCase { is_overturned: 1, ..case }, &provider, 2_000, 7, 100), 0);
    }
}
