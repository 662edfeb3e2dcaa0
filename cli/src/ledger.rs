//! Every base unit of the market, read from the chain.
//!
//! Two independent counts must meet: the token program's (all token accounts of the mint, and its supply) and the
//! market's own books (customers, providers, nodes, leases, vote locks). Where they do not, an invariant is broken.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use millrace::state::{Config, Customer, Dispute, Job, Lease, Node, Oracle, Provider, VoterLock};
use millrace_client::token::{mint_supply, token_accounts, TokenHolding};
use millrace_client::{fetch, fetch_all, pda, Chain, Pubkey};
use serde::Serialize;

/// What the market holds, and whether its promises stand.
#[derive(Debug, Serialize)]
pub struct Ledger {
    /// Supply when the market began, base units.
    pub genesis_supply: u64,
    /// Burned by the program since, base units.
    pub burned: u64,
    /// Supply now, by the token program, base units.
    pub supply: u64,
    /// Where every remaining base unit is.
    pub holdings: Vec<Holding>,
    /// What each customer's money became.
    pub customers: Vec<CustomerBooks>,
    /// What each provider has.
    pub providers: Vec<ProviderBooks>,
    /// I1 to I6, and I8.
    pub invariants: Vec<Invariant>,
}

/// One token account.
#[derive(Debug, Serialize)]
pub struct Holding {
    /// What it is to the market.
    pub role: String,
    /// The token account.
    pub account: String,
    /// Who controls it.
    pub owner: String,
    /// Base units.
    pub amount: u64,
}

/// A customer's books, base units.
#[derive(Debug, Serialize)]
#[allow(missing_docs)]
pub struct CustomerBooks {
    pub customer: String,
    pub deposited: u64,
    pub received: u64,
    pub paid: u64,
    pub burned: u64,
    pub oracle_share: u64,
    pub treasury_share: u64,
    pub fee_due: u64,
    pub refunded: u64,
    pub free: u64,
    pub reserved: u64,
    pub holdbacks: u64,
}

/// A provider's books, base units.
#[derive(Debug, Serialize)]
#[allow(missing_docs)]
pub struct ProviderBooks {
    pub provider: String,
    pub stake: u64,
    pub locked: u64,
    pub unbonding: u64,
    pub earned: u64,
    pub slashed: u64,
}

/// One invariant of the protocol, and what was compared.
#[derive(Debug, Serialize)]
pub struct Invariant {
    /// `I1` to `I6`, or `I8`.
    pub name: &'static str,
    /// What it promises.
    pub promise: &'static str,
    /// Whether it holds everywhere.
    pub holds: bool,
    /// What was compared, or where it broke.
    pub evidence: String,
}

/// Reads the whole market and checks it.
///
/// # Errors
/// When the RPC fails or there is no market there.
pub async fn read(chain: &dyn Chain) -> Result<Ledger> {
    let config =
        fetch::<Config>(chain, &pda::config()).await?.context("there is no market at this RPC; check --url")?;
    let customers = fetch_all::<Customer>(chain, &[]).await?;
    let providers = fetch_all::<Provider>(chain, &[]).await?;
    let nodes = fetch_all::<Node>(chain, &[]).await?;
    let jobs = fetch_all::<Job>(chain, &[]).await?;
    let leases = fetch_all::<Lease>(chain, &[]).await?;
    let disputes = fetch_all::<Dispute>(chain, &[]).await?;
    let oracles = fetch_all::<Oracle>(chain, &[]).await?;
    let locks = fetch_all::<VoterLock>(chain, &[]).await?;
    let supply = mint_supply(chain, &config.mint).await?;
    let accounts = token_accounts(chain, &config.token_program, &config.mint).await?;
    let now = chain.unix_timestamp().await?;
    let balances: BTreeMap<Pubkey, u64> = accounts.iter().map(|holding| (holding.account, holding.amount)).collect();

    let invariants = vec![
        vaults(
            "I1",
            "each customer's vault holds what its books say, or more",
            &balances,
            customers.iter().map(|(key, it)| (key, it.vault, it.owed())),
        ),
        vaults(
            "I2",
            "each provider's vault holds stake, unbonding and earnings, or more",
            &balances,
            providers.iter().map(|(key, it)| (key, it.vault, it.owed())),
        ),
        vaults(
            "I2",
            "each oracle's vault holds its stake and what is unbonding, or more",
            &balances,
            oracles.iter().map(|(key, it)| (key, it.vault, it.owed())),
        ),
        stakes(&providers, &nodes, &leases),
        books(&customers, &jobs, &leases, &disputes),
        seconds(&leases, now),
        supplies(&config, supply, &accounts),
        votes(&config, &locks, &balances),
    ];
    Ok(Ledger {
        genesis_supply: config.genesis_supply,
        burned: config.burned_total,
        supply,
        holdings: holdings(&config, (&customers, &providers, &oracles, &locks), accounts),
        customers: customers.iter().map(|(key, it)| customer_books(key, it)).collect(),
        providers: providers.iter().map(|(key, it)| provider_books(key, it)).collect(),
        invariants,
    })
}

