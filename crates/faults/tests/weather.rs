//! Three endpoints of a real local network, one of them ill in each way there is: everything goes on.

mod common;

use std::time::{Duration, Instant};

use common::{receiver, Network};
use millrace_client::token::transfer_lamports;
use millrace_client::{Chain, ChainError, Fate, Outbox, Signature, Signer, Transaction};
use millrace_faults::{Lie, Weather};

const CLEAR: Weather = Weather::Clear;
/// What a signature costs, lamports.
const BASE_FEE: u64 = 5_000;

#[tokio::test(flavor = "multi_thread")]
async fn whatever_ails_one_of_three_endpoints_reading_and_paying_go_on() {
    let net = Network::start().await;
    let folder = tempfile::tempdir().unwrap();
    let outbox = Outbox::open(folder.path().join("outbox.sqlite")).unwrap();
    let weathers = [
        Weather::Drop,
        Weather::Delay(Duration::from_secs(3)),
        Weather::TooManyRequests,
        Weather::HalfOpen,
        Weather::Lie(Lie::Heights(100_000)),
        Weather::Lie(Lie::Heights(-100_000)),
        Weather::Lie(Lie::Heights(40)),
        Weather::Lie(Lie::Blockhash),
        Weather::Lie(Lie::NothingLanded),
        Weather::Lie(Lie::EverythingLanded),
        Weather::Lie(Lie::EverythingExpired),
        Weather::Lie(Lie::Swallow),
        Weather::Lie(Lie::OmitSignatures),
        Weather::Lie(Lie::Balances),
    ];
    for (weather, number) in weathers.into_iter().zip(0u64..) {
        // The ill one comes first: ordinary questions go there.
        net.set([weather, CLEAR, CLEAR]);
        let (chain, to, began) = (net.through_proxies(), receiver(number), Instant::now());
        let lamports = 1_000_000 + number;
        let pay = transfer_lamports(&net.payer.pubkey(), &to, lamports);
        let label = format!("pay {number}");
        outbox
            .submit(&chain, &label, &[pay], &net.payer, &[])
            .await
            .unwrap_or_else(|error| panic!("{weather:?}: {error}"));
        let agreed = chain.agreed(&[to]).await.unwrap_or_else(|error| panic!("{weather:?}: {error}"));
        assert_eq!(agreed[0].as_ref().map(|account| account.lamports), Some(lamports), "{weather:?}");
        assert!(chain.account(&to).await.unwrap().is_some(), "{weather:?}: what landed was not read");
        chain.slot().await.unwrap();
        let took = began.elapsed();
        println!("{weather:?}: {took:?}");
        assert!(took < Duration::from_secs(10), "{weather:?} took {took:?}");
        assert_eq!(net.honest().account(&to).await.unwrap().unwrap().lamports, lamports, "{weather:?}");
    }
}

/// Signed and never handed in.
async fn unsent(net: &Network, number: u64) -> (Transaction, u64) {
    let (blockhash, last_valid) = net.honest().latest_blockhash().await.unwrap();
    let pay = transfer_lamports(&net.payer.pubkey(), &receiver(number), 1_000_000);
    (Transaction::new_signed_with_payer(&[pay], Some(&net.payer.pubkey()), &[&net.payer], blockhash), last_valid)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_majority_nothing_about_money_is_believed() {
    let net = Network::start().await;
    let (transaction, last_valid) = unsent(&net, 1).await;
    let signature = transaction.signatures[0];
    let expired = Weather::Lie(Lie::EverythingExpired);
    // What one endpoint alone is believed in: the lie works.
    net.set([expired, CLEAR, CLEAR]);
    let liar = [net.proxies[0].url()];
    let alone = millrace_client::RpcChain::new(&liar).unwrap();
    assert_eq!(alone.fate(&signature, last_valid).await, Ok(Fate::Expired));
    // One liar of three, the others honest, or one of them silent, or both.
    for (others, is_open) in
        [([CLEAR, CLEAR], true), ([Weather::Drop, CLEAR], true), ([Weather::Drop, Weather::Drop], false)]
    {
        net.set([expired, others[0], others[1]]);
        let fate = net.through_proxies().fate(&signature, last_valid).await;
        match is_open {
            true => assert_eq!(fate, Ok(Fate::Open), "{others:?}"),
            false => assert!(matches!(fate, Err(ChainError::Unreachable { .. })), "{others:?}: {fate:?}"),
        }
    }
    // What an account holds: the honest majority, or nothing.
    let wallet = [net.payer.pubkey()];
    let balances = Weather::Lie(Lie::Balances);
    net.set([balances, CLEAR, CLEAR]);
    let truth = net.honest().agreed(&wallet).await.unwrap();
    assert_ne!(net.through_proxies().accounts(&wallet).await.unwrap(), truth, "the lie is told");
    assert_eq!(net.through_proxies().agreed(&wallet).await.unwrap(), truth);
    net.set([balances, Weather::Drop, CLEAR]);
    let error = net.through_proxies().agreed(&wallet).await.unwrap_err();
    assert!(matches!(error, ChainError::Disagree { .. }) && error.is_transient(), "{error}");
    assert!(error.to_string().contains(&net.proxies[0].url()) && error.to_string().contains("lamports"), "{error}");
    // A blockhash that only one endpoint holds valid is not signed with.
    net.set([Weather::Lie(Lie::Blockhash), Weather::Drop, CLEAR]);
    let (blockhash, _) = net.through_proxies().latest_blockhash().await.unwrap();
    let known = RpcAlone(&net).is_known(&blockhash).await;
    assert!(known, "signed with {blockhash}, which no block has");
}

/// Asks the network itself by name of method.
struct RpcAlone<'a>(&'a Network);

