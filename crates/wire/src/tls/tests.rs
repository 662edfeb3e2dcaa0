//! Handshakes in memory: who holds the key, who only shows it, and who has another.

use base64::engine::general_purpose::STANDARD as BASE64;
use base64::Engine;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConnection, ServerConnection};

use super::*;

/// A proxy's certificate of an EC key, as `openssl req -x509 -newkey ec` makes it, and that key: for tests only.
const CERTIFICATE: &str =
    "MIIBhTCCASugAwIBAgIUWxdXs7Q/Q1xnGIuq5SJC8UIxtCwwCgYIKoZIzj0EAwIwGDEWMBQGA1UEAwwNcHJveHkuZXhhbXBsZTAeFw0yNjExMzAx\
     MzEwNDRaFw0zNjExMjcxMzEwNDRaMBgxFjAUBgNVBAMMDXByb3h5LmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAARH6T37ne5z9IOU\
     Fx8JvYf3xM8jGSVBknlFSOQksM7U0vaOa7Cj6BILKZ34bD/oXQklcdT2cuscRUsf87tz//A5o1MwUTAdBgNVHQ4EFgQUkwyTWsAMUJXMTzePchE1\
     QCoex/AwHwYDVR0jBBgwFoAUkwyTWsAMUJXMTzePchE1QCoex/AwDwYDVR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiAmeU25CBS8cM3N\
     jM4sznWUEn2/0eZ2OZywxLJbux3aYwIhAJHSawsfdvl7STAOE4PQlhobMi0+zgRmXJvfWOh6k0Lu";
const CERTIFIED_KEY: &str =
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg4JXsAErnvsnXuFpWvOzPo+vCX5raJSLKjKsz643GcKKhRANCAARH6T37ne5z9IOU\
     Fx8JvYf3xM8jGSVBknlFSOQksM7U0vaOa7Cj6BILKZ34bD/oXQklcdT2cuscRUsf87tz//A5";
/// By `openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum`.
const SPKI_HASH: &str = "65a370516d4ae36a90a5d2f75e079537913658b23e8e96c6327269a1352daa5e";

fn key(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

fn pin(seed: u8) -> Pin {
    Pin::Key(key(seed).verifying_key().to_bytes())
}

fn proxys_pin() -> Pin {
    Pin::SpkiHash(hex::decode(SPKI_HASH).unwrap().try_into().unwrap())
}

/// A server that shows the proxy's certificate.
fn proxy() -> Arc<ServerConfig> {
    let decoded = |text| BASE64.decode(text).unwrap();
    let key = PrivateKeyDer::Pkcs8(decoded(CERTIFIED_KEY).into());
    let config = ServerConfig::builder_with_provider(PROVIDER.clone()).with_protocol_versions(&[&TLS13]).unwrap();
    let config = config.with_no_client_auth().with_single_cert(vec![decoded(CERTIFICATE).into()], key);
    Arc::new(config.unwrap())
}

/// A server that shows one key and signs with another.
fn liar(shown: &SigningKey, held: &SigningKey) -> Arc<ServerConfig> {
    let signer =
        ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(held.to_pkcs8_der().unwrap().as_bytes())).unwrap();
    let shown = shown.verifying_key().to_public_key_der().unwrap().into_vec();
    let identity = Arc::new(CertifiedKey::new(vec![CertificateDer::from(shown)], signer));
    let config = ServerConfig::builder_with_provider(PROVIDER.clone()).with_protocol_versions(&[&TLS13]).unwrap();
    let config = config.with_no_client_auth();
    Arc::new(config.with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(identity))))
}

/// What the client says to this server; the server must then know as much.
fn handshake(pin: Pin, server: Arc<ServerConfig>) -> Result<(), Error> {
    let name = ServerName::try_from("127.0.0.1").unwrap();
    let mut client = ClientConnection::new(Arc::new(client_config(pin).unwrap()), name).unwrap();
    let mut server = ServerConnection::new(server).unwrap();
    while client.is_handshaking() || server.is_handshaking() {
        let mut flight = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut flight).unwrap();
        }
        server.read_tls(&mut flight.as_slice()).unwrap();
        server.process_new_packets()?;
        let mut flight = Vec::new();
        while server.wants_write() {
            server.write_tls(&mut flight).unwrap();
        }
        client.read_tls(&mut flight.as_slice()).unwrap();
        if let Err(error) = client.process_new_packets() {
            assert!(server.is_handshaking(), "the server takes no request before the client knows who it is");
            return Err(error);
        }
    }
    Ok(())
}

fn is_wrong_key(outcome: Result<(), Error>) -> bool {
    matches!(outcome, Err(Error::Other(OtherError(cause))) if cause.is::<WrongKey>())
}

#[test]
fn the_holder_of_the_key_on_chain_is_talked_to_and_nobody_else() {
    let server = server_config(&key(1)).unwrap();
    handshake(pin(1), server.clone()).unwrap();
    assert!(is_wrong_key(handshake(pin(2), server)));
}

#[test]
fn a_key_that_is_shown_and_not_held_is_refused() {
    handshake(pin(1), liar(&key(1), &key(1))).unwrap();
    let refused = handshake(pin(1), liar(&key(1), &key(2))).unwrap_err();
    assert!(matches!(refused, Error::InvalidCertificate(rustls::CertificateError::BadSignature)), "{refused:?}");
}

#[test]
fn a_proxy_is_known_by_the_hash_of_its_key_and_not_by_its_certificate() {
    handshake(proxys_pin(), proxy()).unwrap();
    assert!(is_wrong_key(handshake(Pin::SpkiHash([7; 32]), proxy())));
}

#[test]
fn a_certificate_does_not_stand_for_a_key_on_chain_nor_a_bare_key_for_a_proxy() {
    handshake(pin(1), proxy()).unwrap_err();
    let hash = Sha256::digest(key(1).verifying_key().to_public_key_der().unwrap().as_bytes()).into();
    handshake(Pin::SpkiHash(hash), server_config(&key(1)).unwrap()).unwrap_err();
}

#[test]
fn a_provider_is_known_by_its_operator_unless_it_named_a_proxy() {
    assert_eq!(Pin::of_provider([1; 32], [0; 32]), Pin::Key([1; 32]));
    assert_eq!(Pin::of_provider([1; 32], [2; 32]), Pin::SpkiHash([2; 32]));
}

#[test]
fn clients_kept_are_bounded_and_the_one_longest_unasked_goes_first() {
    let mut clients = PinnedClients::default();
    let pin_of = |number: usize| Pin::SpkiHash(Sha256::digest(number.to_le_bytes()).into());
    for number in 0..MAX_CLIENTS {
        clients.of(pin_of(number), reqwest::Client::builder).unwrap();
    }
    clients.of(pin_of(0), reqwest::Client::builder).unwrap();
    clients.of(pin_of(MAX_CLIENTS), reqwest::Client::builder).unwrap();
    assert_eq!(clients.by_pin.len(), MAX_CLIENTS);
    assert!(clients.by_pin.contains_key(&pin_of(0)) && !clients.by_pin.contains_key(&pin_of(1)));
}
