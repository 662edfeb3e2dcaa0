//! The asking side: every request signed, every answer bounded.

use std::sync::Arc;
use std::time::Duration;

use ed25519_dalek::SigningKey;
use rand::distr::{Alphanumeric, SampleString};
use reqwest::header::{HeaderName, CONNECTION, UPGRADE};
use reqwest::{Method, Response, StatusCode, Url};
use serde::de::DeserializeOwned;
use serde::Serialize;

use crate::error::ApiError;
use crate::link::Link;
use crate::server::unix_now;
use crate::signature::{sign, RequestParts};

/// Largest answer read by default, bytes.
const MAX_ANSWER_BYTES: usize = 16 << 20;

/// Slowest link of an oracle that is planned for, bytes a second: 100 Mbit/s.
const LINK_BYTES_PER_SEC: f64 = 12.5e6;

/// Time so many bytes take on the slowest link that is planned for.
pub fn transfer_time(bytes: usize) -> Duration {
    Duration::from_secs_f64(bytes as f64 / LINK_BYTES_PER_SEC)
}

/// Why a request brought no answer.
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// Not a URL.
    #[error("{0:?} is not a URL such as http://127.0.0.1:9001/v1/health")]
    BadUrl(String),
    /// Nobody answered.
    #[error("{url} does not answer: {reason}")]
    Unreachable {
        /// What was asked.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The other side refused.
    #[error("{url} refused: {refusal}")]
    Refused {
        /// What was asked.
        url: String,
        /// What it said.
        refusal: ApiError,
    },
    /// The answer is not of the form asked for.
    #[error("{url} gave an answer that is not of the form asked for: {reason}")]
    BadAnswer {
        /// What was asked.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
}

impl WireError {
    /// The HTTP status of a refusal.
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { refusal, .. } => Some(refusal.status),
            _ => None,
        }
    }
}

/// Sends signed requests. Cheap to clone.
#[derive(Clone)]
pub struct SignedClient {
    http: reqwest::Client,
    key: Option<Arc<SigningKey>>,
    max_answer_bytes: usize,
    timeout: Duration,
}

impl SignedClient {
    /// A client that signs with `key`; each request may take `timeout`.
    ///
    /// # Errors
    /// When the HTTP library cannot start.
    pub fn new(key: SigningKey, timeout: Duration) -> Result<Self, reqwest::Error> {
        Ok(Self { key: Some(Arc::new(key)), ..Self::unsigned(timeout)? })
    }

    /// A client for what anyone may read.
    ///
    /// # Errors
    /// When the HTTP library cannot start.
    pub fn unsigned(timeout: Duration) -> Result<Self, reqwest::Error> {
        // No proxy and no redirect: both would carry a signed request where it was not addressed to.
        let http = reqwest::Client::builder()
            .connect_timeout(timeout.min(Duration::from_secs(5)))
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()?;
        Ok(Self { http, key: None, max_answer_bytes: MAX_ANSWER_BYTES, timeout })
    }

    /// The same client reading answers of at most `max_answer_bytes`.
    pub fn with_max_answer(&self, max_answer_bytes: usize) -> Self {
        Self { max_answer_bytes, ..self.clone() }
    }

    /// The same client for answers of up to `most_bytes`, each given as much longer as so many take on the slowest link that
    /// is planned for.
    pub fn expecting(&self, most_bytes: usize) -> Self {
        self.with_max_answer(most_bytes).within(self.timeout.saturating_add(transfer_time(most_bytes)))
    }

