//! Every balance of a market, rebuilt from nothing but its events.
//!
//! Whoever keeps books off chain sees events and no accounts. This ledger is such a bookkeeper: it reads each event by
//! the one row that says what it changes, and after every transaction it must agree with the accounts of the program,
//! to the base unit, in every amount and in every sequence number. An event without a row, an amount that no event
//! carries, an account that no event opened or closed: each is a fault of the program's events.

mod amounts;
mod rows;

use std::collections::BTreeMap;

use anchor_lang::event::EVENT_IX_TAG_LE;
use millrace_client::events::MillraceEvent;
use serde_json::{Map, Value};

pub use amounts::{amount_names, NOT_BALANCES};
pub use rows::ROWS;

use crate::observe::{Accepted, Observer};
use crate::{pda, Pubkey, Receipt, World};

/// What the events say of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its kind, as the program's type is called.
    pub kind: String,
    /// Its amounts by name, `sequence` among them.
    pub amounts: BTreeMap<String, u64>,
    links: BTreeMap<String, Pubkey>,
}

/// The books.
#[derive(Clone, Debug, Default)]
pub struct Ledger {
    entries: BTreeMap<Pubkey, Entry>,
}

/// An event while it is read: its fields, and the books.
struct Reading<'a> {
    ledger: &'a mut Ledger,
    name: &'a str,
    fields: Map<String, Value>,
}

impl Ledger {
    /// Books everything a transaction emitted. `world` is not read.
    ///
    /// # Panics
    /// When an event is unknown, has no row, or does not fit what came before.
    pub fn book(&mut self, receipt: &Receipt) {
        for data in &receipt.events {
            let event = MillraceEvent::decode(&[EVENT_IX_TAG_LE, data].concat()).expect("the client knows every event");
            let (_, numbered_by, steps) = ROWS
                .iter()
                .find(|(name, ..)| *name == event.name())
                .unwrap_or_else(|| panic!("no row says what {} changes in the books", event.name()));
            let mut reading = Reading { ledger: self, name: event.name(), fields: event.fields() };
            for step in steps.split(';').map(str::trim).filter(|step| !step.is_empty()) {
                reading.step(step);
            }
            reading.count(numbered_by);
        }
    }

    /// Takes over what a test wrote into an account, past the program.
    pub fn adopt(&mut self, world: &World, address: &Pubkey) {
        if let Some(found) = amounts::read(world, address) {
            let entry = self.entries.entry(*address).or_default();
            (entry.kind, entry.amounts) = (found.kind, found.amounts);
        }
    }

    /// Every difference between the books and the accounts.
    pub fn differences(&self, world: &World) -> Vec<String> {
        let accounts: BTreeMap<Pubkey, Entry> = amounts::read_all(world);
        let mut found = vec![];
        for address in self.entries.keys().chain(accounts.keys().filter(|key| !self.entries.contains_key(key))) {
            match (self.entries.get(address), accounts.get(address)) {
                (Some(booked), Some(account)) => {
                    for (name, amount) in &account.amounts {
                        let by_events = booked.amounts.get(name).copied().unwrap_or(0);
                        if by_events != *amount {
                            found.push(format!(
                                "{} {address}: {name} is {amount}, by its events {by_events}",
                                account.kind
                            ));
                        }
                    }
                }
                (Some(booked), None) => found.push(format!("{} {address} is gone, and no event said so", booked.kind)),
                (None, Some(account)) => found.push(format!("{} {address} was opened by no event", account.kind)),
                (None, None) => {}
            }
        }
        found
    }
}

