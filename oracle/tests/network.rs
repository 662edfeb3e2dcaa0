//! Three oracles, one agent, a chain that runs, TLS between all: what they report, and what changes when one is killed.

mod common;

use std::sync::{Arc, Mutex};

use common::*;
use millrace::state::{AcceptedRoot, Oracle, Provider};
use millrace_agreement::LeafSet;
use millrace_client::{fetch, pda, Pubkey};
use millrace_core::leaves::{LeaseLeaf, LeaseStatus};
use millrace_core::merkle::TREE_NODE_LEN;
use millrace_jobs::content_hash;
use millrace_oracle::decide::report::from_wire;
use millrace_oracle::journal::Signing;
use millrace_wire::messages::{JobPhase, Opening, Report};
use millrace_wire::{SignedClient, WireError};

const EPOCH_SECS: i64 = 2;

struct Network {
    chain: Arc<ToyChain>,
    oracles: Vec<Option<Running>>,
    dirs: Vec<tempfile::TempDir>,
    said: Said,
}

impl Network {
    async fn start(count: u8) -> Self {
        let (listeners, addresses): (Vec<_>, Vec<_>) = (0..count).map(|_| listener()).unzip();
        let seats: Vec<_> = (0..count).map(seat).zip(addresses).collect();
        let chain = ToyChain::new(EPOCH_SECS, &seats);
        let said: Said = Arc::new(Mutex::new((JobPhase::AwaitingInputs, 0)));
        register(&chain, &agent(said.clone()).await, cpu_node());
        let dirs: Vec<_> = (0..count).map(|_| tempfile::tempdir().unwrap()).collect();
        let oracles = (0..count).zip(listeners).zip(&dirs);
        let oracles = oracles
            .map(|((number, listener), dir)| Some(Running::start(chain.clone(), number, dir.path(), listener)))
            .collect();
        Self { chain, oracles, dirs, said }
    }

    fn say(&self, phase: JobPhase, exit_code: i32) {
        *self.said.lock().unwrap() = (phase, exit_code);
    }

    fn kill(&mut self, number: u8) -> std::net::SocketAddr {
        let running = self.oracles[usize::from(number)].take().unwrap();
        running.url.trim_start_matches("http://").parse().unwrap()
    }

    fn restart(&mut self, number: u8, address: std::net::SocketAddr) {
        let listener = (0..100)
            .find_map(|_| {
                std::thread::sleep(std::time::Duration::from_millis(50));
                std::net::TcpListener::bind(address).ok()
            })
            .expect("the killed oracle's address becomes free");
        let dir = self.dirs[usize::from(number)].path();
        self.oracles[usize::from(number)] = Some(Running::start(self.chain.clone(), number, dir, listener));
    }

    /// The newest accepted root after `epoch`.
    async fn accepted_after(&self, epoch: u64, secs: u64) -> AcceptedRoot {
        wait_for("an accepted report", secs, || async {
            let reports = self.chain.reports().await;
            let found = reports.ring.iter().filter(|root| root.leaves > 0 && root.epoch > epoch);
            found.max_by_key(|root| root.epoch).copied()
        })
        .await
    }

    /// The leaves oracle `number` serves for an accepted root, checked against it as a provider would.
    async fn leaves(&self, number: u8, accepted: &AcceptedRoot) -> LeafSet {
        let url = &self.oracles[usize::from(number)].as_ref().unwrap().url;
        let anyone = SignedClient::unsigned(std::time::Duration::from_secs(2)).unwrap();
        let url = format!("{url}/v1/reports/{}", accepted.epoch);
        let report: Report = wait_for("serving the report", 10, || async { anyone.get(&url).await.ok() }).await;
        let set = from_wire(&report).unwrap();
        assert_eq!((set.root(), set.len()), (accepted.root, accepted.leaves));
        set
    }

