//! What the program says happened, read out of a transaction's inner instructions.

use std::fmt;

use anchor_lang::event::EVENT_IX_TAG_LE;
use anchor_lang::{AnchorDeserialize, Discriminator};
use serde_json::{Map, Value};

use crate::Pubkey;

/// Declares [`MillraceEvent`] from the program's events. Their fields are listed so that an event can be shown as
/// JSON; the compiler checks that none is missing.
macro_rules! events {
    ($($name:ident { $($field:ident),* $(,)? })*) => {
        /// Any event of the program.
        pub enum MillraceEvent {
            $(
                #[doc = concat!("[`millrace::events::", stringify!($name), "`].")]
                $name(millrace::events::$name),
            )*
        }

        impl MillraceEvent {
            /// Names of all events.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($name)),*];

            /// Reads the data of a self-invocation of the program. `None` when it is no event this client knows.
            pub fn decode(data: &[u8]) -> Option<Self> {
                let event = data.strip_prefix(EVENT_IX_TAG_LE)?;
                $(
                    if let Some(mut body) = event.strip_prefix(millrace::events::$name::DISCRIMINATOR) {
                        return millrace::events::$name::deserialize(&mut body).ok().map(Self::$name);
                    }
                )*
                None
            }

            /// Its name, such as `JobPosted`.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$name(_) => stringify!($name),)*
                }
            }

            /// Its fields by name: numbers as numbers, addresses as base58, other bytes as hex.
            pub fn fields(&self) -> Map<String, Value> {
                let mut fields = Map::new();
                match self {
                    $(Self::$name(millrace::events::$name { $($field),* }) => {
                        $(fields.insert(stringify!($field).to_string(), $field.show());)*
                    })*
                }
                fields
            }
        }
    };
}

events! {
    ProviderRegistered { sequence, provider, authority, operator }
}

impl MillraceEvent {
    /// `{"event": name, …fields}`.
    pub fn to_json(&self) -> Value {
        let mut object = Map::new();
        object.insert("event".to_string(), self.name().into());
        object.extend(self.fields());
        Value::Object(object)
    }
}

impl fmt::Debug for MillraceEvent {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.name(), Value::Object(self.fields()))
    }
}

impl PartialEq for MillraceEvent {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name() && self.fields() == other.fields()
    }
}

/// A field of an event as JSON.
trait Show {
    fn show(&self) -> Value;
}

macro_rules! show_numbers {
    ($($number:ty)*) => {
        $(impl Show for $number {
            fn show(&self) -> Value {
                (*self).into()
            }
        })*
    };
}

show_numbers!(u8 u16 u32 u64 i32 i64 bool);

impl Show for Pubkey {
    fn show(&self) -> Value {
        self.to_string().into()
    }
}

impl<const N: usize> Show for [u8; N] {
    fn show(&self) -> Value {
        hex::encode(self).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anchor_lang::AnchorSerialize;
    use millrace::events::ProviderRegistered;

    fn encode<E: AnchorSerialize + Discriminator>(event: &E) -> Vec<u8> {
        let mut data = [EVENT_IX_TAG_LE, E::DISCRIMINATOR].concat();
        event.serialize(&mut data).unwrap();
        data
    }

    #[test]
    fn an_event_reads_back_with_every_field() {
        let (provider, authority, operator) =
            (Pubkey::new_from_array([1; 32]), Pubkey::new_from_array([2; 32]), Pubkey::new_from_array([3; 32]));
        let data = encode(&ProviderRegistered { sequence: 7, provider, authority, operator });
        let event = MillraceEvent::decode(&data).unwrap();
        let expected = serde_json::json!({
            "event": "ProviderRegistered",
            "sequence": 7,
            "provider": provider.to_string(),
            "authority": authority.to_string(),
            "operator": operator.to_string(),
        });
        assert_eq!(event.to_json(), expected);
    }

    #[test]
    fn what_is_not_an_event_is_none() {
        let data = encode(&ProviderRegistered {
            sequence: 1,
            provider: Pubkey::default(),
            authority: Pubkey::default(),
            operator: Pubkey::default(),
        });
        assert!(MillraceEvent::decode(&data[1..]).is_none());
        assert!(MillraceEvent::decode(&data[..data.len() - 1]).is_none());
        assert!(MillraceEvent::decode(&[]).is_none());
        let mut unknown = data;
        unknown[8] ^= 1;
        assert!(MillraceEvent::decode(&unknown).is_none());
    }

    #[test]
    fn every_event_of_the_program_is_known_here() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../programs/millrace/src/events");
        let mut declared = Vec::new();
        for file in std::fs::read_dir(folder).unwrap() {
            let source = std::fs::read_to_string(file.unwrap().path()).unwrap();
            for after in source.split("#[event]\n").skip(1) {
                let name = after.split("pub struct ").nth(1).and_then(|rest| rest.split([' ', '{']).next());
                declared.push(name.unwrap().to_string());
            }
        }
        declared.sort();
        let mut known = MillraceEvent::NAMES.to_vec();
        known.sort_unstable();
        assert_eq!(declared, known);
    }
}
