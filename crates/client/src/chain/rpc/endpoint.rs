//! One endpoint: a JSON RPC, what it answers, and how well it is.

use std::future::Future;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use solana_commitment_config::{CommitmentConfig, CommitmentLevel};
use solana_rpc_client::nonblocking::rpc_client::RpcClient;
use solana_rpc_client::rpc_client::GetConfirmedSignaturesForAddress2Config;
use solana_rpc_client_api::client_error::{Error as ClientError, ErrorKind};
use solana_rpc_client_api::config::*;
use solana_rpc_client_api::filter::{Memcmp, RpcFilterType};
use solana_rpc_client_api::request::RpcError;
use solana_transaction_status_client_types::{
    option_serializer::OptionSerializer, EncodedConfirmedTransactionWithStatusMeta, TransactionConfirmationStatus,
    UiInstruction, UiTransactionEncoding,
};
use tokio::time::Instant;

use super::health::Health;
use crate::chain::{ChainError, Fate, Simulation, Status, StatusLevel};
use crate::metrics::{RPC_ENDPOINT_BEHIND, RPC_ENDPOINT_OUTCOMES, RPC_ENDPOINT_REQUESTS};
use crate::{Account, Hash, MillraceEvent, Pubkey, Signature, Transaction, PROGRAM_ID};

/// Most accounts the RPC gives in one answer.
const MAX_ACCOUNTS_PER_REQUEST: usize = 100;
/// Most accounts whose recent prices can be asked for at once.
const MAX_ACCOUNTS_PER_PRICE: usize = 128;
/// Which of the recent prices, lowest first, is one to land with: three quarters of the slots took less.
const PRICE_PERCENT: usize = 75;
/// Most pages of 1,000 signatures that are read back.
const MAX_PAGES: usize = 100;
/// Refusals that mean "not now": asked too often, and a node that is behind.
const NOT_NOW: [i64; 3] = [429, -32_429, -32_005];

/// One endpoint. Reads and judges at commitment "confirmed".
pub(super) struct Endpoint {
    client: RpcClient,
    /// Its address without path and query.
    pub shown_url: String,
    within: Duration,
    health: Mutex<Health>,
}

/// A program's accounts are asked for by what their data hold: `(offset, bytes)`.
pub(super) type Filters<'a> = &'a [(usize, Vec<u8>)];

impl Endpoint {
    /// The endpoint at `url`, which has `within` to answer. Nothing is asked yet.
    pub fn new(url: &str, within: Duration) -> Self {
        let commitment = CommitmentConfig::confirmed();
        Self {
            client: RpcClient::new_with_timeout_and_commitment(url.to_string(), within, commitment),
            shown_url: without_secrets(url),
            within,
            health: Mutex::default(),
        }
    }

    /// Whether it failed so lately that it is left alone.
    pub fn rests(&self) -> bool {
        self.with_health(|health| health.rests(Instant::now()))
    }

    /// Whether it is asked before others.
    pub fn is_well(&self) -> bool {
        self.with_health(|health| health.is_well(Instant::now()))
    }

    /// Notes its slot and the one that most endpoints have reached.
    pub fn compared(&self, slot: u64, common: u64) {
        let behind_slots = self.with_health(|health| {
            health.compared(slot, common);
            health.behind_slots()
        });
        metrics::gauge!(RPC_ENDPOINT_BEHIND, "endpoint" => self.shown_url.clone()).set(behind_slots as f64);
    }

