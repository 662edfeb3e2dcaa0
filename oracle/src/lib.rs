//! The oracle daemon: observe → measure → decide → journal → sign → send → reconcile.
//!
//! Decisions are pure functions of what was observed ([`decide`]); everything else feeds them or carries them out.

pub mod decide;
pub mod evidence;
pub mod journal;
pub mod settings;
pub mod supervisor;
