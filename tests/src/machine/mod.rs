//! Every instruction in every order, by everyone and anyone: a state machine over the built program.
//!
//! Proptest's state machine draws a walk (a list of [`Step`]s); one that fails is shortened. Each step is a move of [`moves::MOVES`] with a
//! seed for its dice; it is made on whatever the market has become, by [`Market::perform`], which sends the transaction to
//! the program in LiteSVM and then holds three things against each other: the accounts (I1 to I6, [`crate::Books`]), the
//! tokens that moved (each base unit must be one that the rules move now), and a [`Model`] that knows the rules and not
//! the program. A refused transaction changes nothing, so only accepted ones are looked at. At the end of a walk each
//! actor in turn leaves with all others silent (I9), then everyone leaves, and nobody may have gained but by the rules
//! ([`profit`]).

pub mod dice;
pub mod exit;
pub mod market;
pub mod model;
pub mod moves;
pub mod plan;
pub mod profit;
pub mod reports;
pub mod seeds;
pub mod twin;
pub mod walk;

pub use dice::Dice;
pub use market::{Actor, Market, Outcome};
pub use model::{Model, Passed, Why};
pub use plan::{Effect, Flows, Plan, Seen, BURNT};
pub use walk::{run, Finding, Machine, Step, Tally, Walk};
