//! What an oracle takes as the market grows: a simulated market of any size drives the real functions of one oracle through an
//! epoch. Messages are encoded and read as they are sent, but not sent.
//!
//! [`market`] makes up what each oracle saw; [`epoch`] builds, proposes, compares and writes down the report; [`audits`] checks
//! bundles; [`watching`] polls agents; [`chain`] counts transactions. What it comes to is in `docs/scale.md`.

pub mod audits;
pub mod chain;
pub mod epoch;
pub mod market;
pub mod measure;
pub mod report;
pub mod watching;
