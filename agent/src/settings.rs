//! What the operator of an agent sets: a TOML file, and flags that override it.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::{ensure, Context};
use millrace_client::outbox::MAX_PRIORITY_FEE_LAMPORTS;
use millrace_client::Pubkey;
use millrace_core::proof::check_size;
use millrace_daemon::MetricsListen;
use serde::Deserialize;

/// The settings. Every field has a default but the keypair and the authority.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Key file of the operator, mode 0600: signs bids, commits and answers, and pays their transaction fees.
    pub keypair: PathBuf,
    /// Address of the cold key the provider registered under; it stays this one when another key takes over. Only its
    /// address is needed here.
    pub authority: String,
    /// Nodes of the provider this machine stands for. Default `[0]`.
    pub nodes: Vec<u32>,
    /// JSON RPCs of the cluster. With three of them one may fail or lie. Default `["http://127.0.0.1:8899"]`.
    pub rpc_urls: Vec<String>,
    /// Most a transaction pays for priority, lamports; 0 to pay nothing. Default 100,000.
    pub max_priority_fee_lamports: u64,
    /// Address to listen on. Default `127.0.0.1:9201`.
    pub listen: SocketAddr,
    /// `host:port` of the endpoint registered on chain, which requests must be addressed to. Default: `listen`.
    pub public_address: Option<String>,
    /// Loopback address that serves `GET /metrics` for Prometheus, or "off". Default `127.0.0.1:9202`.
    pub metrics_listen: MetricsListen,
    /// Where the journal, the outbox and the jobs lie. One agent a directory. Default `agent-data`.
    pub data_dir: PathBuf,
    /// Software environments offered to jobs: one folder each, by name. Default `environments`.
    pub environments_dir: PathBuf,
    /// What it costs.
    pub prices: Prices,
    /// How it proves what it can do.
    pub audits: Audits,
    /// What it grants a job.
    pub jobs: Jobs,
}

/// Prices, base units of MILL a second (1 MILL = 1,000,000 base units).
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Prices {
    /// Asking price; written to the nodes on chain when it differs. Default: what the nodes ask on chain.
    pub ask_per_sec: Option<u64>,
    /// No bid below it. Default 0: only the floor the cold key set on chain counts.
    pub min_per_sec: u64,
}

/// How nodes are proven.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audits {
    /// Rows and columns, a power of two. Default: by the claimed speed.
    pub n: Option<u32>,
    /// Products one after the other, 1 to 64. Default: by the claimed speed.
    pub rounds: Option<u32>,
    /// A verified node is audited once in so many epochs on average, at epochs no one knows before. Default 64.
    pub every_epochs: u64,
    /// Processor threads of the prover; 0 for one for each core. Default 0.
    pub threads: usize,
}

/// What a job may have at most, and what is done around it.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Jobs {
    /// Limit memory and processes by cgroups where they can be written; else by a watchdog. Default true.
    pub use_cgroups: bool,
    /// Most memory a job may ask for, MiB. Default 8,192.
    pub max_memory_mib: u64,
    /// Most disk a job may ask for, MiB. Default 16,384.
    pub max_disk_mib: u64,
    /// Free disk below which a job is ended as failed by this node, MiB. Default 256.
    pub keep_free_mib: u64,
    /// Most processes and threads a job may ask for. Default 4,096.
    pub max_pids: u32,
    /// How long results are kept after their lease ended, seconds. Default 259,200: three days.
    pub keep_results_secs: u64,
    /// How long the customer may take to award before the agent does, seconds. Default 3.
    pub award_after_secs: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            keypair: PathBuf::new(),
            authority: String::new(),
            nodes: vec![0],
            rpc_urls: vec!["http://127.0.0.1:8899".to_owned()],
            max_priority_fee_lamports: MAX_PRIORITY_FEE_LAMPORTS,
            listen: SocketAddr::from(([127, 0, 0, 1], 9201)),
            public_address: None,
            metrics_listen: MetricsListen::local(9_202),
            data_dir: PathBuf::from("agent-data"),
            environments_dir: PathBuf::from("environments"),
            prices: Prices::default(),
            audits: Audits::default(),
            jobs: Jobs::default(),
        }
    }
}

