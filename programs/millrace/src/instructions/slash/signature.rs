//! The operator's signature over a commit, as the ed25519 program verified it in the same transaction.

use anchor_lang::prelude::*;
use millrace_core::proof::COMMIT_LEN;
use solana_instructions_sysvar::get_instruction_relative;

use crate::errors::MillraceError;

/// The ed25519 precompile.
const ED25519_PROGRAM: Pubkey = pubkey!("Ed25519SigVerify111111111111111111111111111");
/// Where the public key lies in the instruction's data.
const KEY_AT: usize = 16;
/// Where the signature lies.
const SIGNATURE_AT: usize = 48;
/// Where the message lies.
const MESSAGE_AT: usize = 112;
/// "In this very instruction".
const THIS_INSTRUCTION: u16 = u16::MAX;

/// What comes before the public key: one signature, and where its key, itself and its message are.
const HEADER: [u8; KEY_AT] = {
    let fields = [
        1, // one signature, then a padding byte
        SIGNATURE_AT as u16,
        THIS_INSTRUCTION,
        KEY_AT as u16,
        THIS_INSTRUCTION,
        MESSAGE_AT as u16,
        COMMIT_LEN as u16,
        THIS_INSTRUCTION,
    ];
    let mut bytes = [0; KEY_AT];
    let mut i = 0;
    while i < fields.len() {
        let field = fields[i].to_le_bytes();
        bytes[i * 2] = field[0];
        bytes[i * 2 + 1] = field[1];
        i += 1;
    }
    bytes
};

/// Checks that the instruction before this one is the ed25519 program's, with one signature by `signer` over exactly
/// `commit`. Only the one layout that wallets and libraries make is taken, so no offset can point elsewhere.
///
/// # Errors
/// [`MillraceError::BadCommitSignature`].
pub(super) fn require_signed(instructions: &AccountInfo, signer: &Pubkey, commit: &[u8; COMMIT_LEN]) -> Result<()> {
    let before = get_instruction_relative(-1, instructions).map_err(|_| MillraceError::BadCommitSignature)?;
    let is_signed = before.program_id == ED25519_PROGRAM
        && before.data.len() == MESSAGE_AT.saturating_add(COMMIT_LEN)
        && before.data[..KEY_AT] == HEADER
        && before.data[KEY_AT..SIGNATURE_AT] == signer.to_bytes()
        && before.data[MESSAGE_AT..] == *commit;
    require!(is_signed, MillraceError::BadCommitSignature);
    Ok(())
}
