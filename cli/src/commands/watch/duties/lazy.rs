//! Oracles that signed a report which passes a commit although one of the entries they had to check is proven wrong.

use std::collections::hash_map::{Entry, HashMap};
use std::collections::BTreeSet;

use anyhow::{Context as _, Result};
use millrace::instructions::SlashOracleArgs;
use millrace::state::{AcceptedRoot, Beacons, FraudCase, Oracle, ProvenEntry, Reports};
use millrace_client::{fetch_agreed, fetch_all, ix, pda, Chain, Pubkey};
use millrace_core::leaves::{NodeLeaf, Verdict};
use millrace_core::proof::{query, Commit, Query, QUERIES};

use super::reports::{node_leaves, ProvenNode};
use super::{Duty, Moment, OracleAt};
use crate::context::mill;

/// A proven entry that a query asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Asked {
    /// Number of the query.
    query: u16,
    /// Number of the entry among the case's.
    entry: u8,
}

/// What the reports in the ring say of commits that are proven wrong.
#[derive(Default)]
pub struct Lazy {
    /// By case and epoch of the report: the leaf that passes the commit, if there is one.
    passes: HashMap<(Pubkey, u64), Option<ProvenNode>>,
}

impl Lazy {
    /// The oracles to slash: whoever proved the case, and whenever.
    ///
    /// # Errors
    /// When the chain does not answer. Reports that no oracle has are `troubles`.
    pub async fn due(
        &mut self,
        chain: &dyn Chain,
        moment: &Moment,
        reports: &Reports,
        oracles: &[OracleAt],
        troubles: &mut Vec<String>,
    ) -> Result<Vec<Duty>> {
        self.passes.retain(|(_, epoch), _| reports.accepted(*epoch).is_some());
        let mut cases = fetch_all::<FraudCase>(chain, &[]).await?;
        cases.retain(|(_, case)| case.entry_count > 0);
        if cases.is_empty() {
            return Ok(vec![]);
        }
        let beacons: Beacons = fetch_agreed(chain, &pda::beacons()).await?.context("the beacons account is missing")?;
        let seats = fetch_all::<Oracle>(chain, &[]).await?;
        let mut duties: Vec<Duty> = vec![];
        let mut named = BTreeSet::new();
        for (case_key, case) in &cases {
            let commit = case.commit()?;
            let proven = case.entries.get(..usize::from(case.entry_count)).unwrap_or_default();
            let next_beacon = beacons.latched(commit.epoch.saturating_add(1)).map(|beacon| beacon.hash);
            let Some(asked) = next_beacon.and_then(|beacon| asked(&commit, proven, &beacon)) else { continue };
            for accepted in reports.ring.iter().filter(|root| root.leaves > 0 && root.epoch >= commit.epoch) {
                let pass = match self.pass(case_key, &commit, accepted, oracles).await {
                    Ok(Some(pass)) => pass,
                    Ok(None) => continue,
                    Err(error) => {
                        troubles.push(format!("{error:#}"));
                        continue;
                    }
                };
                for (key, oracle) in seats.iter().filter(|(_, oracle)| answers(oracle, accepted)) {
                    if named.insert(*key) {
                        duties.push(slash((case_key, case), (key, oracle), accepted.epoch, pass, asked, moment));
                    }
                }
            }
        }
        Ok(duties)
    }

    /// The leaf of the accepted report that passes `commit`: looked for once.
    async fn pass(
        &mut self,
        case: &Pubkey,
        commit: &Commit,
        accepted: &AcceptedRoot,
        oracles: &[OracleAt],
    ) -> Result<Option<&ProvenNode>> {
        let pass = match self.passes.entry((*case, accepted.epoch)) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let found = node_leaves(oracles, accepted, |leaf| passes(leaf, commit)).await?;
                place.insert(found.into_iter().next())
            }
        };
        Ok(pass.as_ref())
    }
}

/// Whether `leaf` says that `commit` was found right.
fn passes(leaf: &NodeLeaf, commit: &Commit) -> bool {
    let of_commit = (commit.node, commit.epoch, commit.super_root);
    leaf.verdict == Verdict::Passed && (leaf.node, leaf.audit_epoch, leaf.super_root) == of_commit
}

/// The first of the `proven` entries that a query asks for. Only these had to be checked.
fn asked(commit: &Commit, proven: &[ProvenEntry], next_beacon: &[u8; 32]) -> Option<Asked> {
    (0..QUERIES as u16).find_map(|number| {
        let Query { round, row, col } =
            query(&commit.super_root, next_beacon, u32::from(number), commit.n, commit.rounds);
        let entry = proven.iter().position(|it| (it.round, it.row, it.col) == (round, row, col))?;
        Some(Asked { query: number, entry: u8::try_from(entry).ok()? })
    })
}

