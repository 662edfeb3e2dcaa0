//! SHA-256: the syscall on chain, the `sha2` crate (SHA-NI where the processor has it) elsewhere.
// rustc's own list of operating systems lacks `solana`.
#![allow(unexpected_cfgs)]

/// SHA-256 of the concatenation of `parts`.
///
/// On chain a call costs 85 compute units plus, for each part, half its length in bytes (at least 10): pass few parts.
#[inline]
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    solana_sha256_hasher::hashv(parts).to_bytes()
}

/// Hashes the first `len` bytes of `buf` and writes the digest over `buf[at..at + 32]`, which may overlap them.
///
/// The loops that hash the same buffer with a few bytes changed (Merkle paths, matrix blocks) use this: on chain it
/// saves the copy of the digest, which costs more than the call.
#[inline(always)]
pub(crate) fn sha256_within<const N: usize>(buf: &mut [u8; N], len: usize, at: usize) {
    assert!(len <= N && at <= N && 32 <= N - at);
    #[cfg(target_os = "solana")]
    {
        let buf = buf.as_mut_ptr();
        // A part as the syscall reads it: address and length.
        let part = [buf as u64, len as u64];
        // SAFETY: the assertion keeps both ranges inside the buffer. The syscall reads the whole message before it
        // writes the digest, and writes exactly 32 bytes.
        unsafe {
            solana_sha256_hasher::sol_sha256(part.as_ptr().cast(), 1, buf.add(at));
        }
    }
    #[cfg(not(target_os = "solana"))]
    {
        let digest = sha256(&[&buf[..len]]);
        buf[at..at + 32].copy_from_slice(&digest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sha256_is_the_standard_one_and_joins_its_parts() {
        // FIPS 180-4, "abc".
        let abc = [
            0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23, 0xb0, 0x03,
            0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad,
        ];
        assert_eq!(sha256(&[b"abc"]), abc);
        assert_eq!(sha256(&[b"a", b"", b"bc"]), abc);
    }

    #[test]
    fn a_digest_may_be_written_over_its_message() {
        let mut buf = *b"abc.............................................";
        sha256_within(&mut buf, 3, 1);
        assert_eq!(buf[0], b'a');
        assert_eq!(buf[1..33], sha256(&[b"abc"]));
        assert_eq!(&buf[33..], b"...............");
    }
}