impl RpcAlone<'_> {
    async fn is_known(&self, blockhash: &millrace_client::Hash) -> bool {
        let question = serde_json::json!({
            "jsonrpc": "2.0", "id": 1, "method": "isBlockhashValid",
            "params": [blockhash.to_string(), { "commitment": "processed" }],
        });
        let answer = reqwest::Client::new().post(&self.0.url).json(&question).send().await.unwrap();
        answer.json::<serde_json::Value>().await.unwrap()["result"]["value"] == true
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_ill_endpoint_is_left_alone_and_comes_back() {
    let net = Network::start().await;
    let chain = net.through_proxies();
    net.set([Weather::TooManyRequests, CLEAR, CLEAR]);
    chain.slot().await.unwrap();
    let asked = net.proxies[0].requests();
    for _ in 0..20 {
        chain.slot().await.unwrap();
    }
    assert!(net.proxies[0].requests() <= asked + 8, "an endpoint that refuses is asked again and again");
    net.set([CLEAR, CLEAR, CLEAR]);
    let deadline = Instant::now() + Duration::from_secs(20);
    while net.proxies[0].requests() < asked + 30 {
        assert!(Instant::now() < deadline, "it is well and not asked any more");
        chain.slot().await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_pay_for_priority_is_paid_up_to_the_cap() {
    let net = Network::start().await;
    let folder = tempfile::tempdir().unwrap();
    let (chain, honest) = (net.through_proxies(), net.honest());
    let balance = async || honest.account(&net.payer.pubkey()).await.unwrap().unwrap().lamports;
    let mut fees = Vec::new();
    for (prices, cap, number) in [(0u64, 100_000, 1), (1_000_000, 100_000, 2), (1_000_000_000, 7_000, 3)] {
        let prices = Weather::Lie(Lie::Prices(prices));
        net.set([prices, prices, prices]);
        let outbox = Outbox::open(folder.path().join("outbox.sqlite")).unwrap().with_max_priority_fee(cap);
        let before = balance().await;
        let pay = transfer_lamports(&net.payer.pubkey(), &receiver(number), 1_000_000);
        outbox.submit(&chain, &format!("pay {number}"), &[pay], &net.payer, &[]).await.unwrap();
        fees.push(before - balance().await - 1_000_000 - BASE_FEE);
    }
    // A lamport a unit, for what a transfer uses and 20,000 to spare.
    assert_eq!(fees[0], 0);
    assert!((20_000..=21_000).contains(&fees[1]), "{fees:?}");
    assert!((6_900..=7_000).contains(&fees[2]), "{fees:?}");
}

/// Sends `count` payments to `to`; their signatures, once the network lists all of them.
async fn send_many(net: &Network, to: &millrace_client::Pubkey, count: usize, amount: u64) -> Vec<Signature> {
    let honest = net.honest();
    let mut sent = Vec::new();
    while sent.len() < count {
        let (blockhash, _) = honest.latest_blockhash().await.unwrap();
        for _ in 0..100.min(count - sent.len()) {
            let pay = transfer_lamports(&net.payer.pubkey(), to, amount + sent.len() as u64);
            let payer = net.payer.pubkey();
            let transaction = Transaction::new_signed_with_payer(&[pay], Some(&payer), &[&net.payer], blockhash);
            sent.push(honest.send(&transaction).await.unwrap());
        }
    }
    let deadline = Instant::now() + Duration::from_secs(20);
    while !matches!(honest.fate(sent.last().unwrap(), u64::MAX).await, Ok(Fate::Landed)) {
        assert!(Instant::now() < deadline, "what was sent does not land");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    sent
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_gap_of_more_than_a_page_no_transaction_is_missed() {
    let net = Network::start().await;
    let to = receiver(1);
    let before = send_many(&net, &to, 3, 1_000_000).await;
    let until = *before.last().unwrap();
    let missed = send_many(&net, &to, 1_050, 2_000_000).await;
    let expected: std::collections::BTreeSet<_> = missed.iter().copied().collect();
    // One leaves every second one out, one knows nothing, one is cut off in between.
    net.set([Weather::Lie(Lie::OmitSignatures), Weather::Lie(Lie::NothingLanded), CLEAR]);
    let chain = net.through_proxies();
    let filled = chain.signatures_of(&to, Some(until)).await.unwrap();
    let found: std::collections::BTreeSet<_> = filled.iter().copied().collect();
    assert!(found.is_superset(&expected), "{} of {} are missing", expected.difference(&found).count(), expected.len());
    assert!(filled.len() < missed.len() + before.len() && found.len() == filled.len(), "what is old was given again");
    assert!(filled.ends_with(&missed[missed.len() - 1..]), "the newest comes last");
    // Too few to be sure: better no answer than one with a hole in it.
    net.set([Weather::Drop, Weather::Drop, CLEAR]);
    assert!(chain.signatures_of(&to, Some(until)).await.is_err());
    net.set([Weather::Drop, CLEAR, CLEAR]);
    assert_eq!(chain.signatures_of(&to, Some(until)).await.unwrap().len(), filled.len());
}
