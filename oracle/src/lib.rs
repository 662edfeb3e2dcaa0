//! The oracle daemon: observe → measure → decide → journal → sign → send → reconcile.
//!
//! Decisions are pure functions of what was observed ([`decide`]); everything else feeds them or carries them out.

pub mod api;
pub mod books;
pub mod daemon;
pub mod decide;
pub mod evidence;
pub mod journal;
pub mod metrics;
pub mod peers;
pub mod settings;
pub mod tasks;
#[cfg(feature = "testing")]
pub mod testing;
pub mod view;

pub use daemon::Daemon;
pub use settings::Settings;
