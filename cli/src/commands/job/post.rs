//! `millrace job post`.

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{bail, Context as _, Result};
use millrace::instructions::PostJobArgs;
use millrace::state::{Job, NodeClass, Requirements, Tier, Topology};
use millrace_client::{config, ix, pda};
use millrace_core::money::{share_floor, BPS};
use millrace_core::score::Objective;
use millrace_jobs::{Bounds, InputBundle};
use serde::Serialize;

use crate::commands::customer;
use crate::context::{mill, Context, Quote};
use crate::spec;

/// What is wanted, and at what price.
#[derive(clap::Args)]
#[group(skip)]
pub struct Args {
    /// The manifest: what to run, with what files, in what environment, within what limits.
    #[arg(value_name = "MANIFEST")]
    manifest: PathBuf,
    /// Most you pay, MILL a second.
    #[arg(long, value_parser = spec::price)]
    max_per_sec: u64,
    /// Longest it may run and be paid for, seconds; the manifest's max_secs by default.
    #[arg(long)]
    max_secs: Option<u64>,
    /// How long bids are taken, seconds.
    #[arg(long, default_value_t = 10)]
    bidding_secs: i64,
    /// What it must run on.
    #[arg(long, value_enum, default_value_t = Class::Gpu)]
    class: Class,
    /// Least measured speed, gops.
    #[arg(long, default_value_t = 0)]
    min_gops: u64,
    /// Least measured memory of one GPU, MiB.
    #[arg(long, default_value_t = 0)]
    min_vram_mib: u32,
    /// Least measured bandwidth, Mbit/s.
    #[arg(long, default_value_t = 0)]
    min_bandwidth_mbps: u32,
    /// Least reliability of the provider, basis points.
    #[arg(long, default_value_t = 0)]
    min_reliability_bps: u16,
    /// Regions allowed, separated by commas; any by default.
    #[arg(long, value_delimiter = ',', value_parser = spec::region)]
    regions: Vec<u8>,
    /// Which bid is best.
    #[arg(long, value_enum, default_value_t = Wish::PricePerGops)]
    objective: Wish,
    /// What happens when the node fails.
    #[arg(long, value_enum, default_value_t = Service::Spot)]
    tier: Service,
    /// Nodes that stand by, 0 or 1; 1 by default in the guaranteed tier.
    #[arg(long, value_name = "COUNT")]
    standbys: Option<u8>,
}

