//! What a customer does with its escrow, and the sweep of the fees it owes.

pub mod close_customer;
pub mod deposit;
pub mod open_customer;
pub mod sweep_fees;
pub mod withdraw_customer;

pub use close_customer::*;
pub use deposit::*;
pub use open_customer::*;
pub use sweep_fees::*;
pub use withdraw_customer::*;
