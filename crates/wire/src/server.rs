//! The verifying side: a middleware that lets only signed, fresh, first-seen requests through. A request's head is judged
//! before a byte of its body is read.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::body::{to_bytes, Body, Bytes, HttpBody};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{header, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::error::ApiError;
use crate::metrics::refused;
use crate::signature::{check, content_digest, RequestParts, SignatureHeaders, Signed};

/// Nonces one key may have unexpired, and all keys together: a bound on memory, far above honest use.
const MAX_NONCES_PER_KEY: usize = 4_096;
const MAX_NONCES: usize = 65_536;

/// Bodies of one key read at once: who drips many holds up himself.
const MAX_BODIES_PER_KEY: usize = 8;

/// The key that signed a request. A handler that takes it runs only behind [`verify`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// ed25519 public key.
    pub key: [u8; 32],
}

/// What a server checks requests against.
#[derive(Clone)]
pub struct VerifierState {
    /// `host:port` clients must have addressed, so that a request to one daemon cannot be shown to another.
    pub authority: String,
    /// Largest difference between the signer's clock and ours, seconds.
    pub max_skew_secs: i64,
    /// Largest body, bytes.
    pub max_body_bytes: usize,
    /// Longest a body may take to arrive.
    pub body_timeout: Duration,
    seen: Arc<Mutex<Nonces>>,
    bodies: Arc<Mutex<HashMap<[u8; 32], usize>>>,
}

/// A body being read; dropping it makes room for another of the same key.
struct Reading {
    bodies: Arc<Mutex<HashMap<[u8; 32], usize>>>,
    key: [u8; 32],
}

impl Drop for Reading {
    fn drop(&mut self) {
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = bodies.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                bodies.remove(&self.key);
            }
        }
    }
}

#[derive(Default)]
struct Nonces {
    by_key: HashMap<[u8; 32], HashMap<String, i64>>,
    count: usize,
}

impl Nonces {
    /// Remembers a nonce until `created_at + window`. False when it was seen, or there is no room.
    fn remember(&mut self, signed: &Signed, now: i64, window_secs: i64) -> bool {
        let has_room = |nonces: &Self| {
            nonces.count < MAX_NONCES && nonces.by_key.get(&signed.key).map_or(0, HashMap::len) < MAX_NONCES_PER_KEY
        };
        if !has_room(self) {
            self.by_key.values_mut().for_each(|seen| seen.retain(|_, created_at| *created_at + window_secs >= now));
            self.by_key.retain(|_, seen| !seen.is_empty());
            self.count = self.by_key.values().map(HashMap::len).sum();
        }
        if !has_room(self) {
            return false;
        }
        let is_new =
            self.by_key.entry(signed.key).or_default().insert(signed.nonce.clone(), signed.created_at).is_none();
        self.count += usize::from(is_new);
        is_new
    }
}

impl VerifierState {
    /// A verifier for the daemon addressed as `authority` (`host:port`): 30 s of skew, `max_body_bytes`, 30 s for a body.
    pub fn new(authority: impl Into<String>, max_body_bytes: usize) -> Self {
        Self {
            authority: authority.into(),
            max_skew_secs: 30,
            max_body_bytes,
            body_timeout: Duration::from_secs(30),
            seen: Arc::default(),
            bodies: Arc::default(),
        }
    }

    /// The same verifier (and the same memory of nonces) with another limit on bodies, for one route.
    pub fn with_max_body(&self, max_body_bytes: usize) -> Self {
        Self { max_body_bytes, ..self.clone() }
    }