/// Whether `oracle` stands behind an accepted report and has stake to lose.
fn answers(oracle: &Oracle, accepted: &AcceptedRoot) -> bool {
    oracle.owed() > 0 && oracle.require_signer(accepted.signers, accepted.epoch).is_ok()
}

fn slash(
    (case_key, case): (&Pubkey, &FraudCase),
    (key, oracle): (&Pubkey, &Oracle),
    epoch: u64,
    pass: &ProvenNode,
    asked: Asked,
    moment: &Moment,
) -> Duty {
    let args = SlashOracleArgs {
        epoch,
        index: pass.index,
        leaf: pass.bytes,
        path: pass.path.clone(),
        query: asked.query,
        entry: asked.entry,
    };
    let (node, at_stake) = (case.node, mill(oracle.owed()));
    Duty {
        kind: "slash oracle",
        account: *key,
        what: format!(
            "oracle {key} signed in epoch {epoch} that node {node} passed, without checking query {}, whose answer is \
             proven wrong: {at_stake} slashed",
            asked.query
        ),
        instruction: ix::slash_oracle(case_key, case, key, &moment.market(), args),
        is_paid: case.bounty_account == moment.wallet,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use millrace_core::proof::Task;

    const BEACON: [u8; 32] = [8; 32];

    fn commit() -> Commit {
        let [deployment_id, node, beacon, nonce] = [1, 2, 3, 4].map(|byte| [byte; 32]);
        let task = Task { deployment_id, node, gpu_index: 0, epoch: 5, beacon, nonce, n: 256, rounds: 2 };
        task.commit([9; 24])
    }

    fn entry_of(number: u32) -> ProvenEntry {
        let commit = commit();
        let Query { round, row, col } = query(&commit.super_root, &BEACON, number, commit.n, commit.rounds);
        ProvenEntry { round, row, col }
    }

    #[test]
    fn an_entry_that_a_query_asks_for_is_found_among_those_that_none_does() {
        let unasked = (0..).map(|row| ProvenEntry { round: 0, row, col: row });
        let unasked = unasked.clone().find(|it| (0..QUERIES as u32).all(|number| entry_of(number) != *it)).unwrap();
        let found = asked(&commit(), &[unasked, entry_of(70)], &BEACON).unwrap();
        assert_eq!((entry_of(u32::from(found.query)), found.entry), (entry_of(70), 1));
        assert_eq!(asked(&commit(), &[unasked], &BEACON), None);
        assert_eq!(asked(&commit(), &[], &BEACON), None);
        assert_eq!(asked(&commit(), &[entry_of(70)], &[7; 32]), None, "another beacon asks for others");
    }

    #[test]
    fn only_a_leaf_that_passes_this_commit_accuses() {
        let commit = commit();
        let leaf = NodeLeaf {
            node: commit.node,
            audit_epoch: commit.epoch,
            super_root: commit.super_root,
            verdict: Verdict::Passed,
            gops: 1,
            vram_mib: 0,
            bandwidth_mbps: 0,
            at: 9,
        };
        assert!(passes(&leaf, &commit));
        let others = [
            NodeLeaf { verdict: Verdict::Refused, ..leaf },
            NodeLeaf { node: [7; 32], ..leaf },
            NodeLeaf { audit_epoch: 6, ..leaf },
            NodeLeaf { super_root: [7; 24], ..leaf },
        ];
        assert!(others.iter().all(|leaf| !passes(leaf, &commit)));
    }

    #[test]
    fn who_signed_while_seated_and_has_stake_answers() {
        let accepted = AcceptedRoot { epoch: 6, signers: 0b101, leaves: 1, ..AcceptedRoot::zeroed() };
        let oracle = Oracle { seat: 2, stake: 5, seated_epoch: 1, ..Oracle::zeroed() };
        assert!(answers(&oracle, &accepted));
        assert!(answers(&Oracle { stake: 0, unbonding_amount: 1, ..oracle }, &accepted), "what unbonds answers too");
        assert!(answers(&Oracle { is_removed: 1, removed_epoch: 6, ..oracle }, &accepted));
        let free = [
            Oracle { stake: 0, ..oracle },
            Oracle { seat: 1, ..oracle },
            Oracle { seated_epoch: 7, ..oracle },
            Oracle { is_removed: 1, removed_epoch: 5, ..oracle },
        ];
        assert!(free.iter().all(|oracle| !answers(oracle, &accepted)));
    }
}
