//! The chain over JSON RPC: one endpoint, or several of which some may be down, slow or lying.
//!
//! Three kinds of questions. Ordinary ones go to one endpoint, and to the next where it fails. What money is decided by,
//! and what became of a transaction, is what a strict majority of all configured endpoints says. A transaction is
//! handed to all of them. A single endpoint is a majority of one.

mod endpoint;
mod health;
mod history;
mod vote;

use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::mpsc;
use tokio::time::{sleep, Instant};

use self::endpoint::Endpoint;
use super::{Chain, ChainError, Fate, Simulation};
use crate::{Account, Hash, MillraceEvent, Pubkey, Signature, Transaction};

/// How long a single endpoint may take to answer.
const ALONE_WITHIN: Duration = Duration::from_secs(20);
/// The same where there is another to ask instead.
const AMONG_OTHERS_WITHIN: Duration = Duration::from_secs(4);
/// Time between two comparisons of the endpoints' slots.
const COMPARE_EVERY: Duration = Duration::from_secs(2);
/// How often a question of money is asked before the endpoints are said to disagree: the tip differs by moments.
const TRIES: u32 = 5;
/// Time between two tries.
const PAUSE: Duration = Duration::from_millis(300);
/// Where the Clock sysvar keeps its Unix timestamp.
const CLOCK_TIMESTAMP: std::ops::Range<usize> = 32..40;

/// Addresses of RPCs that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadRpcUrls {
    /// There is none.
    #[error("no RPC is named; name at least one, such as http://127.0.0.1:8899")]
    Empty,
    /// One is there twice, and would be believed twice.
    #[error("the RPC at {0} is named twice; each counts as one vote on money, so name each once")]
    Twice(String),
}

/// A cluster behind one or several JSON RPCs. Reads and judges at commitment "confirmed".
pub struct RpcChain {
    endpoints: Vec<Arc<Endpoint>>,
    /// Where transactions were seen to land: what is older than that is not read any more.
    landed_slot: AtomicU64,
    compared_at: Mutex<Option<Instant>>,
}

/// What came in of one round that did not decide.
struct Undecided<T> {
    votes: Vec<T>,
    error: Option<ChainError>,
}

impl RpcChain {
    /// A client of the RPCs at `urls`, such as `http://127.0.0.1:8899`. Nothing is asked yet.
    ///
    /// # Errors
    /// [`BadRpcUrls`].
    pub fn new(urls: &[String]) -> Result<Self, BadRpcUrls> {
        let within = if urls.len() > 1 { AMONG_OTHERS_WITHIN } else { ALONE_WITHIN };
        Self::answering_within(urls, within)
    }

    /// The same with another time for each answer.
    ///
    /// # Errors
    /// [`BadRpcUrls`].
    pub fn answering_within(urls: &[String], within: Duration) -> Result<Self, BadRpcUrls> {
        let endpoints: Vec<_> = urls.iter().map(|url| Arc::new(Endpoint::new(url, within))).collect();
        let same = |a: &str, b: &str| a.trim_end_matches('/').eq_ignore_ascii_case(b.trim_end_matches('/'));
        let twice = urls.iter().enumerate().find(|(at, url)| urls[..*at].iter().any(|earlier| same(earlier, url)));
        match (endpoints.is_empty(), twice) {
            (true, _) => Err(BadRpcUrls::Empty),
            (_, Some((at, _))) => Err(BadRpcUrls::Twice(endpoints[at].shown_url.clone())),
            _ => Ok(Self { endpoints, landed_slot: AtomicU64::new(0), compared_at: Mutex::default() }),
        }
    }

    /// The addresses, without path and query: they may hold an access key.
    pub fn shown_urls(&self) -> String {
        let urls: Vec<_> = self.endpoints.iter().map(|endpoint| endpoint.shown_url.as_str()).collect();
        urls.join(", ")
    }

    fn alone(&self) -> Option<&Endpoint> {
        match &self.endpoints[..] {
            [alone] => Some(alone),
            _ => None,
        }
    }

    /// The endpoints in the order they are asked: as configured, the well ones first.
    fn by_health(&self) -> Vec<Arc<Endpoint>> {
        self.compare();
        let (well, ill): (Vec<_>, Vec<_>) = self.endpoints.iter().cloned().partition(|endpoint| endpoint.is_well());
        [well, ill].concat()
    }

