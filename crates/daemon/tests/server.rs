//! The server of a daemon on loopback, and clients that are honest, slow, mistaken or too many.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::Request;
use axum::routing::{get, post};
use axum::Router;
use ed25519_dalek::SigningKey;
use millrace_daemon::server::{Limits, Server};
use millrace_wire::link::accept;
use millrace_wire::tls::server_config;
use millrace_wire::{Pin, SignedClient, WireError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Far longer than any limit set here, far shorter than any client's patience.
const SOON: Duration = Duration::from_secs(5);

const ECHO: &str = "millrace-test-echo";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn pin(seed: u8) -> Pin {
    Pin::Key(key(seed).verifying_key().to_bytes())
}

fn client() -> SignedClient {
    SignedClient::new(key(9), Duration::from_secs(20)).unwrap()
}

fn short() -> Limits {
    let millis = Duration::from_millis(300);
    Limits { handshake_within: millis, head_within: millis, write_within: millis, ..Limits::default() }
}

struct Running {
    address: String,
    asked: Arc<AtomicUsize>,
    _stop: DropGuard,
}

/// A daemon with key 1: answers with its number of requests so far, echoes, and has more to say than a socket holds.
async fn start(limits: Limits) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let echo = |mut request: Request| async move {
        accept(&mut request, ECHO, |mut link| {
            let mut word = [0; 5];
            std::io::Read::read_exact(&mut link, &mut word).unwrap();
            std::io::Write::write_all(&mut link, &word).unwrap();
            std::io::Write::flush(&mut link).unwrap();
        })
    };
    let routes = Router::new()
        .route("/count", get(move || async move { (count.fetch_add(1, Ordering::Relaxed) + 1).to_string() }))
        .route("/long", get(|| async { vec![7u8; 64 << 20] }))
        .route("/link", post(echo));
    let server = Server { limits, ..Server::new(routes, server_config(&key(1)).unwrap()) };
    let stop = CancellationToken::new();
    tokio::spawn(server.run(listener, stop.clone()));
    Running { address, asked, _stop: stop.drop_guard() }
}

/// What comes until the other side hangs up, which must be soon.
async fn until_hung_up(stream: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(SOON, stream.read_to_end(&mut bytes)).await;
    // A reset is a hang-up too.
    let _ = read.expect("the server should have hung up");
    bytes
}

#[tokio::test]
async fn one_port_speaks_tls_and_plain_http() {
    let server = start(Limits::default()).await;
    let asker = client().pinned(pin(1));
    for (scheme, count) in [("https", 1), ("http", 2), ("https", 3)] {
        let said: usize = asker.get(&format!("{scheme}://{}/count", server.address)).await.unwrap();
        assert_eq!(said, count, "{scheme}");
    }
}

#[tokio::test]
async fn a_daemon_with_another_key_gets_not_a_byte_of_the_request() {
    let server = start(Limits::default()).await;
    let url = format!("https://{}/count", server.address);
    let error = client().pinned(pin(2)).get::<usize>(&url).await.unwrap_err();
    assert!(error.to_string().contains("another key than the one registered on chain"), "{error}");
    // The key of one daemon opens no connection that was made to another.
    client().pinned(pin(1)).get::<usize>(&url).await.unwrap();
    client().pinned(pin(2)).get::<usize>(&url).await.unwrap_err();
    assert_eq!(server.asked.load(Ordering::Relaxed), 1);

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/count", listener.local_addr().unwrap());
    let acceptor = tokio_rustls::TlsAcceptor::from(server_config(&key(1)).unwrap());
    let impostor = async {
        let (stream, _) = listener.accept().await.unwrap();
        acceptor.accept(stream).await.map(drop)
    };
    let asker = client().pinned(pin(2));
    let (heard, answer) = tokio::join!(impostor, asker.get::<usize>(&url));
    assert!(heard.is_err() && answer.is_err(), "the client hangs up within the handshake");
}

#[tokio::test]
async fn without_a_key_from_the_chain_nobody_is_asked_over_tls() {
    let server = start(Limits::default()).await;
    let error = client().get::<usize>(&format!("https://{}/count", server.address)).await.unwrap_err();
    assert!(matches!(error, WireError::NoPin(_)), "{error}");
    assert!(error.to_string().contains("the key its daemon has on chain"), "{error}");
}

