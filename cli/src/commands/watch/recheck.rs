//! What a watcher finds out about a commit: everything it needs is recomputed here, and no oracle is believed.

use std::collections::HashMap;

use anyhow::{ensure, Context as _, Result};
use ed25519_dalek::{Signature, VerifyingKey};
use millrace::state::{Beacons, Node, Provider};
use millrace_client::{fetch, pda, Chain, Pubkey};
use millrace_core::proof::Commit;
use millrace_gemm::{false_link, verify_bundle, Bundle, Refusal};
use millrace_wire::messages::Evidence;

/// A commit and the operator's signature over it, which was checked.
#[derive(Clone)]
pub struct Signed {
    /// The commit.
    pub commit: Commit,
    /// ed25519 over its encoding.
    pub signature: [u8; 64],
    /// The key that signed it.
    pub operator: [u8; 32],
}

/// What is wrong with a computation, as the program takes it.
pub enum Fraud {
    /// Wrong entries: the bundle that opens them, which answers the queries and nothing else, so that whoever passed it
    /// had to check each; and how many are wrong.
    WrongEntries { bundle: Bundle, found: usize },
    /// A seed that does not follow from what is before it, encoded.
    FalseSeed(Vec<u8>),
    /// Another commit of the same GPU and epoch.
    SecondCommit(Box<Signed>),
}

/// A committed computation that is a fraud.
pub struct Cheat {
    /// The commit.
    pub signed: Signed,
    /// What is wrong.
    pub fraud: Fraud,
}

impl Cheat {
    /// The node that committed to it.
    pub fn node(&self) -> Pubkey {
        Pubkey::from(self.signed.commit.node)
    }

    /// What is wrong, for a person.
    pub fn what(&self) -> String {
        match &self.fraud {
            Fraud::WrongEntries { found, .. } => format!("{found} wrong entries"),
            Fraud::FalseSeed(_) => "a false seed".to_owned(),
            Fraud::SecondCommit(_) => "two commits for one GPU".to_owned(),
        }
    }
}

/// What became of one look at a commit.
pub enum Recheck {
    /// The bundle or the next beacon is not there yet.
    NotYet,
    /// Every entry that was asked for is right.
    Honest,
    /// It can be proven wrong.
    Cheat(Box<Cheat>),
    /// The bundle is not this commit's answer: this oracle's copy proves nothing, another's may.
    Useless,
}

/// Rechecks commits, and remembers them: two of one GPU and epoch are a fraud, whatever is in them.
#[derive(Default)]
pub struct Rechecker {
    seen: HashMap<([u8; 32], u32, u64), Signed>,
}

/// Epochs a commit is remembered: the program's window for proofs.
const REMEMBERED_EPOCHS: u64 = millrace_core::epoch::FRAUD_WINDOW_EPOCHS;

impl Rechecker {
    /// Looks at what an oracle has of a commit.
    ///
    /// # Errors
    /// When the chain does not answer, or what the oracle shows is no signed commit of this provider.
    pub async fn recheck(&mut self, chain: &dyn Chain, evidence: Evidence) -> Result<Recheck> {
        let signed = authentic(chain, &evidence).await?;
        let commit = signed.commit;
        self.seen.retain(|(_, _, epoch), _| epoch.saturating_add(REMEMBERED_EPOCHS) >= commit.epoch);
        let first = self.seen.entry((commit.node, commit.gpu_index, commit.epoch)).or_insert_with(|| signed.clone());
        if first.commit != commit {
            let fraud = Fraud::SecondCommit(Box::new(first.clone()));
            return Ok(Recheck::Cheat(Box::new(Cheat { signed, fraud })));
        }
        if evidence.bundle.is_empty() {
            return Ok(Recheck::NotYet);
        }
        let beacons: Beacons = fetch(chain, &pda::beacons()).await?.context("the beacons account is missing")?;
        let Some(next_beacon) = beacons.latched(commit.epoch.saturating_add(1)).map(|beacon| beacon.hash) else {
            return Ok(Recheck::NotYet);
        };
        Ok(tokio::task::spawn_blocking(move || judge(signed, &next_beacon, &evidence.bundle)).await?)
    }
}

/// The commit, if the key that was the operator's in its epoch signed it: an oracle may show anything.
async fn authentic(chain: &dyn Chain, evidence: &Evidence) -> Result<Signed> {
    let commit = Commit::from_bytes(&evidence.commit).context("it is not a commit")?;
    let signature: [u8; 64] = evidence.signature.as_slice().try_into().ok().context("its signature is malformed")?;
    let node_key = Pubkey::from(commit.node);
    let node: Node = fetch(chain, &node_key).await?.with_context(|| format!("node {node_key} is closed"))?;
    let provider: Provider = fetch(chain, &node.provider).await?.context("its provider is closed")?;
    let operator = provider.operator_at(commit.epoch).to_bytes();
    let is_signed = VerifyingKey::from_bytes(&operator)
        .is_ok_and(|key| key.verify_strict(&evidence.commit, &Signature::from_bytes(&signature)).is_ok());
    ensure!(is_signed, "the operator of node {node_key} in epoch {} did not sign it", commit.epoch);
    Ok(Signed { commit, signature, operator })
}

