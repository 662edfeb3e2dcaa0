//! Fraud cases that nobody executed: closed with fewer than three entries, left by their prover, or with a penalty of
//! which a part was out of reach. Own cases are closed at their end, for the rent.

use anyhow::Result;
use millrace::state::{Config, FraudCase, Node, Outcome, Provider, Reach};
use millrace_client::{fetch, fetch_agreed, fetch_all, ix, Chain, Pubkey};

use super::{Duty, Moment};
use crate::commands::watch::prove::richest_nodes;
use crate::context::mill;

/// What an execution at `now` would do and take, base units, on copies; none when it would change nothing.
fn execution(
    case: &FraudCase,
    provider: &Provider,
    node: Option<Node>,
    others: &[Node],
    config: &Config,
    now: i64,
) -> Option<(Outcome, u64)> {
    let (was_begun, was_punished) = (case.is_begun(), case.is_punished == 1);
    let window_ends_at = config.fraud_window_ends_at(case.commit().ok()?.epoch, now);
    let (mut case, mut provider, mut node, mut others) = (*case, *provider, node, others.to_vec());
    let mut reach = Reach { provider: &mut provider, node: node.as_mut(), others: others.iter_mut().collect() };
    let (outcome, taken) = case.execute(&mut reach, &config.params, window_ends_at, now).ok()?;
    let changes = taken > 0 || !was_begun || (outcome == Outcome::Fraud && !was_punished);
    changes.then_some((outcome, taken))
}

/// The executions and closings that are due.
///
/// # Errors
/// When the chain does not answer.
pub async fn due(chain: &dyn Chain, moment: &Moment) -> Result<Vec<Duty>> {
    let mut duties = vec![];
    for (key, case) in fetch_all::<FraudCase>(chain, &[]).await? {
        let is_own = case.rent_payer == moment.watcher;
        if case.is_done() {
            if is_own && case.require_closable(moment.epoch, false).is_ok() {
                duties.push(Duty {
                    kind: "close case",
                    account: key,
                    what: format!("fraud case {key} closed: its rent is back"),
                    instruction: ix::close_case(&key, &case),
                    is_paid: true,
                });
            }
            continue;
        }
        if case.outcome(moment.now).is_err() {
            continue;
        }
        let Some(provider) = fetch_agreed::<Provider>(chain, &case.provider).await? else { continue };
        let node = fetch::<Node>(chain, &case.node).await?;
        let others = richest_nodes(chain, &case.provider, &case.node).await?;
        let (others, states): (Vec<Pubkey>, Vec<Node>) = others.into_iter().unzip();
        if let Some((outcome, taken)) = execution(&case, &provider, node, &states, &moment.config, moment.now) {
            let why = match outcome {
                Outcome::Nothing => "proved nothing: its deposit goes to the provider",
                Outcome::FlippedBits => "closed with fewer than three wrong entries: the node is suspended",
                Outcome::Fraud => "is a proven fraud",
            };
            duties.push(Duty {
                kind: "execute slash",
                account: key,
                what: format!("fraud case {key} of node {} {why}, {} taken", case.node, mill(taken)),
                instruction: ix::execute_slash(&key, &case, &provider, &moment.market(), &others),
                is_paid: case.is_proven() && (case.bounty_account == moment.wallet || case.opener == moment.watcher),
            });
        }
    }
    Ok(duties)
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use millrace::state::fraud_case::COMMIT_SPACE;
    use millrace::state::NodeState;
    use millrace_core::proof::Task;

    /// A case with so many entries, closing at second 100.
    fn case(entry_count: u8) -> FraudCase {
        let [deployment_id, node, beacon, nonce] = [1, 2, 3, 4].map(|byte| [byte; 32]);
        let task = Task { deployment_id, node, gpu_index: 0, epoch: 5, beacon, nonce, n: 256, rounds: 2 };
        let mut commit = [0; COMMIT_SPACE];
        let bytes = task.commit([9; 24]).to_bytes();
        commit[..bytes.len()].copy_from_slice(&bytes);
        FraudCase { entry_count, commit, closes_at: 100, ..FraudCase::zeroed() }
    }

    fn config() -> Config {
        let mut config = Config::zeroed();
        (config.params.epoch_secs, config.params.flip_penalty_amount, config.params.jail_secs) = (10, 7, 50);
        config
    }

    fn execute(case: &FraudCase, provider: &Provider, others: &[Node], now: i64) -> Option<(Outcome, u64)> {
        let node = Node { state: NodeState::Verified as u8, locked_stake: 40, ..Node::zeroed() };
        execution(case, provider, Some(node), others, &config(), now)
    }

    #[test]
    fn a_case_short_of_three_entries_is_executed_when_it_closes_and_a_fraud_at_once() {
        let provider = Provider { stake: 90, locked: 40, open_nodes: 1, ..Provider::zeroed() };
        assert_eq!(execute(&case(2), &provider, &[], 99), None);
        assert_eq!(execute(&case(2), &provider, &[], 100), Some((Outcome::FlippedBits, 7)));
        assert_eq!(execute(&case(0), &provider, &[], 100), Some((Outcome::Nothing, 0)));
        assert_eq!(execute(&case(3), &provider, &[], 50), Some((Outcome::Fraud, 40)));
        let executed = FraudCase { executed: 1, executed_at: 100, ..case(2) };
        assert_eq!(execute(&executed, &provider, &[], 200), None, "once");
    }

    #[test]
    fn what_a_fraud_still_owes_is_taken_when_it_is_in_reach_and_not_tried_before() {
        let owing = FraudCase { is_punished: 1, executed_at: 60, unpaid_amount: 30, ..case(3) };
        let retired = Node { state: NodeState::Retired as u8, ..Node::zeroed() };
        let provider = Provider { stake: 20, locked: 20, open_nodes: 2, ..Provider::zeroed() };
        let other = Node { state: NodeState::Verified as u8, locked_stake: 20, index: 1, ..Node::zeroed() };
        let with = |others: &[Node]| execution(&owing, &provider, Some(retired), others, &config(), 70);
        assert_eq!(with(&[]), None, "nothing is in reach");
        assert_eq!(with(&[other]), Some((Outcome::Fraud, 20)));
    }
}
