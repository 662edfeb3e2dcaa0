//! A lease from its inputs to its results, over HTTP, as customer and oracles see it.

mod common;

use std::future::Future;
use std::time::{Duration, Instant};

use bytemuck::Zeroable;
use common::{assemble, job_of, processes_with, Asker, Market, AWARDED_AT};
use ed25519_dalek::SigningKey;
use millrace::state::{Job, Lease, LeaseRole, Tier};
use millrace_client::{ix, Signer, Simulation, Status, StatusLevel, Transaction};
use millrace_jobs::{content_hash, read_bundle, Bounds, Content, InputBundle, CHUNK_BYTES};
use millrace_wire::messages::JobPhase;
use millrace_wire::{Pin, SignedClient};

/// Runs `test` against an agent with a lease for `bundle`, then stops the agent.
async fn with_agent<F: Future<Output = ()>>(bundle: &InputBundle, test: impl FnOnce(Market, Asker) -> F) {
    with_lease(
        bundle,
        |_| {},
        async |market, asker| {
            asker.until(|answer| answer.phase == JobPhase::AwaitingInputs).await;
            test(market, asker).await;
        },
    )
    .await;
}

/// The same with the lease as `change` leaves it, and an agent that may not have seen it yet.
async fn with_lease<F: Future<Output = ()>>(
    bundle: &InputBundle,
    change: impl FnOnce(&mut Lease),
    test: impl FnOnce(Market, Asker) -> F,
) {
    let dir = tempfile::tempdir().unwrap();
    let market = Market::new(dir.path(), bundle);
    market.change_lease(change);
    let served = Market::new(dir.path(), bundle);
    let served = Market { chain: market.chain.clone(), ..served };
    let (ready, port) = tokio::sync::oneshot::channel();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let agent = tokio::spawn(async move {
        served.serve(|port| ready.send(port).unwrap(), async move { drop(stopped.await) }).await
    });
    let asker = market.asker(port.await.unwrap());
    test(market, asker).await;
    drop(stop);
    agent.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_job_runs_on_its_customers_inputs_and_hands_back_its_outputs() {
    let bundle = job_of("echo working; echo result > out.txt");
    with_agent(&bundle, async |_, asker| {
        asker.put(bundle.bytes()).await.unwrap();
        let ended = asker.until(|answer| answer.phase == JobPhase::Exited).await;
        assert_eq!((ended.exit_code, ended.detail.as_str()), (0, ""));
        let results = asker.http.get_bytes(&format!("{}/results", asker.url)).await.unwrap();
        assert_eq!(content_hash(&results), ended.result_root);
        assert_eq!(read_bundle(&results, Bounds::default()).unwrap()["out.txt"].content, b"result\n");
        let log = asker.http.get_bytes(&format!("{}/logs?offset=3", asker.url)).await.unwrap();
        assert_eq!(log, b"king\n");
        // The customer lost the answer and sends again.
        asker.put(bundle.bytes()).await.unwrap();
        let again = asker.status().await.unwrap();
        assert_eq!((again.phase, again.result_root), (ended.phase, ended.result_root));
    })
    .await;
}

#[tokio::test]
async fn chunks_of_the_results_are_shown_with_their_proofs_to_customer_and_oracles_alone() {
    let bundle = job_of("head -c 100000 /dev/urandom > out.txt");
    with_agent(&bundle, async |market, asker| {
        let chunks = |http: &SignedClient, of: &str| {
            let (http, url) = (http.clone(), format!("{}/results/chunks?of={of}", asker.url));
            async move { http.get_bytes(&url).await }
        };
        let early = chunks(&asker.http, "0").await.unwrap_err();
        assert_eq!(early.status(), Some(409), "{early}");
        asker.put(bundle.bytes()).await.unwrap();
        let ended = asker.until(|answer| answer.phase == JobPhase::Exited).await;
        let results = Content { hash: ended.result_root, bytes: ended.result_bytes };
        assert!(results.bytes > 6 * CHUNK_BYTES);
        let seat = SigningKey::from_bytes(&[8; 32]);
        let oracle = SignedClient::new(seat.clone(), Duration::from_secs(5)).unwrap();
        let refusal = chunks(&oracle, "0").await.unwrap_err();
        assert_eq!(refusal.status(), Some(403), "it holds no seat");
        market.seat(&seat);
        while chunks(&oracle, "0").await.is_err_and(|error| error.status() == Some(403)) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for http in [&asker.http, &oracle] {
            let proof = chunks(http, "6,0,3").await.unwrap();
            results.check(&[6, 0, 3], &proof).unwrap();
            assert!(results.check(&[6, 0, 2], &proof).is_err());
        }
        for of in ["", "7", "0,", "x", &vec!["0"; 17].join(",")] {
            let refusal = chunks(&asker.http, of).await.unwrap_err();
            assert_eq!(refusal.status(), Some(400), "{of:?}: {refusal}");
        }
        // What is not whole any more proves nothing.
        let path = market.settings.data_dir.join("leases").join(market.lease.to_string()).join("results.tar");
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(results.bytes - 1).unwrap();
        assert_eq!(chunks(&oracle, "0").await.unwrap_err().status(), Some(503));
    })
    .await;
}

#[tokio::test]
async fn over_tls_an_agent_is_known_by_its_operators_key() {
    let bundle = job_of("echo result > out.txt");
    with_agent(&bundle, async |_, asker| {
        let url = asker.url.replacen("http://", "https://", 1);
        let over_tls = |pin| Asker { http: asker.http.pinned(pin), url: url.clone(), operator: asker.operator };
        let mistaken = over_tls(Pin::Key([9; 32])).put(bundle.bytes()).await.unwrap_err();
        assert!(mistaken.to_string().contains("another key than the one registered on chain"), "{mistaken}");
        let customer = over_tls(Pin::Key(asker.operator));
        customer.put(bundle.bytes()).await.unwrap();
        let ended = customer.until(|answer| answer.phase == JobPhase::Exited).await;
        let results = customer.http.get_bytes(&format!("{url}/results")).await.unwrap();
        assert_eq!(content_hash(&results), ended.result_root);
    })
    .await;
}

#[tokio::test]
async fn inputs_are_taken_from_the_customer_alone_and_only_as_posted() {
    let bundle = job_of("true");
    with_agent(&bundle, async |_, asker| {
        let mut tampered = bundle.bytes().to_vec();
        tampered[700] ^= 1;
        let refusal = asker.put(&tampered).await.unwrap_err();
        assert_eq!(refusal.status(), Some(400));
        assert!(refusal.to_string().contains("the job was posted for"), "{refusal}");

        let stranger = SignedClient::new(SigningKey::from_bytes(&[8; 32]), Duration::from_secs(5)).unwrap();
        let stranger = Asker { http: stranger, url: asker.url.clone(), operator: asker.operator };
        assert_eq!(stranger.put(bundle.bytes()).await.unwrap_err().status(), Some(403));
        for what in ["logs", "results"] {
            let refusal = stranger.http.get_bytes(&format!("{}/{what}", asker.url)).await.unwrap_err();
            assert_eq!(refusal.status(), Some(403), "{what}");
        }
        let unsigned = SignedClient::unsigned(Duration::from_secs(5)).unwrap();
        let unsigned = Asker { http: unsigned, url: asker.url.clone(), operator: asker.operator };
        assert_eq!(unsigned.put(bundle.bytes()).await.unwrap_err().status(), Some(401));
        assert_eq!(asker.status().await.unwrap().phase, JobPhase::AwaitingInputs);
    })
    .await;
}

#[tokio::test]
async fn what_this_node_does_not_offer_is_said_at_once() {
    let manifest = |environment: &str, memory_mib: u64| {
        let limits = format!("memory_mib = {memory_mib}\ndisk_mib = 8\npids = 16\nmax_secs = 60");
        let job = format!("command = [\"sh\"]\nenvironment = \"{environment}\"\nfiles = [\"main.sh\"]\noutputs = []");
        assemble(&format!("[job]\n{job}\n[limits]\n{limits}"), "true")
    };
    for (bundle, wanted) in [(manifest("pytorch", 64), "there is: plain"), (manifest("plain", 1 << 20), "at most 8192")]
    {
        with_agent(&bundle, async |_, asker| {
            let refusal = asker.put(bundle.bytes()).await.unwrap_err();
            assert_eq!(refusal.status(), Some(400));
            assert!(refusal.to_string().contains(wanted), "{refusal}");
        })
        .await;
    }
}

#[tokio::test]
async fn a_job_that_fails_or_breaks_its_limits_is_told_as_the_customers_failure() {
    let failing = job_of("echo partial > out.txt; exit 3");
    with_agent(&failing, async |_, asker| {
        asker.put(failing.bytes()).await.unwrap();
        let ended = asker.until(|answer| answer.phase == JobPhase::Exited).await;
        assert_eq!(ended.exit_code, 3);
        assert_ne!(ended.result_root, [0; 32], "what it wrote is the customer's");
    })
    .await;
    let greedy = job_of("dd if=/dev/zero of=out.txt bs=1M count=9; sleep 30");
    with_agent(&greedy, async |_, asker| {
        asker.put(greedy.bytes()).await.unwrap();
        let ended = asker.until(|answer| answer.phase == JobPhase::LimitExceeded).await;
        assert!(ended.detail.contains("limits.disk_mib"), "{}", ended.detail);
    })
    .await;
}

#[tokio::test]
async fn an_output_that_is_a_link_to_the_hosts_files_is_not_followed() {
    let thief = job_of("ln -s /etc/shadow out.txt");
    with_agent(&thief, async |_, asker| {
        asker.put(thief.bytes()).await.unwrap();
        let ended = asker.until(|answer| answer.phase == JobPhase::Exited).await;
        assert_eq!(ended.result_root, [0; 32]);
        assert!(ended.detail.contains("a symlink"), "{}", ended.detail);
        assert!(asker.http.get_bytes(&format!("{}/results", asker.url)).await.is_err());
    })
    .await;
}

#[tokio::test]
async fn a_stop_ends_the_job_after_its_notice() {
    let endless = job_of("sleep 7341");
    with_agent(&endless, async |market, asker| {
        asker.put(endless.bytes()).await.unwrap();
        asker.until(|answer| answer.phase == JobPhase::Running).await;
        market.change_lease(|lease| {
            lease.stop_at = AWARDED_AT + 1;
            lease.terms.stop_notice_secs = 5;
        });
        tokio::time::sleep(Duration::from_millis(700)).await;
        assert_eq!(asker.status().await.unwrap().phase, JobPhase::Running, "the notice is paid, so it runs");
        market.chain.set_unix_timestamp(AWARDED_AT + 6);
        asker.until(|answer| answer.phase == JobPhase::Stopped).await;
        assert_eq!(processes_with("7341"), 0);
    })
    .await;
}

#[tokio::test]
async fn a_stopped_agent_leaves_no_job_behind_and_tells_it_as_its_own_failure() {
    let endless = job_of("sleep 7351");
    let dir = tempfile::tempdir().unwrap();
    let market = Market::new(dir.path(), &endless);
    for (round, wanted) in [JobPhase::Running, JobPhase::NodeFailed].into_iter().enumerate() {
        let (ready, port) = tokio::sync::oneshot::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = market.serve(|port| ready.send(port).unwrap(), async move { drop(stopped.await) });
        let asking = async {
            let asker = market.asker(port.await.unwrap());
            if round == 0 {
                asker.until(|answer| answer.phase == JobPhase::AwaitingInputs).await;
                asker.put(endless.bytes()).await.unwrap();
            }
            asker.until(|answer| answer.phase == wanted).await;
            drop(stop);
        };
        let (served, ()) = tokio::join!(serving, asking);
        served.unwrap();
        assert_eq!(processes_with("7351"), 0);
    }
}

#[tokio::test]
async fn an_upload_for_an_unknown_lease_is_refused_before_it_is_read() {
    let bundle = job_of("true");
    with_agent(&bundle, async |market, asker| {
        let url = asker.url.replace(&market.lease.to_string(), &market.settings.authority);
        let unknown = Asker { http: asker.http.clone(), url, operator: asker.operator };
        assert_eq!(unknown.put(&vec![0; 300 << 20]).await.unwrap_err().status(), Some(404));
    })
    .await;
}

#[tokio::test]
async fn a_lease_that_ends_on_chain_ends_the_job() {
    let endless = job_of("sleep 7371");
    with_agent(&endless, async |market, asker| {
        asker.put(endless.bytes()).await.unwrap();
        asker.until(|answer| answer.phase == JobPhase::Running).await;
        market.chain.remove_account(&market.lease);
        asker.until(|answer| answer.phase == JobPhase::Stopped).await;
        assert_eq!(processes_with("7371"), 0);
    })
    .await;
}

#[tokio::test]
async fn an_address_that_lives_twice_is_another_lease() {
    let bundle = job_of("echo 1 > out.txt");
    with_agent(&bundle, async |market, asker| {
        asker.put(bundle.bytes()).await.unwrap();
        asker.until(|answer| answer.phase == JobPhase::Exited).await;
        market.change_lease(|lease| lease.started_at += 1);
        asker.until(|answer| answer.phase == JobPhase::AwaitingInputs && answer.result_root == [0; 32]).await;
        asker.put(bundle.bytes()).await.unwrap();
        asker.until(|answer| answer.phase == JobPhase::Exited).await;
    })
    .await;
}

#[tokio::test]
async fn one_data_directory_serves_one_agent() {
    let bundle = job_of("true");
    let dir = tempfile::tempdir().unwrap();
    let market = Market::new(dir.path(), &bundle);
    let first = market.serve(|_| {}, std::future::pending());
    let second = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        market.serve(|_| {}, std::future::pending()).await
    };
    tokio::select! {
        outcome = first => panic!("the first agent ended: {outcome:?}"),
        outcome = second => assert!(outcome.unwrap_err().to_string().contains("another daemon holds this folder")),
    }
}

