//! `millrace node`.

use std::fmt;

use anyhow::{bail, Context as _, Result};
use millrace::instructions::RegisterNodeArgs;
use millrace::state::{Node, NodeClass, NodeState};
use millrace_client::{fetch, fetch_all, ix, pda, Pubkey};
use millrace_core::stake::required_stake;
use serde::Serialize;

use super::provider;
use crate::context::{mill, Context, Quote};
use crate::output::{lines, table};
use crate::spec;

/// Machines for sale: register, price, drain, relock, retire, close, list.
#[derive(clap::Subcommand)]
pub enum Command {
    /// Register a machine and lock the stake its claimed speed needs.
    Register(RegisterArgs),
    /// Change the asking price.
    SetAsk {
        /// Number of the node under your provider.
        index: u32,
        /// Price, MILL a second.
        #[arg(value_parser = spec::price)]
        ask_per_sec: u64,
    },
    /// Take no new work; what runs goes on.
    Drain {
        /// Number of the node under your provider.
        index: u32,
    },
    /// Take work again.
    Resume {
        /// Number of the node under your provider.
        index: u32,
    },
    /// Take the machine off the market for good and free its stake.
    Retire {
        /// Number of the node under your provider.
        index: u32,
    },
    /// Lock free stake for a machine that lost some of its own; the next good audit puts it back on the market.
    Relock {
        /// Number of the node under your provider.
        index: u32,
    },
    /// Close the account of a machine retired long enough ago; its rent goes back to who paid it.
    Close {
        /// Number of the node under your provider.
        index: u32,
    },
    /// Show a machine.
    Show {
        /// Number of the node under its provider.
        index: u32,
        /// Authority of its provider; yours by default.
        #[arg(long, value_parser = spec::address)]
        authority: Option<Pubkey>,
    },
    /// List all machines.
    List,
}

/// What a machine is said to be.
#[derive(clap::Args)]
pub struct RegisterArgs {
    /// What it computes on.
    #[arg(long, value_enum, default_value_t = Class::Gpu)]
    class: Class,
    /// Speed it is sold at, gops (`millrace bench` measures it). Stake grows with it; more than it has gets it suspended.
    #[arg(long)]
    gops: u64,
    /// Memory of one GPU that jobs may have, MiB. Each audit fills seven eighths of it and reads it against the clock; what is
    /// not proven so is not sold.
    #[arg(long, default_value_t = 0)]
    vram_mib: u32,
    /// GPUs in the machine.
    #[arg(long, default_value_t = 1)]
    gpu_count: u16,
    /// Model number from the catalogue; a label, proven by nothing.
    #[arg(long, default_value_t = 0)]
    model_id: u32,
    /// Region code, 0 to 63.
    #[arg(long, value_parser = spec::region, default_value = "0")]
    region: u8,
    /// Name of the site, up to 16 bytes: equal for machines in one place.
    #[arg(long, default_value = "")]
    site: String,
    /// Asking price, MILL a second.
    #[arg(long, value_parser = spec::price)]
    ask_per_sec: u64,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Class {
    Gpu,
    Cpu,
}

#[derive(Serialize)]
struct Shown {
    node: String,
    provider: String,
    index: u32,
    class: &'static str,
    state: &'static str,
    draining: bool,
    region: u8,
    claimed_gops: u64,
    verified_gops: u64,
    verified_vram_mib: u32,
    verified_bandwidth_mbps: u32,
    audit_epoch: u64,
    locked_stake: u64,
    ask_per_sec: u64,
    bid_job: Option<String>,
    lease: Option<String>,
}

fn state_name(node: &Node, now: i64) -> &'static str {
    match node.state {
        s if s == NodeState::Registered as u8 => "registered",
        s if s == NodeState::Verified as u8 && now < node.verified_until => "verified",
        s if s == NodeState::Verified as u8 => "expired",
        s if s == NodeState::Suspended as u8 => "suspended",
        _ => "retired",
    }
}

fn unless_zero(key: &Pubkey) -> Option<String> {
    (*key != Pubkey::default()).then(|| key.to_string())
}

