//! What every lease was paid, told by the program's own events: the whole history of every customer, read in the end from
//! the chain itself.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use millrace::state::LeaseState;
use millrace_client::{Chain, MillraceEvent, Pubkey, RpcChain};

/// One lease, by its events.
#[derive(Default)]
struct Told {
    customer: Pubkey,
    per_sec: u64,
    /// Seconds paid so far, as each settlement said.
    paid_secs: Vec<u64>,
    /// Sent to the provider, and held back, by all settlements.
    net_amount: u64,
    held_amount: u64,
    /// Of that, what the provider got when the lease closed.
    released_amount: u64,
    state: u8,
    times_closed: u32,
}

/// Every lease there was.
#[derive(Default)]
pub struct Witness {
    leases: BTreeMap<Pubkey, Told>,
    /// Leases whose node failed and whose stand-by took over.
    pub taken_over: usize,
}

async fn events_of(chain: &RpcChain, account: &Pubkey) -> Result<Vec<MillraceEvent>> {
    let mut events = Vec::new();
    for signature in chain.signatures_of(account, None).await? {
        events.extend(chain.transaction_events(&signature).await?);
    }
    Ok(events)
}

impl Witness {
    /// Reads the history of `customers`.
    ///
    /// # Errors
    /// When the chain cannot be read, or speaks of a lease nobody was awarded.
    pub async fn hear(url: &str, customers: &[Pubkey]) -> Result<Self> {
        let (chain, mut witness) = (RpcChain::new(&[url.to_owned()])?, Self::default());
        for customer in customers {
            let own = events_of(&chain, customer).await?;
            // A takeover names no customer: its job tells of it.
            for event in &own {
                if let MillraceEvent::JobPosted(posted) = event {
                    if posted.standby_count > 0 {
                        witness.take_over(customer, events_of(&chain, &posted.job).await?)?;
                    }
                }
            }
            for event in own {
                witness.take(customer, event)?;
            }
        }
        Ok(witness)
    }

    fn take_over(&mut self, customer: &Pubkey, events: Vec<MillraceEvent>) -> Result<()> {
        for event in events {
            if let MillraceEvent::FailedOver(it) = event {
                self.taken_over += 1;
                self.open(it.lease, customer, it.per_sec)?;
            }
        }
        Ok(())
    }

    fn open(&mut self, lease: Pubkey, customer: &Pubkey, per_sec: u64) -> Result<()> {
        let told = Told { customer: *customer, per_sec, ..Told::default() };
        anyhow::ensure!(self.leases.insert(lease, told).is_none(), "{lease} was opened twice");
        Ok(())
    }

    fn take(&mut self, customer: &Pubkey, event: MillraceEvent) -> Result<()> {
        match event {
            MillraceEvent::LeaseAwarded(it) => {
                self.open(it.lease, customer, it.per_sec)?;
            }
            MillraceEvent::LeaseSettled(it) => {
                let told = self.of(&it.lease)?;
                told.paid_secs.push(it.paid_secs);
                told.net_amount += it.net_amount;
                told.held_amount += it.holdback_amount;
                told.state = it.state;
            }
            MillraceEvent::LeaseClosed(it) => {
                let told = self.of(&it.lease)?;
                told.released_amount += it.holdback_amount;
                told.times_closed += 1;
            }
            _ => {}
        }
        Ok(())
    }

    fn of(&mut self, lease: &Pubkey) -> Result<&mut Told> {
        self.leases.get_mut(lease).with_context(|| format!("{lease} was settled before it was awarded"))
    }

    /// Leases in all.
    pub fn count(&self) -> usize {
        self.leases.len()
    }

    /// Leases that ended so.
    pub fn ended_as(&self, state: LeaseState) -> usize {
        self.leases.values().filter(|lease| lease.state == state as u8).count()
    }

    /// What `customer` paid in all, base units.
    pub fn paid_by(&self, customer: &Pubkey) -> u64 {
        let own = self.leases.values().filter(|lease| lease.customer == *customer);
        own.map(|lease| lease.net_amount + lease.released_amount).sum()
    }

    /// Leases that were paid a second twice, or more than their seconds cost, or that never closed.
    pub fn wrongly_paid(&self) -> Vec<String> {
        let wrong = |(key, lease): (&Pubkey, &Told)| {
            let secs = lease.paid_secs.last().copied().unwrap_or(0);
            let (due, charged) = (lease.per_sec * secs, lease.net_amount + lease.held_amount);
            let is_right = lease.paid_secs.is_sorted()
                && charged == due
                && lease.times_closed == 1
                && lease.released_amount == lease.held_amount;
            (!is_right)
                .then(|| format!("{key}: {secs} s at {} charged {charged}, {:?}", lease.per_sec, lease.paid_secs))
        };
        self.leases.iter().filter_map(wrong).collect()
    }
}
