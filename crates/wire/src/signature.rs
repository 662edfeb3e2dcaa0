//! RFC 9421 signatures, one fixed form of them.
//!
//! Always these components in this order, always ed25519, always one signature named `sig1`: a verifier that accepts
//! less freedom has fewer ways to be fooled.

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use sha2::{Digest, Sha256};

const COMPONENTS: &str = r#"("@method" "@authority" "@path" "@query" "content-digest")"#;

/// What is signed of a request besides the digest of its body.
#[derive(Clone, Copy, Debug)]
pub struct RequestParts<'a> {
    /// Upper-case method.
    pub method: &'a str,
    /// `host:port` as the client addressed it.
    pub authority: &'a str,
    /// Path, beginning with `/`.
    pub path: &'a str,
    /// Query without the `?`; empty if none.
    pub query: &'a str,
}

/// The three headers of a signed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureHeaders {
    /// `Content-Digest`.
    pub content_digest: String,
    /// `Signature-Input`.
    pub signature_input: String,
    /// `Signature`.
    pub signature: String,
}

/// Who signed, when, and with what nonce.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signed {
    /// The signer.
    pub key: [u8; 32],
    /// Unix seconds by the signer's clock.
    pub created_at: i64,
    /// Random, used once.
    pub nonce: String,
}

/// Why a signature was refused.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// A header is missing or not of the one form.
    #[error("the request is not signed in the form this network uses")]
    Malformed,
    /// The signature does not fit the request.
    #[error("the signature does not fit the request")]
    WrongSignature,
}

/// `Content-Digest` of a body.
pub fn content_digest(body: &[u8]) -> String {
    format!("sha-256=:{}:", BASE64.encode(Sha256::digest(body)))
}

fn params(signed: &Signed) -> String {
    let key = bs58::encode(signed.key).into_string();
    format!(r#"{COMPONENTS};created={};nonce="{}";keyid="{key}";alg="ed25519""#, signed.created_at, signed.nonce)
}

fn base(parts: &RequestParts, digest: &str, params: &str) -> String {
    format!(
        "\"@method\": {}\n\"@authority\": {}\n\"@path\": {}\n\"@query\": ?{}\n\"content-digest\": {digest}\n\"@signature-params\": {params}",
        parts.method, parts.authority, parts.path, parts.query
    )
}

/// Signs a request with `body` at `created_at` with a fresh `nonce`.
pub fn sign(key: &SigningKey, parts: &RequestParts, body: &[u8], created_at: i64, nonce: String) -> SignatureHeaders {
    let params = params(&Signed { key: key.verifying_key().to_bytes(), created_at, nonce });
    let content_digest = content_digest(body);
    let signature = key.sign(base(parts, &content_digest, &params).as_bytes());
    SignatureHeaders {
        content_digest,
        signature_input: format!("sig1={params}"),
        signature: format!("sig1=:{}:", BASE64.encode(signature.to_bytes())),
    }
}

/// Reads a `Signature-Input` of the one form.
fn parse_input(input: &str) -> Option<Signed> {
    let rest = input.strip_prefix("sig1=")?.strip_prefix(COMPONENTS)?.strip_prefix(";created=")?;
    let (created_at, rest) = rest.split_once(";nonce=\"")?;
    let (nonce, rest) = rest.split_once("\";keyid=\"")?;
    let key = rest.strip_suffix("\";alg=\"ed25519\"")?;
    let nonce_is_sane = (16..=64).contains(&nonce.len()) && nonce.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let mut bytes = [0; 32];
    let key_is_whole = bs58::decode(key).onto(&mut bytes) == Ok(32);
    (nonce_is_sane && key_is_whole)
        .then(|| Some(Signed { key: bytes, created_at: created_at.parse().ok()?, nonce: nonce.to_owned() }))?
}

/// Checks the headers against the head of the request. That the body is the one they name is the caller's to check, with
/// [`content_digest`], and so are freshness and replay: see [`crate::server`].
///
/// # Errors
/// [`SignatureError`].
pub fn check(parts: &RequestParts, headers: &SignatureHeaders) -> Result<Signed, SignatureError> {
    let signed = parse_input(&headers.signature_input).ok_or(SignatureError::Malformed)?;
    let bytes = headers.signature.strip_prefix("sig1=:").and_then(|rest| rest.strip_suffix(':'));
    let bytes = bytes.and_then(|text| BASE64.decode(text).ok()).ok_or(SignatureError::Malformed)?;
    let signature = Signature::from_slice(&bytes).map_err(|_| SignatureError::Malformed)?;
    // Rebuilt from what was read, so a second way to write the same parameters does not verify.
    let base = base(parts, &headers.content_digest, &params(&signed));
    VerifyingKey::from_bytes(&signed.key)
        .and_then(|key| key.verify_strict(base.as_bytes(), &signature))
        .map_err(|_| SignatureError::WrongSignature)?;
    Ok(signed)
}
