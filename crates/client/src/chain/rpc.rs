//! The chain over JSON RPC.

use std::time::Duration;

use async_trait::async_trait;
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

use super::{Chain, ChainError, Simulation, Status, StatusLevel};
use crate::{Account, Hash, MillraceEvent, Pubkey, Signature, Transaction, PROGRAM_ID};

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(20);
/// Most accounts the RPC gives in one answer.
const MAX_ACCOUNTS_PER_REQUEST: usize = 100;
/// Where the Clock sysvar keeps its Unix timestamp.
const CLOCK_TIMESTAMP: std::ops::Range<usize> = 32..40;

/// A cluster behind a JSON RPC. Reads and judges at commitment "confirmed".
pub struct RpcChain {
    client: RpcClient,
    shown_url: String,
}

impl RpcChain {
    /// A client of the RPC at `url`, such as `http://127.0.0.1:8899`. Nothing is asked yet.
    pub fn new(url: impl Into<String>) -> Self {
        let url = url.into();
        let shown_url = without_secrets(&url);
        let client = RpcClient::new_with_timeout_and_commitment(url, TIMEOUT, CommitmentConfig::confirmed());
        Self { client, shown_url }
    }

    /// The RPC's address, without path and query: they may hold an access key.
    pub fn url(&self) -> &str {
        &self.shown_url
    }

    /// Asks a test network for lamports. The caller waits for the balance.
    ///
    /// # Errors
    /// [`ChainError`]; real networks refuse.
    pub async fn airdrop(&self, to: &Pubkey, lamports: u64) -> Result<Signature, ChainError> {
        self.client.request_airdrop(to, lamports).await.map_err(|error| self.explain(error, "requestAirdrop"))
    }

