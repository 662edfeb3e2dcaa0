//! What a transaction answered.

use anchor_lang::event::EVENT_IX_TAG_LE;
use anchor_lang::solana_program::instruction::error::InstructionError;
use anchor_lang::{AnchorDeserialize, Discriminator};
use litesvm::types::{FailedTransactionMetadata, TransactionMetadata};
use millrace::errors::MillraceError;
use solana_transaction_error::TransactionError;

/// An accepted transaction.
#[derive(Clone, Debug)]
pub struct Receipt {
    /// Compute units consumed.
    pub cu: u64,
    /// The runtime's logs.
    pub logs: Vec<String>,
    /// Data of every event, discriminator first, in order.
    pub events: Vec<Vec<u8>>,
}

impl Receipt {
    pub(crate) fn new(meta: TransactionMetadata) -> Self {
        let inner = meta.inner_instructions.iter().flatten();
        let events =
            inner.filter_map(|call| call.instruction.data.strip_prefix(EVENT_IX_TAG_LE)).map(<[u8]>::to_vec).collect();
        Self { cu: meta.compute_units_consumed, logs: meta.logs, events }
    }

    /// The one event of kind `E`.
    ///
    /// # Panics
    /// When there is none, or more than one.
    pub fn event<E: AnchorDeserialize + Discriminator>(&self) -> E {
        let mut found = self.events_of::<E>();
        assert_eq!(found.len(), 1, "{} events of this kind, want one", found.len());
        found.remove(0)
    }

    /// All events of kind `E`, in order.
    ///
    /// # Panics
    /// When one does not decode.
    pub fn events_of<E: AnchorDeserialize + Discriminator>(&self) -> Vec<E> {
        let data = self.events.iter().filter_map(|event| event.strip_prefix(E::DISCRIMINATOR));
        data.map(|mut fields| {
            let event = E::deserialize(&mut fields).expect("the event decodes");
            assert!(fields.is_empty(), "{} bytes are left behind the event", fields.len());
            event
        })
        .collect()
    }
}

/// A refused transaction: nothing of it happened.
#[derive(Clone, Debug)]
pub struct Refusal {
    /// The runtime's error.
    pub error: TransactionError,
    /// Compute units consumed.
    pub cu: u64,
    /// The runtime's logs.
    pub logs: Vec<String>,
}

impl From<FailedTransactionMetadata> for Refusal {
    fn from(failed: FailedTransactionMetadata) -> Self {
        Self { error: failed.err, cu: failed.meta.compute_units_consumed, logs: failed.meta.logs }
    }
}

impl Refusal {
    /// The number of the error, if a program gave one: 6,000 and up are this program's, 2,000 to 5,999 Anchor's.
    pub fn code(&self) -> Option<u32> {
        match self.error {
            TransactionError::InstructionError(_, InstructionError::Custom(code)) => Some(code),
            _ => None,
        }
    }

    /// The error's name, or what the runtime says of it.
    pub fn name(&self) -> String {
        let number = self.code().and_then(|code| code.checked_sub(u32::from(MillraceError::MathOverflow)));
        let error = number
            .and_then(|number| bytemuck::checked::try_pod_read_unaligned::<MillraceError>(&number.to_le_bytes()).ok());
        error.map_or_else(|| self.error.to_string(), |error| format!("{error:?}"))
    }

    /// Whether it is this program's `error`.
    pub fn is(&self, error: MillraceError) -> bool {
        self.code() == Some(u32::from(error))
    }
}
