//! Payments by a submitter that is killed again and again, through RPCs that fail and lie: each lands once.

mod common;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{receiver, Network, WITHIN};
use millrace_client::token::transfer_lamports;
use millrace_client::{Chain, Keypair, Outbox, RpcChain, Signer};
use millrace_faults::{Lie, Weather};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::sleep;

/// Payments under each endpoint's bad weather.
const PAYMENTS: u64 = 24;
/// Longest a phase may take.
const PHASE_WITHIN: Duration = Duration::from_secs(60);
/// Longest a round of votes may take: height and status, of those that are awake and then of those that rest.
const ROUND_WITHIN: Duration = WITHIN.saturating_mul(4);

/// How long nothing arrives: a blockhash is usable for 7.5 s.
const BLACKOUT: Duration = Duration::from_millis(8_500);

fn amount(number: u64) -> u64 {
    1_000_000 + number
}

/// One life of the submitter: finds out what the last one left, then pays what is not paid. Ends when all is.
async fn live(path: &Path, chain: Arc<RpcChain>, payer: Arc<Keypair>, payments: std::ops::Range<u64>) {
    let outbox = Arc::new(Outbox::open(path).unwrap());
    while outbox.reconcile(&*chain).await.is_err() {
        sleep(Duration::from_millis(100)).await;
    }
    let mut paying = JoinSet::new();
    for number in payments {
        let (outbox, chain, payer) = (Arc::clone(&outbox), Arc::clone(&chain), Arc::clone(&payer));
        paying.spawn(async move {
            let label = format!("pay {number}");
            let pay = [transfer_lamports(&payer.pubkey(), &receiver(number), amount(number))];
            while outbox.landed(&label).await.unwrap().is_none() {
                if let Err(error) = outbox.submit(&*chain, &label, &pay, &payer, &[]).await {
                    println!("{label}: {error}");
                    sleep(Duration::from_millis(100)).await;
                }
            }
        });
    }
    paying.join_all().await;
}

/// Rows of the journal that ended so.
fn ended(path: &Path, state: &str) -> u32 {
    let journal = rusqlite::Connection::open(path).unwrap();
    journal.query_row("SELECT count(*) FROM transactions WHERE state = ?1", [state], |row| row.get(0)).unwrap()
}

/// The weather of a moment: one endpoint is ill in any way, and the two honest ones often lose what they are handed. In a
/// blackout nothing arrives at all, so that what was signed expires.
fn draw(rng: &mut StdRng, ill: usize, is_blackout: bool) -> [Weather; 3] {
    let lossy = Weather::Lie(Lie::Swallow);
    let mut weathers = [(); 3].map(|()| if is_blackout || rng.random_bool(0.85) { lossy } else { Weather::Clear });
    weathers[ill] = match rng.random_range(0..4) {
        _ if is_blackout => Weather::HalfOpen,
        0 => Weather::Lie(Lie::EverythingExpired),
        1 => Weather::Lie(Lie::EverythingLanded),
        _ => Weather::draw(rng),
    };
    weathers
}

#[tokio::test(flavor = "multi_thread")]
async fn each_payment_of_a_killed_submitter_lands_once_in_any_weather() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(rand::random::<u64>);
    println!("SEED={seed}");
    let mut rng = StdRng::seed_from_u64(seed);
    let net = Network::start().await;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("outbox.sqlite");
    let payer = Arc::new(net.payer.insecure_clone());
    let (mut kills, began) = (0, Instant::now());
    for ill in 0..net.proxies.len() {
        let payments = ill as u64 * PAYMENTS..(ill as u64 + 1) * PAYMENTS;
        let phase = Instant::now();
        let mut is_paid = false;
        while !is_paid {
            assert!(phase.elapsed() < PHASE_WITHIN, "SEED={seed}: with endpoint {ill} ill not all was paid");
            // Every life asks anew, as a started process would.
            let chain = Arc::new(net.through_proxies());
            let mut life = JoinSet::new();
            let (path, payer, payments) = (path.clone(), Arc::clone(&payer), payments.clone());
            life.spawn(async move { live(&path, chain, payer, payments).await });
            let killed_at = Instant::now() + Duration::from_millis(rng.random_range(50..2_000));
            while !is_paid && Instant::now() < killed_at {
                net.set(draw(&mut rng, ill, ill == 1 && phase.elapsed() < BLACKOUT));
                let lasts = Duration::from_millis(rng.random_range(50..400));
                if let Ok(ended) = tokio::time::timeout(lasts, life.join_next()).await {
                    ended.unwrap().unwrap();
                    is_paid = true;
                }
            }
            kills += u32::from(!is_paid);
            life.shutdown().await;
        }
        println!("endpoint {ill} ill: {PAYMENTS} payments in {:?}", phase.elapsed());
        net.set([Weather::Clear; 3]);
        // Who is ill changes only when no round is left that the last one voted in: two liars in one round would be
        // two of three. What was sent arrives in that time as well.
        sleep(ROUND_WITHIN + Duration::from_millis(500)).await;
    }
    let (landed, expired) = (ended(&path, "landed"), ended(&path, "expired"));
    println!("{kills} kills, {landed} landed, {expired} expired, {:?}", began.elapsed());
    let honest = net.honest();
    for number in 0..net.proxies.len() as u64 * PAYMENTS {
        let held = honest.account(&receiver(number)).await.unwrap().map_or(0, |account| account.lamports);
        assert_eq!(held, amount(number), "SEED={seed}: receiver {number} was not paid once");
    }
    assert!(kills > 0 && expired > 0, "SEED={seed}: an easy day: {kills} kills, {expired} expired");
}
