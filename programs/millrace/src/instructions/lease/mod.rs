//! What happens to a lease between its award and its end.

pub mod accept_result;
pub mod claim_compensation;
pub mod claim_unkept;
pub mod close_lease;
pub mod exit_lease;
pub mod fail_over;
pub mod settle_lease;
pub mod settle_mutual;
pub mod stop_lease;
pub mod unwind_lease;

pub use claim_compensation::*;
pub use claim_unkept::*;
pub use close_lease::*;
pub use exit_lease::*;
pub use fail_over::*;
pub use settle_lease::*;
pub use settle_mutual::*;
pub use stop_lease::*;
pub use unwind_lease::*;
