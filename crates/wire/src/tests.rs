//! A real server on loopback, and requests that are honest, altered, replayed, stale, misdirected, too big or too slow.

use std::time::Duration;

use axum::routing::post;
use axum::{middleware, Json, Router};
use ed25519_dalek::SigningKey;
use serde_json::{json, Value};

use crate::server::unix_now;
use crate::signature::{sign, RequestParts, SignatureHeaders};
use crate::{verify, Sealed, SignedClient, Verified, VerifierState, WireError};

const MAX_BODY: usize = 1_000;

async fn start() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let authority = listener.local_addr().unwrap().to_string();
    let mut state = VerifierState::new(authority.clone(), MAX_BODY);
    state.body_timeout = Duration::from_millis(300);
    let echo = |verified: Verified, body: axum::body::Bytes| async move {
        Json(json!({ "key": bs58::encode(verified.key).into_string(), "bytes": body.len() }))
    };
    let router = Router::new().route("/v1/echo", post(echo)).layer(middleware::from_fn_with_state(state, verify));
    tokio::spawn(async move { axum::serve(listener, router).await });
    authority
}

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn signed_for(authority: &str, body: &[u8], created_at: i64, nonce: &str) -> SignatureHeaders {
    let parts = RequestParts { method: "POST", authority, path: "/v1/echo", query: "" };
    sign(&key(1), &parts, body, created_at, nonce.to_owned())
}

async fn send(authority: &str, headers: &SignatureHeaders, body: Vec<u8>) -> u16 {
    reqwest::Client::new()
        .post(format!("http://{authority}/v1/echo"))
        .header("content-digest", &headers.content_digest)
        .header("signature-input", &headers.signature_input)
        .header("signature", &headers.signature)
        .body(body)
        .send()
        .await
        .unwrap()
        .status()
        .as_u16()
}

#[tokio::test]
async fn a_signed_request_arrives_with_its_signer() {
    let authority = start().await;
    let client = SignedClient::new(key(1), Duration::from_secs(5)).unwrap();
    let answer: Value = client.post_bytes(&format!("http://{authority}/v1/echo"), vec![7; 10]).await.unwrap();
    assert_eq!(answer["key"], bs58::encode(key(1).verifying_key().to_bytes()).into_string());
    assert_eq!(answer["bytes"], 10);
}

#[tokio::test]
async fn an_unsigned_request_is_refused_with_what_would_be_right() {
    let authority = start().await;
    let client = SignedClient::unsigned(Duration::from_secs(5)).unwrap();
    let refusal = client.post_bytes::<Value>(&format!("http://{authority}/v1/echo"), vec![]).await.unwrap_err();
    assert_eq!(refusal.status(), Some(401));
    assert!(refusal.to_string().contains("sign the request"), "{refusal}");
}

#[tokio::test]
async fn a_replayed_request_is_refused() {
    let authority = start().await;
    let headers = signed_for(&authority, b"once", unix_now(), "aaaaaaaaaaaaaaaa");
    assert_eq!(send(&authority, &headers, b"once".to_vec()).await, 200);
    assert_eq!(send(&authority, &headers, b"once".to_vec()).await, 401);
}

#[tokio::test]
async fn a_request_signed_for_another_host_is_refused() {
    let (one, other) = (start().await, start().await);
    let headers = signed_for(&one, b"x", unix_now(), "bbbbbbbbbbbbbbbb");
    assert_eq!(send(&other, &headers, b"x".to_vec()).await, 401);
}

#[test]
fn a_request_is_signed_for_its_port_even_where_the_url_leaves_it_out() {
    for (url, authority) in [
        ("https://oracle.example", "oracle.example:443"),
        ("https://oracle.example:443/v1/health", "oracle.example:443"),
        ("http://oracle.example/", "oracle.example:80"),
        ("http://[::1]:9101/", "[::1]:9101"),
    ] {
        assert_eq!(crate::client::authority(&url.parse().unwrap()).as_deref(), Some(authority), "{url}");
    }
}

#[tokio::test]
async fn a_stale_or_early_request_is_refused() {
    let authority = start().await;
    for (offset, nonce) in [(-31, "cccccccccccccccc"), (32, "dddddddddddddddd")] {
        let headers = signed_for(&authority, b"x", unix_now() + offset, nonce);
        assert_eq!(send(&authority, &headers, b"x".to_vec()).await, 401, "{offset} s off");
    }
}

#[tokio::test]
async fn an_altered_body_or_header_is_refused() {
    let authority = start().await;
    let headers = signed_for(&authority, b"pay 1", unix_now(), "eeeeeeeeeeeeeeee");
    assert_eq!(send(&authority, &headers, b"pay 9".to_vec()).await, 401);
    let forged = SignatureHeaders { content_digest: crate::signature::content_digest(b"pay 9"), ..headers.clone() };
    assert_eq!(send(&authority, &forged, b"pay 9".to_vec()).await, 401);
    let other_key = bs58::encode(key(2).verifying_key().to_bytes()).into_string();
    let own_key = bs58::encode(key(1).verifying_key().to_bytes()).into_string();
    let stolen = SignatureHeaders { signature_input: headers.signature_input.replace(&own_key, &other_key), ..headers };
    assert_eq!(send(&authority, &stolen, b"pay 1".to_vec()).await, 401);
}

