//! The chain as this oracle last saw it: one consistent picture, replaced as a whole.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anchor_lang::ZeroCopy;
use anyhow::Context;
use millrace::state::beacons::ring_place;
use millrace::state::{Beacon, Beacons, Config, Lease, LeaseState, Oracle, OracleSet, Reports};
use millrace_client::fetch::decode;
use millrace_client::{endpoint, fetch_all, field_offset, pda, Account, Chain, ChainError, Pubkey};
use millrace_core::epoch::epoch_starts_at;

use crate::decide::beacon::{self, BeaconStep};
use crate::decide::intake::ShareGiver;

/// One seat and where its daemon answers.
#[derive(Clone, Debug)]
pub struct SeatView {
    /// Its key.
    pub authority: Pubkey,
    /// Its weight.
    pub weight: u64,
    /// URL of its daemon, if it registered one.
    pub endpoint: Option<String>,
    /// Its record. Read again whenever a report was signed; `None` for a place nobody holds.
    pub oracle: Option<Box<Oracle>>,
}

impl SeatView {
    /// The address of its record.
    pub fn address(&self) -> [u8; 32] {
        pda::oracle(&self.authority).to_bytes()
    }
}

/// The chain at one moment.
#[derive(Clone)]
pub struct View {
    /// When this was read, by this machine's monotonic clock.
    pub taken: Instant,
    /// The chain's clock, unix seconds.
    pub now: i64,
    /// The chain's slot.
    pub slot: u64,
    /// The current epoch.
    pub epoch: u64,
    /// When this process first saw that epoch.
    pub epoch_seen: Instant,
    /// The deployment.
    pub config: Config,
    /// The seats in order.
    pub seats: Vec<SeatView>,
    /// The account they are from, with what they earned together.
    pub oracles: Box<OracleSet>,
    /// The beacons; `None` until their account has its size.
    pub beacons: Option<Arc<Beacons>>,
    /// The reports.
    pub reports: Box<Reports>,
    /// Leases that have not ended on chain.
    pub leases: Vec<(Pubkey, Lease)>,
    /// When those were read: the costliest question, asked less often.
    pub leases_taken: Instant,
}

/// Age from which the leases are read again.
const LEASES_LAST: Duration = Duration::from_millis(450);

impl View {
    /// Reads the chain. `last` saves what changes rarely: the seats' records are read once an epoch and after each
    /// signature.
    ///
    /// # Errors
    /// The chain's, and when the deployment is not initialised.
    pub async fn read(chain: &dyn Chain, last: Option<&View>) -> anyhow::Result<View> {
        let taken = Instant::now();
        // One question, so that the answers fit each other.
        let keys = [pda::config(), pda::oracles(), pda::reports()];
        let accounts = chain.accounts(&keys).await?;
        let config: Config = read(&keys, &accounts, 0)?.context("the program has no Config: initialise it")?;
        let set: OracleSet = read(&keys, &accounts, 1)?.context("there is no OracleSet: initialise it")?;
        let reports: Reports = read(&keys, &accounts, 2)?.context("there is no Reports: initialise it")?;
        let now = chain.unix_timestamp().await?;
        let slot = chain.slot().await?;
        let epoch = config.epoch_at(now).map_err(|_| anyhow::anyhow!("the chain's clock is before genesis"))?;
        let beacons = match last.filter(|last| last.epoch == epoch && last.beacon(epoch).is_some()) {
            // 48 KiB: once the current beacon is latched, nothing in them changes until the next epoch.
            Some(last) => last.beacons.clone(),
            None => read_beacons(chain).await?,
        };
        let epoch_seen = last.filter(|last| last.epoch == epoch).map_or(taken, |last| last.epoch_seen);

        let same_seats = |last: &&View| {
            let known = last.seats.iter().map(|seat| (seat.authority, seat.weight));
            let is_recent = last.epoch == epoch && last.reports.sequence == reports.sequence;
            is_recent && known.eq(set.seats().iter().map(|seat| (seat.authority, seat.weight)))
        };
        let seats = match last.filter(same_seats) {
            Some(last) => last.seats.clone(),
            None => read_seats(chain, &set).await?,
        };
        let (leases, leases_taken) = match last.filter(|last| last.leases_taken.elapsed() < LEASES_LAST) {
            Some(last) => (last.leases.clone(), last.leases_taken),
            None => (read_leases(chain).await?, taken),
        };
        let reports = Box::new(reports);
        let oracles = Box::new(set);
        Ok(View { taken, now, slot, epoch, epoch_seen, config, seats, oracles, beacons, reports, leases, leases_taken })
    }

