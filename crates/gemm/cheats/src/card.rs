//! Cards of known speed.

use millrace_core::proof::operations;
use millrace_gemm::{Backend, Cpu, ProveError, Round, RoundTree, RowsDone};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Does the work on the processor, then waits until a card of this speed would have done it. It is never faster than it
/// says, whatever else the machine does, and as slow as that where the processor is much faster.
pub(crate) struct Card {
    cpu: Cpu,
    gops: u64,
    began: Mutex<Instant>,
}

impl Card {
    /// A card of 10⁹ operations a second times `gops`.
    pub(crate) fn new(gops: u64) -> Self {
        Self { cpu: crate::cpu(), gops, began: Mutex::new(Instant::now()) }
    }

    /// What a run takes it.
    pub(crate) fn takes(gops: u64, n: u32, rounds: u32) -> Duration {
        Duration::from_nanos((operations(n, rounds) / u128::from(gops)) as u64)
    }
}

impl Backend for Card {
    fn name(&self) -> &'static str {
        "card"
    }

    fn round(&self, round: &Round, skip: u32, rows_done: &RowsDone) -> Result<RoundTree, ProveError> {
        let began = {
            let mut began = self.began.lock().expect("nothing panics here");
            if round.index == 0 {
                *began = Instant::now();
            }
            *began
        };
        let tree = self.cpu.round(round, skip, rows_done)?;
        // From the run's begin, so that what one sleep takes too long the next makes good.
        sleep(Self::takes(self.gops, round.n, round.index + 1).saturating_sub(began.elapsed()));
        Ok(tree)
    }
}
