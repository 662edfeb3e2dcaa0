//! URLs of agents and oracles as accounts keep them: UTF-8, padded with zeros.

use millrace::constants::ENDPOINT_LEN;

/// A URL the program would refuse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" cannot be an endpoint; it must be an http:// or https:// URL of printable ASCII, at most {ENDPOINT_LEN} bytes")]
pub struct BadEndpoint(String);

/// Pads a URL for an account.
///
/// # Errors
/// [`BadEndpoint`] for what the program would refuse.
pub fn to_bytes(url: &str) -> Result<[u8; ENDPOINT_LEN], BadEndpoint> {
    let host = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    let fits = url.len() <= ENDPOINT_LEN && url.bytes().all(|byte| byte.is_ascii_graphic());
    if !fits || host.is_none_or(str::is_empty) {
        return Err(BadEndpoint(url.to_string()));
    }
    let mut bytes = [0; ENDPOINT_LEN];
    bytes[..url.len()].copy_from_slice(url.as_bytes());
    Ok(bytes)
}

/// Reads a URL out of an account. `None` when it is empty or not UTF-8.
pub fn from_bytes(bytes: &[u8; ENDPOINT_LEN]) -> Option<String> {
    let len = bytes.iter().position(|byte| *byte == 0).unwrap_or(ENDPOINT_LEN);
    let url = std::str::from_utf8(&bytes[..len]).ok()?;
    (!url.is_empty()).then(|| url.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_reads_back_as_it_was_written() {
        let longest = format!("https://{}", "a".repeat(ENDPOINT_LEN - 8));
        for url in ["http://127.0.0.1:8080", "https://agent.example", longest.as_str()] {
            assert_eq!(from_bytes(&to_bytes(url).unwrap()).as_deref(), Some(url));
        }
    }

    #[test]
    fn what_the_program_refuses_is_refused_here() {
        let too_long = format!("https://{}", "a".repeat(ENDPOINT_LEN - 7));
        for url in ["", "http://", "ftp://x", "agent.example", "http://a b", "http://ü", too_long.as_str()] {
            assert!(to_bytes(url).is_err(), "{url}");
        }
        assert_eq!(from_bytes(&[0; ENDPOINT_LEN]), None);
    }
}
