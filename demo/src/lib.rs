//! What showing the market and tormenting it have in common: a stage with a real chain, keys and processes.

pub mod answers;
pub mod logs;
pub mod process;
pub mod secrets;
pub mod stage;

use std::sync::atomic::AtomicBool;

/// Set by Ctrl-C; whatever waits looks at it.
pub static STOPPED: AtomicBool = AtomicBool::new(false);
