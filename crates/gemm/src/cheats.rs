//! Provers that cheat: what they commit is consistent, so only the entries or the seeds give them away.
//!
//! For tests and for the demo's dishonest provider; not compiled without the feature `cheats`.
