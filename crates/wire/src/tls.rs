//! TLS between daemons, where who is at the other end is a key from the chain and nothing else: no authority, name or date.
//!
//! A daemon proves to hold the key it is registered with, which it shows raw instead of a certificate (RFC 7250): there is
//! nothing more to register, and a key that is rotated on chain is rotated here. TLS 1.3 signs its handshake behind 64
//! spaces and a text of its own, so that signature is good for nothing else that is signed with the key.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock};

use ed25519_dalek::pkcs8::{DecodePublicKey, EncodePrivateKey, EncodePublicKey};
use ed25519_dalek::{SigningKey, VerifyingKey};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::Resumption;
use rustls::crypto::{ring, verify_tls13_signature, verify_tls13_signature_with_raw_key, CryptoProvider};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::server::{AlwaysResolvesServerRawPublicKeys, NoServerSessionStorage, ParsedCertificate};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use rustls::{ClientConfig, DigitallySignedStruct, Error, OtherError, PeerIncompatible, ServerConfig, SignatureScheme};
use sha2::{Digest, Sha256};

/// HTTP clients kept, one for each pin. What an oracle polls every second should fit.
const MAX_CLIENTS: usize = 1_024;

static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| Arc::new(ring::default_provider()));

/// Who must be at the other end of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Pin {
    /// Whoever holds this ed25519 key: the daemon itself.
    Key([u8; 32]),
    /// Whoever holds the key with this sha256 of its SubjectPublicKeyInfo, shown in a certificate: a proxy before it.
    SpkiHash([u8; 32]),
}

impl Pin {
    /// That of a provider by its account: the operator's `key`, unless `tls_spki_hash` names a proxy's.
    pub fn of_provider(key: [u8; 32], tls_spki_hash: [u8; 32]) -> Self {
        match tls_spki_hash == [0; 32] {
            true => Self::Key(key),
            false => Self::SpkiHash(tls_spki_hash),
        }
    }

    fn admits(&self, shown: &CertificateDer) -> Result<bool, Error> {
        Ok(match self {
            Self::Key(key) => VerifyingKey::from_public_key_der(shown).is_ok_and(|shown| shown.to_bytes() == *key),
            Self::SpkiHash(hash) => {
                let key = ParsedCertificate::try_from(shown)?.subject_public_key_info();
                *hash == <[u8; 32]>::from(Sha256::digest(key))
            }
        })
    }
}

/// Why a connection was given up before anything was sent.
#[derive(Debug, thiserror::Error)]
#[error("it has another key than the one registered on chain")]
struct WrongKey;

#[derive(Debug)]
struct PinVerifier(Pin);

impl ServerCertVerifier for PinVerifier {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer,
        _intermediates: &[CertificateDer],
        _name: &ServerName,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match self.0.admits(shown)? {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(Error::Other(OtherError(Arc::new(WrongKey)))),
        }
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _shown: &CertificateDer,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Err(PeerIncompatible::Tls12NotOfferedOrEnabled.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        shown: &CertificateDer,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        let algorithms = &PROVIDER.signature_verification_algorithms;
        match self.0 {
            Pin::Key(_) => {
                let key = SubjectPublicKeyInfoDer::from(shown.as_ref());
                verify_tls13_signature_with_raw_key(message, &key, signed, algorithms)
            }
            Pin::SpkiHash(_) => verify_tls13_signature(message, shown, signed, algorithms),
        }
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        match self.0 {
            Pin::Key(_) => vec![SignatureScheme::ED25519],
            Pin::SpkiHash(_) => PROVIDER.signature_verification_algorithms.supported_schemes(),
        }
    }

    fn requires_raw_public_keys(&self) -> bool {
        matches!(self.0, Pin::Key(_))
    }
}

/// What a client connects with. Each connection proves the key anew.
///
/// # Errors
/// When the library was built without what TLS 1.3 needs.
fn client_config(pin: Pin) -> Result<ClientConfig, Error> {
    let mut config = ClientConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(&[&TLS13])?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(PinVerifier(pin)))
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// What a daemon answers with that is registered under `key`.
///
/// # Errors
/// When the library was built without what TLS 1.3 needs.
pub fn server_config(key: &SigningKey) -> Result<Arc<ServerConfig>, Error> {
    let encoded = |error: &dyn std::fmt::Display| Error::General(format!("the key cannot be written as DER: {error}"));
    let shown = key.verifying_key().to_public_key_der().map_err(|error| encoded(&error))?.into_vec();
    let secret = key.to_pkcs8_der().map_err(|error| encoded(&error))?;
    let signer = ring::sign::any_eddsa_type(&PrivatePkcs8KeyDer::from(secret.as_bytes()))?;
    let identity = Arc::new(CertifiedKey::new(vec![CertificateDer::from(shown)], signer));
    let mut config = ServerConfig::builder_with_provider(PROVIDER.clone())
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(AlwaysResolvesServerRawPublicKeys::new(identity)));
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

/// One HTTP client for each pin: within one, connections are told apart by host and port, and a key may move to
/// another's.
#[derive(Default)]
pub(crate) struct PinnedClients {
    by_pin: HashMap<Pin, (reqwest::Client, u64)>,
    asked: u64,
}

impl PinnedClients {
    /// The client for `pin`, made of `builder` if there is none yet.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn of(
        &mut self,
        pin: Pin,
        builder: impl FnOnce() -> reqwest::ClientBuilder,
    ) -> Result<reqwest::Client, String> {
        self.asked += 1;
        if let Some((client, asked)) = self.by_pin.get_mut(&pin) {
            *asked = self.asked;
            return Ok(client.clone());
        }
        let config = client_config(pin).map_err(|error| error.to_string())?;
        let client = builder().use_preconfigured_tls(config).build().map_err(|error| error.to_string())?;
        if self.by_pin.len() >= MAX_CLIENTS {
            let longest_unasked = self.by_pin.iter().min_by_key(|(_, (_, asked))| *asked).map(|(pin, _)| *pin);
            longest_unasked.and_then(|pin| self.by_pin.remove(&pin));
        }
        self.by_pin.insert(pin, (client.clone(), self.asked));
        Ok(client)
    }
}

#[cfg(test)]
mod tests;