/// The verdict over `checked` cases, of which `broken` say how they failed.
fn verdict(name: &'static str, promise: &'static str, checked: &str, broken: Vec<String>) -> Invariant {
    let holds = broken.is_empty();
    Invariant { name, promise, holds, evidence: if holds { checked.to_owned() } else { broken.join("; ") } }
}

fn vaults<'a>(
    name: &'static str,
    promise: &'static str,
    balances: &BTreeMap<Pubkey, u64>,
    owners: impl Iterator<Item = (&'a Pubkey, Pubkey, u64)>,
) -> Invariant {
    let (mut broken, mut count, mut held, mut owed) = (Vec::new(), 0, 0u128, 0u128);
    for (key, vault, due) in owners {
        let balance = balances.get(&vault).copied().unwrap_or(0);
        (count, held, owed) = (count + 1, held + u128::from(balance), owed + u128::from(due));
        if balance < due {
            broken.push(format!("{key}: vault {balance}, owed {due}"));
        }
    }
    verdict(name, promise, &format!("{count} vaults hold {held}, owe {owed}"), broken)
}

fn stakes(providers: &[(Pubkey, Provider)], nodes: &[(Pubkey, Node)], leases: &[(Pubkey, Lease)]) -> Invariant {
    let mut broken = Vec::new();
    for (key, provider) in providers {
        // A retired node keeps the figure it answers with, but locks nothing.
        let own = nodes.iter().filter(|(_, node)| node.provider == *key);
        let behind_nodes: u64 = own.filter(|(_, node)| !node.is_retired()).map(|(_, node)| node.locked_stake).sum();
        let behind_leases: u64 =
            leases.iter().filter(|(_, lease)| lease.provider == *key).map(|(_, lease)| lease.bond_left).sum();
        let expected = behind_nodes + provider.bonds + behind_leases;
        if provider.locked != expected || provider.locked > provider.stake {
            broken.push(format!(
                "{key}: locked {}, nodes and bonds {expected}, stake {}",
                provider.locked, provider.stake
            ));
        }
    }
    let locked: u64 = providers.iter().map(|(_, provider)| provider.locked).sum();
    verdict(
        "I3",
        "locked stake is exactly what nodes and bonds lock, and within stake",
        &format!("{} providers, {locked} locked", providers.len()),
        broken,
    )
}