fn judge(signed: Signed, next_beacon: &[u8; 32], bundle: &[u8]) -> Recheck {
    let commit = signed.commit;
    let bundle = match Bundle::from_bytes(&commit, bundle) {
        Ok(bundle) => bundle,
        Err(_) => return Recheck::Useless,
    };
    let fraud = match verify_bundle(&commit, next_beacon, &bundle) {
        Ok(_) => return Recheck::Honest,
        Err(Refusal::WrongEntries(wrong)) => Fraud::WrongEntries { bundle, found: wrong.len() },
        Err(_) => match false_link(&commit, &bundle) {
            Some(proof) => Fraud::FalseSeed(proof),
            None => return Recheck::Useless,
        },
    };
    Recheck::Cheat(Box::new(Cheat { signed, fraud }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytemuck::Zeroable;
    use ed25519_dalek::{Signer, SigningKey};
    use millrace::state::Beacon;
    use millrace_client::FakeChain;
    use millrace_core::proof::Task;
    use millrace_gemm::cheats::{prove_with_seeds, Lazy};
    use millrace_gemm::{prove, queries, wrong_entries, Backend, Cpu, ProveOptions, ProvenRun};
    use std::ops::ControlFlow;
    use std::sync::Arc;

    const EPOCH: u64 = 7;
    const BEACON: [u8; 32] = [8; 32];
    const NODE: [u8; 32] = [3; 32];

    fn operator() -> SigningKey {
        SigningKey::from_bytes(&[5; 32])
    }

    /// A chain with the node, its provider, and the beacon that asks about the epoch.
    fn chain() -> FakeChain {
        let chain = FakeChain::new();
        let provider = Pubkey::from([4; 32]);
        chain.set(Pubkey::from(NODE), &Node { provider, ..Node::zeroed() });
        let key = Pubkey::from(operator().verifying_key().to_bytes());
        chain.set(provider, &Provider { operator: key, ..Provider::zeroed() });
        let mut beacons = Beacons::zeroed();
        beacons.ring[EPOCH as usize + 1] = Beacon { epoch: EPOCH + 1, slot: 9, hash: BEACON };
        chain.set(pda::beacons(), &beacons);
        chain
    }

    fn task(nonce: u8) -> Task {
        let nonce = [nonce; 32];
        let (deployment_id, beacon) = ([1; 32], [2; 32]);
        Task { deployment_id, node: NODE, gpu_index: 0, epoch: EPOCH, beacon, nonce, n: 256, rounds: 2 }
    }

    fn run(nonce: u8, backend: impl Backend + 'static) -> ProvenRun {
        prove(&task(nonce), Arc::new(backend), ProveOptions::default(), &|_| ControlFlow::Continue(())).unwrap()
    }

    fn cpu() -> Cpu {
        Cpu::new(1).unwrap()
    }

    fn evidence(run: &ProvenRun) -> Evidence {
        let commit = run.commit().to_bytes().to_vec();
        let bundle = run.answer(&queries(run.commit(), &BEACON)).to_bytes();
        Evidence { signature: operator().sign(&commit).to_bytes().to_vec(), commit, bundle }
    }

    async fn recheck(evidence: Evidence) -> Result<Recheck> {
        Rechecker::default().recheck(&chain(), evidence).await
    }

    fn fraud(found: Recheck) -> Fraud {
        match found {
            Recheck::Cheat(cheat) => cheat.fraud,
            _ => panic!("nothing was found"),
        }
    }

    #[tokio::test]
    async fn an_honest_run_is_honest_and_one_that_is_not_answered_yet_waits() {
        let honest = run(1, cpu());
        assert!(matches!(recheck(evidence(&honest)).await.unwrap(), Recheck::Honest));
        let unanswered = Evidence { bundle: vec![], ..evidence(&honest) };
        assert!(matches!(recheck(unanswered).await.unwrap(), Recheck::NotYet));
    }

    #[tokio::test]
    async fn skipped_rows_are_wrong_entries_whatever_the_oracle_said() {
        let lazy = run(1, Lazy::rows(cpu(), 50));
        let Fraud::WrongEntries { bundle, found } = fraud(recheck(evidence(&lazy)).await.unwrap()) else {
            panic!("another fraud");
        };
        let (wrong, asked) = (wrong_entries(lazy.commit(), &bundle), queries(lazy.commit(), &BEACON));
        assert!(wrong.len() == 3 && found > 100, "{} of {found}", wrong.len());
        assert!(wrong.iter().all(|entry| asked.contains(&entry.query)), "who passed it had to check each");
    }

    #[tokio::test]
    async fn a_seed_of_ones_own_is_a_false_seed() {
        let forged = prove_with_seeds(&task(1), Arc::new(cpu()), |round, right| match round {
            1 => [6; 32],
            _ => right,
        });
        assert!(matches!(fraud(recheck(evidence(&forged.unwrap())).await.unwrap()), Fraud::FalseSeed(_)));
    }

    #[tokio::test]
    async fn a_second_commit_is_a_fraud_even_if_both_runs_are_honest() {
        let mut rechecker = Rechecker::default();
        let (first, second) = (run(1, cpu()), run(2, cpu()));
        let again = || evidence(&first);
        assert!(matches!(rechecker.recheck(&chain(), again()).await.unwrap(), Recheck::Honest));
        assert!(
            matches!(rechecker.recheck(&chain(), again()).await.unwrap(), Recheck::Honest),
            "the same from another"
        );
        let unanswered = Evidence { bundle: vec![], ..evidence(&second) };
        let Fraud::SecondCommit(other) = fraud(rechecker.recheck(&chain(), unanswered).await.unwrap()) else {
            panic!("another fraud");
        };
        assert_eq!(other.commit, *first.commit());
    }

    #[tokio::test]
    async fn what_an_oracle_made_up_is_refused_and_a_spoilt_bundle_settles_nothing() {
        let honest = run(1, cpu());
        let mut forged = evidence(&honest);
        forged.signature[0] ^= 1;
        let error = recheck(forged).await.err().expect("nobody signed it");
        assert!(error.to_string().contains("did not sign it"), "{error:#}");
        let mut spoilt = evidence(&honest);
        spoilt.bundle.truncate(100);
        assert!(matches!(recheck(spoilt).await.unwrap(), Recheck::Useless));
    }
}
