//! What each kind of proposal carries, and the check of it when it is made.

use anchor_lang::prelude::*;

use crate::errors::MillraceError;
use crate::instructions::admin::seat_oracle::{check_seat, SeatOracleArgs};
use crate::state::{Config, Params, ProposalKind};

/// What an [`ProposalKind::UpgradeProgram`] carries. The buffer's bytes cannot change once governance owns it, so whoever
/// votes hashes them off chain and compares.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Copy, Debug, PartialEq, Eq)]
pub struct UpgradePayload {
    /// sha256 of the program in the buffer, as its proposer says.
    pub program_hash: [u8; 32],
    /// Bytes of that program, as the buffer says.
    pub program_len: u64,
}

/// The payload of a kind, read.
///
/// # Errors
/// [`MillraceError::BadProposal`]: too short, too long, or no value of the type.
pub fn read<T: AnchorDeserialize>(payload: &[u8]) -> Result<T> {
    T::try_from_slice(payload).map_err(|_| error!(MillraceError::BadProposal))
}

/// Whether `payload` is of `kind`, and could be executed by what is known now.
///
/// # Errors
/// [`MillraceError::BadProposal`], and those of [`Params::check`] and of a seat.
#[inline(never)]
pub(super) fn check(kind: ProposalKind, payload: &[u8], config: &Config) -> Result<()> {
    match kind {
        ProposalKind::UpdateParams => read::<Box<Params>>(payload)?.check(&config.bounds),
        ProposalKind::SetGuardian | ProposalKind::RemoveOracle => read::<Pubkey>(payload).map(drop),
        ProposalKind::AddOracle => check_seat(&read::<SeatOracleArgs>(payload)?),
        ProposalKind::TreasuryTransfer => {
            require!(read::<u64>(payload)? > 0, MillraceError::ZeroAmount);
            Ok(())
        }
        ProposalKind::OverturnSlash | ProposalKind::OverturnRuling => {
            require!(payload.is_empty(), MillraceError::BadProposal);
            Ok(())
        }
        ProposalKind::UpgradeProgram => read::<UpgradePayload>(payload).map(drop),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config() -> Config {
        bytemuck::Zeroable::zeroed()
    }

    fn encoded(value: &impl AnchorSerialize) -> Vec<u8> {
        let mut bytes = Vec::new();
        value.serialize(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn a_payload_is_of_its_kind_to_the_last_byte() {
        let key = Pubkey::new_from_array([7; 32]).to_bytes();
        let upgrade = encoded(&UpgradePayload { program_hash: [1; 32], program_len: 9 });
        let seat = SeatOracleArgs {
            oracle_authority: Pubkey::default(),
            weight: 1,
            endpoint: std::array::from_fn(|n| b"http://a".get(n).copied().unwrap_or(0)),
        };
        let seat = encoded(&seat);
        let good: [(ProposalKind, &[u8]); 7] = [
            (ProposalKind::SetGuardian, &key),
            (ProposalKind::AddOracle, &seat),
            (ProposalKind::RemoveOracle, &key),
            (ProposalKind::TreasuryTransfer, &[1, 0, 0, 0, 0, 0, 0, 0]),
            (ProposalKind::OverturnSlash, &[]),
            (ProposalKind::OverturnRuling, &[]),
            (ProposalKind::UpgradeProgram, &upgrade),
        ];
        for (kind, payload) in good {
            assert!(check(kind, payload, &config()).is_ok(), "{kind:?}");
            let longer = [payload, &[0]].concat();
            assert_eq!(check(kind, &longer, &config()).unwrap_err(), MillraceError::BadProposal.into(), "{kind:?}");
            if let Some((_, shorter)) = payload.split_last() {
                assert_eq!(check(kind, shorter, &config()).unwrap_err(), MillraceError::BadProposal.into(), "{kind:?}");
            }
        }
        assert_eq!(
            check(ProposalKind::UpdateParams, &[0; 303], &config()).unwrap_err(),
            MillraceError::BadProposal.into()
        );
        assert_eq!(
            check(ProposalKind::TreasuryTransfer, &[0; 8], &config()).unwrap_err(),
            MillraceError::ZeroAmount.into()
        );
    }
}