    /// The place of `seat`'s key among the seats.
    pub fn seat_of(&self, authority: &Pubkey) -> Option<u8> {
        self.seats.iter().position(|seat| seat.authority == *authority).and_then(|seat| u8::try_from(seat).ok())
    }

    /// Seats there are.
    pub fn seat_count(&self) -> u8 {
        u8::try_from(self.seats.len()).unwrap_or(u8::MAX)
    }

    /// The seats as givers of audit shares, in order.
    pub fn share_givers(&self) -> Vec<ShareGiver> {
        let giver = |seat: &SeatView| ShareGiver { authority: seat.authority.to_bytes(), weight: seat.weight };
        self.seats.iter().map(giver).collect()
    }

    /// Length of an epoch, seconds.
    pub fn epoch_secs(&self) -> i64 {
        self.config.params.epoch_secs
    }

    /// The instant `epoch` ends, and the next begins.
    pub fn ends_at(&self, epoch: u64) -> Option<i64> {
        let next = epoch.checked_add(1)?;
        epoch_starts_at(self.config.base_epoch, self.config.base_at, self.epoch_secs(), next)
    }

    /// How long the current epoch has lasted, by this machine's clock.
    pub fn since_epoch(&self) -> Duration {
        self.epoch_seen.elapsed()
    }

    /// The latched beacon of `epoch`.
    pub fn beacon(&self, epoch: u64) -> Option<[u8; 32]> {
        self.beacons.as_ref()?.latched(epoch).map(|beacon| beacon.hash)
    }

    fn beacon_place(&self, epoch: u64) -> Option<&Beacon> {
        self.beacons.as_ref()?.ring.get(ring_place(epoch))
    }

    /// What the beacon of `epoch` needs; `None` until the account has its size.
    pub fn beacon_step(&self, epoch: u64) -> Option<BeaconStep> {
        Some(beacon::step(epoch, self.beacon_place(epoch)?, self.slot))
    }
}

fn read<T: ZeroCopy>(keys: &[Pubkey], accounts: &[Option<Account>], at: usize) -> Result<Option<T>, ChainError> {
    match (keys.get(at), accounts.get(at)) {
        (Some(key), Some(Some(account))) => decode(key, account),
        _ => Ok(None),
    }
}

/// The beacons; `None` before their account is grown to its size.
///
/// # Errors
/// The chain's.
pub async fn read_beacons(chain: &dyn Chain) -> Result<Option<Arc<Beacons>>, ChainError> {
    let account = chain.account(&pda::beacons()).await?;
    Ok(account.and_then(|account| decode::<Beacons>(&pda::beacons(), &account).ok().flatten()).map(Arc::new))
}

async fn read_leases(chain: &dyn Chain) -> anyhow::Result<Vec<(Pubkey, Lease)>> {
    let mut leases = Vec::new();
    for state in [LeaseState::Awarded, LeaseState::Active] {
        leases.extend(fetch_all::<Lease>(chain, &[(field_offset!(Lease, state), vec![state as u8])]).await?);
    }
    Ok(leases)
}

/// The slot the beacon of `epoch` names, once it is open.
pub fn named_slot(beacons: &Beacons, epoch: u64) -> Option<u64> {
    let place = beacons.ring.get(ring_place(epoch))?;
    (place.epoch == epoch && place.slot > 0).then_some(place.slot)
}

async fn read_seats(chain: &dyn Chain, set: &OracleSet) -> anyhow::Result<Vec<SeatView>> {
    let keys: Vec<Pubkey> = set.seats().iter().map(|seat| pda::oracle(&seat.authority)).collect();
    let accounts = chain.accounts(&keys).await?;
    let mut seats = Vec::with_capacity(keys.len());
    for (place, seat) in set.seats().iter().enumerate() {
        let oracle: Option<Oracle> = read(&keys, &accounts, place)?;
        let endpoint = oracle.as_ref().and_then(|oracle| endpoint::from_bytes(&oracle.endpoint));
        let oracle = oracle.map(Box::new);
        seats.push(SeatView { authority: seat.authority, weight: seat.weight, endpoint, oracle });
    }
    Ok(seats)
}
