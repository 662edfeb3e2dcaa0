//! The chain as this agent last saw it: one picture, replaced as a whole.

use std::collections::{HashMap, HashSet};
use std::time::Instant;

use anyhow::Context;
use millrace::state::{Beacons, Config, Lease, Node, Oracle, OracleSet, Provider, Reports};
use millrace_client::ix::Market;
use millrace_client::lease::stands_by;
use millrace_client::{endpoint, fetch, fetch_all, field_offset, pda, Chain, Pubkey};
use millrace_core::epoch::epoch_starts_at;
use millrace_core::proof::statement::is_quorum;
use millrace_wire::{Pin, SignedClient};

/// One oracle and where its daemon answers.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Its key.
    pub authority: Pubkey,
    /// Its weight.
    pub weight: u64,
    /// URL of its daemon, if it registered one.
    pub url: Option<String>,
}

impl Seat {
    /// `client` for this oracle: over TLS it talks to nobody but the holder of the seat's key.
    pub fn client(&self, client: &SignedClient) -> SignedClient {
        client.pinned(Pin::Key(self.authority.to_bytes()))
    }
}

/// The chain at one moment.
pub struct View {
    /// When this was read, by this machine's monotonic clock.
    pub taken: Instant,
    /// The chain's clock, unix seconds.
    pub now: i64,
    /// The current epoch.
    pub epoch: u64,
    /// The deployment.
    pub config: Config,
    /// The oracles, in seat order.
    pub seats: Vec<Seat>,
    /// The beacons; `None` until their account has its size.
    pub beacons: Option<Box<Beacons>>,
    /// The reports.
    pub reports: Box<Reports>,
    /// This agent's provider.
    pub provider: Provider,
    /// The nodes it stands for that are registered.
    pub nodes: Vec<(Pubkey, Node)>,
    /// Every open lease of these nodes.
    pub leases: HashMap<Pubkey, Lease>,
    /// Other nodes' open leases of the jobs these nodes stand by for.
    pub others: HashMap<Pubkey, Lease>,
}

impl View {
    /// Reads the chain for the nodes at `nodes` of the provider at `provider`. `last` saves what changes rarely:
    /// oracles' addresses are read once an epoch.
    ///
    /// # Errors
    /// The chain's, and when the deployment or the provider is not there.
    pub async fn read(
        chain: &dyn Chain,
        provider: &Pubkey,
        nodes: &[Pubkey],
        last: Option<&View>,
    ) -> anyhow::Result<View> {
        let taken = Instant::now();
        let config: Config =
            fetch(chain, &pda::config()).await?.context("the market is not open: there is no Config")?;
        let set: OracleSet = fetch(chain, &pda::oracles()).await?.context("the market has no oracles yet")?;
        let reports: Reports = fetch(chain, &pda::reports()).await?.context("the market has no reports account yet")?;
        let provider_key = provider;
        let provider: Provider = fetch(chain, provider_key)
            .await?
            .with_context(|| format!("there is no provider account {provider_key}; register it with the cold key"))?;
        // Before it is grown to its size it does not decode.
        let beacons = fetch::<Beacons>(chain, &pda::beacons()).await.ok().flatten().map(Box::new);
        let now = chain.unix_timestamp().await?;
        let epoch = config.epoch_at(now).ok().context("the chain's clock is before genesis")?;
        let mut found = Vec::with_capacity(nodes.len());
        for key in nodes {
            found.extend(fetch::<Node>(chain, key).await?.map(|node| (*key, node)));
        }
        let of_provider = [(field_offset!(Lease, provider), provider_key.to_bytes().to_vec())];
        let leases = fetch_all::<Lease>(chain, &of_provider).await?;
        let leases = leases.into_iter().filter(|(_, lease)| nodes.contains(&lease.node)).collect();
        let others = read_others(chain, &leases).await?;
        let seats = match last.filter(|last| last.epoch == epoch) {
            Some(last) => last.seats.clone(),
            None => read_seats(chain, &set).await?,
        };
        let reports = Box::new(reports);
        Ok(View { taken, now, epoch, config, seats, beacons, reports, provider, nodes: found, leases, others })
    }

    /// Length of an epoch, seconds.
    pub fn epoch_secs(&self) -> i64 {
        self.config.params.epoch_secs
    }

    /// The instant `epoch` begins.
    pub fn began_at(&self, epoch: u64) -> Option<i64> {
        epoch_starts_at(self.config.base_epoch, self.config.base_at, self.epoch_secs(), epoch)
    }

    /// The latched beacon of `epoch`.
    pub fn beacon(&self, epoch: u64) -> Option<[u8; 32]> {
        self.beacons.as_ref()?.latched(epoch).map(|beacon| beacon.hash)
    }

    /// The node at `key`.
    pub fn node(&self, key: &Pubkey) -> Option<&Node> {
        self.nodes.iter().find(|(at, _)| at == key).map(|(_, node)| node)
    }

    /// What the market's token is.
    pub fn market(&self) -> Market {
        Market::from(&self.config)
    }

    /// Whether oracles of `weight` are a quorum.
    pub fn is_quorum(&self, weight: u64) -> bool {
        let total = self.seats.iter().fold(0u64, |sum, seat| sum.saturating_add(seat.weight));
        is_quorum(weight, total, self.config.params.quorum_bps)
    }
}

async fn read_others(chain: &dyn Chain, own: &HashMap<Pubkey, Lease>) -> anyhow::Result<HashMap<Pubkey, Lease>> {
    let jobs: HashSet<Pubkey> = own.values().filter(|lease| stands_by(lease)).map(|lease| lease.job).collect();
    let mut others = HashMap::new();
    for job in jobs {
        let of_job = [(field_offset!(Lease, job), job.to_bytes().to_vec())];
        let leases = fetch_all::<Lease>(chain, &of_job).await?;
        others.extend(leases.into_iter().filter(|(key, _)| !own.contains_key(key)));
    }
    Ok(others)
}

async fn read_seats(chain: &dyn Chain, set: &OracleSet) -> anyhow::Result<Vec<Seat>> {
    let mut seats = Vec::with_capacity(set.seats().len());
    for seat in set.seats() {
        let oracle: Option<Oracle> = fetch(chain, &pda::oracle(&seat.authority)).await?;
        let url = oracle.and_then(|oracle| endpoint::from_bytes(&oracle.endpoint));
        let url = url.map(|url| url.trim_end_matches('/').to_owned());
        seats.push(Seat { authority: seat.authority, weight: seat.weight, url });
    }
    Ok(seats)
}