    fn admit(&self, parts: &RequestParts, headers: &SignatureHeaders, now: i64) -> Result<Verified, ApiError> {
        let signed = check(parts, headers).map_err(|error| {
            refused("signature");
            ApiError::unauthorized(
                error.to_string(),
                "sign method, authority, path, query and body digest as RFC 9421 says",
            )
        })?;
        if (now - signed.created_at).abs() > self.max_skew_secs {
            refused("clock");
            return Err(ApiError::unauthorized(
                format!("the request was signed at {} and it is {now} here", signed.created_at),
                format!("the two clocks must agree within {} s", self.max_skew_secs),
            ));
        }
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if !seen.remember(&signed, now, 2 * self.max_skew_secs) {
            refused("nonce");
            return Err(ApiError::unauthorized("this request was seen before", "sign each request with a new nonce"));
        }
        Ok(Verified { key: signed.key })
    }

    /// Reads the body of a request `key` signed, within the limits.
    async fn read(&self, key: [u8; 32], body: Body) -> Result<Bytes, ApiError> {
        let too_large = || {
            refused("size");
            let most = format!("at most {} bytes", self.max_body_bytes);
            ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is too large or was cut off", most)
        };
        if body.size_hint().lower() > self.max_body_bytes as u64 {
            return Err(too_large());
        }
        let _reading = self.begin(key)?;
        let bytes =
            tokio::time::timeout(self.body_timeout, to_bytes(body, self.max_body_bytes)).await.map_err(|_| {
                refused("slow");
                ApiError::new(
                    StatusCode::REQUEST_TIMEOUT,
                    "the body did not arrive in time",
                    format!("it must arrive within {} s", self.body_timeout.as_secs()),
                )
            })?;
        bytes.map_err(|_| too_large())
    }

    fn begin(&self, key: [u8; 32]) -> Result<Reading, ApiError> {
        let mut bodies = self.bodies.lock().unwrap_or_else(PoisonError::into_inner);
        let count = bodies.entry(key).or_default();
        if *count >= MAX_BODIES_PER_KEY {
            refused("rate");
            let most = format!("at most {MAX_BODIES_PER_KEY} bodies of one key arrive at once");
            return Err(ApiError::too_many("this key sends too many bodies at once", most));
        }
        *count += 1;
        Ok(Reading { bodies: Arc::clone(&self.bodies), key })
    }
}

/// Unix seconds by this machine's clock.
pub fn unix_now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Middleware: `Router::layer(axum::middleware::from_fn_with_state(state, verify))`.
pub async fn verify(State(state): State<VerifierState>, request: Request, next: Next) -> Response {
    match admit(&state, request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => refusal.into_response(),
    }
}

async fn admit(state: &VerifierState, request: Request) -> Result<Request, ApiError> {
    let (mut head, body) = request.into_parts();
    let headers = signature_headers(&head)?;
    let parts = RequestParts {
        method: head.method.as_str(),
        authority: &state.authority,
        path: head.uri.path(),
        query: head.uri.query().unwrap_or(""),
    };
    let verified = state.admit(&parts, &headers, unix_now())?;
    let body = state.read(verified.key, body).await?;
    if headers.content_digest != content_digest(&body) {
        refused("signature");
        return Err(ApiError::unauthorized("the body does not fit its Content-Digest", "sign the body that is sent"));
    }
    head.extensions.insert(verified);
    head.headers.remove(header::CONTENT_LENGTH);
    Ok(Request::from_parts(head, Body::from(body)))
}

fn signature_headers(head: &Parts) -> Result<SignatureHeaders, ApiError> {
    let text = |name: &str| {
        let mut values = head.headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok()).map(str::to_owned);
        value.filter(|_| values.next().is_none()).ok_or_else(|| {
            refused("signature");
            ApiError::unauthorized(
                format!("the request has no {name} header"),
                "sign the request with the key registered on chain",
            )
        })
    };
    Ok(SignatureHeaders {
        content_digest: text("content-digest")?,
        signature_input: text("signature-input")?,
        signature: text("signature")?,
    })
}

impl<S: Send + Sync> FromRequestParts<S> for Verified {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Verified>().copied().ok_or_else(|| {
            ApiError::unauthorized("the request is not signed", "sign the request with the key registered on chain")
        })
    }
}
