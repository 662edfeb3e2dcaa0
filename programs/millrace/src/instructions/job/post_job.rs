//! Offers work and reserves the most it can cost.

use anchor_lang::prelude::*;
use millrace_core::score::Objective;

use crate::constants::*;
use crate::create;
use crate::errors::MillraceError;
use crate::events::{emit, next, JobPosted};
use crate::state::{Config, Customer, Job, NodeClass, Requirements, Tier, Topology};

/// The work and its terms.
#[derive(AnchorSerialize, AnchorDeserialize, Clone, Debug)]
pub struct PostJobArgs {
    /// sha256 of the manifest: code, inputs, environment, limits.
    pub manifest_hash: [u8; 32],
    /// What a node must have.
    pub requirements: Requirements,
    /// A [`Objective`].
    pub objective: u8,
    /// A [`Tier`].
    pub tier: u8,
    /// Highest bid allowed, base units a second.
    pub max_per_sec: u64,
    /// Longest the job may run, seconds.
    pub max_secs: u64,
    /// Time it takes bids, seconds.
    pub bidding_secs: i64,
}

/// Called by: the customer's authority, who pays the rent, while new work is not paused. Moves: what the job can cost at
/// most, fees and stand-bys included, from the customer's free to its reserved money. Keeps: I4.
#[event_cpi]
#[derive(Accounts)]
pub struct PostJob<'info> {
    /// Owns the customer; pays the rent.
    #[account(mut)]
    pub authority: Signer<'info>,
    /// The deployment.
    pub config: AccountLoader<'info, Config>,
    /// The customer who pays.
    #[account(mut)]
    pub customer: AccountLoader<'info, Customer>,
    /// CHECK: opened here at the seeds `job`, customer, next id.
    #[account(mut)]
    pub job: UncheckedAccount<'info>,
    /// Creates the account.
    pub system_program: Program<'info, System>,
}

impl PostJob<'_> {
    fn validate(&self, config: &Config, customer: &Customer, args: &PostJobArgs, now: i64) -> Result<()> {
        require_keys_eq!(self.authority.key(), customer.authority, MillraceError::WrongAuthority);
        config.require_not_paused(now)?;
        require!(args.tier <= Tier::Guaranteed as u8, MillraceError::TierNotOpen);
        require!(Objective::try_from(args.objective).is_ok(), MillraceError::UnknownObjective);
        let wanted = &args.requirements;
        require!((1..=MAX_NODE_COUNT).contains(&wanted.node_count), MillraceError::BadNodeCount);
        // Only where a failure has consequences; and nobody else's node is at the site that failed.
        let can_stand_by = args.tier == Tier::Guaranteed as u8 && wanted.topology != Topology::SameSite as u8;
        let most_standbys = if can_stand_by { wanted.node_count } else { 0 };
        let can_be_met = wanted.class <= NodeClass::Cpu as u8
            && wanted.regions != 0
            && wanted.min_reliability_bps <= millrace_core::money::BPS as u16
            && wanted.topology <= Topology::SameSite as u8
            && wanted.standby_count <= most_standbys
            && wanted.padding == [0; 2];
        require!(can_be_met, MillraceError::BadJob);
        let max_secs = i64::try_from(args.max_secs).unwrap_or(i64::MAX);
        let is_priced = args.max_per_sec > 0
            && max_secs > 0
            && config.bounds.max_lease.admits(max_secs)
            && max_secs <= config.params.max_lease_secs
            && args.bidding_secs > 0
            && config.bounds.award_window.admits(args.bidding_secs);
        require!(is_priced, MillraceError::BadJob);
        Ok(())
    }

    /// Opens the account and reserves.
    pub fn handle(ctx: Context<Self>, args: PostJobArgs) -> Result<()> {
        let accounts = &ctx.accounts;
        let now = Clock::get()?.unix_timestamp;
        let config = accounts.config.load()?;
        let mut customer = accounts.customer.load_mut()?;
        accounts.validate(&config, &customer, &args, now)?;

        let id = customer.next_job_id;
        let seeds = [JOB_SEED, accounts.customer.as_ref().key.as_ref(), &id.to_le_bytes()];
        let space = Job::space(args.requirements.node_count);
        let bump = create::create::<Job>(&accounts.authority, &accounts.job, seeds, space)?;
        let mut job = create::load_new::<Job>(&accounts.job)?;
        job.version = ACCOUNT_VERSION;
        job.bump = bump;
        job.tier = args.tier;
        job.objective = args.objective;
        job.customer = accounts.customer.key();
        job.id = id;
        job.manifest_hash = args.manifest_hash;
        job.requirements = args.requirements;
        job.max_per_sec = args.max_per_sec;
        job.max_secs = args.max_secs;
        job.posted_at = now;
        job.bidding_ends_at = now.saturating_add(args.bidding_secs);
        job.award_by = job.bidding_ends_at.saturating_add(config.params.award_window_secs);
        job.terms = config.params.lease_terms();
        job.rent_payer = accounts.authority.key();
        job.reserve_amount = job.most_cost()?;
        customer.reserve(job.reserve_amount)?;
        customer.next_job_id = id.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        customer.open_jobs = customer.open_jobs.checked_add(1).ok_or(MillraceError::MathOverflow)?;
        job.invariant()?;
        customer.invariant()?;

        let event = JobPosted {
            sequence: next(&mut job.sequence),
            job: accounts.job.key(),
            customer: job.customer,
            id,
            manifest_hash: job.manifest_hash,
            tier: job.tier,
            node_count: job.requirements.node_count,
            standby_count: job.requirements.standby_count,
            topology: job.requirements.topology,
            max_per_sec: job.max_per_sec,
            max_secs: job.max_secs,
            bidding_ends_at: job.bidding_ends_at,
            award_by: job.award_by,
            reserve_amount: job.reserve_amount,
            customer_free: customer.free,
            customer_reserved: customer.reserved,
        };
        drop((config, customer, job));
        emit(&accounts.event_authority, &event)
    }
}