    /// The same client whose requests may take `timeout`.
    pub fn within(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.clone() }
    }

    /// GETs JSON.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn get<T: DeserializeOwned>(&self, url: &str) -> Result<T, WireError> {
        json(url, &self.bytes(Method::GET, url, Vec::new()).await?)
    }

    /// GETs bytes.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn get_bytes(&self, url: &str) -> Result<Vec<u8>, WireError> {
        self.bytes(Method::GET, url, Vec::new()).await
    }

    /// POSTs JSON for JSON.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn post<B: Serialize, T: DeserializeOwned>(&self, url: &str, body: &B) -> Result<T, WireError> {
        let body = serde_json::to_vec(body)
            .map_err(|error| WireError::BadAnswer { url: url.to_owned(), reason: format!("the request: {error}") })?;
        json(url, &self.bytes(Method::POST, url, body).await?)
    }

    /// POSTs bytes for JSON.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn post_bytes<T: DeserializeOwned>(&self, url: &str, body: Vec<u8>) -> Result<T, WireError> {
        json(url, &self.bytes(Method::POST, url, body).await?)
    }

    /// PUTs bytes for JSON.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn put_bytes<T: DeserializeOwned>(&self, url: &str, body: Vec<u8>) -> Result<T, WireError> {
        json(url, &self.bytes(Method::PUT, url, body).await?)
    }

    /// Asks for a connection that speaks `protocol`, and gives this side's end of it.
    ///
    /// # Errors
    /// [`WireError`].
    pub async fn connect(&self, url: &str, protocol: &'static str) -> Result<Link, WireError> {
        let upgrade = [(CONNECTION, "upgrade"), (UPGRADE, protocol)];
        let response = self.ask(Method::POST, url, Vec::new(), &upgrade).await?;
        if response.status() != StatusCode::SWITCHING_PROTOCOLS {
            return Err(refusal(url, response.status(), &self.read(url, response).await?));
        }
        response.upgrade().await.map(Link::new).map_err(|error| unreachable(url, &error))
    }

    async fn bytes(&self, method: Method, url: &str, body: Vec<u8>) -> Result<Vec<u8>, WireError> {
        let response = self.ask(method, url, body, &[]).await?;
        let status = response.status();
        let answer = self.read(url, response).await?;
        match status.is_success() {
            true => Ok(answer),
            false => Err(refusal(url, status, &answer)),
        }
    }

    async fn ask(
        &self,
        method: Method,
        url: &str,
        body: Vec<u8>,
        headers: &[(HeaderName, &'static str)],
    ) -> Result<Response, WireError> {
        let target = Url::parse(url).map_err(|_| WireError::BadUrl(url.to_owned()))?;
        let mut request = self.http.request(method.clone(), target.clone()).timeout(self.timeout);
        if let Some(key) = &self.key {
            let host = target.host_str().ok_or_else(|| WireError::BadUrl(url.to_owned()))?;
            let authority = target.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
            let parts = RequestParts {
                method: method.as_str(),
                authority: &authority,
                path: target.path(),
                query: target.query().unwrap_or(""),
                body: &body,
            };
            let nonce = Alphanumeric.sample_string(&mut rand::rng(), 24);
            let headers = sign(key, &parts, unix_now(), nonce);
            request = request
                .header("content-digest", headers.content_digest)
                .header("signature-input", headers.signature_input)
                .header("signature", headers.signature);
        }
        for (name, value) in headers {
            request = request.header(name, *value);
        }
        request.body(body).send().await.map_err(|error| unreachable(url, &error))
    }

    async fn read(&self, url: &str, mut response: Response) -> Result<Vec<u8>, WireError> {
        let mut answer = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| unreachable(url, &error))? {
            if answer.len() + chunk.len() > self.max_answer_bytes {
                let reason = format!("longer than {} bytes", self.max_answer_bytes);
                return Err(WireError::BadAnswer { url: url.to_owned(), reason });
            }
            answer.extend_from_slice(&chunk);
        }
        Ok(answer)
    }
}

fn refusal(url: &str, status: StatusCode, answer: &[u8]) -> WireError {
    let refusal = serde_json::from_slice::<ApiError>(answer).unwrap_or_else(|_| {
        ApiError::new(status, format!("HTTP {status}"), "is this the address of a Millrace daemon?")
    });
    WireError::Refused { url: url.to_owned(), refusal: ApiError { status: status.as_u16(), ..refusal } }
}

fn unreachable(url: &str, error: &reqwest::Error) -> WireError {
    WireError::Unreachable { url: url.to_owned(), reason: root_cause(error) }
}

fn json<T: DeserializeOwned>(url: &str, bytes: &[u8]) -> Result<T, WireError> {
    serde_json::from_slice(bytes)
        .map_err(|error| WireError::BadAnswer { url: url.to_owned(), reason: error.to_string() })
}

/// The innermost reason: "connection refused" rather than "error sending request".
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
