//! How oracles agree on one report an epoch, as pure functions and one state machine. No clock, no network, no disk.
//!
//! An epoch's vote, from its end:
//!
//! 1. The beacon names a seat that proposes first ([`vote::first_proposer`]). It asks some others for what they saw, takes the
//!    weighted median of every figure and the finding of the greater weight ([`median`]), writes that down and signs it on
//!    chain.
//! 2. The others see the root there, ask for its leaves, compare them with what they saw themselves ([`check`]), write them
//!    down and sign the same root.
//! 3. Whoever is silent for a time is followed by the next seat.
//! 4. At more than the quorum of the weight the program accepts the root.
//!
//! What may not happen, whatever is lost, late, doubled, restarted or told: a seat signs two roots of one epoch; a leaf is
//! accepted that only liars found. What must happen while two thirds of the weight are well and nothing is late: each epoch
//! has an accepted report, whoever proposes first. `tests/model.rs` visits every state of small worlds, `tests/simulation.rs`
//! large ones at random; both find what is broken on purpose.

pub mod check;
pub mod leaf_set;
pub mod median;
pub mod opening;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
pub mod vote;

pub use check::{check, Disagreement, Findings, LeaseView, NodeFinding};
pub use leaf_set::{LeafSet, Unsorted};
pub use opening::{OracleView, Tally};
pub use vote::{Look, Step, Vote};