    /// Those that do not rest, or all where too few are left to decide anything.
    fn awake(&self) -> Vec<Arc<Endpoint>> {
        let awake: Vec<_> = self.endpoints.iter().filter(|endpoint| !endpoint.rests()).cloned().collect();
        if awake.len() < vote::majority(self.endpoints.len()) {
            return self.endpoints.clone();
        }
        awake
    }

    /// Compares the endpoints' slots now and then, while others are served.
    fn compare(&self) {
        let mut compared_at = self.compared_at.lock().unwrap_or_else(PoisonError::into_inner);
        if self.alone().is_some() || compared_at.is_some_and(|at| at.elapsed() < COMPARE_EVERY) {
            return;
        }
        *compared_at = Some(Instant::now());
        let (endpoints, configured) = (self.awake(), self.endpoints.len());
        tokio::spawn(async move {
            let slots = join_all(endpoints.iter().map(|endpoint| endpoint.slot())).await;
            let known: Vec<u64> = slots.iter().flatten().copied().collect();
            let Some(common) = vote::common_slot(&known, configured) else { return };
            for (endpoint, slot) in endpoints.iter().zip(slots) {
                if let Ok(slot) = slot {
                    endpoint.compared(slot, common);
                }
            }
        });
    }

    /// Asks one endpoint, and the next one where it fails.
    async fn first<T, F>(&self, ask: impl Fn(Arc<Endpoint>) -> F) -> Result<T, ChainError>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        let mut first_error = None;
        for endpoint in self.by_health() {
            match ask(endpoint).await {
                Ok(answer) => return Ok(answer),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        Err(self.silent(first_error))
    }

    /// Asks every endpoint at once, and stops when `decide` makes something of what came in. Those that rest are asked
    /// only where the others leave it open.
    async fn round<T, V, F>(
        &self,
        ask: impl Fn(Arc<Endpoint>) -> F,
        decide: impl Fn(&[T]) -> Option<V>,
    ) -> Result<V, Undecided<T>>
    where
        F: Future<Output = Result<T, ChainError>>,
    {
        self.compare();
        let (resting, awake): (Vec<_>, Vec<_>) = self.endpoints.iter().cloned().partition(|endpoint| endpoint.rests());
        let mut undecided = Undecided { votes: Vec::new(), error: None };
        for endpoints in [awake, resting] {
            let mut asked: FuturesUnordered<F> = endpoints.into_iter().map(&ask).collect();
            while let Some(answer) = asked.next().await {
                match answer {
                    Ok(vote) => undecided.votes.push(vote),
                    Err(error) => drop(undecided.error.get_or_insert(error)),
                }
                if let Some(verdict) = decide(&undecided.votes) {
                    return Ok(verdict);
                }
            }
        }
        Err(undecided)
    }

    /// Whether more than half of the endpoints answered, so that waiting is all there is to do.
    fn was_heard<T>(&self, undecided: &Undecided<T>) -> bool {
        undecided.votes.len() >= vote::majority(self.endpoints.len())
    }

    fn silent(&self, error: Option<ChainError>) -> ChainError {
        error.unwrap_or_else(|| ChainError::Unreachable {
            url: self.shown_urls(),
            reason: "too few of them answered".to_string(),
        })
    }

    /// Refuses accounts older than what was seen to land.
    fn check_slot(&self, endpoint: &Endpoint, slot: u64) -> Result<(), ChainError> {
        let landed = self.landed_slot.load(Ordering::Relaxed);
        if slot >= landed || self.alone().is_some() {
            return Ok(());
        }
        Err(endpoint
            .refused("getMultipleAccounts", format!("it is at slot {slot}, behind a transaction of slot {landed}")))
    }

    /// A blockhash's last height, if a majority of the endpoints holds it valid.
    async fn last_valid_block_height(&self, blockhash: &Hash) -> Result<u64, ChainError> {
        let configured = self.endpoints.len();
        let mut said = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                sleep(PAUSE).await;
            }
            let ask = |endpoint: Arc<Endpoint>| async move { endpoint.height_if_valid(blockhash).await };
            let decide = |votes: &[Option<u64>]| {
                let heights: Vec<u64> = votes.iter().flatten().copied().collect();
                vote::last_valid_block_height(&heights, configured)
            };
            match self.round(ask, decide).await {
                Ok(height) => return Ok(height),
                Err(undecided) if self.was_heard(&undecided) => {
                    said = format!("valid at the heights {:?}", undecided.votes);
                }
                Err(undecided) => return Err(self.silent(undecided.error)),
            }
        }
        Err(ChainError::Disagree { about: format!("the blockhash {blockhash}"), said })
    }
}

