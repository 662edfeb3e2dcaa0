//! Cards of known speed.

use millrace_gemm::{Backend, Cpu, ProveError, Round, RowsDone, UpperTree};
use std::sync::Mutex;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// Does the work on the processor, then waits until a card of its speed would have done it. It is never faster than it
/// says, whatever else the machine does, and as slow as that where the processor is much faster.
pub(crate) struct Card {
    cpu: Cpu,
    takes: Duration,
    rounds: u32,
    began: Mutex<Instant>,
}

impl Card {
    /// A card which a run of so many rounds takes so long.
    pub(crate) fn new(takes: Duration, rounds: u32) -> Self {
        Self { cpu: crate::cpu(), takes, rounds, began: Mutex::new(Instant::now()) }
    }
}

impl Backend for Card {
    fn name(&self) -> &'static str {
        "card"
    }

    fn round(&self, round: &Round, skip: u32, rows_done: &RowsDone) -> Result<UpperTree, ProveError> {
        let began = {
            let mut began = self.began.lock().expect("nothing panics here");
            if round.index == 0 {
                *began = Instant::now();
            }
            *began
        };
        let tree = self.cpu.round(round, skip, rows_done)?;
        // From the run's begin, so that what one sleep takes too long the next makes good.
        sleep((self.takes * (round.index + 1) / self.rounds).saturating_sub(began.elapsed()));
        Ok(tree)
    }
}
