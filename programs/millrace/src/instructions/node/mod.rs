//! A provider's machines.

pub mod close_node;
pub mod drain;
pub mod register_node;
pub mod relock_node;
pub mod retire;
pub mod set_ask;

pub use close_node::*;
pub use drain::*;
pub use register_node::*;
pub use relock_node::*;
pub use retire::*;
pub use set_ask::*;
