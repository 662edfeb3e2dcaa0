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