fn books(
    customers: &[(Pubkey, Customer)],
    jobs: &[(Pubkey, Job)],
    leases: &[(Pubkey, Lease)],
    disputes: &[(Pubkey, Dispute)],
) -> Invariant {
    let mut broken = Vec::new();
    for (key, it) in customers {
        let spent = it.paid + it.burned + it.oracle_share + it.treasury_share + it.fee_due;
        let held = it.free + it.reserved + it.holdbacks;
        if it.deposited + it.received != spent + it.refunded + held {
            broken.push(format!(
                "{key}: in {}, spent {spent}, refunded {}, held {held}",
                it.deposited + it.received,
                it.refunded
            ));
        }
        let own_leases = || leases.iter().filter(|(_, lease)| lease.customer == *key);
        let set_aside: u64 =
            jobs.iter().filter(|(_, job)| job.customer == *key).map(|(_, job)| job.reserve_amount).sum::<u64>()
                + own_leases().map(|(_, lease)| lease.reserve_amount).sum::<u64>()
                + disputes.iter().filter(|(_, it)| it.customer == *key).map(|(_, it)| it.bond).sum::<u64>();
        let held_back: u64 = own_leases().map(|(_, lease)| lease.holdback_amount).sum();
        if it.reserved != set_aside || it.holdbacks != held_back {
            broken.push(format!(
                "{key}: reserved {} against {set_aside}, holdbacks {} against {held_back}",
                it.reserved, it.holdbacks
            ));
        }
    }
    let deposited: u64 = customers.iter().map(|(_, it)| it.deposited).sum();
    verdict(
        "I4",
        "deposited = spent + refunded + held, to the base unit",
        &format!("{} customers, {deposited} deposited", customers.len()),
        broken,
    )
}

fn seconds(leases: &[(Pubkey, Lease)], now: i64) -> Invariant {
    let broken = leases.iter().filter_map(|(key, lease)| {
        let elapsed_secs = u64::try_from(now - lease.started_at).unwrap_or(0);
        let within = lease.paid_secs <= lease.max_secs && lease.paid_secs <= elapsed_secs;
        let exact = lease.per_sec.checked_mul(lease.paid_secs) == Some(lease.gross_amount);
        (!within || !exact).then(|| {
            format!("{key}: {} s paid of {elapsed_secs} elapsed, charged {}", lease.paid_secs, lease.gross_amount)
        })
    });
    let paid_secs: u64 = leases.iter().map(|(_, lease)| lease.paid_secs).sum();
    verdict(
        "I5",
        "no lease is paid twice for a second, nor for more than elapsed or its reserve",
        &format!("{} open leases, {paid_secs} s paid", leases.len()),
        broken.collect(),
    )
}

fn supplies(config: &Config, supply: u64, accounts: &[TokenHolding]) -> Invariant {
    let mut broken = Vec::new();
    let most = config.genesis_supply.saturating_sub(config.burned_total);
    if supply > most {
        broken.push(format!(
            "supply {supply} exceeds genesis {} less burned {}",
            config.genesis_supply, config.burned_total
        ));
    }
    let counted: u64 = accounts.iter().map(|holding| holding.amount).sum();
    if counted != supply {
        broken.push(format!("token accounts hold {counted}, the mint says {supply}"));
    }
    verdict(
        "I6",
        "supply is at most genesis less what the program burned",
        &format!("{supply} = {} − {}", config.genesis_supply, config.burned_total),
        broken,
    )
}

/// Each locked token counts once: in its own lock, which its vault backs, and in the sum that quorums are taken of.
fn votes(config: &Config, locks: &[(Pubkey, VoterLock)], balances: &BTreeMap<Pubkey, u64>) -> Invariant {
    let held = |account: &Pubkey| balances.get(account).copied().unwrap_or(0);
    let short = locks.iter().filter(|(_, lock)| held(&lock.vault) < lock.amount);
    let mut broken: Vec<String> =
        short.map(|(key, lock)| format!("{key}: vault {}, locked {}", held(&lock.vault), lock.amount)).collect();
    let weight: u64 = locks.iter().map(|(_, lock)| lock.weight).sum();
    if weight != config.vote_weight_total {
        broken.push(format!("locks weigh {weight}, counted are {}", config.vote_weight_total));
    }
    if held(&config.treasury) < config.deposits_held {
        broken.push(format!("treasury {}, deposits {}", held(&config.treasury), config.deposits_held));
    }
    verdict(
        "I8",
        "each locked token weighs once, and the treasury holds every deposit",
        &format!("{} locks weigh {weight}, {} in deposits", locks.len(), config.deposits_held),
        broken,
    )
}

/// Whose accounts own token vaults.
type Owners<'a> =
    (&'a [(Pubkey, Customer)], &'a [(Pubkey, Provider)], &'a [(Pubkey, Oracle)], &'a [(Pubkey, VoterLock)]);