#[tokio::test]
async fn a_huge_body_is_refused_and_a_slow_one_cut_off() {
    let authority = start().await;
    let huge = vec![0; MAX_BODY + 1];
    let headers = signed_for(&authority, &huge, unix_now(), "ffffffffffffffff");
    assert_eq!(send(&authority, &headers, huge).await, 413);

    use tokio::io::AsyncReadExt;
    let headers = signed_for(&authority, b"slow", unix_now(), "gggggggggggggggg");
    let mut stream = drip(&authority, &headers, 4).await;
    let mut answer = [0; 12];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}

/// Opens a request of `content_length` bytes, of which one is sent, and returns the connection.
async fn drip(authority: &str, headers: &SignatureHeaders, content_length: usize) -> tokio::net::TcpStream {
    use tokio::io::AsyncWriteExt;
    let mut stream = tokio::net::TcpStream::connect(authority).await.unwrap();
    let head = format!(
        "POST /v1/echo HTTP/1.1\r\nhost: {authority}\r\ncontent-length: {content_length}\r\ncontent-digest: {}\r\nsignature-input: {}\r\nsignature: {}\r\n\r\ns",
        headers.content_digest, headers.signature_input, headers.signature
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

/// The status of what is answered within 200 ms, before which no body times out.
async fn status_at_once(stream: &mut tokio::net::TcpStream) -> Option<String> {
    use tokio::io::AsyncReadExt;
    let mut answer = [0; 12];
    let read = tokio::time::timeout(Duration::from_millis(200), stream.read_exact(&mut answer)).await;
    read.ok().map(|read| read.map(|_| String::from_utf8_lossy(&answer[9..]).into_owned()).unwrap())
}

#[tokio::test]
async fn a_forged_or_too_long_request_is_refused_before_its_body_arrives() {
    let authority = start().await;
    let honest = signed_for(&authority, b"slow", unix_now(), "hhhhhhhhhhhhhhhh");
    let forged = SignatureHeaders { content_digest: crate::signature::content_digest(b"else"), ..honest.clone() };
    assert_eq!(status_at_once(&mut drip(&authority, &forged, 4).await).await.as_deref(), Some("401"));
    assert_eq!(status_at_once(&mut drip(&authority, &honest, 4).await).await, None, "an honest one is waited for");
    let long = signed_for(&authority, b"long", unix_now(), "iiiiiiiiiiiiiiii");
    assert_eq!(status_at_once(&mut drip(&authority, &long, MAX_BODY + 1).await).await.as_deref(), Some("413"));
}

#[tokio::test]
async fn one_key_that_drips_many_bodies_holds_up_no_other() {
    let authority = start().await;
    let mut dripping = Vec::new();
    for number in 10..18 {
        let headers = signed_for(&authority, b"slow", unix_now(), &format!("jjjjjjjjjjjjjj{number}"));
        dripping.push(drip(&authority, &headers, 4).await);
    }
    assert_eq!(status_at_once(dripping.last_mut().unwrap()).await, None);
    let headers = signed_for(&authority, b"more", unix_now(), "kkkkkkkkkkkkkkkk");
    assert_eq!(send(&authority, &headers, b"more".to_vec()).await, 429);
    let other = SignedClient::new(key(2), Duration::from_secs(5)).unwrap();
    other.post_bytes::<Value>(&format!("http://{authority}/v1/echo"), vec![7; 10]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let headers = signed_for(&authority, b"more", unix_now(), "llllllllllllllll");
    assert_eq!(send(&authority, &headers, b"more".to_vec()).await, 200, "the slow ones were cut off");
}

#[tokio::test]
async fn a_daemon_that_is_down_is_named() {
    let client = SignedClient::new(key(1), Duration::from_secs(2)).unwrap();
    let error = client.get::<Value>("http://127.0.0.1:1/v1/health").await.unwrap_err();
    assert!(matches!(error, WireError::Unreachable { .. }));
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[test]
fn a_seal_holds_only_for_its_domain_key_and_text() {
    let sealed = Sealed::seal(&key(1), "here", &json!({ "phase": "running" })).unwrap();
    let own = key(1).verifying_key().to_bytes();
    assert_eq!(sealed.open::<Value>("here", &own).unwrap()["phase"], "running");
    assert!(sealed.open::<Value>("there", &own).is_err());
    assert!(sealed.open::<Value>("here", &key(2).verifying_key().to_bytes()).is_err());
    let altered = Sealed { text: sealed.text.replace("running", "exited"), ..sealed };
    assert!(altered.open::<Value>("here", &own).is_err());
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_verifier_panic(input: String, signature: String, body: Vec<u8>) {
        let headers = SignatureHeaders { content_digest: crate::signature::content_digest(&body), signature_input: input, signature };
        let parts = RequestParts { method: "POST", authority: "a", path: "/", query: "" };
        proptest::prop_assert!(crate::signature::check(&parts, &headers).is_err());
    }
}