/// Nodes of a job that is posted here: clusters are not, yet.
const NODE_COUNT: u8 = 1;

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Service {
    /// The cheapest: every proven second is paid, and when the node fails you post the job again.
    Spot,
    /// A bond stands behind the node: when it fails a stand-by takes over at once, and part of the bond is yours.
    Guaranteed,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Class {
    Gpu,
    Cpu,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Wish {
    /// The lowest price.
    Price,
    /// The most measured speed for the money.
    PricePerGops,
    /// The most reliable provider.
    Reliability,
}

/// A posted job.
#[derive(Serialize)]
pub struct Posted {
    /// Number under the customer's key.
    pub id: u64,
    job: String,
    manifest_hash: String,
    reserved_amount: u64,
}

impl fmt::Display for Posted {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(
            f,
            "job {} posted at {}, {} reserved; take it up with `millrace job follow {}`",
            self.id,
            self.job,
            mill(self.reserved_amount),
            self.id
        )
    }
}

/// Where a job's packed inputs wait for its award, so that `follow` needs no manifest.
pub fn bundle_path(manifest_hash: &[u8; 32]) -> PathBuf {
    let state = config::outbox_path();
    state.parent().unwrap_or(Path::new(".")).join("jobs").join(format!("{}.tar", hex::encode(manifest_hash)))
}

/// Packs, quotes and posts.
pub async fn post(context: &Context, args: &Args) -> Result<Posted> {
    let bundle = InputBundle::pack(&args.manifest, Bounds::default())?;
    let (authority, market) = (context.address()?, context.market().await?);
    let (customer_key, customer) = customer::of(context, &authority).await?;
    let max_secs = args.max_secs.unwrap_or(bundle.manifest.limits.max_secs);
    let params = &market.params;
    if max_secs == 0 || max_secs > params.max_lease_secs as u64 {
        bail!("a lease of {max_secs} s is not possible here; give --max-secs from 1 to {}", params.max_lease_secs);
    }
    let standby_count = standby_count(args.tier, args.standbys)?;
    let requirements = requirements(args, standby_count);
    // What the program reserves, by the program's own formula.
    let wanted = Job {
        requirements,
        max_per_sec: args.max_per_sec,
        max_secs,
        terms: params.lease_terms(),
        ..bytemuck::Zeroable::zeroed()
    };
    let too_much = || format!("{} a second for {max_secs} s is more MILL than can exist", mill(args.max_per_sec));
    let cost = wanted.most_cost().ok().with_context(too_much)?;
    let of_standbys = wanted.standby_cost().ok().with_context(too_much)? * u64::from(standby_count);
    if args.max_per_sec == 0 {
        bail!("--max-per-sec is zero, so nobody would bid; give a price such as 0.05");
    }
    if customer.free < cost {
        bail!(
            "the job may cost up to {} and {} is free in your escrow; deposit more with `millrace customer deposit`",
            mill(cost),
            mill(customer.free)
        );
    }
    let gross = args.max_per_sec * max_secs;
    let fee = cost - of_standbys - gross;
    let burn_bps = BPS as u16 - params.oracle_share_bps - params.treasury_share_bps;
    let mut rows = vec![
        ("at most", mill(gross)),
        ("fee on it", format!("{} ({:.2} %)", mill(fee), f64::from(params.fee_bps) / 100.0)),
        ("of which burns", mill(share_floor(fee, burn_bps).unwrap_or(0))),
    ];
    if standby_count > 0 {
        rows.push(("a stand-by", format!("{}, with its fee", mill(of_standbys))));
    }
    rows.extend([
        ("reserved", format!("{}, the rest comes back", mill(cost))),
        ("rent", format!("{}, back when it is closed", context.rent(&[Job::space(1)]).await?)),
    ]);
    context.confirm(&Quote { title: format!("Post a job from {}", args.manifest.display()), rows })?;
    let manifest_hash = bundle.hash();
    let kept_at = bundle_path(&manifest_hash);
    let folder = kept_at.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&kept_at, bundle.bytes()))
        .with_context(|| format!("the inputs cannot be kept at {}", kept_at.display()))?;
    let id = customer.next_job_id;
    let order = PostJobArgs {
        manifest_hash,
        requirements,
        objective: match args.objective {
            Wish::Price => Objective::Price as u8,
            Wish::PricePerGops => Objective::PricePerGops as u8,
            Wish::Reliability => Objective::Reliability as u8,
        },
        tier: match args.tier {
            Service::Spot => Tier::Spot as u8,
            Service::Guaranteed => Tier::Guaranteed as u8,
        },
        max_per_sec: args.max_per_sec,
        max_secs,
        bidding_secs: args.bidding_secs,
    };
    context.submit("post job", &[ix::post_job(&authority, id, order)]).await?;
    Ok(Posted {
        id,
        job: pda::job(&customer_key, id).to_string(),
        manifest_hash: hex::encode(manifest_hash),
        reserved_amount: cost,
    })
}

/// How many nodes stand by.
fn standby_count(tier: Service, wanted: Option<u8>) -> Result<u8> {
    match (tier, wanted) {
        (Service::Spot, None | Some(0)) => Ok(0),
        (Service::Spot, Some(_)) => {
            bail!("a spot job has no stand-bys; give --tier guaranteed as well, or leave --standbys out")
        }
        (Service::Guaranteed, None) => Ok(NODE_COUNT),
        (Service::Guaranteed, Some(count)) if count <= NODE_COUNT => Ok(count),
        (Service::Guaranteed, Some(count)) => {
            bail!("{count} stand-bys for one node is more than there can be; give --standbys 0 or 1")
        }
    }
}

/// What a node must have.
fn requirements(args: &Args, standby_count: u8) -> Requirements {
    Requirements {
        min_gops: args.min_gops,
        regions: match args.regions.is_empty() {
            true => u64::MAX,
            false => args.regions.iter().fold(0, |mask, region| mask | 1 << region),
        },
        min_vram_mib: args.min_vram_mib,
        min_bandwidth_mbps: args.min_bandwidth_mbps,
        min_reliability_bps: args.min_reliability_bps,
        class: match args.class {
            Class::Gpu => NodeClass::Gpu as u8,
            Class::Cpu => NodeClass::Cpu as u8,
        },
        node_count: NODE_COUNT,
        topology: Topology::Any as u8,
        standby_count,
        padding: [0; 2],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guaranteed_job_has_a_stand_by_unless_it_wants_none_and_a_spot_job_has_none() {
        let count = |tier, wanted| standby_count(tier, wanted).ok();
        assert_eq!(count(Service::Spot, None), Some(0));
        assert_eq!(count(Service::Spot, Some(1)), None);
        assert_eq!(count(Service::Guaranteed, None), Some(1));
        assert_eq!(count(Service::Guaranteed, Some(0)), Some(0));
        assert_eq!(count(Service::Guaranteed, Some(2)), None);
    }
}
