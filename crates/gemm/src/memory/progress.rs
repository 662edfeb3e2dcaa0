use crate::ProveError;
use std::{
    ops::ControlFlow,
    sync::atomic::{AtomicU64, Ordering},
};

/// How far a fill or the walks have come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryProgress {
    /// Words made and words hashed, or walks done.
    pub done: u64,
    /// Of so many.
    pub of: u64,
}

/// Told of the progress, now and then and from any thread; breaks to stop the work.
pub type MemoryWatch<'a> = dyn Fn(MemoryProgress) -> ControlFlow<()> + Sync + 'a;

/// Adds up what the threads have done.
pub(crate) struct Counter<'a> {
    done: AtomicU64,
    of: u64,
    watch: &'a MemoryWatch<'a>,
}

impl<'a> Counter<'a> {
    pub fn new(of: u64, watch: &'a MemoryWatch<'a>) -> Self {
        Self { done: AtomicU64::new(0), of, watch }
    }

    /// So much more is done.
    ///
    /// # Errors
    /// [`ProveError::Stopped`].
    pub fn add(&self, done: u64) -> Result<(), ProveError> {
        let done = self.done.fetch_add(done, Ordering::Relaxed) + done;
        match (self.watch)(MemoryProgress { done, of: self.of }) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(ProveError::Stopped),
        }
    }
}