impl Reading<'_> {
    /// One step of a row; see [`ROWS`].
    fn step(&mut self, step: &str) {
        if let Some((condition, then)) = step.split_once("? ") {
            let (field, wanted) = condition.strip_prefix('!').map_or((condition, true), |field| (field, false));
            if (self.number(field) != 0) == wanted {
                self.step(then);
            }
        } else if let Some(rest) = step.strip_prefix("open ") {
            let (path, kind) = rest.split_once(' ').expect("open PATH KIND");
            let address = self.address(path);
            let before = self.ledger.entries.insert(address, Entry { kind: kind.into(), ..Entry::default() });
            assert!(before.is_none(), "{} opens {address}, which is open", self.name);
        } else if let Some(rest) = step.strip_prefix("ensure ") {
            let (path, kind) = rest.split_once(' ').expect("ensure PATH KIND");
            let entry = Entry { kind: kind.into(), ..Entry::default() };
            self.ledger.entries.entry(self.address(path)).or_insert(entry);
        } else if let Some(path) = step.strip_prefix("close ") {
            let address = self.address(path);
            let entry =
                self.ledger.entries.remove(&address).unwrap_or_else(|| panic!("{} closes {address}", self.name));
            // A vote has no numbers of its own.
            if let Some(before) = entry.amounts.get("sequence") {
                assert_eq!(before + 1, self.number("sequence"), "{}: the last number of {address}", self.name);
            }
        } else if let Some(rest) = step.strip_prefix("link ") {
            let (path, field) = rest.split_once(" = ").expect("link PATH.NAME = FIELD");
            let (path, name) = path.rsplit_once('.').expect("a link has a name");
            let to = self.address(field);
            self.entry(path).links.insert(name.into(), to);
        } else if let Some((path, names)) = step.split_once('{') {
            let prefix = path.rsplit('.').next().expect("a path has an end").trim_end_matches('?');
            for name in names.trim_end_matches('}').split(' ') {
                let long = format!("{prefix}_{name}");
                let amount = self.number(if self.fields.contains_key(&long) { &long } else { name });
                self.set(path, name, amount);
            }
        } else {
            self.assign(step);
        }
    }

    /// `path.amount = a + b`, or with `+=` or `-=`.
    fn assign(&mut self, step: &str) {
        let (target, sum) = step.split_once("= ").unwrap_or_else(|| panic!("{}: {step} is no step", self.name));
        let amount: u64 = sum.split(" + ").map(|term| term.parse().unwrap_or_else(|_| self.number(term))).sum();
        let (target, sign) = match target.trim_end().chars().last() {
            Some(sign @ ('+' | '-')) => (target.trim_end().trim_end_matches(sign).trim_end(), sign),
            _ => (target.trim_end(), '='),
        };
        let (path, name) = target.rsplit_once('.').expect("an amount is of an account");
        let before = self.entry(path).amounts.get(name).copied().unwrap_or(0);
        let after = match sign {
            '+' => before.checked_add(amount),
            '-' => before.checked_sub(amount),
            _ => Some(amount),
        };
        let after = after.unwrap_or_else(|| panic!("{}: {step} takes {amount} from {before}", self.name));
        self.set(path, name, after);
    }

    /// A path may end in `?`: nothing is set where no such account is open.
    fn set(&mut self, path: &str, name: &str, amount: u64) {
        if let Some(path) = path.strip_suffix('?') {
            let address = self.address(path);
            if let Some(entry) = self.ledger.entries.get_mut(&address) {
                entry.amounts.insert(name.into(), amount);
            }
        } else {
            self.entry(path).amounts.insert(name.into(), amount);
        }
    }

    /// Each event has the next number of one account, if that is still open.
    fn count(&mut self, numbered_by: &str) {
        let (address, number) = (self.address(numbered_by), self.number("sequence"));
        let Some(entry) = self.ledger.entries.get_mut(&address) else { return };
        let before = entry.amounts.insert("sequence".into(), number).unwrap_or(0);
        assert_eq!(before + 1, number, "{}: numbers of {} {address} have no gaps", self.name, entry.kind);
    }

    fn number(&self, field: &str) -> u64 {
        match self.fields.get(field) {
            Some(Value::Bool(yes)) => u64::from(*yes),
            Some(value) => value.as_u64().unwrap_or_else(|| panic!("{}: {field} is {value}, no amount", self.name)),
            None => panic!("{} has no field {field}", self.name),
        }
    }

    /// The account a path names: a field of the event (or one of the deployment's own accounts), then links.
    fn address(&self, path: &str) -> Pubkey {
        let mut parts = path.split('.');
        let first = parts.next().expect("a path begins");
        let begin = match (self.fields.get(first).and_then(Value::as_str), first) {
            (Some(address), _) => address.parse().unwrap_or_else(|_| panic!("{}: {first} is no address", self.name)),
            (None, "config") => pda::config(),
            (None, "oracles") => pda::oracles(),
            (None, "reports") => pda::reports(),
            (None, "beacons") => pda::beacons(),
            (None, _) => panic!("{} has no address {first}", self.name),
        };
        parts.fold(begin, |from, link| {
            let entry = self.ledger.entries.get(&from).unwrap_or_else(|| panic!("{}: {from} is not open", self.name));
            *entry.links.get(link).unwrap_or_else(|| panic!("{}: {} {from} has no {link}", self.name, entry.kind))
        })
    }

    fn entry(&mut self, path: &str) -> &mut Entry {
        let (address, name) = (self.address(path), self.name);
        self.ledger.entries.get_mut(&address).unwrap_or_else(|| panic!("{name} speaks of {address}, which is not open"))
    }
}

/// Keeps the books of every world of a thread, and compares them after each transaction.
#[derive(Default)]
pub struct Bookkeeper {
    ledgers: BTreeMap<u64, Ledger>,
    /// Transactions booked.
    pub booked: usize,
    /// Events booked, by name.
    pub events: BTreeMap<String, usize>,
}

impl Observer for Bookkeeper {
    fn accepted(&mut self, transaction: Accepted) {
        let ledger = self.ledgers.entry(transaction.after.number).or_default();
        ledger.book(transaction.receipt);
        let found = ledger.differences(transaction.after);
        let names = transaction.receipt.events.iter().filter_map(|data| {
            let event = MillraceEvent::decode(&[EVENT_IX_TAG_LE, &data[..]].concat())?;
            Some(event.name().to_owned())
        });
        let names: Vec<String> = names.collect();
        assert!(found.is_empty(), "after {names:?} the events do not tell:\n{}", found.join("\n"));
        self.booked += 1;
        for name in names {
            *self.events.entry(name).or_default() += 1;
        }
    }

    fn rewritten(&mut self, world: &World, address: &Pubkey) {
        if let Some(ledger) = self.ledgers.get_mut(&world.number) {
            ledger.adopt(world, address);
        }
    }

    fn copied(&mut self, from: u64, to: u64) {
        if let Some(ledger) = self.ledgers.get(&from).cloned() {
            self.ledgers.insert(to, ledger);
        }
    }
}