#[tokio::test]
async fn a_stock_client_that_wants_a_certificate_gets_an_error_and_no_hang() {
    let server = start(Limits::default()).await;
    let asked = reqwest::get(format!("https://{}/count", server.address));
    assert!(tokio::time::timeout(SOON, asked).await.unwrap().is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_grown_out_of_a_request_works_over_tls() {
    let server = start(Limits::default()).await;
    let url = format!("https://{}/link", server.address);
    let mut link = client().pinned(pin(1)).connect(&url, ECHO).await.unwrap();
    let echoed = tokio::task::spawn_blocking(move || {
        let mut word = [0; 5];
        std::io::Write::write_all(&mut link, b"hello").unwrap();
        std::io::Write::flush(&mut link).unwrap();
        std::io::Read::read_exact(&mut link, &mut word).unwrap();
        word
    });
    assert_eq!(&echoed.await.unwrap(), b"hello");
}

#[tokio::test]
async fn who_sends_nothing_or_half_a_handshake_or_half_a_head_is_cut_off() {
    let server = start(short()).await;
    for sent in [&b""[..], &[0x16, 3, 1, 2, 0, 1], b"GET /count HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut stream = TcpStream::connect(&server.address).await.unwrap();
        stream.write_all(sent).await.unwrap();
        let answer = until_hung_up(&mut stream).await;
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{sent:?}");
    }
    assert_eq!(server.asked.load(Ordering::Relaxed), 0);
    client().pinned(pin(1)).get::<usize>(&format!("https://{}/count", server.address)).await.unwrap();
}

#[tokio::test]
async fn who_drips_a_head_is_cut_off_with_its_time() {
    let server = start(short()).await;
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    let began = Instant::now();
    stream.write_all(b"GET /count HTTP/1.1\r\nx-slow: ").await.unwrap();
    while stream.write_all(b"x").await.is_ok() {
        assert!(began.elapsed() < SOON, "it may go on for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn who_takes_nothing_of_its_answer_is_cut_off() {
    let server = start(short()).await;
    let mut stream = TcpStream::connect(&server.address).await.unwrap();
    stream.write_all(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(short().write_within * 4).await;
    let taken = until_hung_up(&mut stream).await.len();
    assert!(taken < 64 << 20, "{taken} bytes: it was all waited for");
}

#[tokio::test]
async fn a_connection_beyond_the_bound_waits_for_a_place() {
    let server = start(Limits { connections: 2, ..Limits::default() }).await;
    let held = [TcpStream::connect(&server.address).await.unwrap(), TcpStream::connect(&server.address).await.unwrap()];
    let url = format!("http://{}/count", server.address);
    tokio::time::sleep(Duration::from_millis(100)).await;
    let hurried = client().within(Duration::from_millis(300));
    assert!(hurried.get::<usize>(&url).await.is_err(), "there is no place");
    drop(held);
    assert!(client().get::<usize>(&url).await.is_ok(), "there is one");
}

#[tokio::test]
async fn a_handshake_waits_for_its_turn_no_longer_than_its_time() {
    let server = start(Limits { handshakes: 1, handshake_within: Duration::from_secs(1), ..Limits::default() }).await;
    let mut slow = TcpStream::connect(&server.address).await.unwrap();
    slow.write_all(&[0x16, 3, 1, 2, 0, 1]).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let began = Instant::now();
    let url = format!("https://{}/count", server.address);
    client().pinned(pin(1)).get::<usize>(&url).await.unwrap();
    assert!(began.elapsed() > Duration::from_millis(300), "the slow one had the only turn");
    assert_eq!(until_hung_up(&mut slow).await, b"");
}

#[tokio::test]
async fn a_daemon_that_stops_ends_what_is_open() {
    let server = start(Limits { drain_within: Duration::from_millis(300), ..Limits::default() }).await;
    let mut idle = TcpStream::connect(&server.address).await.unwrap();
    idle.write_all(b"GET /count HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    let mut begun = [0; 12];
    idle.read_exact(&mut begun).await.unwrap();
    assert_eq!(&begun, b"HTTP/1.1 200");
    let mut silent = TcpStream::connect(&server.address).await.unwrap();
    let mut unread = TcpStream::connect(&server.address).await.unwrap();
    unread.write_all(b"GET /long HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    drop(server);
    until_hung_up(&mut idle).await;
    until_hung_up(&mut silent).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert!(until_hung_up(&mut unread).await.len() < 64 << 20);
}
