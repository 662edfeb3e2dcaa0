//! The events tell everything: books kept from them alone agree with the accounts, to the base unit, after every
//! transaction. (The walks of `machine` are kept in the same way.)

use std::collections::BTreeSet;
use std::path::PathBuf;

use millrace_client::events::MillraceEvent;
use millrace_tests::books_from_events::{amount_names, Bookkeeper, NOT_BALANCES, ROWS};
use millrace_tests::observe::watch;
use millrace_tests::scenarios;

#[test]
fn events_alone_rebuild_every_balance_of_every_scenario() {
    let books = watch(Bookkeeper::default(), || drop(scenarios::everything()));
    let of_the_loader = |name: &str| cfg!(feature = "native") && name == "BufferReturned";
    let is_missing = |name: &&&str| !books.events.contains_key(**name) && !of_the_loader(name);
    let never: Vec<&&str> = MillraceEvent::NAMES.iter().filter(is_missing).collect();
    assert!(never.is_empty(), "no scenario makes the program emit {never:?}");
    println!("{} transactions, {} events", books.booked, books.events.values().sum::<usize>());
}

#[test]
fn every_event_has_its_row_in_the_books() {
    let rows: BTreeSet<&str> = ROWS.iter().map(|(name, ..)| *name).collect();
    assert_eq!(rows.len(), ROWS.len(), "an event has one row");
    assert_eq!(rows, MillraceEvent::NAMES.iter().copied().collect());
}

/// A new amount of an account is either rebuilt from events or said to be no balance.
#[test]
fn every_amount_of_every_account_is_in_the_books() {
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../programs/millrace/src/state"));
    let known = amount_names();
    let mut seen = BTreeSet::new();
    for file in std::fs::read_dir(folder).expect("the program's state is there") {
        let path = file.expect("a folder lists").path();
        let Ok(source) = std::fs::read_to_string(&path) else { continue };
        for account in source.split("#[account(zero_copy)]").skip(1) {
            let kind = account.split("pub struct ").nth(1).and_then(|rest| rest.split(' ').next()).expect("a struct");
            assert!(known.contains_key(kind), "{kind} is in no books");
            let fields = account.split("\n}").next().expect("a struct ends");
            for field in fields.split("pub ").skip(2).filter_map(|field| field.split_once(": u64,")) {
                let (name, _) = field;
                let docs: String = fields.split(&format!("pub {name}: u64,")).next().unwrap_or_default().into();
                let doc = docs.rsplit("\n    pub ").next().unwrap_or_default();
                if doc.contains("ase unit") || doc.contains("lamports") || name.ends_with("_amount") || name == "amount"
                {
                    let is_excused = NOT_BALANCES.iter().any(|(of, excused, _)| (*of, *excused) == (kind, name));
                    assert!(is_excused || known[kind].contains(&name), "{kind}.{name} is in no books");
                    seen.insert(format!("{kind}.{name}"));
                }
            }
        }
    }
    for (kind, name, why) in NOT_BALANCES {
        assert!(seen.contains(&format!("{kind}.{name}")), "{kind}.{name} is no amount any more ({why})");
    }
    assert!(seen.len() > 50, "only {seen:?} were found");
}
