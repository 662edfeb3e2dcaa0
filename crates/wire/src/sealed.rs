//! An answer that can be shown to others: its text, who said it, and the signature.

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// JSON text signed behind a domain tag, so that what was said in one place cannot be shown in another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// The JSON, exactly as signed.
    pub text: String,
    /// Who signed.
    #[serde(with = "crate::encoding::base58")]
    pub key: [u8; 32],
    /// ed25519 over `domain ‖ 0x00 ‖ text`.
    #[serde(with = "crate::encoding::hex")]
    pub signature: Vec<u8>,
}

/// Why a seal was refused.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Signed by another key.
    #[error("the answer is signed by another key than the one registered on chain")]
    WrongKey,
    /// The signature does not fit the text.
    #[error("the answer's signature does not fit its text")]
    WrongSignature,
    /// The text is not what was asked for.
    #[error("the answer is not what was asked for: {0}")]
    WrongContent(#[from] serde_json::Error),
}

fn message(domain: &str, text: &str) -> Vec<u8> {
    [domain.as_bytes(), &[0], text.as_bytes()].concat()
}

impl Sealed {
    /// Signs `content` for `domain`.
    ///
    /// # Errors
    /// When `content` cannot be written as JSON.
    pub fn seal<T: Serialize>(key: &SigningKey, domain: &str, content: &T) -> Result<Self, serde_json::Error> {
        let text = serde_json::to_string(content)?;
        let signature = key.sign(&message(domain, &text)).to_bytes().to_vec();
        Ok(Self { text, key: key.verifying_key().to_bytes(), signature })
    }

    /// The content, if `key` signed it for `domain`.
    ///
    /// # Errors
    /// [`SealError`].
    pub fn open<T: DeserializeOwned>(&self, domain: &str, key: &[u8; 32]) -> Result<T, SealError> {
        if self.key != *key {
            return Err(SealError::WrongKey);
        }
        let signature = Signature::from_slice(&self.signature).map_err(|_| SealError::WrongSignature)?;
        VerifyingKey::from_bytes(key)
            .and_then(|key| key.verify_strict(&message(domain, &self.text), &signature))
            .map_err(|_| SealError::WrongSignature)?;
        Ok(serde_json::from_str(&self.text)?)
    }
}
