//! A whole market inside one process: LiteSVM, the compiled program, and the few words a test needs.
//!
//! Nothing here is random: keys come from names, the clock moves only when told, and every key whose accounts a
//! compute table shows has canonical bump 255, since each bump missed costs 1,500 units.
//!
//! ```text
//! let mut world = World::new();                         // genesis: mint, parameters, three oracles, sealed
//! let seller = world.provider("seller", 1_000 * MILL);  // registered and staked
//! let node = world.verified_node(&seller, NodeSpec::default());
//! let receipt = world.must(&[ix::drain(&seller.operator.pubkey(), &node, true)], &[&seller.operator]);
//! world.assert_refused(&[again], &[&stranger], MillraceError::WrongOperator);
//! ```
//!
//! Each send measures its transaction: none may exceed 1,232 bytes or 64 accounts (LiteSVM itself has no limit).

pub mod books;
pub mod books_from_events;
pub mod buffers;
pub mod cluster;
pub mod deal;
pub mod disputes;
pub mod fraud;
pub mod genesis;
pub mod ix;
pub mod judged;
pub mod keys;
pub mod machine;
#[cfg(feature = "native")]
pub mod native;
pub mod observe;
pub mod outcome;
pub mod parties;
pub mod pda;
pub mod record;
pub mod report;
pub mod scenarios;
pub mod tokens;
pub mod voting;
pub mod world;

pub use anchor_lang::prelude::Pubkey;
pub use anchor_lang::solana_program::instruction::{AccountMeta, Instruction};
pub use books::Books;
pub use cluster::{cluster_args, guaranteed_args, Cluster, Figures};
pub use deal::{job_args, Deal, BID_PER_SEC};
pub use genesis::{local_bounds, local_params, Genesis};
pub use keys::{key, key_where};
pub use millrace::errors::MillraceError;
pub use millrace_core::money::MILL;
pub use outcome::{Receipt, Refusal};
pub use parties::{Buyer, NodeSpec, Seller};
pub use record::{Record, MAX_ACCOUNTS, MAX_TRANSACTION_BYTES};
pub use report::Report;
pub use solana_keypair::Keypair;
pub use solana_signer::Signer;
pub use tokens::TokenStandard;
pub use voting::Voter;
pub use world::World;