impl Shown {
    fn new(key: &Pubkey, it: &Node, now: i64) -> Self {
        Self {
            node: key.to_string(),
            provider: it.provider.to_string(),
            index: it.index,
            class: if it.class == NodeClass::Cpu as u8 { "cpu" } else { "gpu" },
            state: state_name(it, now),
            draining: it.draining == 1,
            region: it.region,
            claimed_gops: it.claimed_gops,
            verified_gops: it.verified_gops,
            verified_vram_mib: it.verified_vram_mib,
            verified_bandwidth_mbps: it.verified_bandwidth_mbps,
            audit_epoch: it.audit_epoch,
            locked_stake: it.locked_stake,
            ask_per_sec: it.ask_per_sec,
            bid_job: unless_zero(&it.bid_job),
            lease: unless_zero(&it.lease),
        }
    }
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let rows = [
            ("node", self.node.clone()),
            ("provider", self.provider.clone()),
            ("class", self.class.into()),
            ("state", format!("{}{}", self.state, if self.draining { ", draining" } else { "" })),
            ("region", self.region.to_string()),
            ("speed", format!("{} gops measured, {} claimed", self.verified_gops, self.claimed_gops)),
            ("memory", format!("{} MiB measured", self.verified_vram_mib)),
            ("bandwidth", format!("{} Mbit/s measured", self.verified_bandwidth_mbps)),
            ("stake behind it", mill(self.locked_stake)),
            ("asks", format!("{} a second", mill(self.ask_per_sec))),
            ("bids on", self.bid_job.clone().unwrap_or_else(|| "nothing".into())),
            ("works for", self.lease.clone().unwrap_or_else(|| "nobody".into())),
        ];
        write!(f, "{}", lines(&rows))
    }
}

#[derive(Serialize)]
#[serde(transparent)]
struct Listed(Vec<Shown>);

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let mut rows = table(["node", "class", "state", "gops", "MiB", "Mbit/s", "region", "MILL a second"]);
        for it in &self.0 {
            rows.add_row([
                it.node.clone(),
                it.class.into(),
                it.state.into(),
                it.verified_gops.to_string(),
                it.verified_vram_mib.to_string(),
                it.verified_bandwidth_mbps.to_string(),
                it.region.to_string(),
                mill(it.ask_per_sec),
            ]);
        }
        write!(f, "{rows}")
    }
}

pub async fn run(context: &Context, command: Command) -> Result<()> {
    match command {
        Command::Register(args) => register(context, args).await,
        Command::SetAsk { index, ask_per_sec } => {
            let (authority, own) = own(context).await?;
            let title = format!("Ask {} a second for node {index}", mill(ask_per_sec));
            change(
                context,
                "set ask",
                index,
                title,
                ix::set_ask(&authority, &own.provider, &own.node(index), ask_per_sec),
            )
            .await
        }
        Command::Drain { index } => {
            let (authority, own) = own(context).await?;
            change(
                context,
                "drain",
                index,
                format!("Take no new work on node {index}"),
                ix::drain(&authority, &own.provider, &own.node(index), true),
            )
            .await
        }
        Command::Resume { index } => {
            let (authority, own) = own(context).await?;
            change(
                context,
                "resume",
                index,
                format!("Take work on node {index} again"),
                ix::drain(&authority, &own.provider, &own.node(index), false),
            )
            .await
        }
        Command::Retire { index } => {
            let (authority, own) = own(context).await?;
            change(
                context,
                "retire",
                index,
                format!("Take node {index} off the market for good"),
                ix::retire(&authority, &own.provider, &own.node(index)),
            )
            .await
        }
        Command::Relock { index } => relock(context, index).await,
        Command::Close { index } => close(context, index).await,
        Command::Show { index, authority } => {
            show(context, &authority.map_or_else(|| context.address(), Ok)?, index).await
        }
        Command::List => list(context).await,
    }
}

/// The provider of the key in use.
struct Own {
    provider: Pubkey,
}

impl Own {
    fn node(&self, index: u32) -> Pubkey {
        pda::node(&self.provider, index)
    }
}

async fn own(context: &Context) -> Result<(Pubkey, Own)> {
    let authority = context.address()?;
    let (provider, _) = provider::of(context, &authority).await?;
    Ok((authority, Own { provider }))
}

async fn find(context: &Context, authority: &Pubkey, owner: &Pubkey, index: u32) -> Result<(Pubkey, Node)> {
    let key = pda::node(owner, index);
    let node = fetch::<Node>(context.chain(), &key)
        .await?
        .with_context(|| format!("{authority} has no node {index}; see `millrace node list`"))?;
    Ok((key, node))
}

async fn show(context: &Context, authority: &Pubkey, index: u32) -> Result<()> {
    let (owner, _) = provider::of(context, authority).await?;
    let (key, node) = find(context, authority, &owner, index).await?;
    context.print(&Shown::new(&key, &node, context.chain().unix_timestamp().await?));
    Ok(())
}

