//! Genesis: what is done once, by the deployer, before the market opens.

pub mod grow_beacons;
pub mod initialize;
pub mod mint_rules;
pub mod seal_genesis;
pub mod seat_oracle;

pub use grow_beacons::*;
pub use initialize::*;
pub use seal_genesis::*;
pub use seat_oracle::*;
