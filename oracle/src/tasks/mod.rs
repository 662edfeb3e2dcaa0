//! The named tasks of the daemon. Each loops until its token is cancelled; what can be tried again is logged and tried
//! again, what cannot (the journal) ends the daemon.

pub mod archive;
pub mod audits;
pub mod beacons;
pub mod leases;
pub mod observer;
pub mod openings;
pub mod params;
pub mod reports;
mod results;
pub mod rewards;
