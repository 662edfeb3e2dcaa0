//! What the operator of an oracle sets: a TOML file, and flags that override it.
//!
//! Times are fractions of an epoch, so that one file serves a network of four-second epochs and one of an hour.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{ensure, Context};
use millrace_daemon::MetricsListen;
use serde::Deserialize;

/// The settings. Every field has a default but the keypair.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Key file of the oracle's seat, mode 0600: signs reports and pays their fees.
    pub keypair: PathBuf,
    /// JSON RPC of the cluster. Default `http://127.0.0.1:8899`.
    pub rpc_url: String,
    /// Address to listen on. Default `127.0.0.1:9101`.
    pub listen: SocketAddr,
    /// `host:port` of the endpoint registered on chain, which requests must be addressed to. Default: `listen`.
    pub public_address: Option<String>,
    /// Loopback address that serves `GET /metrics` for Prometheus, or "off". Default `127.0.0.1:9102`.
    pub metrics_listen: MetricsListen,
    /// Where the journal, the outbox and the evidence lie. One oracle a directory. Default `oracle-data`.
    pub data_dir: PathBuf,
    /// How patient it is.
    pub timing: Timing,
    /// How much it takes on.
    pub limits: Limits,
}

/// Times, in epochs unless the name says otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Timing {
    /// Between two looks at the chain. Default 0.04, at least 100 ms and at most 5 s.
    pub poll: f64,
    /// Time a proposer has before the next seat may propose. Default 0.25.
    pub fallback: f64,
    /// Time each seat leaves the beacon to the seats before it. Default 1/32.
    pub beacon_stagger: f64,
    /// Between seeing the end of a job and reporting it. Default 0.25.
    pub exit_grace: f64,
    /// Silence of an agent after which its node has failed a lease. Default 2.5.
    pub unreachable: f64,
    /// Between two polls of an agent, seconds: above 2 s no live second would count. Default 1.
    pub lease_poll_secs: f64,
}

/// Bounds on work, memory and disk.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Evidence kept, MiB. Default 1,024.
    pub evidence_mib: u64,
    /// Nodes audited in one epoch: a verified node is every 64 epochs on average. Default 4,096.
    pub audits_per_epoch: usize,
    /// Bundles verified at once, each on one thread. Default 2.
    pub verify_at_once: usize,
    /// Links of nodes measured at once: more share this oracle's own link, and look slower. Default 4.
    pub measure_at_once: usize,
    /// Largest transfer of a measurement, MiB, from 4 to 128: it ends before when it has taken 2 s. Default 64.
    pub transfer_mib: u64,
    /// Requests one key may send a second, in the long run. Default 20, bursts of five times as many.
    pub requests_per_sec: f64,
    /// Leases polled at once: at least leases × the agents' answer time ÷ `lease_poll_secs`. Default 64.
    pub polls_at_once: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keypair: PathBuf::new(),
            rpc_url: "http://127.0.0.1:8899".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 9101)),
            public_address: None,
            metrics_listen: MetricsListen::local(9_102),
            data_dir: PathBuf::from("oracle-data"),
            timing: Timing::default(),
            limits: Limits::default(),
        }
    }
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            poll: 0.04,
            fallback: 0.25,
            beacon_stagger: 1.0 / 32.0,
            exit_grace: 0.25,
            unreachable: 2.5,
            lease_poll_secs: 1.0,
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            evidence_mib: 1_024,
            audits_per_epoch: 4_096,
            verify_at_once: 2,
            measure_at_once: 4,
            transfer_mib: 64,
            requests_per_sec: 20.0,
            polls_at_once: 64,
        }
    }
}