#[async_trait]
impl Chain for RpcChain {
    async fn account(&self, key: &Pubkey) -> Result<Option<Account>, ChainError> {
        Ok(self.accounts(std::slice::from_ref(key)).await?.pop().flatten())
    }

    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        self.first(|endpoint| async move {
            let (slot, accounts) = endpoint.accounts(keys).await?;
            self.check_slot(&endpoint, slot).map(|()| accounts)
        })
        .await
    }

    async fn agreed(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        if self.alone().is_some() {
            return self.accounts(keys).await;
        }
        let configured = self.endpoints.len();
        let mut said = String::new();
        for attempt in 0..TRIES {
            if attempt > 0 {
                sleep(PAUSE).await;
            }
            let ask = |endpoint: Arc<Endpoint>| async move {
                let (slot, accounts) = endpoint.accounts(keys).await?;
                self.check_slot(&endpoint, slot).map(|()| (endpoint.shown_url.clone(), accounts))
            };
            let decide = |votes: &[(String, Vec<Option<Account>>)]| {
                let answers: Vec<_> = votes.iter().map(|(_, accounts)| accounts).collect();
                vote::agreed(&answers, configured).map(|accounts| (*accounts).clone())
            };
            match self.round(ask, decide).await {
                Ok(accounts) => return Ok(accounts),
                Err(undecided) if self.was_heard(&undecided) => said = who_said_what(&undecided.votes),
                Err(undecided) => return Err(self.silent(undecided.error)),
            }
        }
        let about = keys.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        Err(ChainError::Disagree { about: format!("what is at {about}"), said })
    }

    async fn accounts_of(
        &self,
        program: &Pubkey,
        filters: &[(usize, Vec<u8>)],
    ) -> Result<Vec<(Pubkey, Account)>, ChainError> {
        self.first(|endpoint| async move { endpoint.accounts_of(program, filters).await }).await
    }

    async fn latest_blockhash(&self) -> Result<(Hash, u64), ChainError> {
        if let Some(alone) = self.alone() {
            return alone.latest_blockhash().await;
        }
        // What an endpoint itself says of the last height is not believed, only what all say of its blockhash.
        self.first(|endpoint| async move {
            let (blockhash, _) = endpoint.latest_blockhash().await?;
            Ok((blockhash, self.last_valid_block_height(&blockhash).await?))
        })
        .await
    }

    async fn slot(&self) -> Result<u64, ChainError> {
        self.first(|endpoint| async move { endpoint.slot().await }).await
    }

    async fn unix_timestamp(&self) -> Result<i64, ChainError> {
        let address = solana_sdk_ids::sysvar::clock::ID;
        let clock = self.account(&address).await?;
        let bytes = clock.as_ref().and_then(|clock| clock.data.get(CLOCK_TIMESTAMP)?.try_into().ok());
        bytes.map(i64::from_le_bytes).ok_or(ChainError::NotWhatItShouldBe {
            address,
            expected: "clock",
            reason: "the cluster has no Clock sysvar".to_string(),
        })
    }

    async fn simulate(&self, transaction: &Transaction) -> Result<Simulation, ChainError> {
        self.first(|endpoint| async move { endpoint.simulate(transaction).await }).await
    }

    async fn recent_price(&self, written: &[Pubkey]) -> Result<u64, ChainError> {
        let enough = vote::majority(self.endpoints.len());
        let ask = |endpoint: Arc<Endpoint>| async move { endpoint.recent_price(written).await };
        let decide = |prices: &[u64]| vote::median(prices).filter(|_| prices.len() >= enough);
        match self.round(ask, decide).await {
            Ok(price) => Ok(price),
            Err(undecided) => vote::median(&undecided.votes).ok_or_else(|| self.silent(undecided.error)),
        }
    }

    async fn send(&self, transaction: &Transaction) -> Result<Signature, ChainError> {
        if let Some(alone) = self.alone() {
            return alone.send(transaction).await;
        }
        let endpoints = self.awake();
        let (answer, mut answers) = mpsc::channel(endpoints.len());
        for endpoint in endpoints {
            let (transaction, answer) = (transaction.clone(), answer.clone());
            // Handed to every one even after the first took it: that one may keep it to itself.
            tokio::spawn(async move {
                let taken = endpoint.send(&transaction).await;
                // Nobody listens any more once one has taken it.
                let _ = answer.send(taken).await;
            });
        }
        drop(answer);
        let mut first_error = None;
        while let Some(taken) = answers.recv().await {
            match taken {
                Ok(signature) => return Ok(signature),
                Err(error) => drop(first_error.get_or_insert(error)),
            }
        }
        Err(self.silent(first_error))
    }

    async fn fate(&self, signature: &Signature, last_valid_block_height: u64) -> Result<Fate, ChainError> {
        let configured = self.endpoints.len();
        let ask = |endpoint: Arc<Endpoint>| async move { endpoint.fate(signature, last_valid_block_height).await };
        let decide = |votes: &[(Fate, u64)]| {
            let fates: Vec<&Fate> = votes.iter().map(|(fate, _)| fate).collect();
            let fate = (*vote::agreed(&fates, configured)?).clone();
            let slot = votes.iter().filter(|(voted, _)| *voted == fate).map(|(_, slot)| *slot).min();
            Some((fate, slot.unwrap_or(0)))
        };
        match self.round(ask, decide).await {
            Ok((fate, slot)) => {
                if matches!(fate, Fate::Landed | Fate::Failed(_)) {
                    self.landed_slot.fetch_max(slot, Ordering::Relaxed);
                }
                Ok(fate)
            }
            // Late is not lost: an end believed too early would be signed anew and paid twice.
            Err(undecided) if self.was_heard(&undecided) => Ok(Fate::Open),
            Err(undecided) => Err(self.silent(undecided.error)),
        }
    }

    async fn transaction_events(&self, signature: &Signature) -> Result<Vec<MillraceEvent>, ChainError> {
        self.first(|endpoint| async move { endpoint.events(signature).await }).await
    }

    async fn signatures_of(&self, address: &Pubkey, until: Option<Signature>) -> Result<Vec<Signature>, ChainError> {
        history::signatures_of(self, address, until).await
    }

    async fn minimum_balance(&self, len: usize) -> Result<u64, ChainError> {
        self.first(|endpoint| async move { endpoint.minimum_balance(len).await }).await
    }
}