async fn list(context: &Context) -> Result<()> {
    let now = context.chain().unix_timestamp().await?;
    let nodes = fetch_all::<Node>(context.chain(), &[]).await?;
    context.print(&Listed(nodes.iter().map(|(key, it)| Shown::new(key, it, now)).collect()));
    Ok(())
}

async fn change(
    context: &Context,
    label: &str,
    index: u32,
    title: String,
    instruction: millrace_client::Instruction,
) -> Result<()> {
    context.confirm(&Quote { title, rows: vec![] })?;
    context.submit(label, &[instruction]).await?;
    show(context, &context.address()?, index).await
}

async fn relock(context: &Context, index: u32) -> Result<()> {
    let authority = context.address()?;
    let (owner_key, owner) = provider::of(context, &authority).await?;
    let (key, node) = find(context, &authority, &owner_key, index).await?;
    let missing = node.stake_missing();
    if missing == 0 {
        bail!("node {index} has all the stake it needs, {}", mill(node.locked_stake));
    }
    if owner.free_stake() < missing {
        bail!(
            "node {index} lacks {}, and {} of your stake is free; stake more with `millrace provider stake`",
            mill(missing),
            mill(owner.free_stake())
        );
    }
    let title = format!("Lock {} for node {index}", mill(missing));
    change(context, "relock", index, title, ix::relock_node(&authority, &owner_key, &key)).await
}

#[derive(Serialize)]
struct Closed {
    node: String,
    rent_to: String,
}

impl fmt::Display for Closed {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "node {} is closed; its rent went to {}", self.node, self.rent_to)
    }
}

async fn close(context: &Context, index: u32) -> Result<()> {
    let authority = context.address()?;
    let (owner, _) = provider::of(context, &authority).await?;
    let (key, node) = find(context, &authority, &owner, index).await?;
    if !node.is_retired() {
        bail!("node {index} is not retired; retire it first with `millrace node retire {index}`");
    }
    let closes_at = node.retired_at.saturating_add(context.market().await?.params.judged_within_secs());
    let missing_secs = closes_at.saturating_sub(context.chain().unix_timestamp().await?);
    if missing_secs > 0 {
        bail!("a fraud of node {index} can still be judged; it may be closed in {missing_secs} s");
    }
    context.confirm(&Quote {
        title: format!("Close node {index}"),
        rows: vec![("rent goes to", node.rent_payer.to_string())],
    })?;
    context.submit("close node", &[ix::close_node(&owner, &key, &node.rent_payer)]).await?;
    context.print(&Closed { node: key.to_string(), rent_to: node.rent_payer.to_string() });
    Ok(())
}

async fn register(context: &Context, args: RegisterArgs) -> Result<()> {
    let (authority, market) = (context.address()?, context.market().await?);
    let (key, owner) = provider::of(context, &authority).await?;
    let params = &market.params;
    let stake = required_stake(args.gops, params.stake_base_amount, params.stake_per_1000_gops_amount)
        .with_context(|| format!("{} gops is more than any stake can cover", args.gops))?;
    if owner.free_stake() < stake {
        bail!(
            "a node of {} gops locks {}, and {} of your stake is free; stake more with `millrace provider stake`",
            args.gops,
            mill(stake),
            mill(owner.free_stake())
        );
    }
    if args.site.len() > 16 {
        bail!("the site name {:?} has {} bytes; at most 16", args.site, args.site.len());
    }
    let mut site = [0; 16];
    site[..args.site.len()].copy_from_slice(args.site.as_bytes());
    let index = owner.next_node_index;
    context.confirm(&Quote {
        title: format!("Register node {index} of {} gops", args.gops),
        rows: vec![
            ("stake it locks", mill(stake)),
            ("asks", format!("{} a second", mill(args.ask_per_sec))),
            ("rent", context.rent(&[8 + std::mem::size_of::<Node>()]).await?),
        ],
    })?;
    let registration = RegisterNodeArgs {
        class: match args.class {
            Class::Gpu => NodeClass::Gpu as u8,
            Class::Cpu => NodeClass::Cpu as u8,
        },
        region: args.region,
        gpu_count: args.gpu_count,
        model_id: args.model_id,
        site,
        claimed_gops: args.gops,
        claimed_vram_mib: args.vram_mib,
        ask_per_sec: args.ask_per_sec,
    };
    context.submit("register node", &[ix::register_node(&authority, &key, index, registration)]).await?;
    show(context, &authority, index).await
}
