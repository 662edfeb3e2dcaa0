//! Posting work, bidding for it, and choosing.

pub mod award;
pub mod cancel_job;
pub mod close_job;
pub mod drop_broken_bid;
pub mod place_bid;
pub mod place_site_bid;
pub mod post_job;
pub mod release_bid;

pub use award::*;
pub use cancel_job::*;
pub use close_job::*;
pub use drop_broken_bid::*;
pub use place_bid::*;
pub use place_site_bid::*;
pub use post_job::*;
pub use release_bid::*;
