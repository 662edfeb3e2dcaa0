//! Whether a bounty or a fee can be paid: a payee that cannot receive must not stop a slash, so it is asked before.

use anchor_lang::prelude::*;

/// Length of a token account without extensions.
const ACCOUNT_LEN: usize = 165;
/// Where the mint lies.
const MINT: std::ops::Range<usize> = 0..32;
/// Where the owner lies.
const OWNER: std::ops::Range<usize> = 32..64;
/// Where the state lies.
const STATE_AT: usize = 108;
/// State of an account that can send and receive.
const INITIALIZED: u8 = 1;
/// What stands behind the account where extensions follow: "this is an account".
const ACCOUNT_TYPE: u8 = 2;
/// Extensions that change nothing for a receiver: immutable owner, CPI guard.
const HARMLESS_EXTENSIONS: [u16; 2] = [7, 11];

/// Whether `account` is a token account of `mint`, under `token_program`, that a plain transfer reaches. Extensions
/// are allowed by list: one that asks for a memo, for instance, would make the transfer fail.
pub(crate) fn can_receive(account: &AccountInfo, mint: &Pubkey, token_program: &Pubkey) -> bool {
    let Ok(data) = account.try_borrow_data() else { return false };
    account.owner == token_program
        && data.len() >= ACCOUNT_LEN
        && data[MINT] == mint.to_bytes()
        && data[STATE_AT] == INITIALIZED
        && are_extensions_harmless(&data[ACCOUNT_LEN..])
}

/// Whether `account` is a token account of one of `owners`.
pub(crate) fn is_owned_by(account: &AccountInfo, owners: &[Pubkey]) -> bool {
    let Ok(data) = account.try_borrow_data() else { return false };
    data.get(OWNER).is_some_and(|owner| owners.iter().any(|one| owner == one.as_ref()))
}

/// Reads type, length, value; a zero type ends the list.
fn are_extensions_harmless(tail: &[u8]) -> bool {
    let Some((kind, mut rest)) = tail.split_first() else { return true };
    if *kind != ACCOUNT_TYPE {
        return false;
    }
    while let [type_0, type_1, len_0, len_1, values @ ..] = rest {
        let extension = u16::from_le_bytes([*type_0, *type_1]);
        if extension == 0 {
            break;
        }
        let Some(next) = values.get(usize::from(u16::from_le_bytes([*len_0, *len_1]))..) else { return false };
        if !HARMLESS_EXTENSIONS.contains(&extension) {
            return false;
        }
        rest = next;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::are_extensions_harmless;

    #[test]
    fn only_listed_extensions_pass() {
        assert!(are_extensions_harmless(&[]));
        assert!(are_extensions_harmless(&[2]));
        assert!(are_extensions_harmless(&[2, 7, 0, 0, 0]));
        assert!(are_extensions_harmless(&[2, 7, 0, 0, 0, 11, 0, 1, 0, 1, 0, 0, 0, 0]));
        // A mint; a memo asked for; a listed one and then a memo; a length beyond the end.
        assert!(!are_extensions_harmless(&[1]));
        assert!(!are_extensions_harmless(&[2, 8, 0, 1, 0, 1]));
        assert!(!are_extensions_harmless(&[2, 7, 0, 0, 0, 8, 0, 1, 0, 1]));
        assert!(!are_extensions_harmless(&[2, 7, 0, 9, 0, 1]));
    }
}
