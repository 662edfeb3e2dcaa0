//! Reading what people type, with an answer that says what would be right.

use millrace_client::amount::parse_mill;
use millrace_client::Pubkey;

/// An address in base58.
pub fn address(text: &str) -> Result<Pubkey, String> {
    text.parse().map_err(|_| format!("{text:?} is not an address: 32 bytes in base58, 32 to 44 characters"))
}

/// An amount of MILL as base units.
pub fn amount(text: &str) -> Result<u64, String> {
    let amount = parse_mill(text).map_err(|error| error.to_string())?;
    if amount == 0 {
        return Err("the amount is zero; give more, such as 12.5".into());
    }
    Ok(amount)
}

/// A price in MILL a second as base units a second; zero is allowed.
pub fn price(text: &str) -> Result<u64, String> {
    parse_mill(text).map_err(|error| error.to_string())
}

/// A time span as seconds: `90`, `90s`, `15m`, `12h` or `30d`.
pub fn time(text: &str) -> Result<i64, String> {
    let (number, unit_secs) = match text.char_indices().next_back() {
        Some((at, 's')) => (&text[..at], 1),
        Some((at, 'm')) => (&text[..at], 60),
        Some((at, 'h')) => (&text[..at], 3_600),
        Some((at, 'd')) => (&text[..at], 86_400),
        _ => (text, 1),
    };
    let secs = number.parse::<u32>().ok().map(|number| i64::from(number) * unit_secs);
    secs.filter(|secs| *secs > 0).ok_or_else(|| format!("{text:?} is no time; write seconds, or such as 15m, 12h, 30d"))
}

/// A region code.
pub fn region(text: &str) -> Result<u8, String> {
    match text.parse() {
        Ok(code) if code < 64 => Ok(code),
        _ => Err(format!("{text:?} is not a region: a number from 0 to 63")),
    }
}

/// An `http://` or `https://` URL, padded as accounts keep it.
pub fn endpoint(text: &str) -> Result<[u8; millrace::constants::ENDPOINT_LEN], String> {
    millrace_client::endpoint::to_bytes(text).map_err(|error| error.to_string())
}

/// What a provider that answers TLS itself gives for a hash.
const OPERATOR: &str = "operator";

/// sha256 of a TLS public key, or zeros for the operator's own.
pub fn tls_key(text: &str) -> Result<[u8; 32], String> {
    if text == OPERATOR {
        return Ok([0; 32]);
    }
    let hash = hex::decode(text).ok().and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    hash.filter(|hash| *hash != [0; 32])
        .ok_or_else(|| format!("{text:?} is neither \"{OPERATOR}\" nor a sha256: 64 hexadecimal digits"))
}

/// How [`tls_key`] is written.
pub fn tls_key_name(hash: &[u8; 32]) -> String {
    if *hash == [0; 32] {
        OPERATOR.into()
    } else {
        hex::encode(hash)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tls_key_reads_back_as_it_is_shown() {
        for hash in [[0; 32], [7; 32]] {
            assert_eq!(tls_key(&tls_key_name(&hash)), Ok(hash));
        }
        for wrong in ["", "07", &"00".repeat(32), &"7".repeat(63), "Operator"] {
            assert!(tls_key(wrong).unwrap_err().contains("64 hexadecimal digits"), "{wrong}");
        }
    }

    #[test]
    fn times_have_units() {
        assert_eq!(
            ["90", "90s", "15m", "12h", "30d"].map(|text| time(text).unwrap()),
            [90, 90, 900, 43_200, 2_592_000]
        );
        for wrong in ["", "d", "0", "-1d", "1.5h", "1w", "5é"] {
            assert!(time(wrong).is_err(), "{wrong}");
        }
    }
}
