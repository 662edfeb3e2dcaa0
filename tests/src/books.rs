//! The books of a whole market: every account of the program and of the tokens, and the invariants over all of them.

use std::collections::BTreeMap;

use anchor_lang::{Discriminator, ZeroCopy};
use millrace::state::{
    Claim, Customer, Dispute, FraudCase, Job, Lease, Node, Oracle, Proposal, Provider, SlashCase, Vote, VoterLock,
};
use solana_account::ReadableAccount;

use crate::{Pubkey, World};

/// Bytes of the state every token account begins with.
const TOKEN_ACCOUNT_LEN: usize = 165;

/// Declares the kinds kept, one line each.
macro_rules! books {
    ($($(#[$doc:meta])* $field:ident: $kind:ty,)*) => {
        /// What every account says, by address. Kept current by [`Books::refresh`] with the accounts a transaction
        /// names, so that checking costs no search through the machine.
        #[derive(Clone, Debug, Default)]
        pub struct Books {
            $($(#[$doc])* pub $field: BTreeMap<Pubkey, Box<$kind>>,)*
            /// Balance of every token account of the mint, base units.
            pub tokens: BTreeMap<Pubkey, u64>,
        }

        impl Books {
            fn forget(&mut self, key: &Pubkey) {
                $(self.$field.remove(key);)*
                self.tokens.remove(key);
            }

            fn put(&mut self, key: Pubkey, data: &[u8]) {
                $(if let Some(fields) = data.strip_prefix(<$kind>::DISCRIMINATOR) {
                    self.$field.insert(key, copy::<$kind>(fields));
                })*
            }

            /// Addresses of all accounts that share a kind with the one at `key`.
            pub fn of_same_kind(&self, key: &Pubkey) -> Vec<Pubkey> {
                $(if self.$field.contains_key(key) {
                    return self.$field.keys().copied().collect();
                })*
                if self.tokens.contains_key(key) { self.tokens.keys().copied().collect() } else { vec![] }
            }

            /// Accounts of the program that open and close with business.
            pub fn open_accounts(&self) -> usize {
                0 $(+ self.$field.len())*
            }
        }
    };
}

books! {
    /// Customers.
    customers: Customer,
    /// Providers.
    providers: Provider,
    /// Nodes.
    nodes: Node,
    /// Jobs, without their leaderboards.
    jobs: Job,
    /// Leases.
    leases: Lease,
    /// Claims on bonds.
    claims: Claim,
    /// Fraud cases.
    cases: FraudCase,
    /// Judged cases.
    slash_cases: SlashCase,
    /// Disputes.
    disputes: Dispute,
    /// Oracles.
    oracles: Oracle,
    /// Locks.
    locks: VoterLock,
    /// Proposals.
    proposals: Proposal,
    /// Votes.
    votes: Vote,
}

fn copy<T: ZeroCopy>(fields: &[u8]) -> Box<T> {
    let mut copy = bytemuck::allocation::zeroed_box::<T>();
    bytemuck::bytes_of_mut(&mut *copy).copy_from_slice(&fields[..std::mem::size_of::<T>()]);
    copy
}

/// Fails with the words that follow unless the condition holds.
macro_rules! holds {
    ($condition:expr, $($words:tt)+) => {
        if !$condition {
            return Err(format!($($words)+));
        }
    };
}
pub(crate) use holds;

impl Books {
    /// All there is in `world`.
    pub fn of(world: &World) -> Self {
        let mut books = Self::default();
        for owner in [millrace::ID, world.standard.id()] {
            let keys: Vec<Pubkey> = world.svm.get_program_accounts(&owner).into_iter().map(|(key, _)| key).collect();
            books.refresh(world, &keys);
        }
        books
    }

    /// Reads the accounts at `keys` again: those a transaction named, or that are new or gone.
    pub fn refresh(&mut self, world: &World, keys: &[Pubkey]) {
        for key in keys {
            let Some(account) = world.svm.accounts_db().get_account_ref(key) else {
                self.forget(key);
                continue;
            };
            let data = account.data();
            if *account.owner() == millrace::ID {
                self.put(*key, data);
            } else if *account.owner() == world.standard.id() && data.len() >= TOKEN_ACCOUNT_LEN {
                if data[..32] == world.mint.to_bytes() {
                    self.tokens.insert(*key, u64::from_le_bytes(data[64..72].try_into().expect("eight bytes")));
                }
            } else {
                self.forget(key);
            }
        }
    }

    /// Balance of a token account, base units.
    pub fn balance(&self, account: &Pubkey) -> u64 {
        self.tokens.get(account).copied().unwrap_or(0)
    }

    /// The invariants of the whole market, its tokens included: I1 to I6 and what they are made of.
    ///
    /// # Errors
    /// Which one fails, and where.
    pub fn check(&self, world: &World) -> Result<(), String> {
        self.check_accounts()?;
        self.check_supply(world)
    }

    /// The invariants that the accounts must satisfy among themselves, wherever their tokens came from.
    ///
    /// # Errors
    /// As [`Books::check`].
    pub fn check_accounts(&self) -> Result<(), String> {
        self.customers.iter().try_for_each(|(key, customer)| self.check_customer(key, customer))?;
        self.providers.iter().try_for_each(|(key, provider)| self.check_provider(key, provider))?;
        for (key, lease) in &self.leases {
            let is_exact = lease.invariant().is_ok();
            holds!(is_exact, "I5: lease {key} charged other than per_sec × paid_secs");
            let paid_secs = lease.paid_secs + lease.lost_claimed_secs;
            holds!(paid_secs <= lease.max_secs, "I5: lease {key} was paid beyond its length");
        }
        self.check_vaults()
    }

    fn check_customer(&self, key: &Pubkey, customer: &Customer) -> Result<(), String> {
        let vault = self.balance(&customer.vault);
        holds!(vault >= customer.owed(), "I1: the vault of customer {key} holds {vault}, owes {}", customer.owed());
        holds!(customer.invariant().is_ok(), "I4: deposited + received ≠ spent + refunded + held of customer {key}");
        let jobs = || self.jobs.values().filter(|job| job.customer == *key);
        let leases = || self.leases.values().filter(|lease| lease.customer == *key);
        let bonds = self.disputes.values().filter(|dispute| dispute.customer == *key).map(|dispute| dispute.bond);
        let reserves = jobs().map(|job| job.reserve_amount).chain(leases().map(|lease| lease.reserve_amount));
        let (found, reserves) = (customer.reserved, reserves.chain(bonds).sum::<u64>());
        holds!(found == reserves, "I4: customer {key} reserves {found}; jobs, leases and disputes hold {reserves}");
        let holdbacks: u64 = leases().map(|lease| lease.holdback_amount).sum();
        let found = customer.holdbacks;
        holds!(found == holdbacks, "I4: customer {key} holds back {found}, its leases {holdbacks}");
        let open = jobs().count();
        holds!(customer.open_jobs as usize == open, "customer {key} counts {} jobs of {open}", customer.open_jobs);
        let due = self.claims.values().filter(|claim| claim.beneficiary == *key).count();
        holds!(customer.claims_due as usize == due, "customer {key} counts {} claims of {due}", customer.claims_due);
        Ok(())
    }

    fn check_provider(&self, key: &Pubkey, provider: &Provider) -> Result<(), String> {
        let vault = self.balance(&provider.vault);
        holds!(vault >= provider.owed(), "I2: the vault of provider {key} holds {vault}, owes {}", provider.owed());
        holds!(provider.invariant().is_ok(), "I3: bonds ≤ locked ≤ stake is broken of provider {key}");
        let nodes = || self.nodes.values().filter(|node| node.provider == *key);
        let leases = || self.leases.values().filter(|lease| lease.provider == *key);
        let claims = || self.claims.values().filter(|claim| claim.provider == *key);
        let due = self.claims.values().filter(|claim| claim.beneficiary == *key).count();
        let claimed: u64 = claims().map(|claim| claim.amount).sum();
        let kept = provider.claims;
        holds!(kept <= claimed, "provider {key} keeps {kept} for claims of {claimed}");
        let cases = || self.slash_cases.values().filter(|case| case.provider == *key);
        let bonds: u64 = nodes().map(|node| node.bid_bond).sum();
        let lease_bonds: u64 = leases().map(|lease| lease.bond_left).sum();
        let stakes: u64 = nodes().filter(|node| !node.is_retired()).map(|node| node.locked_stake).sum();
        for (what, found, wanted) in [
            ("bonds behind bids", provider.bonds, bonds),
            ("bonds behind leases", provider.lease_bonds, lease_bonds),
            ("locked stake", provider.locked, stakes + bonds + lease_bonds),
            ("frozen stake", provider.frozen, cases().map(|case| case.frozen_amount).sum()),
            ("open leases", provider.open_leases.into(), leases().count() as u64),
            ("open nodes", provider.open_nodes.into(), nodes().count() as u64),
            ("open claims", provider.open_claims.into(), claims().count() as u64),
            ("open judged cases", provider.open_slash_cases.into(), cases().count() as u64),
            ("claims due to it", provider.claims_due.into(), due as u64),
        ] {
            holds!(found == wanted, "I3: {what} of provider {key}: {found} in its account, {wanted} in all others");
        }
        Ok(())
    }

    fn check_vaults(&self) -> Result<(), String> {
        for (key, lock) in &self.locks {
            let vault = self.balance(&lock.vault);
            holds!(vault >= lock.amount, "the vault of lock {key} holds {vault} of {}", lock.amount);
        }
        for (key, oracle) in &self.oracles {
            let (vault, owed) = (self.balance(&oracle.vault), oracle.stake + oracle.unbonding_amount);
            holds!(vault >= owed, "the vault of oracle {key} holds {vault}, owes {owed}");
        }
        Ok(())
    }

    fn check_supply(&self, world: &World) -> Result<(), String> {
        let (supply, config) = (world.supply(), world.config());
        let left = config.genesis_supply - config.burned_total;
        holds!(supply == left, "I6: the supply is {supply}, genesis less what was burned {left}");
        let held: u64 = self.tokens.values().sum::<u64>() + world.undistributed;
        holds!(held == supply, "tokens are not conserved: accounts hold {held} of {supply}");
        Ok(())
    }
}

impl World {
    /// The books of the whole market hold: I1 to I6, every sum taken over all accounts of the program.
    ///
    /// # Panics
    /// Naming the invariant that fails.
    pub fn assert_books(&self) {
        if let Err(broken) = Books::of(self).check(self) {
            panic!("{broken}");
        }
    }
}