/// In short, what each endpoint says of the first account they see differently.
fn who_said_what(votes: &[(String, Vec<Option<Account>>)]) -> String {
    let answers = |at: usize| votes.iter().map(move |(_, accounts)| accounts.get(at));
    let len = votes.first().map_or(0, |(_, accounts)| accounts.len());
    let differs = (0..len).find(|at| answers(*at).any(|answer| Some(answer) != answers(*at).next())).unwrap_or(0);
    let told = votes.iter().map(|(url, accounts)| match accounts.get(differs) {
        Some(Some(account)) => {
            let digest = hex::encode(millrace_core::hash::sha256(&[&account.data]));
            format!("{url}: {} lamports, {} bytes {}…", account.lamports, account.data.len(), &digest[..8])
        }
        _ => format!("{url}: nothing"),
    });
    told.collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_named_twice_or_none_at_all_is_refused() {
        let refusal = |urls: &[&str]| RpcChain::new(&urls.iter().map(ToString::to_string).collect::<Vec<_>>()).err();
        assert_eq!(refusal(&[]), Some(BadRpcUrls::Empty));
        let twice = refusal(&["http://a", "http://b?key=SECRET", "http://b?key=SECRET"]);
        assert_eq!(twice, Some(BadRpcUrls::Twice("http://b".to_string())));
        assert_eq!(refusal(&["http://a", "HTTP://A/"]), Some(BadRpcUrls::Twice("HTTP://A".to_string())));
        assert_eq!(refusal(&["http://a", "http://b"]), None);
    }
}