    fn explain(&self, error: ClientError, method: &str) -> ChainError {
        let url = self.shown_url.clone();
        match error.kind() {
            ErrorKind::RpcError(RpcError::RpcResponseError { code, message, .. }) => {
                ChainError::Refused { url, method: method.to_string(), message: format!("{message} (code {code})") }
            }
            ErrorKind::RpcError(error) => {
                ChainError::Refused { url, method: method.to_string(), message: error.to_string() }
            }
            ErrorKind::SerdeJson(error) => {
                let message = format!("its answer cannot be read: {error}");
                ChainError::Refused { url, method: method.to_string(), message }
            }
            kind => ChainError::Unreachable { url, reason: innermost(kind) },
        }
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

#[async_trait]
impl Chain for RpcChain {
    async fn account(&self, key: &Pubkey) -> Result<Option<Account>, ChainError> {
        // Not the client's own getAccountInfo, which turns an RPC that is down into an account that is missing.
        Ok(self.accounts(std::slice::from_ref(key)).await?.pop().flatten())
    }

    async fn accounts(&self, keys: &[Pubkey]) -> Result<Vec<Option<Account>>, ChainError> {
        let mut accounts = Vec::with_capacity(keys.len());
        for keys in keys.chunks(MAX_ACCOUNTS_PER_REQUEST) {
            let answer = self.client.get_multiple_accounts_with_commitment(keys, CommitmentConfig::confirmed()).await;
            accounts.extend(answer.map_err(|error| self.explain(error, "getMultipleAccounts"))?.value);
        }
        Ok(accounts)
    }

    async fn accounts_of(
        &self,
        program: &Pubkey,
        filters: &[(usize, Vec<u8>)],
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
        let found = self.client.get_program_ui_accounts_with_config(program, config).await;
        let found = found.map_err(|error| self.explain(error, method))?;
        let decoded = found.into_iter().map(|(key, account)| Some((key, account.to_account()?)));
        decoded.collect::<Option<_>>().ok_or_else(|| ChainError::Refused {
            url: self.shown_url.clone(),
            method: method.to_string(),
            message: "its answer holds an account that cannot be decoded".to_string(),
        })
    }

    async fn latest_blockhash(&self) -> Result<(Hash, u64), ChainError> {
        let answer = self.client.get_latest_blockhash_with_commitment(CommitmentConfig::confirmed()).await;
        answer.map_err(|error| self.explain(error, "getLatestBlockhash"))
    }

    async fn block_height(&self) -> Result<u64, ChainError> {
        self.client.get_block_height().await.map_err(|error| self.explain(error, "getBlockHeight"))
    }

    async fn slot(&self) -> Result<u64, ChainError> {
        self.client.get_slot().await.map_err(|error| self.explain(error, "getSlot"))
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
        let config = RpcSimulateTransactionConfig {
            sig_verify: false,
            replace_recent_blockhash: true,
            commitment: Some(CommitmentConfig::confirmed()),
            encoding: Some(UiTransactionEncoding::Base64),
            ..Default::default()
        };
        let answer = self.client.simulate_transaction_with_config(transaction, config).await;
        let result = answer.map_err(|error| self.explain(error, "simulateTransaction"))?.value;
        Ok(Simulation {
            error: result.err.map(Into::into),
            units: result.units_consumed.unwrap_or_default(),
            logs: result.logs.unwrap_or_default(),
        })
    }

    async fn send(&self, transaction: &Transaction) -> Result<Signature, ChainError> {
        // The outbox simulates once before it signs. A preflight would refuse each resend of what already landed.
        let config = RpcSendTransactionConfig {
            skip_preflight: true,
            preflight_commitment: Some(CommitmentLevel::Confirmed),
            encoding: Some(UiTransactionEncoding::Base64),
            max_retries: Some(0),
            ..Default::default()
        };
        let answer = self.client.send_transaction_with_config(transaction, config).await;
        answer.map_err(|error| self.explain(error, "sendTransaction"))
    }

    async fn signature_status(&self, signature: &Signature) -> Result<Option<Status>, ChainError> {
        let answer = self.client.get_signature_statuses_with_history(&[*signature]).await;
        let found = answer.map_err(|error| self.explain(error, "getSignatureStatuses"))?.value;
        Ok(found.into_iter().next().flatten().map(|status| {
            let level = match (&status.confirmation_status, status.confirmations) {
                (Some(TransactionConfirmationStatus::Finalized), _) | (None, None) => StatusLevel::Finalized,
                (Some(TransactionConfirmationStatus::Confirmed), _) => StatusLevel::Confirmed,
                _ => StatusLevel::Processed,
            };
            Status { slot: status.slot, level, error: status.err }
        }))
    }

    async fn transaction_events(&self, signature: &Signature) -> Result<Vec<MillraceEvent>, ChainError> {
        let config = RpcTransactionConfig {
            encoding: Some(UiTransactionEncoding::Base64),
            commitment: Some(CommitmentConfig::confirmed()),
            max_supported_transaction_version: Some(0),
        };
        match self.client.get_transaction_with_config(signature, config).await {
            Ok(transaction) => Ok(events_of(&transaction)),
            // The RPC says `null` for a transaction it does not know, which does not parse as one.
            Err(error) if matches!(error.kind(), ErrorKind::SerdeJson(_)) => {
                Err(ChainError::UnknownTransaction(*signature))
            }
            Err(error) => Err(self.explain(error, "getTransaction")),
        }
    }

    async fn signatures_of(&self, address: &Pubkey, until: Option<Signature>) -> Result<Vec<Signature>, ChainError> {
        let config = GetConfirmedSignaturesForAddress2Config {
            until,
            commitment: Some(CommitmentConfig::confirmed()),
            ..Default::default()
        };
        let method = "getSignaturesForAddress";
        let found = self.client.get_signatures_for_address_with_config(address, config).await;
        let found = found.map_err(|error| self.explain(error, method))?;
        Ok(found.iter().rev().filter_map(|entry| entry.signature.parse().ok()).collect())
    }

    async fn minimum_balance(&self, len: usize) -> Result<u64, ChainError> {
        let answer = self.client.get_minimum_balance_for_rent_exemption(len).await;
        answer.map_err(|error| self.explain(error, "getMinimumBalanceForRentExemption"))
    }
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
        let chain = RpcChain::new(format!("http://127.0.0.1:{port}/?api-key=SECRET"));
        let error = chain.slot().await.unwrap_err();
        assert!(matches!(error, ChainError::Unreachable { .. }), "{error:?}");
        let said = error.to_string();
        assert!(said.contains(&format!("the RPC at http://127.0.0.1:{port} does not answer")), "{said}");
        assert!(said.contains("refused") && said.ends_with("; check --url"), "{said}");
        assert!(!said.contains("SECRET"), "{said}");
    }
}
