//! How bytes are written in JSON: keys in base58 as everywhere on Solana, everything else in hex.

/// `#[serde(with = "millrace_wire::encoding::base58")]` for `[u8; 32]`.
pub mod base58 {
    use serde::{de::Error, Deserialize, Deserializer, Serializer};

    /// Writes base58.
    pub fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&bs58::encode(bytes).into_string())
    }

    /// Reads base58 of exactly 32 bytes.
    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        let mut bytes = [0; 32];
        match bs58::decode(&text).onto(&mut bytes) {
            Ok(32) => Ok(bytes),
            _ => Err(D::Error::custom(format!("{text:?} is not a base58 address of 32 bytes"))),
        }
    }
}

/// `#[serde(with = "millrace_wire::encoding::hex")]` for byte arrays and vectors.
pub mod hex {
    use serde::{de::Error, Deserialize, Deserializer, Serializer};

    /// Writes lower-case hex.
    pub fn serialize<S: Serializer, T: AsRef<[u8]>>(bytes: &T, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&::hex::encode(bytes))
    }

    /// Reads hex of the length the type wants.
    pub fn deserialize<'de, D: Deserializer<'de>, T: TryFrom<Vec<u8>>>(from: D) -> Result<T, D::Error> {
        let text = String::deserialize(from)?;
        let bytes = ::hex::decode(&text).map_err(D::Error::custom)?;
        let len = bytes.len();
        T::try_from(bytes).map_err(|_| D::Error::custom(format!("{len} bytes of hex are not the length of this field")))
    }
}
