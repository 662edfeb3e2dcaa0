//! One action per file: who may call, what moves, which invariant; then args, accounts, `validate`, `handle`.

pub mod admin;
pub mod claim;
pub mod customer;
pub mod dispute;
pub mod governance;
pub mod job;
pub mod lease;
pub mod node;
pub mod oracle;
pub mod provider;
pub mod slash;

pub use admin::*;
pub use claim::*;
pub use customer::*;
pub use dispute::*;
pub use governance::*;
pub use job::*;
pub use lease::*;
pub use node::*;
pub use oracle::*;
pub use provider::*;
pub use slash::*;