impl Settings {
    /// Reads a settings file. Unknown keys are refused.
    ///
    /// # Errors
    /// When it cannot be read or a value is out of range.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the settings file {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in the settings file {}", path.display()))
    }

    /// Reads settings as TOML.
    ///
    /// # Errors
    /// When it is not TOML, has an unknown key, or a value is out of range.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first that is out of range, and its range.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.keypair.as_os_str().is_empty(), "no keypair is set; name the key file of the oracle's seat");
        let timing = self.timing;
        for (name, value, least, most) in [
            ("timing.poll", timing.poll, 0.001, 0.25),
            ("timing.fallback", timing.fallback, 0.01, 0.5),
            ("timing.beacon_stagger", timing.beacon_stagger, 0.0, 0.1),
            ("timing.exit_grace", timing.exit_grace, 0.0, 2.0),
            ("timing.unreachable", timing.unreachable, 0.5, 100.0),
            ("timing.lease_poll_secs", timing.lease_poll_secs, 0.2, 1.5),
            ("limits.requests_per_sec", self.limits.requests_per_sec, 0.1, 10_000.0),
        ] {
            ensure!((least..=most).contains(&value), "{name} is {value}; it must be from {least} to {most}");
        }
        for (name, value) in [
            ("limits.audits_per_epoch", self.limits.audits_per_epoch),
            ("limits.verify_at_once", self.limits.verify_at_once),
            ("limits.measure_at_once", self.limits.measure_at_once),
            ("limits.polls_at_once", self.limits.polls_at_once),
        ] {
            ensure!((1..=100_000).contains(&value), "{name} is {value}; it must be from 1 to 100,000");
        }
        let transfer_mib = self.limits.transfer_mib;
        ensure!((4..=128).contains(&transfer_mib), "limits.transfer_mib is {transfer_mib}; it must be from 4 to 128");
        Ok(())
    }

    /// The `host:port` requests must be addressed to.
    pub fn authority(&self) -> String {
        self.public_address.clone().unwrap_or_else(|| self.listen.to_string())
    }
}

/// A fraction of an epoch.
pub fn of_epoch(fraction: f64, epoch_secs: i64) -> Duration {
    Duration::try_from_secs_f64(fraction * epoch_secs.max(1) as f64).unwrap_or(Duration::from_secs(1))
}

impl Timing {
    /// Time between two looks at the chain.
    pub fn poll_every(&self, epoch_secs: i64) -> Duration {
        of_epoch(self.poll, epoch_secs).clamp(Duration::from_millis(100), Duration::from_secs(5))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_is_the_defaults() {
        let template = Settings::parse(include_str!("../oracle.example.toml")).unwrap();
        let keypair = PathBuf::from("oracle-keypair.json");
        assert_eq!(template, Settings { keypair, ..Settings::default() });
    }

    #[test]
    fn unknown_keys_and_values_out_of_range_are_refused() {
        assert!(Settings::parse("keypear = \"x\"").unwrap_err().to_string().contains("keypear"));
        assert!(Settings::default().check().unwrap_err().to_string().contains("keypair"));
        let settings = Settings::parse("keypair = \"x\"\n[timing]\nlease_poll_secs = 3").unwrap();
        let error = settings.check().unwrap_err().to_string();
        assert!(error.contains("lease_poll_secs is 3; it must be from 0.2 to 1.5"), "{error}");
        let settings = Settings::parse("keypair = \"x\"\n[limits]\nverify_at_once = 0").unwrap();
        assert!(settings.check().is_err());
        assert!(Settings { keypair: "x".into(), ..Settings::default() }.check().is_ok());
    }

    #[test]
    fn a_requests_address_is_the_public_one() {
        assert_eq!(Settings::default().authority(), "127.0.0.1:9101");
        let settings = Settings { public_address: Some("oracle.example:443".into()), ..Settings::default() };
        assert_eq!(settings.authority(), "oracle.example:443");
    }

    #[test]
    fn times_follow_the_length_of_an_epoch() {
        assert_eq!(of_epoch(0.25, 4), Duration::from_secs(1));
        assert_eq!(of_epoch(2.5, 600), Duration::from_secs(1_500));
        assert_eq!(Timing::default().poll_every(4), Duration::from_millis(160));
        assert_eq!(Timing::default().poll_every(3_600), Duration::from_secs(5));
    }
}