impl Default for Audits {
    fn default() -> Self {
        Self { n: None, rounds: None, every_epochs: 64, threads: 0 }
    }
}

impl Default for Jobs {
    fn default() -> Self {
        Self {
            use_cgroups: true,
            max_memory_mib: 8_192,
            max_disk_mib: 16_384,
            keep_free_mib: 256,
            max_pids: 4_096,
            keep_results_secs: 3 * 86_400,
            award_after_secs: 3,
        }
    }
}

impl Settings {
    /// Reads a settings file. Unknown keys are refused.
    ///
    /// # Errors
    /// When it cannot be read or is not as it should be.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the settings file {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in the settings file {}", path.display()))
    }

    /// Reads settings as TOML.
    ///
    /// # Errors
    /// When it is not TOML, has an unknown key or a value of the wrong type.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        Ok(toml::from_str(text)?)
    }

    /// Checks every value.
    ///
    /// # Errors
    /// The first that is out of range, and its range.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!(!self.keypair.as_os_str().is_empty(), "no keypair is set; name the operator's key file");
        self.authority_key()?;
        ensure!(!self.nodes.is_empty(), "nodes is empty; name at least one node index, such as nodes = [0]");
        let mut distinct = self.nodes.clone();
        distinct.sort_unstable();
        distinct.dedup();
        ensure!(distinct.len() == self.nodes.len(), "nodes names an index twice; name each once");
        check_size(self.audits.n.unwrap_or(1_024), self.audits.rounds.unwrap_or(1))
            .context("audits.n must be a power of two from 256 to 65,536 and audits.rounds from 1 to 64")?;
        ensure!(self.audits.every_epochs > 0, "audits.every_epochs is 0; it must be at least 1");
        ensure!(self.audits.threads <= 1_024, "audits.threads is {}; it must be 0 to 1,024", self.audits.threads);
        for (name, value, least) in [
            ("jobs.max_memory_mib", self.jobs.max_memory_mib, 16),
            ("jobs.max_disk_mib", self.jobs.max_disk_mib, 1),
            ("jobs.max_pids", u64::from(self.jobs.max_pids), 4),
        ] {
            ensure!(value >= least, "{name} is {value}; it must be at least {least}");
        }
        Ok(())
    }

    /// The provider's cold key.
    ///
    /// # Errors
    /// When it is not an address.
    pub fn authority_key(&self) -> anyhow::Result<Pubkey> {
        self.authority.parse().ok().with_context(|| {
            format!("authority is {:?}; it must be the address of the provider's cold key, in base58", self.authority)
        })
    }

    /// The `host:port` requests must be addressed to.
    pub fn http_authority(&self) -> String {
        self.public_address.clone().unwrap_or_else(|| self.listen.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_is_the_defaults() {
        let example = Settings::parse(include_str!("../agent.example.toml")).unwrap();
        example.check().unwrap();
        let Settings { keypair, authority, .. } = example.clone();
        assert_eq!(example, Settings { keypair, authority, ..Settings::default() });
    }

    #[test]
    fn what_is_wrong_is_named_with_what_would_be_right() {
        let error = |text: &str| {
            let authority = Pubkey::new_from_array([7; 32]);
            let text = format!("keypair = \"k\"\nauthority = \"{authority}\"\n{text}");
            let checked = Settings::parse(&text).and_then(|settings| settings.check());
            format!("{:#}", checked.expect_err("bad settings were accepted"))
        };
        assert!(error("keypear = 1").contains("keypear"));
        assert!(error("nodes = []").contains("nodes = [0]"));
        assert!(error("nodes = [1, 1]").contains("twice"));
        assert!(error("[audits]\nn = 1000").contains("power of two"));
        assert!(error("[audits]\nevery_epochs = 0").contains("at least 1"));
        assert!(error("[jobs]\nmax_pids = 1").contains("at least 4"));
        let error = Settings { keypair: "k".into(), ..Settings::default() }.check().unwrap_err().to_string();
        assert!(error.contains("base58"), "{error}");
    }
}
