//! One file per command.

pub mod balance;
pub mod bench;
pub mod config;
pub mod customer;
pub mod dispute;
pub mod doctor;
pub mod genesis;
pub mod gov;
pub mod job;
pub mod keygen;
pub mod ledger;
pub mod node;
pub mod oracle;
pub mod provider;
pub mod transfer;
pub mod watch;