fn holdings(
    config: &Config,
    (customers, providers, oracles, locks): Owners,
    accounts: Vec<TokenHolding>,
) -> Vec<Holding> {
    let mut roles: BTreeMap<Pubkey, String> = BTreeMap::new();
    roles.extend(customers.iter().map(|(_, it)| (it.vault, "customer vault".to_owned())));
    roles.extend(oracles.iter().map(|(_, it)| (it.vault, "oracle vault".to_owned())));
    roles.extend(providers.iter().map(|(_, it)| (it.vault, "provider vault".to_owned())));
    roles.extend(locks.iter().map(|(_, it)| (it.vault, "vote lock".to_owned())));
    roles.insert(config.treasury, "treasury".to_owned());
    roles.insert(config.oracle_pool, "oracle pool".to_owned());
    let describe = |holding: TokenHolding| Holding {
        role: roles.get(&holding.account).cloned().unwrap_or_else(|| "wallet".to_owned()),
        account: holding.account.to_string(),
        owner: holding.owner.to_string(),
        amount: holding.amount,
    };
    let mut holdings: Vec<Holding> = accounts.into_iter().map(describe).collect();
    holdings.sort_by(|a, b| a.role.cmp(&b.role).then(b.amount.cmp(&a.amount)));
    holdings
}

fn customer_books(key: &Pubkey, it: &Customer) -> CustomerBooks {
    CustomerBooks {
        customer: key.to_string(),
        deposited: it.deposited,
        received: it.received,
        paid: it.paid,
        burned: it.burned,
        oracle_share: it.oracle_share,
        treasury_share: it.treasury_share,
        fee_due: it.fee_due,
        refunded: it.refunded,
        free: it.free,
        reserved: it.reserved,
        holdbacks: it.holdbacks,
    }
}

fn provider_books(key: &Pubkey, it: &Provider) -> ProviderBooks {
    ProviderBooks {
        provider: key.to_string(),
        stake: it.stake,
        locked: it.locked,
        unbonding: it.unbonding_amount(),
        earned: it.earned,
        slashed: it.slashed_total,
    }
}

impl std::fmt::Display for Ledger {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        use crate::context::mill;
        use crate::output::table;
        writeln!(f, "Where every base unit is (1 MILL = 1,000,000)")?;
        let mut where_ = table(["role", "token account", "base units", "amount"]);
        for it in &self.holdings {
            where_.add_row([it.role.clone(), it.account.clone(), it.amount.to_string(), mill(it.amount)]);
        }
        where_.add_row(["burned".into(), String::new(), self.burned.to_string(), mill(self.burned)]);
        where_.add_row([
            "genesis supply".into(),
            String::new(),
            self.genesis_supply.to_string(),
            mill(self.genesis_supply),
        ]);
        writeln!(f, "{where_}\n\nWhat customers' money became")?;
        for it in &self.customers {
            writeln!(f, "{}  in {} + {}", it.customer, mill(it.deposited), mill(it.received))?;
            let out = [
                ("paid to providers", it.paid),
                ("burned", it.burned),
                ("oracle pool", it.oracle_share),
                ("treasury", it.treasury_share),
                ("fee due", it.fee_due),
                ("refunded", it.refunded),
                ("free", it.free),
                ("reserved", it.reserved),
                ("held back", it.holdbacks),
            ];
            for (label, amount) in out {
                writeln!(f, "  {label:<18} {:>16} {:>20}", amount, mill(amount))?;
            }
        }
        writeln!(f, "\nWhat providers have")?;
        let mut have = table(["provider", "stake", "locked", "unbonding", "earned", "slashed"]);
        for it in &self.providers {
            have.add_row([
                it.provider.clone(),
                mill(it.stake),
                mill(it.locked),
                mill(it.unbonding),
                mill(it.earned),
                mill(it.slashed),
            ]);
        }
        writeln!(f, "{have}\n\nInvariants")?;
        for it in &self.invariants {
            writeln!(f, "{} {}  {}: {}", if it.holds { "holds " } else { "BROKEN" }, it.name, it.promise, it.evidence)?;
        }
        Ok(())
    }
}
