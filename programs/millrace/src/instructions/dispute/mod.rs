//! A result its customer calls wrong: who pays for it is judged, and may be appealed.

pub mod lapse_dispute;
pub mod open_dispute;
pub mod resolve_dispute;
pub mod vote_dispute;

pub use lapse_dispute::*;
pub use open_dispute::*;
pub use resolve_dispute::*;
pub use vote_dispute::*;
