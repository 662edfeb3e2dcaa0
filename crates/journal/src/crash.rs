//! The steps at which a test lets a process die as by a power cut: right before and right after each thing it writes down or
//! sends. In release builds there are none.

/// Names the step at which to die, as in `before record transaction` or `after send transaction`.
pub const DIE_AT: &str = "MILLRACE_DIE_AT";

/// On which side of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// All is prepared, nothing is done.
    Before,
    /// It is done, and nobody has been told.
    After,
}

/// Kills this process if the environment names this side of the step `what`.
pub fn point(when: When, what: &str) {
    if cfg!(debug_assertions) && std::env::var(DIE_AT).is_ok_and(|at| at.split_once(' ') == Some((name(when), what))) {
        die();
    }
}

fn name(when: When) -> &'static str {
    match when {
        When::Before => "before",
        When::After => "after",
    }
}

/// SIGKILL, which no handler sees and after which nothing is flushed.
fn die() {
    // SAFETY: raise takes an integer; the process ends here.
    unsafe { libc::raise(libc::SIGKILL) };
}