    async fn lease_leaf(&self, number: u8, accepted: &AcceptedRoot, lease: &Pubkey) -> LeaseLeaf {
        let set = self.leaves(number, accepted).await;
        let index = set.leases().iter().position(|leaf| leaf.lease == lease.to_bytes()).unwrap();
        let leaf = set.leases()[index];
        // The path made from what was served is the one the program takes.
        let path: Vec<u8> = set.tree().path(index as u64).concat();
        assert_eq!(path.len() % TREE_NODE_LEN, 0);
        let reports = self.chain.reports().await;
        assert!(reports.prove(accepted.epoch, index as u32, leaf.tree_node(), &path).is_ok());
        assert!(leaf.at <= accepted.accepted_at, "the program takes no leaf of the future");
        leaf
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_is_reported_from_start_to_end_and_a_killed_oracle_changes_nothing() {
    let mut network = Network::start(3).await;
    let lease = open_lease(&network.chain, 600);

    let first = network.accepted_after(0, 20).await;
    let waiting = network.lease_leaf(0, &first, &lease).await;
    assert_eq!((waiting.status, waiting.live_secs), (LeaseStatus::Running, 0), "inputs are awaited");

    network.say(JobPhase::Running, 0);
    let running_since = network.chain.now();
    let running = wait_for("live seconds", 20, || async {
        let accepted = network.accepted_after(first.epoch, 20).await;
        let leaf = network.lease_leaf(1, &accepted, &lease).await;
        (leaf.live_secs >= 3).then_some((accepted, leaf))
    })
    .await;
    assert!(running.1.live_secs as i64 <= running.1.at - running_since + 1, "no more than passed");
    assert!(running.1.at > waiting.at);

    // One of three is killed, and reports go on: at least two more, signed by the others.
    let address = network.kill(2);
    let before_kill = network.chain.epoch().await;
    let without = network.accepted_after(before_kill + 1, 30).await;
    assert_eq!(without.signers & 0b100, 0);
    let leaf = network.lease_leaf(0, &without, &lease).await;
    assert!(leaf.live_secs > running.1.live_secs);

    // It comes back, has the reports it missed, and signs again.
    network.restart(2, address);
    let missed = network.leaves(2, &without).await;
    assert_eq!(missed.leases().len(), 1);
    wait_for("the signature of the oracle that came back", 30, || async {
        let reports = network.chain.reports().await;
        let signed = reports.ring.iter().any(|root| root.epoch > without.epoch && root.signers & 0b100 != 0);
        signed.then_some(())
    })
    .await;

    network.say(JobPhase::Exited, 0);
    let ended_at = network.chain.now();
    let (accepted, ended) = wait_for("the end of the job", 30, || async {
        let accepted = network.accepted_after(without.epoch, 20).await;
        let leaf = network.lease_leaf(0, &accepted, &lease).await;
        leaf.status.is_final().then_some((accepted, leaf))
    })
    .await;
    assert_eq!((ended.status, ended.exit_code, ended.result_root), (LeaseStatus::Completed, 0, content_hash(RESULTS)));
    let ran_secs = ended_at - running_since;
    assert!((ended.live_secs as i64 - ran_secs).abs() <= 3, "{} live of {ran_secs}", ended.live_secs);
    for number in 1..3 {
        assert_eq!(network.lease_leaf(number, &accepted, &lease).await, ended, "the end is final");
    }

    // Settled on chain, there is nothing more to report.
    network.chain.accounts.remove_account(&lease);
    let settled_epoch = network.chain.epoch().await;
    wait_for("three quiet epochs", 20, || async { (network.chain.epoch().await > settled_epoch + 3).then_some(()) })
        .await;
    let reports = network.chain.reports().await;
    assert!(reports.ring.iter().all(|root| root.leaves == 0 || root.epoch <= settled_epoch + 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_falls_silent_has_failed_the_lease() {
    let network = Network::start(3).await;
    let lease = open_lease(&network.chain, 600);
    network.say(JobPhase::Running, 0);
    let first = network.accepted_after(0, 20).await;
    assert_eq!(network.lease_leaf(0, &first, &lease).await.status, LeaseStatus::Running);
    register(&network.chain, "http://127.0.0.1:1", cpu_node());
    let failed = wait_for("the failure", 40, || async {
        let accepted = network.accepted_after(first.epoch, 20).await;
        let leaf = network.lease_leaf(0, &accepted, &lease).await;
        leaf.status.is_final().then_some(leaf)
    })
    .await;
    assert_eq!(failed.status, LeaseStatus::NodeFailed);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_has_no_results_of_a_job_it_calls_done_has_failed_the_lease() {
    let network = Network::start(3).await;
    register(&network.chain, &agent_without_results(network.said.clone()).await, cpu_node());
    let lease = open_lease(&network.chain, 600);
    network.say(JobPhase::Running, 0);
    let first = network.accepted_after(0, 20).await;
    network.say(JobPhase::Exited, 0);
    let failed = wait_for("the failure", 40, || async {
        let accepted = network.accepted_after(first.epoch, 20).await;
        let leaf = network.lease_leaf(0, &accepted, &lease).await;
        leaf.status.is_final().then_some(leaf)
    })
    .await;
    assert_eq!((failed.status, failed.result_root), (LeaseStatus::NodeFailed, [0; 32]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn until_a_rotation_counts_an_agent_is_known_over_tls_by_the_key_before() {
    let network = Network::start(1).await;
    let (provider, _) = provider_and_node();
    let rotate = async |since_epoch| {
        let mut account: Provider = fetch(network.chain.as_ref(), &provider).await.unwrap().unwrap();
        account.previous_operator = Pubkey::from(operator().verifying_key().to_bytes());
        account.operator = Pubkey::new_from_array([12; 32]);
        account.operator_since_epoch = since_epoch;
        network.chain.accounts.set(provider, &account);
    };
    rotate(u64::MAX).await;
    let lease = open_lease(&network.chain, 600);
    network.say(JobPhase::Running, 0);
    let leaf_until = async |what: &str, done: fn(&LeaseLeaf) -> bool| {
        wait_for(what, 40, || async {
            let accepted = network.accepted_after(0, 20).await;
            let leaf = network.lease_leaf(0, &accepted, &lease).await;
            done(&leaf).then_some(leaf)
        })
        .await
    };
    leaf_until("live seconds", |leaf| leaf.live_secs >= 3).await;
    rotate(0).await;
    let ended = leaf_until("silence", |leaf| leaf.status.is_final()).await;
    assert_eq!(ended.status, LeaseStatus::NodeFailed, "the agent still has the old key");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_oracle_killed_after_choosing_signs_what_it_chose_and_nothing_else() {
    let mut network = Network::start(1).await;
    let lease = open_lease(&network.chain, 600);
    let first = network.accepted_after(0, 20).await;
    let address = network.kill(0);
    // What it had chosen when it was killed: a report it would not make again.
    let epoch = network.chain.epoch().await;
    assert!(epoch > first.epoch);
    let leaf = LeaseLeaf {
        lease: lease.to_bytes(),
        live_secs: 1_234,
        checkpointed_secs: 0,
        lost_secs: 0,
        status: LeaseStatus::Running,
        exit_code: 0,
        checkpoint_root: [0; 32],
        result_root: [0; 32],
        at: GENESIS_AT + (epoch as i64 + 1) * EPOCH_SECS,
    };
    let chosen = LeafSet::new(epoch, vec![leaf], vec![]);
    let journal = millrace_oracle::journal::Journal::open(&network.dirs[0].path().join("journal.db")).unwrap();
    assert_eq!(journal.sign_once(&chosen).unwrap(), Signing::Sign);
    drop(journal);
    network.restart(0, address);
    let accepted = network.accepted_after(epoch - 1, 20).await;
    assert_eq!((accepted.epoch, accepted.root), (epoch, chosen.root()));
    assert_eq!(network.leaves(0, &accepted).await, chosen);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_each_oracle_opened_is_reported_counted_and_one_that_was_away_catches_up() {
    let mut network = Network::start(3).await;
    let lease = open_lease(&network.chain, 600);
    network.say(JobPhase::Running, 0);
    let accounts: Vec<[u8; 32]> = (0..3).map(|number| pda::oracle(&seat(number)).to_bytes()).collect();
    // All three commit, open, and are counted by a quorum.
    let (all_open, opened) = wait_for("three openings of each seat", 40, || async {
        let accepted = network.accepted_after(0, 20).await;
        let set = network.leaves(0, &accepted).await;
        let opened: Option<Vec<u64>> =
            accounts.iter().map(|oracle| set.oracle(oracle).map(|(_, leaf)| leaf.opened)).collect();
        opened.filter(|opened| opened.iter().all(|count| *count >= 3)).map(|opened| (accepted, opened))
    })
    .await;
    assert!(opened.iter().all(|count| count.abs_diff(opened[0]) <= 2), "{opened:?}");

    // One is away: it opens nothing, the others go on.
    let address = network.kill(2);
    let later = wait_for("three more openings of those that stay", 40, || async {
        let accepted = network.accepted_after(all_open.epoch, 20).await;
        let set = network.leaves(0, &accepted).await;
        let leaf = |number: usize| *set.oracle(&accounts[number]).unwrap().1;
        (leaf(0).opened >= opened[0] + 5 && leaf(1).opened >= opened[1] + 5).then(|| (accepted, leaf(2)))
    })
    .await;
    assert!(later.1.opened <= opened[2] + 2, "{} of an oracle that was away", later.1.opened);

    // Back, it agrees with what was counted without it, and signs.
    network.restart(2, address);
    wait_for("the signature of the oracle that came back", 40, || async {
        let reports = network.chain.reports().await;
        let signed = reports.ring.iter().any(|root| root.epoch > later.0.epoch + 1 && root.signers & 0b100 != 0);
        signed.then_some(())
    })
    .await;

    // Each had its leaf applied by itself.
    wait_for("points on chain", 40, || async {
        let mut counted = Vec::new();
        for oracle in &accounts[..2] {
            let state: Oracle = fetch(network.chain.as_ref(), &Pubkey::from(*oracle)).await.unwrap().unwrap();
            counted.push(state.opened);
        }
        counted.iter().all(|count| *count > 0).then_some(())
    })
    .await;
    let _ = lease;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn observations_are_opened_to_oracles_only_and_not_before_the_epoch_is_over() {
    let network = Network::start(2).await;
    open_lease(&network.chain, 600);
    network.say(JobPhase::Running, 0);
    let accepted = network.accepted_after(2, 30).await;
    let url = &network.oracles[0].as_ref().unwrap().url;
    let of = |number: u8| pda::oracle(&seat(number));
    let ask = |epoch: u64, number: u8| format!("{url}/v1/observations/{epoch}/{}", of(number));
    let peer = &network.oracles[1].as_ref().unwrap().daemon.client;
    // Its own, and the one it was given.
    for number in 0..2 {
        let opening: Opening =
            wait_for("an opening", 20, || async { peer.get(&ask(accepted.epoch, number)).await.ok() }).await;
        assert_eq!((opening.oracle, opening.seen.epoch), (of(number).to_bytes(), accepted.epoch));
    }
    let current = network.chain.epoch().await;
    let refused = |answer: Result<Opening, WireError>| answer.unwrap_err().status();
    assert_eq!(refused(peer.get(&ask(current + 1, 0)).await), Some(403), "others could still commit to it");
    assert_eq!(refused(peer.get(&ask(accepted.epoch, 9)).await), Some(404), "no such oracle");
    let stranger = client(&operator());
    assert_eq!(refused(stranger.get(&ask(accepted.epoch, 0)).await), Some(403));
}