#[tokio::test]
async fn who_stands_by_says_so_takes_over_from_a_node_that_failed_and_is_sent_home() {
    let stand_by = |lease: &mut Lease| {
        (lease.role, lease.tier, lease.index) = (LeaseRole::StandBy as u8, Tier::Guaranteed as u8, 1);
    };
    with_lease(&job_of("true"), stand_by, async |market, asker| {
        asker.until(|answer| answer.phase == JobPhase::StandingBy).await;
        market.chain.set_simulation(Simulation { units: 100_000, ..Simulation::default() });
        let failed = market.fail_other_member();
        let whose = (&market.lease, &Lease::zeroed());
        let fail_over = ix::fail_over(&market.operator.pubkey(), &Job::zeroed(), &failed, whose).data;
        let is_takeover = |sent: &Transaction| {
            let calls = &sent.message.instructions;
            calls.iter().any(|call| call.data == fail_over) && sent.message.account_keys.contains(&failed)
        };
        let give_up_at = Instant::now() + Duration::from_secs(20);
        let takeover = loop {
            assert!(Instant::now() < give_up_at, "it never took over");
            if let Some(sent) = market.chain.sent().into_iter().find(is_takeover) {
                break sent;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        };
        market.chain.remove_account(&failed);
        market.chain.set_status(takeover.signatures[0], Status { slot: 1, level: StatusLevel::Confirmed, error: None });
        market.change_lease(|lease| lease.stop_at = AWARDED_AT);
        let ended = asker.until(|answer| answer.phase == JobPhase::Stopped).await;
        assert_eq!(ended.detail, "nothing is left to stand by for");
    })
    .await;
}