    fn with_health<T>(&self, look: impl FnOnce(&mut Health) -> T) -> T {
        look(&mut self.health.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Asks, for as long as an answer may take, and notes how it went.
    async fn ask<T>(
        &self,
        method: &'static str,
        question: impl Future<Output = Result<T, ClientError>>,
    ) -> Result<T, ChainError> {
        let asked = tokio::time::timeout(self.within, question).await;
        let is_up = match &asked {
            Ok(Ok(_)) => true,
            Ok(Err(error)) => matches!(error.kind(),
                ErrorKind::RpcError(RpcError::RpcResponseError { code, .. }) if !NOT_NOW.contains(code)),
            Err(_) => false,
        };
        self.with_health(|health| if is_up { health.answered() } else { health.failed(Instant::now()) });
        let answer = match asked {
            Ok(answer) => answer.map_err(|error| self.explain(&error, method)),
            Err(_) => Err(self.unreachable(format!("no answer within {:?}", self.within))),
        };
        let outcome = match &answer {
            Ok(_) => "answered",
            Err(ChainError::Unreachable { .. }) => "unreachable",
            Err(_) => "refused",
        };
        // Every outcome has its series from the first request on: a rate needs the zero before the one.
        for known in RPC_ENDPOINT_OUTCOMES {
            metrics::counter!(RPC_ENDPOINT_REQUESTS, "outcome" => *known, "endpoint" => self.shown_url.clone())
                .increment(u64::from(*known == outcome));
        }
        answer
    }

    fn unreachable(&self, reason: String) -> ChainError {
        ChainError::Unreachable { url: self.shown_url.clone(), reason }
    }

    /// A refusal of `method`.
    pub fn refused(&self, method: &str, message: impl Into<String>) -> ChainError {
        ChainError::Refused { url: self.shown_url.clone(), method: method.to_string(), message: message.into() }
    }

    fn explain(&self, error: &ClientError, method: &str) -> ChainError {
        match error.kind() {
            ErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) => {
                self.refused(method, format!("{message} (code {code})"))
            }
            ErrorKind::RpcError(error) => self.refused(method, error.to_string()),
            ErrorKind::SerdeJson(error) => self.refused(method, format!("its answer cannot be read: {error}")),
            // What the error itself says names the whole URL.
            ErrorKind::Reqwest(error) if error.status().is_some() => {
                self.unreachable(format!("it answers HTTP {}", error.status().map_or(0, |status| status.as_u16())))
            }
            kind => self.unreachable(innermost(kind)),
        }
    }

    /// The accounts at `keys`, in their order, and the slot they are of.
    pub async fn accounts(&self, keys: &[Pubkey]) -> Result<(u64, Vec<Option<Account>>), ChainError> {
        let (mut slot, mut accounts) = (u64::MAX, Vec::with_capacity(keys.len()));
        for keys in keys.chunks(MAX_ACCOUNTS_PER_REQUEST) {
            // Not the client's own getAccountInfo, which turns an RPC that is down into an account that is missing.
            let question = self.client.get_multiple_accounts_with_commitment(keys, CommitmentConfig::confirmed());
            let answer = self.ask("getMultipleAccounts", question).await?;
            if answer.value.len() != keys.len() {
                return Err(self.refused("getMultipleAccounts", "it gave another number of accounts"));
            }
            slot = slot.min(answer.context.slot);
            accounts.extend(answer.value);
        }
        Ok((slot, accounts))
    }

    pub async fn accounts_of(
        &self,
        program: &Pubkey,
        filters: Filters<'_>,
    ) -> Result<Vec<(Pubkey, Account)>, ChainError> {
        let memcmp = |(at, bytes): &(usize, Vec<u8>)| RpcFilterType::Memcmp(Memcmp::new_base58_encoded(*at, bytes));
        let config = RpcProgramAccountsConfig {
            filters: Some(filters.iter().map(memcmp).collect()),
            account_config: RpcAccountInfoConfig {
                encoding: Some(UiAccountEncoding::Base64),
                commitment: Some(CommitmentConfig::confirmed()),
                ..Default::default()
            },
            ..Default::default()
        };
        let method = "getProgramAccounts";
        let found = self.ask(method, self.client.get_program_ui_accounts_with_config(program, config)).await?;
        let decoded = found.into_iter().map(|(key, account)| Some((key, account.to_account()?)));
        decoded
            .collect::<Option<_>>()
            .ok_or_else(|| self.refused(method, "its answer holds an account that cannot be decoded"))
    }

    pub async fn latest_blockhash(&self) -> Result<(Hash, u64), ChainError> {
        let question = self.client.get_latest_blockhash_with_commitment(CommitmentConfig::confirmed());
        self.ask("getLatestBlockhash", question).await
    }

    async fn block_height(&self) -> Result<u64, ChainError> {
        self.ask("getBlockHeight", self.client.get_block_height()).await
    }

    /// Its height, asked after it said that `blockhash` is valid; `None` when it said that it is not.
    pub async fn height_if_valid(&self, blockhash: &Hash) -> Result<Option<u64>, ChainError> {
        let question = self.client.is_blockhash_valid(blockhash, CommitmentConfig::confirmed());
        if !self.ask("isBlockhashValid", question).await? {
            return Ok(None);
        }
        self.block_height().await.map(Some)
    }

    pub async fn slot(&self) -> Result<u64, ChainError> {
        self.ask("getSlot", self.client.get_slot()).await
    }

    pub async fn simulate(&self, transaction: &Transaction) -> Result<Simulation, ChainError> {
        let config = RpcSimulateTransactionConfig {
            sig_verify: false,
            replace_recent_blockhash: true,
            commitment: Some(CommitmentConfig::confirmed()),
            encoding: Some(UiTransactionEncoding::Base64),
            ..Default::default()
        };
        let question = self.client.simulate_transaction_with_config(transaction, config);
        let result = self.ask("simulateTransaction", question).await?.value;
        Ok(Simulation {
            error: result.err.map(Into::into),
            units: result.units_consumed.unwrap_or_default(),
            logs: result.logs.unwrap_or_default(),
        })
    }

    pub async fn send(&self, transaction: &Transaction) -> Result<Signature, ChainError> {
        // The outbox simulates once before it signs. A preflight would refuse each resend of what already landed.
        let config = RpcSendTransactionConfig {
            skip_preflight: true,
            preflight_commitment: Some(CommitmentLevel::Confirmed),
            encoding: Some(UiTransactionEncoding::Base64),
            max_retries: Some(0),
            ..Default::default()
        };
        self.ask("sendTransaction", self.client.send_transaction_with_config(transaction, config)).await
    }

    pub async fn status(&self, signature: &Signature) -> Result<Option<Status>, ChainError> {
        let signatures = [*signature];
        let question = self.client.get_signature_statuses_with_history(&signatures);
        let found = self.ask("getSignatureStatuses", question).await?.value;
        Ok(found.into_iter().next().flatten().map(|status| {
            let level = match (&status.confirmation_status, status.confirmations) {
                (Some(TransactionConfirmationStatus::Finalized), _) | (None, None) => StatusLevel::Finalized,
                (Some(TransactionConfirmationStatus::Confirmed), _) => StatusLevel::Confirmed,
                _ => StatusLevel::Processed,
            };
            Status { slot: status.slot, level, error: status.err }
        }))
    }

    /// What became of a transaction as far as this endpoint knows, and the slot it landed in.
    pub async fn fate(&self, signature: &Signature, last_valid_height: u64) -> Result<(Fate, u64), ChainError> {
        // The height is read before the status: a block within the limit is then already seen by the status.
        let height = self.block_height().await?;
        let status = self.status(signature).await?;
        let slot = status.as_ref().map_or(0, |status| status.slot);
        Ok((Fate::of(height, status, last_valid_height), slot))
    }

    /// The program's events in a landed transaction.
    pub async fn events(&self, signature: &Signature) -> Result<Vec<MillraceEvent>, ChainError> {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(0),
        };
        let question = async {
            match self.client.get_transaction_with_config(signature, config).await {
                Ok(transaction) => Ok(Some(transaction)),
                // The RPC says `null` for a transaction it does not know, which does not parse as one.
                Err(error) if matches!(error.kind(), ErrorKind::SerdeJson(_)) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let found = self.ask("getTransaction", question).await?;
        found.map(|transaction| events_of(&transaction)).ok_or(ChainError::UnknownTransaction(*signature))
    }

    /// The transactions that named `address` after `until`, with their slots, oldest first: page after page until an
    /// empty one, or one that goes back beyond `since_slot`.
    pub async fn history(
        &self,
        address: &Pubkey,
        until: Option<Signature>,
        since_slot: u64,
    ) -> Result<Vec<(u64, Signature)>, ChainError> {
        let method = "getSignaturesForAddress";
        let (mut newest_first, mut before) = (Vec::new(), None);
        for _ in 0..MAX_PAGES {
            let config = GetConfirmedSignaturesForAddress2Config {
                before,
                until,
                commitment: Some(CommitmentConfig::confirmed()),
                ..Default::default()
            };
            let page = self.ask(method, self.client.get_signatures_for_address_with_config(address, config)).await?;
            let entries = page.iter().map(|entry| Some((entry.slot, entry.signature.parse().ok()?)));
            let entries: Option<Vec<(u64, Signature)>> = entries.collect();
            let entries = entries.ok_or_else(|| self.refused(method, "it gave a signature that is none"))?;
            let oldest = entries.last().copied();
            newest_first.extend(entries.into_iter().filter(|(slot, it)| *slot >= since_slot && Some(*it) != until));
            match oldest {
                Some((slot, signature)) if slot >= since_slot && Some(signature) != until => before = Some(signature),
                _ => {
                    newest_first.reverse();
                    return Ok(newest_first);
                }
            }
        }
        Err(self.refused(method, format!("it gave more than {MAX_PAGES} pages")))
    }

    pub async fn minimum_balance(&self, len: usize) -> Result<u64, ChainError> {
        let question = self.client.get_minimum_balance_for_rent_exemption(len);
        self.ask("getMinimumBalanceForRentExemption", question).await
    }

    /// What three quarters of the recent slots took less than, to write `accounts`: millionths of a lamport a unit.
    pub async fn recent_price(&self, accounts: &[Pubkey]) -> Result<u64, ChainError> {
        let accounts = &accounts[..accounts.len().min(MAX_ACCOUNTS_PER_PRICE)];
        let found =
            self.ask("getRecentPrioritizationFees", self.client.get_recent_prioritization_fees(accounts)).await?;
        let mut prices: Vec<u64> = found.iter().map(|fee| fee.prioritization_fee).collect();
        prices.sort_unstable();
        Ok(prices.get(prices.len() * PRICE_PERCENT / 100).copied().unwrap_or(0))
    }
}

/// The innermost cause: "Connection refused" rather than four layers around it, none of which names the URL.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// `https://host:port` of a URL: its path, query and user part may hold an access key.
fn without_secrets(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or(rest);
    let host = authority.rsplit('@').next().unwrap_or(authority);
    if scheme.is_empty() {
        return host.to_string();
    }
    format!("{scheme}://{host}")
}

/// The program's events among the inner instructions of a transaction.
fn events_of(transaction: &EncodedConfirmedTransactionWithStatusMeta) -> Vec<MillraceEvent> {
    let decoded = transaction.transaction.transaction.decode();
    let meta = transaction.transaction.meta.as_ref();
    let (Some(decoded), Some(meta)) = (decoded, meta) else { return Vec::new() };
    let OptionSerializer::Some(inner) = &meta.inner_instructions else { return Vec::new() };
    // A program is always among the transaction's own keys: it cannot come from a lookup table.
    let keys = decoded.message.static_account_keys();
    let instructions = inner.iter().flat_map(|inner| &inner.instructions);
    let events = instructions.filter_map(|instruction| {
        let UiInstruction::Compiled(instruction) = instruction else { return None };
        let is_ours = keys.get(usize::from(instruction.program_id_index)) == Some(&PROGRAM_ID);
        let data = is_ours.then(|| bs58::decode(&instruction.data).into_vec().ok()).flatten()?;
        MillraceEvent::decode(&data)
    });
    events.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shown_url_keeps_no_access_key() {
        for (url, shown) in [
            ("http://127.0.0.1:8899", "http://127.0.0.1:8899"),
            ("https://rpc.example/v2/SECRET", "https://rpc.example"),
            ("https://rpc.example?api-key=SECRET", "https://rpc.example"),
            ("https://user:SECRET@rpc.example:443/", "https://rpc.example:443"),
        ] {
            assert_eq!(without_secrets(url), shown);
        }
    }

    #[tokio::test]
    async fn an_rpc_that_is_down_is_named_and_says_what_to_check() {
        // A port that was free a moment ago: nothing listens there.
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let endpoint = Endpoint::new(&format!("http://127.0.0.1:{port}/?api-key=SECRET"), Duration::from_secs(5));
        let error = endpoint.slot().await.unwrap_err();
        assert!(matches!(error, ChainError::Unreachable { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(&format!("the RPC at http://127.0.0.1:{port} does not answer")), "{said}");
        assert!(said.contains("refused") && said.ends_with("; check --url"), "{said}");
        assert!(!said.contains("SECRET"), "{said}");
    }

    #[tokio::test]
    async fn an_rpc_that_answers_no_is_quoted_without_its_access_key() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/?api-key=SECRET", listener.local_addr().unwrap());
        tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            assert!(stream.read(&mut [0; 4_096]).await.unwrap() > 0);
            stream.write_all(b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        });
        let endpoint = Endpoint::new(&url, Duration::from_secs(5));
        let said = endpoint.slot().await.unwrap_err().to_string();
        assert!(said.contains("403") && !said.contains("SECRET"), "{said}");
        assert!(endpoint.rests(), "it is left alone for a while");
    }
}
