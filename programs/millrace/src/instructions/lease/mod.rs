//! What happens to a lease between its award and its end.

pub mod accept_result;
pub mod close_lease;
pub mod exit_lease;
pub mod settle_lease;
pub mod stop_lease;

pub use close_lease::*;
pub use exit_lease::*;
pub use settle_lease::*;
pub use stop_lease::*;
